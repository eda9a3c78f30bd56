//! Switching the machine off.

/// What `system_power` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Action {
    /// The machine is switched off; an emulator is told the status.
    Off = 0,
    /// The machine is restarted.
    Restart = 1,
}

impl Action {
    /// The first of the numbers.
    pub const FIRST: u64 = 0;
    /// How many actions there are; their numbers are those from the first on.
    pub const COUNT: u64 = 2;

    /// The action with this number.
    pub const fn from_number(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::Off),
            1 => Some(Self::Restart),
            _ => None,
        }
    }
}
