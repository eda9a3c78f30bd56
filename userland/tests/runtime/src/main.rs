//! Tests the runtime library in jsix: `runtime`, or `runtime PART` for those whose names have the part.

#![cfg_attr(target_os = "none", no_std, no_main)]

use sys::{Context, println};

fn main_of_program(context: &Context) -> u64 {
    let (mut passed, mut failed) = (0, 0);
    let wanted = context.argument(1).unwrap_or_default();
    for (name, test) in runtime_tests::all().filter(|(name, _)| name.contains(wanted)) {
        match runtime_tests::run(context, *test) {
            Ok(()) => {
                println!("{name}: ok");
                passed += 1;
            }
            Err(reason) => {
                println!("{name}: FAILED: {reason}");
                failed += 1;
            }
        }
    }
    println!("runtime: {passed} passed, {failed} failed");
    u64::from(failed != 0)
}

sys::program!(main_of_program);

#[cfg(not(target_os = "none"))]
fn main() {
    // Programs run in jsix; on the host they are only type-checked.
    let _: fn(&Context) -> u64 = main_of_program;
}
