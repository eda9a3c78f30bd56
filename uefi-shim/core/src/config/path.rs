//! Understands the paths of a configuration file: `resource(argument):/path#hash`.
//!
//! The older form `resource://argument/path` is understood, too. Resources that cannot be reached
//! through the firmware's file systems (`tftp`, BIOS drive numbers) are refused by name.

use alloc::borrow::ToOwned;
use alloc::string::String;

use crate::error::Error;

/// The volume that a path is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Volume {
    /// The volume that the configuration was read from.
    Boot,
    /// A partition of the drive that the configuration was read from, from 1.
    BootPartition(u32),
    /// A partition with this GUID, in the byte order of GPT.
    Guid([u8; 16]),
    /// A file system with this label.
    Label(String),
}

/// A path, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePath {
    /// Where the file is.
    pub volume: Volume,
    /// Its path on the volume, with a leading slash.
    pub path: String,
    /// The BLAKE2B hash that it must have.
    pub hash: Option<[u8; 64]>,
}

impl FilePath {
    /// Takes a path apart.
    ///
    /// # Errors
    /// It is not written as a path, or names a resource that this loader cannot reach.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bad = |reason| Error::BadPath {
            path: text.to_owned(),
            reason,
        };
        let (location, hash) = match text.rsplit_once('#') {
            Some((location, digits)) => (
                location,
                Some(parse_hash(digits).ok_or(bad(
                    "the BLAKE2B hash behind \"#\" must be 128 hexadecimal digits",
                ))?),
            ),
            None => (text, None),
        };
        let (resource, argument, path) =
            split(location).ok_or(bad("it does not have the form resource(argument):/path"))?;
        if path.is_empty() {
            return Err(bad("it names no file"));
        }
        let volume = match resource {
            "boot" if argument.is_empty() => Volume::Boot,
            "boot" => match argument.parse() {
                Ok(number) if number > 0 => Volume::BootPartition(number),
                _ => return Err(bad("the partition in boot() must be a number from 1 on")),
            },
            "guid" | "uuid" => Volume::Guid(parse_guid(argument).ok_or(bad(
                "the GUID must have the form 01234567-89ab-cdef-0123-456789abcdef",
            ))?),
            "fslabel" if !argument.is_empty() => Volume::Label(argument.to_owned()),
            "hdd" | "odd" => {
                return Err(bad(
                    "drives have no numbers under UEFI; use boot(), guid() or fslabel()",
                ));
            }
            "tftp" => return Err(bad("this loader does not load from the network")),
            _ => return Err(bad("the resource must be boot, guid, uuid or fslabel")),
        };
        let mut full = String::from("/");
        full.push_str(path);
        Ok(Self {
            volume,
            path: full,
            hash,
        })
    }

    /// Checks the hash that the path promises.
    pub fn verify(&self, contents: &[u8]) -> HashCheck {
        match self.hash {
            None => HashCheck::NotAsked,
            Some(hash) if blake2b(contents) == hash => HashCheck::Matches,
            Some(_) => HashCheck::Differs,
        }
    }
}

/// What a check of a file's hash said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum HashCheck {
    /// The path gives no hash.
    NotAsked,
    /// The file is what the path promises.
    Matches,
    /// The file is something else.
    Differs,
}

fn blake2b(contents: &[u8]) -> [u8; 64] {
    use blake2::Digest;
    blake2::Blake2b512::digest(contents).into()
}

/// Splits both forms into resource, argument and the path without its leading slash.
fn split(location: &str) -> Option<(&str, &str, &str)> {
    if let Some((resource, rest)) = location.split_once('(')
        && let Some((argument, path)) = rest.split_once("):/")
    {
        return Some((resource, argument, path));
    }
    let (resource, rest) = location.split_once("://")?;
    let (argument, path) = rest.split_once('/')?;
    Some((resource, argument, path))
}

fn parse_hash(digits: &str) -> Option<[u8; 64]> {
    let mut hash = [0; 64];
    parse_hex(digits.as_bytes(), &mut hash)?;
    Some(hash)
}

fn parse_hex(digits: &[u8], out: &mut [u8]) -> Option<()> {
    if digits.len() != out.len().checked_mul(2)? {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let mut value = 0_u32;
        for digit in pair {
            value = value
                .checked_mul(16)?
                .checked_add(char::from(*digit).to_digit(16)?)?;
        }
        *byte = u8::try_from(value).ok()?;
    }
    Some(())
}

/// Reads a GUID into the byte order of GPT: the first three groups are little-endian.
pub fn parse_guid(text: &str) -> Option<[u8; 16]> {
    let mut guid = [0; 16];
    let mut groups = text.split('-');
    let (first, rest) = guid.split_first_chunk_mut::<4>()?;
    let (second, rest) = rest.split_first_chunk_mut::<2>()?;
    let (third, rest) = rest.split_first_chunk_mut::<2>()?;
    let (fourth, fifth) = rest.split_first_chunk_mut::<2>()?;
    parse_hex(groups.next()?.as_bytes(), first)?;
    parse_hex(groups.next()?.as_bytes(), second)?;
    parse_hex(groups.next()?.as_bytes(), third)?;
    parse_hex(groups.next()?.as_bytes(), fourth)?;
    parse_hex(groups.next()?.as_bytes(), fifth)?;
    first.reverse();
    second.reverse();
    third.reverse();
    groups.next().is_none().then_some(guid)
}
