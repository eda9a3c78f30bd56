//! Days and months of times since 1970, in UTC, by the Gregorian calendar.

use core::fmt;

/// Seconds of a day.
const DAY: u64 = 86_400;

/// A date and a time of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// The year.
    pub year: u64,
    /// The month, from 1.
    pub month: u64,
    /// The day of the month, from 1.
    pub day: u64,
    /// The second of the day.
    pub second: u64,
}

impl Date {
    /// That of so many seconds since 1970.
    pub fn of_seconds(seconds: u64) -> Self {
        // Days are counted from 1 March of year 0, in eras of 400 years (H. Hinnant, "chrono-compatible low-level date algorithms").
        let days = seconds / DAY + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let month = if from_march < 10 {
            from_march + 3
        } else {
            from_march - 9
        };
        Self {
            year: era * 400 + year_of_era + u64::from(month <= 2),
            month,
            day: of_year - (153 * from_march + 2) / 5 + 1,
            second: seconds % DAY,
        }
    }

    /// The date of `YYYY-MM-DD` or `YYYY-MM-DD HH:MM[:SS]`.
    pub fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.split_once([' ', 'T']).unwrap_or((text, "0:0"));
        let mut date = date.split('-').map(|part| part.parse::<u64>().ok());
        let mut time = time
            .trim_end_matches('Z')
            .split(':')
            .map(|part| part.parse::<u64>().ok());
        let (year, month, day) = (date.next()??, date.next()??, date.next()??);
        let (hour, minute, second) = (
            time.next()??,
            time.next()??,
            time.next().unwrap_or(Some(0))?,
        );
        let is_time = hour < 24 && minute < 60 && second < 60 && time.next().is_none();
        let is_date = (1970..100_000).contains(&year) && (1..=12).contains(&month) && day >= 1;
        if !is_date || !is_time || date.next().is_some() {
            return None;
        }
        let date = Self {
            year,
            month,
            day,
            second: hour * 3600 + minute * 60 + second,
        };
        // A day that there is not comes back as another one.
        (Self::of_seconds(date.seconds()) == date).then_some(date)
    }

    /// Seconds since 1970.
    pub fn seconds(self) -> u64 {
        let year = self.year - u64::from(self.month <= 2);
        let (era, of_era) = (year / 400, year % 400);
        let from_march = (self.month + 9) % 12;
        let of_year = (153 * from_march + 2) / 5 + self.day - 1;
        let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year;
        (days - 719_468) * DAY + self.second
    }

    /// The day of the week, short.
    pub fn weekday(self) -> &'static str {
        // 1 January 1970 was a Thursday.
        let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        let index = (self.seconds() / DAY % 7) as usize;
        days.get(index).copied().unwrap_or_default()
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hour, minute) = (self.second / 3600, self.second / 60 % 60);
        write!(f, "{:04}-{:02}-{:02} ", self.year, self.month, self.day)?;
        write!(f, "{hour:02}:{minute:02}:{:02}", self.second % 60)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_dates() {
        let cases = [
            (0, "1970-01-01 00:00:00", "Thu"),
            (951_782_399, "2000-02-28 23:59:59", "Mon"),
            (951_782_400, "2000-02-29 00:00:00", "Tue"),
            (1_796_000_000, "2026-11-30 00:53:20", "Mon"),
        ];
        for (seconds, text, weekday) in cases {
            let date = Date::of_seconds(seconds);
            assert_eq!((date.to_string().as_str(), date.weekday()), (text, weekday));
            assert_eq!(Date::parse(text), Some(date));
        }
        for text in [
            "",
            "2026",
            "2026-02-29",
            "2026-13-01",
            "2026-01-01 24:00",
            "1969-12-31",
        ] {
            assert_eq!(Date::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn seconds_come_back(seconds in 0..4_000_000_000_000u64) {
            let date = Date::of_seconds(seconds);
            prop_assert_eq!(date.seconds(), seconds);
            prop_assert!((1..=12).contains(&date.month) && (1..=31).contains(&date.day));
            prop_assert!(Date::of_seconds(seconds + 1) > date);
        }

        #[test]
        fn any_text_is_read(text in any::<String>()) {
            let _ = Date::parse(&text);
        }
    }
}
