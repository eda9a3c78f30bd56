//! Result lines and counts.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use crate::error::Error;
use crate::run::INTERRUPTED;

/// How a test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Passed,
    /// Otherwise, and why.
    Failed(String),
    /// Not run, and why not.
    Skipped(String),
}

impl From<Error> for Outcome {
    fn from(error: Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Counts of all that ran.
#[derive(Debug, Default)]
pub struct Report {
    passed: AtomicU32,
    failed: AtomicU32,
    skipped: AtomicU32,
}

impl Report {
    /// Runs a test and prints its line.
    pub fn measure(&self, name: &str, test: impl FnOnce() -> Outcome) {
        if INTERRUPTED.load(Ordering::Relaxed) {
            return;
        }
        let start = Instant::now();
        let outcome = test();
        let seconds = start.elapsed().as_secs_f32();
        match outcome {
            Outcome::Passed => {
                self.add(1, 0, 0);
                println!("test {name} ... ok ({seconds:.1} s)");
            }
            Outcome::Failed(reason) => {
                self.add(0, 1, 0);
                println!(
                    "test {name} ... FAILED ({seconds:.1} s)\n{}",
                    indent(&reason)
                );
            }
            Outcome::Skipped(reason) => {
                self.add(0, 0, 1);
                println!("test {name} ... skipped: {reason}");
            }
        }
    }

    /// Adds what another test runner counted.
    pub fn add(&self, passed: u32, failed: u32, skipped: u32) {
        self.passed.fetch_add(passed, Ordering::Relaxed);
        self.failed.fetch_add(failed, Ordering::Relaxed);
        self.skipped.fetch_add(skipped, Ordering::Relaxed);
    }

    /// Prints the closing line; false unless something ran and all of it passed.
    pub fn close(&self) -> bool {
        let passed = self.passed.load(Ordering::Relaxed);
        let failed = self.failed.load(Ordering::Relaxed);
        let skipped = self.skipped.load(Ordering::Relaxed);
        let interrupted = INTERRUPTED.load(Ordering::Relaxed);
        if interrupted {
            println!("interrupted: not all tests ran");
        } else if passed + failed == 0 {
            println!("no test ran: does --filter fit a name of --list?");
        }
        println!("{passed} passed, {failed} failed, {skipped} skipped");
        failed == 0 && passed > 0 && !interrupted
    }
}

fn indent(text: &str) -> String {
    text.lines()
        .map(|line| format!("    {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}
