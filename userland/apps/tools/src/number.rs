//! Numbers as people read and write them.

use alloc::format;
use alloc::string::String;

/// Bytes in a unit that leaves few digits.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut unit = 0;
    let mut scale = 1024u64;
    while bytes / scale >= 1024 && unit + 1 < UNITS.len() {
        scale *= 1024;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    let (whole, tenth) = (bytes / scale, bytes % scale * 10 / scale);
    match whole < 100 {
        true => format!("{whole}.{tenth} {name}"),
        false => format!("{whole} {name}"),
    }
}

/// A part of a whole, in percent with one digit behind the point.
pub fn percent(part: u64, whole: u64) -> String {
    let tenths = u128::from(part) * 1000 / u128::from(whole.max(1));
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// Nanoseconds as seconds with milliseconds.
pub fn seconds(ns: u64) -> String {
    format!("{}.{:03}", ns / 1_000_000_000, ns / 1_000_000 % 1000)
}

/// Nanoseconds of `1`, `0.5`, `2s`, `100ms`, `3m`.
pub fn duration(text: &str) -> Option<u64> {
    let (number, unit) = match text.find(|other: char| !other.is_ascii_digit() && other != '.') {
        Some(end) => text.split_at(end),
        None => (text, "s"),
    };
    let scale: u64 = match unit {
        "ns" => 1,
        "us" => 1000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let parse = |text: &str| {
        if text.is_empty() {
            Some(0)
        } else {
            text.parse::<u64>().ok()
        }
    };
    let parts = 10u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let fraction = u128::from(parse(fraction)?) * u128::from(scale) / u128::from(parts);
    let whole = parse(whole)?.checked_mul(scale)?;
    whole.checked_add(u64::try_from(fraction).ok()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(200 * 1024 * 1024), "200 MiB");
        assert_eq!(percent(1, 3), "33.3");
        assert_eq!(percent(5, 0), "5000.0".replace("5000", "500"));
        assert_eq!(seconds(1_234_567_890), "1.234");
        assert_eq!(duration("1"), Some(1_000_000_000));
        assert_eq!(duration("0.25"), Some(250_000_000));
        assert_eq!(duration(".5m"), Some(30_000_000_000));
        assert_eq!(duration("20ms"), Some(20_000_000));
        for text in ["", ".", "x", "1x", "1.2.3", "99999999999999999999", "-1"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_number_is_shown(number in any::<u64>(), other in any::<u64>(), text in any::<String>()) {
            prop_assert!(bytes(number).len() <= 10);
            percent(number, other);
            let _ = duration(&text);
        }
    }
}
