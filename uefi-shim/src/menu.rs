//! Chooses the entry: at once, or by a list with a countdown.

use alloc::format;
use core::time::Duration;

use shim_core::Error;
use shim_core::config::{Config, Entry, Timeout};
use uefi::boot;

use crate::console::{Console, wait_for_key};

/// Chooses the entry to boot.
///
/// With `timeout: 0` that is the default entry. Otherwise the entries are listed with numbers; a
/// digit chooses one, any other key or the end of the time takes the default.
pub fn choose<'a>(console: &mut Console, config: &'a Config) -> Result<&'a Entry, Error> {
    let default = config.globals.default_entry;
    let limit = match config.globals.timeout {
        Timeout::Seconds(0) => return config.choose(default),
        Timeout::Seconds(seconds) => Duration::from_secs(seconds.into()),
        Timeout::Never => Duration::MAX,
    };
    config.choose(default)?;
    let visible = config.visible();
    for (number, index) in (1_usize..).zip(&visible) {
        if let Some(entry) = config.entries.get(*index) {
            let mark = if number == default { '*' } else { ' ' };
            let indent = entry.depth.saturating_mul(2);
            console.print(&format!("{mark}{number:indent$}  {}\n", entry.title));
            if let Some(comment) = &entry.comment {
                console.print(&format!("{:indent$}     {comment}\n", ' '));
            }
        }
    }
    let wait = match config.globals.timeout {
        Timeout::Seconds(seconds) => format!("; booting entry {default} in {seconds} seconds"),
        Timeout::Never => format!("; any other key boots entry {default}"),
    };
    console.print(&format!("Press the number of an entry{wait}\n"));
    // The firmware restarts a machine that does not boot within five minutes.
    let _kept = boot::set_watchdog_timer(0, 0x1_0000, None);
    let digit = wait_for_key(limit)
        .flatten()
        .and_then(|key| key.to_digit(10));
    match digit.and_then(|digit| usize::try_from(digit).ok()) {
        Some(number) if (1..=visible.len()).contains(&number) => config.choose(number),
        _ => config.choose(default),
    }
}
