//! Running one test, and looking what it leaves.

use alloc::format;
use alloc::string::String;

use sys::abi::process::Info;
use sys::object::Process;
use sys::time::{self, MILLISECOND, SECOND};
use sys::{Context, Error};

/// Why a test has failed.
pub struct Failed(pub String);

impl core::fmt::Display for Failed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self(format!("{error}"))
    }
}

/// What a test returns.
pub type Outcome = Result<(), Failed>;

/// A test and its name.
pub type Test = (&'static str, fn(&Context) -> Outcome);

/// Fails unless a condition holds.
#[macro_export]
macro_rules! check {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err($crate::checks::Failed(alloc::format!($($text)+)));
        }
    };
}

/// Fails unless two values are the same.
#[macro_export]
macro_rules! same {
    ($is:expr, $should:expr) => {
        let (is, should) = ($is, $should);
        $crate::check!(
            is == should,
            "line {}: {is:?} instead of {should:?}",
            line!()
        );
    };
}

fn held() -> Result<Info, Error> {
    Process::own().info()
}

/// Runs a test. Threads and handles that it has made must be gone soon.
pub fn run(context: &Context, test: fn(&Context) -> Outcome) -> Outcome {
    let before = held()?;
    test(context)?;
    let until = time::after(60 * SECOND);
    loop {
        let after = held()?;
        if (after.threads, after.handles) == (before.threads, before.handles) {
            return Ok(());
        }
        check!(
            time::now() < until,
            "left over: {} threads, {} handles",
            after.threads as i64 - before.threads as i64,
            after.handles as i64 - before.handles as i64
        );
        time::sleep(MILLISECOND);
    }
}
