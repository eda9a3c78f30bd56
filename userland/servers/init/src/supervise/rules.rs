//! What the manifest says of a service, as far as its life is concerned.

use alloc::vec::Vec;

/// When a service that has ended is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Whenever it ends.
    #[default]
    Always,
    /// When it ends with another status than 0.
    OnFailure,
    /// Never.
    Never,
}

/// How a service is started again. Times are in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restart {
    /// When.
    pub policy: Policy,
    /// How long after its end, the first time.
    pub delay: u64,
    /// How long at most.
    pub delay_max: u64,
    /// How often in `window` at most.
    pub limit: u32,
    /// See `limit`.
    pub window: u64,
    /// How long it has to run for delay and count to begin anew.
    pub steady: u64,
}

/// A second in nanoseconds.
const SECOND: u64 = 1_000_000_000;

impl Default for Restart {
    fn default() -> Self {
        Self {
            policy: Policy::Always,
            delay: SECOND / 10,
            delay_max: 10 * SECOND,
            limit: 10,
            window: 60 * SECOND,
            steady: SECOND,
        }
    }
}

impl Restart {
    /// How long to wait after so many ends that came soon.
    pub fn delay_after(&self, early: u32) -> u64 {
        let factor = 1_u64.checked_shl(early).unwrap_or(u64::MAX);
        self.delay.saturating_mul(factor).min(self.delay_max)
    }
}

/// The life of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Those that it is started after, by place.
    pub after: Vec<usize>,
    /// How it is started again.
    pub restart: Restart,
    /// Whether it runs as soon as it has started; else it has to say so.
    pub is_ready_at_start: bool,
    /// How long others wait for it to be ready, in nanoseconds.
    pub ready_timeout: u64,
    /// How long it may take to stop, in nanoseconds.
    pub stop_timeout: u64,
    /// Whether the system ends with it.
    pub ends_system: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            after: Vec::new(),
            restart: Restart::default(),
            is_ready_at_start: false,
            ready_timeout: 10 * SECOND,
            stop_timeout: 2 * SECOND,
            ends_system: false,
        }
    }
}
