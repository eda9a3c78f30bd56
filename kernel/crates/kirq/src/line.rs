//! A line that a driver has: when it is masked, when the driver is told, what an acknowledgement does.
//!
//! The driver is told once, and then not until it has acknowledged. It first acknowledges and then waits, or first looks after
//! the device and then acknowledges: in either order nothing is lost.
//!
//! - A line that reacts to *levels* is masked when it fires, since the device keeps its level until the driver has looked after
//!   it. The acknowledgement unmasks it; if the level is still there, it fires again.
//! - A line that reacts to *edges* stays open, as an edge that comes while it is masked may be lost. Edges are counted. If more than one
//!   came until the acknowledgement, the driver is told once more: one of them may have come after it had looked. A device that
//!   floods the line is masked at [`MOST_UNACKNOWLEDGED`]; as the driver is told after it was unmasked then, it sees
//!   what it has missed.
//!
//! A line is masked as long as nobody is to be told.

use crate::IrqError;
use crate::wiring::Trigger;

/// So many edges that were not acknowledged mask a line.
pub const MOST_UNACKNOWLEDGED: u32 = 256;

/// What is to be done, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Step {
    /// The input is to be masked (`true`) or unmasked; none: it stays as it is.
    pub mask: Option<bool>,
    /// The driver is to be told.
    pub signal: bool,
}

/// The state of a line.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    trigger: Trigger,
    /// Somebody is to be told.
    is_bound: bool,
    is_masked: bool,
    /// How often it has fired since it was acknowledged.
    fired: u32,
}

impl Line {
    /// A line that is masked, and that nobody is told of.
    pub const fn new(trigger: Trigger) -> Self {
        Self {
            trigger,
            is_bound: false,
            is_masked: true,
            fired: 0,
        }
    }

    /// How often it has fired since it was acknowledged; a line that reacts to levels at most once.
    pub const fn fired(&self) -> u32 {
        self.fired
    }

    /// Whether the input is masked.
    pub const fn is_masked(&self) -> bool {
        self.is_masked
    }

    /// Somebody is to be told from now on, or nobody. One who comes anew is told of what was not acknowledged.
    pub fn bind(&mut self, is_bound: bool) -> Step {
        self.is_bound = is_bound;
        self.step(self.fired != 0)
    }

    /// The input has fired. Even a masked one may, when the interrupt was on its way.
    #[inline]
    pub fn fire(&mut self) -> Step {
        let is_first = self.fired == 0;
        self.fired = match self.trigger {
            Trigger::Level => 1,
            Trigger::Edge => self.fired.saturating_add(1).min(MOST_UNACKNOWLEDGED),
        };
        self.step(is_first)
    }

    /// The driver has taken notice. Returns how often the line had fired.
    ///
    /// # Errors
    /// [`IrqError::NotFired`].
    #[inline]
    pub fn acknowledge(&mut self) -> Result<(u32, Step), IrqError> {
        let count = self.fired;
        if count == 0 {
            return Err(IrqError::NotFired);
        }
        self.fired = u32::from(count > 1);
        Ok((count, self.step(count > 1)))
    }

    #[inline]
    fn step(&mut self, is_news: bool) -> Step {
        let most = match self.trigger {
            Trigger::Level => 1,
            Trigger::Edge => MOST_UNACKNOWLEDGED,
        };
        let is_masked = !self.is_bound || self.fired >= most;
        let mask = (is_masked != self.is_masked).then_some(is_masked);
        self.is_masked = is_masked;
        Step {
            mask,
            signal: is_news && self.is_bound,
        }
    }
}
