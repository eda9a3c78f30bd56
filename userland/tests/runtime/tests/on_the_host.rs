//! The tests of the runtime library on the host.

use std::time::{Duration, Instant};

use fake_kernel::{Clock, Machine};
use sys::Context;

/// Runs all on a machine, which must be left as it was found.
fn run(machine: &Machine) {
    let _entered = machine.enter("runtime");
    let context = Context::for_test(&["runtime"], &[], Vec::new());
    for (name, test) in runtime_tests::EVERYWHERE {
        let before = machine.objects();
        if let Err(reason) = runtime_tests::run(&context, *test) {
            panic!("{name}: {reason}");
        }
        let until = Instant::now() + Duration::from_secs(60);
        while machine.objects() > before {
            assert!(Instant::now() < until, "{name} leaves objects");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn with_the_clock_of_the_host() {
    run(&Machine::new());
}

#[test]
fn with_a_clock_that_skips() {
    run(&Machine::with_clock(Clock::Skipping));
}

#[test]
fn on_many_machines_at_once() {
    let threads: Vec<_> = (0..4)
        .map(|_| std::thread::spawn(|| run(&Machine::with_clock(Clock::Skipping))))
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}
