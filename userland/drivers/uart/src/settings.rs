//! What the driver is told by its arguments: `baud=115200 flow=auto`.

use core::fmt;

/// The rate at divisor 1.
const FASTEST: u32 = 115_200;

/// When bytes are held back because the other side does not take them (CTS).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Flow {
    /// Never.
    None,
    /// Whenever CTS is off.
    Hardware,
    /// Whenever CTS is off, once it has been on: a cable of three wires has none.
    #[default]
    Auto,
}

/// How ports are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Of 115200 baud.
    pub divisor: u16,
    /// Flow control of what is sent. What is received is always held back by RTS when there is no room.
    pub flow: Flow,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            divisor: 1,
            flow: Flow::Auto,
        }
    }
}

/// An argument that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadArgument<'a>(pub &'a str);

impl fmt::Display for BadArgument<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(argument) = self;
        write!(
            f,
            "argument '{argument}' is none; there are baud=RATE (a part of {FASTEST}) and flow=none, flow=hardware, flow=auto"
        )
    }
}

impl core::error::Error for BadArgument<'_> {}

impl Settings {
    /// Takes an argument into account.
    ///
    /// # Errors
    /// [`BadArgument`] if it is none; then nothing has changed.
    pub fn set<'a>(&mut self, argument: &'a str) -> Result<(), BadArgument<'a>> {
        let bad = BadArgument(argument);
        match argument.split_once('=').ok_or(bad)? {
            ("baud", rate) => {
                let rate: u32 = rate.parse().map_err(|_| bad)?;
                let divisor = FASTEST.checked_div(rate).ok_or(bad)?;
                if divisor.checked_mul(rate) != Some(FASTEST) {
                    return Err(bad);
                }
                self.divisor = u16::try_from(divisor).map_err(|_| bad)?;
            }
            ("flow", "none") => self.flow = Flow::None,
            ("flow", "hardware") => self.flow = Flow::Hardware,
            ("flow", "auto") => self.flow = Flow::Auto,
            _ => return Err(bad),
        }
        Ok(())
    }

    /// The rate.
    pub fn baud(&self) -> u32 {
        FASTEST / u32::from(self.divisor.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    proptest! {
        #[test]
        fn any_argument_is_taken_or_refused(argument in "(baud|flow|)(=|)[a-z0-9]{0,12}") {
            let mut settings = Settings::default();
            let before = settings;
            if settings.set(&argument).is_err() {
                prop_assert_eq!(settings, before);
            }
            prop_assert!(settings.divisor != 0);
        }

        #[test]
        fn rates_come_back(divisor in 1u32..=1024) {
            let rate = FASTEST / divisor;
            let mut settings = Settings::default();
            if settings.set(&format!("baud={rate}")).is_ok() {
                prop_assert_eq!(settings.baud(), rate);
            } else {
                prop_assert!(rate * divisor != FASTEST);
            }
        }
    }

    #[test]
    fn what_is_none_is_said() {
        let mut settings = Settings::default();
        for argument in [
            "baud=0",
            "baud=",
            "baud=115201",
            "flow=maybe",
            "x",
            "",
            "baud=4294967296",
        ] {
            assert_eq!(settings.set(argument), Err(BadArgument(argument)));
        }
        assert_eq!(settings.set("flow=hardware"), Ok(()));
        assert_eq!(settings.set("baud=9600"), Ok(()));
        assert_eq!((settings.divisor, settings.flow), (12, Flow::Hardware));
    }
}
