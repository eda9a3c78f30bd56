//! Converts the firmware's clock to the seconds since 1970 that the protocol wants.

/// A time as EFI gives it (UEFI specification 2.10, section 8.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateTime {
    /// 1900 to 9999
    pub year: u16,
    /// 1 to 12
    pub month: u8,
    /// 1 to 31
    pub day: u8,
    /// 0 to 23
    pub hour: u8,
    /// 0 to 59
    pub minute: u8,
    /// 0 to 59
    pub second: u8,
    /// Minutes that local time is behind UTC, if the firmware knows.
    pub zone_minutes: Option<i16>,
}

/// The number of seconds since 1970-01-01 00:00:00 UTC; `None` if there is no such time.
///
/// A clock without a time zone counts as UTC, as with Limine.
pub fn unix_seconds(time: DateTime) -> Option<i64> {
    let month = i64::from(time.month);
    let day = i64::from(time.day);
    let sane = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && time.hour < 24
        && time.minute < 60
        && time.second < 60;
    if !sane {
        return None;
    }
    // Days by eras of 400 years that begin in March, so that the leap day is the last one.
    let year = i64::from(time.year).checked_sub(i64::from(month <= 2))?;
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let from_march = month.checked_add(9)?.rem_euclid(12);
    let day_of_year = from_march
        .checked_mul(153)?
        .checked_add(2)?
        .checked_div(5)?
        .checked_add(day)?
        .checked_sub(1)?;
    let day_of_era = year_of_era
        .checked_mul(365)?
        .checked_add(year_of_era.checked_div(4)?)?
        .checked_sub(year_of_era.checked_div(100)?)?
        .checked_add(day_of_year)?;
    let days = era
        .checked_mul(146_097)?
        .checked_add(day_of_era)?
        .checked_sub(719_468)?;
    let minutes = i64::from(time.hour)
        .checked_mul(60)?
        .checked_add(i64::from(time.minute))?;
    // EFI: local time = UTC - zone, in minutes.
    let minutes = minutes.checked_add(i64::from(time.zone_minutes.unwrap_or(0)))?;
    days.checked_mul(86_400)?
        .checked_add(minutes.checked_mul(60)?)?
        .checked_add(i64::from(time.second))
}

#[cfg(test)]
mod tests {
    use super::{DateTime, unix_seconds};
    use proptest::prelude::{any, proptest};

    fn is_leap(year: u16) -> bool {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    }

    fn days_in(month: u8, year: u16) -> u8 {
        match month {
            2 => 28 + u8::from(is_leap(year)),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut expected = -2_208_988_800_i64; // 1900-01-01
        for year in 1900..2500 {
            for month in 1..=12 {
                for day in 1..=days_in(month, year) {
                    let time = DateTime {
                        year,
                        month,
                        day,
                        hour: 0,
                        minute: 0,
                        second: 0,
                        zone_minutes: None,
                    };
                    assert_eq!(unix_seconds(time), Some(expected), "{time:?}");
                    expected += 86_400;
                }
            }
        }
    }

    #[test]
    fn known_times() {
        let time = DateTime {
            year: 2038,
            month: 1,
            day: 19,
            hour: 3,
            minute: 14,
            second: 8,
            zone_minutes: None,
        };
        assert_eq!(unix_seconds(time), Some(1 << 31));
        // New York in winter is 300 minutes behind.
        let time = DateTime {
            year: 1969,
            month: 12,
            day: 31,
            hour: 19,
            minute: 0,
            second: 0,
            zone_minutes: Some(300),
        };
        assert_eq!(unix_seconds(time), Some(0));
    }

    proptest! {
        #[test]
        fn nothing_panics_and_nonsense_is_refused(
            year: u16, month: u8, day: u8, hour: u8, minute: u8, second: u8,
            zone_minutes in any::<Option<i16>>(),
        ) {
            let result = unix_seconds(DateTime { year, month, day, hour, minute, second, zone_minutes });
            if month == 0 || month > 12 || day == 0 || day > 31 || hour > 23 || minute > 59 || second > 59 {
                assert_eq!(result, None);
            }
        }
    }
}
