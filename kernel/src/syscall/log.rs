//! Calls on the log.

use abi::{Error, LOG_WRITE_MAX};

use crate::arch::current::usercopy;
use crate::console;
use crate::process::Process;

/// `log_write`: one record per line of the text.
pub fn write(process: &Process, text: u64, len: u64) -> Result<u64, Error> {
    let len = usize::try_from(len).map_err(|_| Error::InvalidArgument)?;
    if len > LOG_WRITE_MAX {
        return Err(Error::InvalidArgument);
    }
    let mut buffer = [0u8; LOG_WRITE_MAX];
    let bytes = &mut buffer[..len];
    usercopy::read(text, bytes).map_err(|_| Error::BadAddress)?;
    for line in bytes
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        console::write(
            log::Level::Info,
            process.name(),
            format_args!("{}", Lossy(line)),
        );
    }
    Ok(0)
}

/// Shows bytes as text: what is not UTF-8 becomes U+FFFD, control characters a question mark.
struct Lossy<'a>(&'a [u8]);

impl core::fmt::Display for Lossy<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        use core::fmt::Write;
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                f.write_char(if character.is_control() {
                    '?'
                } else {
                    character
                })?;
            }
            if !chunk.invalid().is_empty() {
                f.write_char(char::REPLACEMENT_CHARACTER)?;
            }
        }
        Ok(())
    }
}
