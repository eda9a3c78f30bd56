//! Checks the system calls from the user's side: `abi` runs all checks and prints each that fails, then
//! `N passed, N failed`; `abi quiet` prints only what fails; `abi vectors SEED` keeps a pattern in the vector
//! registers for a while and checks that nobody changes it. Status 0: everything holds.

#![cfg_attr(target_os = "none", no_std, no_main)]

mod arguments;
mod calls;
mod pointers;
mod registers;
mod start;
mod vectors;
mod world;

use core::fmt::Arguments;

use sys::{Context, log_line};

/// Status for arguments that are not understood.
const USAGE: u64 = 2;

/// Counts checks, and prints those that fail.
pub struct Report<'a> {
    context: &'a Context,
    passed: u64,
    failed: u64,
}

impl Report<'_> {
    /// Counts a check.
    pub fn check(&mut self, holds: bool, what: Arguments<'_>) {
        if holds {
            self.passed += 1;
        } else {
            self.failed += 1;
            log_line!(self.context, "FAILED: {what}");
        }
    }
}

/// Counts a check of equality; both values are printed if they differ.
#[macro_export]
macro_rules! expect {
    ($report:expr, $found:expr, $wanted:expr, $($what:tt)+) => {{
        let (found, wanted) = ($found, $wanted);
        $report.check(found == wanted, format_args!("{}: {found:x?}, not {wanted:x?}", format_args!($($what)+)));
    }};
}

fn main_of_program(context: &Context) -> u64 {
    let mut report = Report {
        context,
        passed: 0,
        failed: 0,
    };
    let is_quiet = match context.argument(1) {
        None => false,
        Some("quiet") => true,
        Some("vectors") => {
            let seed = context
                .argument(2)
                .and_then(|text| text.parse().ok())
                .unwrap_or(1);
            vectors::hold(&mut report, seed, vectors::LONG_NS);
            return u64::from(report.failed != 0);
        }
        Some(other) => {
            log_line!(context, "usage: abi [quiet | vectors SEED], not '{other}'");
            return USAGE;
        }
    };
    vectors::initial(&mut report);
    start::stack(&mut report, context);
    calls::good(&mut report, context);
    calls::unknown_numbers(&mut report, context);
    calls::handles(&mut report, context);
    arguments::all(&mut report, context);
    pointers::all(&mut report, context);
    registers::all(&mut report, context);
    vectors::hold(&mut report, 99, vectors::SHORT_NS);
    if !is_quiet || report.failed != 0 {
        log_line!(
            context,
            "{} passed, {} failed",
            report.passed,
            report.failed
        );
    }
    u64::from(report.failed != 0)
}

sys::bare_program!(main_of_program);

#[cfg(not(target_os = "none"))]
fn main() {
    // Programs run in jsix; on the host they are only type-checked.
    let _: fn(&Context) -> u64 = main_of_program;
}
