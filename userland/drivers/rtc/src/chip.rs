//! Reads and sets the chip, whichever way it counts.

use core::fmt;

use time::{Date, Month, OffsetDateTime, Time};

use crate::registers::{
    A, A_UPDATING, B, B_24_HOURS, B_BINARY, B_CAUSES, B_EACH_SECOND, B_SET, C, C_SECOND, D,
    D_VALID, DAY, HOURS, HOURS_PM, MINUTES, MONTH, Registers, SECONDS, WEEKDAY, YEAR,
};

/// What the registers say, as it is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// Seconds.
    pub second: u8,
    /// Minutes.
    pub minute: u8,
    /// Hours.
    pub hour: u8,
    /// Day of the month.
    pub day: u8,
    /// Month.
    pub month: u8,
    /// Year of the century.
    pub year: u8,
    /// Century, where there is a register for it.
    pub century: Option<u8>,
}

/// Why there is no date, or why it could not be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It counts just now: to be tried again in a millisecond.
    Updating,
    /// What it says is no date.
    NoDate(Fields),
    /// The battery was empty: what it says means nothing.
    Battery,
    /// The date cannot be told to this clock.
    Range,
    /// It does not keep what it is told.
    NotKept,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Updating => f.write_str("the clock is busy for too long"),
            Self::NoDate(fields) => write!(f, "the clock says what is no date: {fields:?}"),
            Self::Battery => f.write_str("the battery of the clock was empty; set the date"),
            Self::Range => f.write_str("the clock cannot keep this date"),
            Self::NotKept => f.write_str("the clock does not keep what it is told"),
        }
    }
}

impl core::error::Error for Trouble {}

/// The chip.
pub struct Chip<R> {
    registers: R,
    /// The register of the century, if there is one.
    century: Option<u8>,
}

/// The numbers of a register that counts in a way.
fn number(value: u8, mode: u8) -> Option<u8> {
    if mode & B_BINARY != 0 {
        return Some(value);
    }
    let (tens, ones) = (value >> 4, value & 0x0f);
    (tens <= 9 && ones <= 9).then_some(tens * 10 + ones)
}

/// How a number below 100 is written there.
fn written(number: u8, mode: u8) -> u8 {
    if mode & B_BINARY != 0 {
        number
    } else {
        ((number / 10) << 4) | (number % 10)
    }
}

fn hours(value: u8, mode: u8) -> Option<u8> {
    if mode & B_24_HOURS != 0 {
        return number(value, mode);
    }
    // Noon and midnight are 12.
    let hour = number(value & !HOURS_PM, mode).filter(|hour| (1..=12).contains(hour))?;
    let noon = if value & HOURS_PM != 0 { 12 } else { 0 };
    Some(hour % 12 + noon)
}

fn written_hours(hour: u8, mode: u8) -> u8 {
    if mode & B_24_HOURS != 0 {
        return written(hour, mode);
    }
    let (half, pm) = (hour % 12, if hour >= 12 { HOURS_PM } else { 0 });
    written(if half == 0 { 12 } else { half }, mode) | pm
}

/// Seconds since 1970 of what the registers say.
fn seconds(fields: &Fields, mode: u8) -> Option<u64> {
    let value = |field| number(field, mode);
    // Without a century it is this one.
    let century = fields.century.map_or(Some(20), value)?;
    let year = i32::from(century)
        .checked_mul(100)?
        .checked_add(i32::from(value(fields.year).filter(|year| *year < 100)?))?;
    let month = Month::try_from(value(fields.month)?).ok()?;
    let date = Date::from_calendar_date(year, month, value(fields.day)?).ok()?;
    let hour = hours(fields.hour, mode)?;
    let time = Time::from_hms(hour, value(fields.minute)?, value(fields.second)?).ok()?;
    let all = date.with_time(time).assume_utc().unix_timestamp();
    u64::try_from(all).ok()
}

impl<R: Registers> Chip<R> {
    /// The chip, whose register of the century is this one, if it has one.
    pub fn new(registers: R, century: Option<u8>) -> Self {
        Self { registers, century }
    }

    fn fields(&mut self) -> Fields {
        let century = self.century;
        let mut read = |register| self.registers.read(register);
        Fields {
            second: read(SECONDS),
            minute: read(MINUTES),
            hour: read(HOURS),
            day: read(DAY),
            month: read(MONTH),
            year: read(YEAR),
            century: century.map(read),
        }
    }

    /// What time it is, in seconds since 1970.
    ///
    /// # Errors
    /// [`Trouble::Updating`] while it counts; and others when it has no date.
    pub fn read(&mut self) -> Result<u64, Trouble> {
        // Whoever is kept from running between two reads may see it count: so it is read twice.
        let is_updating = |chip: &mut Self| chip.registers.read(A) & A_UPDATING != 0;
        if is_updating(self) {
            return Err(Trouble::Updating);
        }
        let (first, mode) = (self.fields(), self.registers.read(B));
        if is_updating(self) || self.fields() != first {
            return Err(Trouble::Updating);
        }
        if self.registers.read(D) & D_VALID == 0 {
            return Err(Trouble::Battery);
        }
        seconds(&first, mode).ok_or(Trouble::NoDate(first))
    }

    /// Sets it, to seconds since 1970; it goes on counting in its way, from the begin of that second on.
    ///
    /// # Errors
    /// [`Trouble::Range`] for what it cannot say, and [`Trouble::NotKept`] if it does not.
    pub fn set(&mut self, to: u64) -> Result<(), Trouble> {
        let range = Trouble::Range;
        let to = i64::try_from(to).map_err(|_| range)?;
        let to = OffsetDateTime::from_unix_timestamp(to).map_err(|_| range)?;
        let year = u16::try_from(to.year())
            .ok()
            .filter(|year| *year < 10_000)
            .ok_or(range)?;
        let (century, year) = ((year / 100) as u8, (year % 100) as u8);
        if self.century.is_none() && century != 20 {
            return Err(range);
        }
        let mode = self.registers.read(B);
        self.registers.write(B, mode | B_SET);
        let date = [
            (SECONDS, written(to.second(), mode)),
            (MINUTES, written(to.minute(), mode)),
            (HOURS, written_hours(to.hour(), mode)),
            (WEEKDAY, to.weekday().number_from_sunday()),
            (DAY, written(to.day(), mode)),
            (MONTH, written(u8::from(to.month()), mode)),
            (YEAR, written(year, mode)),
        ];
        let century = self
            .century
            .map(|register| (register, written(century, mode)));
        let mut is_kept = true;
        for (register, value) in date.into_iter().chain(century) {
            self.registers.write(register, value);
            is_kept &= self.registers.read(register) == value;
        }
        self.registers.write(B, mode & !B_SET);
        if is_kept {
            Ok(())
        } else {
            Err(Trouble::NotKept)
        }
    }

    /// Interrupts at the end of each second from now on, and for nothing else.
    pub fn interrupt_each_second(&mut self) {
        let mode = self.registers.read(B) & !B_CAUSES;
        self.registers.write(B, mode | B_EACH_SECOND);
        self.registers.read(C);
    }

    /// Interrupts no more.
    pub fn be_quiet(&mut self) {
        let mode = self.registers.read(B) & !B_CAUSES;
        self.registers.write(B, mode);
        self.registers.read(C);
    }

    /// After an interrupt: whether a second has begun. It interrupts again only when this was asked.
    pub fn has_counted(&mut self) -> bool {
        self.registers.read(C) & C_SECOND != 0
    }
}
