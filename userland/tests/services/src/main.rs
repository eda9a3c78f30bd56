//! Asks services and drivers for what they promise: `test-services` runs all suites, `test-services SUITE` one: `logger`, `clock`, `files`, `uart`.
//!
//! With a service directory it asks those that run; without one, started by the kernel alone, it runs the same servers within itself. The last
//! line is `services: N passed, N failed`; status 0: all passed. A test whose service is not there is left out, and says so.

#![cfg_attr(target_os = "none", no_std, no_main)]

extern crate alloc;

mod clock;
mod files;
mod harness;
mod log;
mod own;
mod uart;

use sys::{Context, println};

use harness::{Env, Suite};

const SUITES: [Suite; 4] = [
    ("logger", log::TESTS),
    ("clock", clock::TESTS),
    ("files", files::TESTS),
    ("uart", uart::TESTS),
];

/// Status for arguments that are not understood.
const USAGE: u64 = 2;

fn main_of_program(context: &Context) -> u64 {
    let wanted = context.argument(1);
    let is_wanted = |suite: &&Suite| wanted.is_none_or(|name| name == suite.0);
    if !SUITES.iter().any(|suite| is_wanted(&suite)) {
        println!("usage: test-services [logger | clock | files | uart]");
        return USAGE;
    }
    match Env::new(context) {
        Ok(env) => harness::run(&env, SUITES.iter().filter(is_wanted)),
        Err(error) => {
            println!("the services cannot be reached: {error}");
            1
        }
    }
}

sys::program!(main_of_program);

#[cfg(not(target_os = "none"))]
fn main() {
    // Programs run in jsix; on the host they are only type-checked.
    let _: fn(&Context) -> u64 = main_of_program;
}
