//! Times and sizes as text: `"100 ms"`, `"16 MiB"`.

use alloc::format;
use alloc::string::String;

use serde::Deserialize;

/// A time in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Time(pub u64);

/// A size in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Size(pub u64);

const TIMES: [(&str, u64); 4] = [
    ("ms", 1_000_000),
    ("min", 60_000_000_000),
    ("us", 1_000),
    ("s", 1_000_000_000),
];

const SIZES: [(&str, u64); 3] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

impl TryFrom<String> for Time {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        read(&text, &TIMES)
            .map(Self)
            .ok_or_else(|| format!("{text:?} is no time: a number and us, ms, s or min"))
    }
}

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        read(&text, &SIZES)
            .map(Self)
            .ok_or_else(|| format!("{text:?} is no size: a number and KiB, MiB or GiB"))
    }
}

fn read(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, factor) = units
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))?;
    let number = number.trim();
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    number.parse::<u64>().ok()?.checked_mul(factor)
}
