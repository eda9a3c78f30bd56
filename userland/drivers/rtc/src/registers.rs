//! The registers of the clock (Motorola MC146818A data sheet), and how they are reached.

/// The bytes of the clock's memory, of which the first are its registers.
pub trait Registers {
    /// Reads one of them, by its number.
    fn read(&mut self, register: u8) -> u8;
    /// Writes one of them, by its number.
    fn write(&mut self, register: u8, value: u8);
}

/// The memory of the clock by two ports: an index, and the byte that it names. (The highest bit of the index would keep non-maskable
/// interrupts away.)
pub struct IoPorts(pub u16);

impl Registers for IoPorts {
    fn read(&mut self, register: u8) -> u8 {
        sys::port::write8(self.0, register & 0x7f);
        sys::port::read8(self.0.wrapping_add(1))
    }

    fn write(&mut self, register: u8, value: u8) {
        sys::port::write8(self.0, register & 0x7f);
        sys::port::write8(self.0.wrapping_add(1), value);
    }
}

/// Seconds.
pub const SECONDS: u8 = 0x00;
/// Minutes.
pub const MINUTES: u8 = 0x02;
/// Hours; see [`HOURS_PM`].
pub const HOURS: u8 = 0x04;
/// Day of the week: Sunday is 1.
pub const WEEKDAY: u8 = 0x06;
/// Day of the month.
pub const DAY: u8 = 0x07;
/// Month.
pub const MONTH: u8 = 0x08;
/// Year of the century.
pub const YEAR: u8 = 0x09;
/// State.
pub const A: u8 = 0x0a;
/// How it counts, and when it interrupts.
pub const B: u8 = 0x0b;
/// Why it has interrupted; reading clears it.
pub const C: u8 = 0x0c;
/// Whether its battery is good.
pub const D: u8 = 0x0d;

/// Of hours on a clock of twelve: after noon.
pub const HOURS_PM: u8 = 1 << 7;
/// Of [`A`]: it is about to count, and what is read may be torn. When it is clear, there are 244 microseconds at least until it counts.
pub const A_UPDATING: u8 = 1 << 7;
/// Of [`B`]: it does not count, so that it can be set.
pub const B_SET: u8 = 1 << 7;
/// Of [`B`]: what makes it interrupt: 1024 times a second or so, at a time of day, each second.
pub const B_CAUSES: u8 = 0b111 << 4;
/// Of [`B`]: it interrupts each second, when it has counted.
pub const B_EACH_SECOND: u8 = 1 << 4;
/// Of [`B`]: numbers are binary, not decimal digits.
pub const B_BINARY: u8 = 1 << 2;
/// Of [`B`]: hours are those of a day, not of half of one.
pub const B_24_HOURS: u8 = 1 << 1;
/// Of [`C`]: it has counted.
pub const C_SECOND: u8 = 1 << 4;
/// Of [`D`]: the battery was good all the time.
pub const D_VALID: u8 = 1 << 7;
