//! Boots an image and follows it to its end: `scripts/run`, and the engine under the tests.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::firmware::Firmware;
use crate::qemu::Qemu;
use crate::qemu::args::{Display, Spec};
use crate::qemu::machine::{Event, Machine};
use crate::qemu::outcome::{Verdict, Watch, verdict};

/// Set by the signal handler: end whatever runs.
pub static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// How often the loop looks at the clock and at the process.
const TICK: Duration = Duration::from_millis(50);
/// How long QEMU may take to end after it closed its serial port.
const GRACE: Duration = Duration::from_secs(10);

/// What the shim prints after its error message, before it waits for a key.
const LOADER_GAVE_UP: &str = "uefi-shim: returning to the firmware";

/// An ended run.
#[derive(Debug)]
pub struct Ended {
    /// What it means.
    pub verdict: Verdict,
    /// What was seen.
    pub watch: Watch,
}

/// What a run starts from.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// The emulator.
    pub qemu: &'a Qemu,
    /// The firmware.
    pub firmware: &'a Firmware,
    /// The machine.
    pub spec: &'a Spec,
    /// The boot disk.
    pub disk: &'a Path,
    /// How long it may run.
    pub limit_s: Option<u64>,
    /// End the run, as it was meant to, when the serial port has printed this.
    pub stop_at: Option<&'a str>,
}

/// Starts the machine and gives it, once, to `started`; then hands every piece of serial output to
/// `output` until the machine ends.
pub fn run(
    plan: &Plan<'_>,
    started: impl FnOnce(&Machine) -> Result<()>,
    mut output: impl FnMut(&[u8]),
) -> Result<Ended> {
    let mut machine = Machine::start(plan.qemu, plan.spec, plan.firmware, plan.disk)?;
    started(&machine)?;
    let deadline = plan
        .limit_s
        .map(|limit_s| (limit_s, Instant::now() + Duration::from_secs(limit_s)));
    let mut watch = Watch::default();
    let mut closed_at: Option<Instant> = None;
    let verdict = loop {
        match machine.events.recv_timeout(TICK) {
            Ok(Event::Serial(bytes)) => {
                output(&bytes);
                let before = watch.serial.len();
                watch.serial.extend_from_slice(&bytes);
                if holds_since(&watch.serial, before, plan.stop_at) {
                    break Verdict::Reached;
                }
                let gave_up = (plan.spec.display == Display::None).then_some(LOADER_GAVE_UP);
                if holds_since(&watch.serial, before, gave_up) {
                    break Verdict::NotBooted;
                }
            }
            Ok(Event::Control(message)) => watch.control(&message),
            Ok(Event::SerialClosed) => closed_at = Some(Instant::now()),
            Err(_) => {
                if let Some(status) = machine.try_wait() {
                    // All that was sent has been read: the queue was empty after the end.
                    break verdict(status.code(), &watch, &machine.messages());
                }
            }
        }
        if INTERRUPTED.load(Ordering::Relaxed) {
            break Verdict::Interrupted;
        }
        if let Some((limit_s, at)) = deadline
            && Instant::now() >= at
        {
            break Verdict::TimedOut { limit_s };
        }
        if closed_at.is_some_and(|at| at.elapsed() > GRACE) {
            break Verdict::QemuFailed {
                message: "it closed its serial port and did not end".into(),
            };
        }
    };
    machine.kill();
    Ok(Ended { verdict, watch })
}

/// Whether `text` holds `needle` so that it ends behind `before`: the part before was searched already.
fn holds_since(text: &[u8], before: usize, needle: Option<&str>) -> bool {
    let Some(needle) = needle
        .map(str::as_bytes)
        .filter(|needle| !needle.is_empty())
    else {
        return false;
    };
    let start = before.saturating_sub(needle.len());
    text.get(start..)
        .is_some_and(|new| new.windows(needle.len()).any(|window| window == needle))
}

#[cfg(test)]
mod tests {
    use super::holds_since;
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    proptest! {
        #[test]
        fn text_is_found_however_it_arrives(
            text in "[ab]{0,20}", needle in "[ab]{1,3}", cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5)
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let found = cuts.windows(2).any(|pair| {
                holds_since(&text.as_bytes()[..pair[1]], pair[0], Some(&needle))
            });
            prop_assert_eq!(found, text.contains(&needle));
        }
    }
}
