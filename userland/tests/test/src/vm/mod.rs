//! The tests of the memory system: the rules of who owns pages by name, and what may not happen.

mod faults;
mod kinds;
mod life;
mod limits;
mod mapping;
mod shared;
mod snapshot;

use sys::println;

use crate::harness::{Env, Test};

const TESTS: &[Test] = &[
    ("vma-owns-its-pages", life::vma_owns_its_pages),
    ("hand-over", life::hand_over),
    ("deleted-when-unused", life::deleted_when_unused),
    (
        "last-mapping-dies-with-its-process",
        life::last_mapping_dies_with_its_process,
    ),
    ("zeroed-once", life::zeroed_once),
    ("everything-comes-back", life::everything_comes_back),
    ("guarded-areas", kinds::guarded_areas),
    ("ring-aliases", kinds::ring_aliases),
    ("resize", kinds::resize),
    ("commit-and-decommit", kinds::commit_and_decommit),
    ("large-pages", kinds::large_pages),
    ("snapshot-copies-on-write", snapshot::copies_on_write),
    ("snapshot-generations", snapshot::generations),
    ("snapshot-under-writers", snapshot::under_writers),
    ("several-mappings", mapping::several_mappings),
    ("partial-unmap", mapping::partial_unmap),
    ("protect-splits", mapping::protect_splits),
    ("rights-are-per-mapping", mapping::rights_are_per_mapping),
    ("places", mapping::places),
    ("bad-arguments", mapping::bad_arguments),
    ("fault-reports", faults::reports),
    ("fault-handler-resolves", faults::handler_resolves),
    ("fault-ends-process", faults::ends_process),
    (
        "kernel-copies-fault-pages-in",
        faults::kernel_copies_fault_pages_in,
    ),
    ("limit-of-commit", limits::commit),
    ("limit-at-a-fault", limits::at_a_fault),
    ("limit-covers-children", limits::covers_children),
    ("two-cpus-one-frame", shared::two_cpus_one_frame),
    ("no-write-after-protect", shared::no_write_after_protect),
    ("no-access-after-unmap", shared::no_access_after_unmap),
    (
        "threads-end-with-their-process",
        shared::threads_end_with_their_process,
    ),
];

/// Prints the names.
pub fn list(env: &Env<'_>) -> u64 {
    for (name, _) in TESTS {
        println!(env.context, "vm {name}");
    }
    0
}

/// Runs all tests, or the one with a name. All memory must be back after each.
pub fn run(env: &Env<'_>, name: Option<&str>) -> u64 {
    let (mut passed, mut failed) = (0u64, 0u64);
    // What the kernel takes for good at the first use of everything is not counted as lost.
    let _ = life::vma_owns_its_pages(env);
    let _ = life::hand_over(env);
    let _ = shared::two_cpus_one_frame(env);
    let start = env.free();
    for (own, test) in TESTS
        .iter()
        .filter(|(own, _)| name.is_none_or(|name| name == *own))
    {
        let before = env.free();
        let holds = test(env).is_ok();
        let is_back = env.has_back(before);
        if holds && is_back {
            passed += 1;
            println!(env.context, "vm {own}: ok");
        } else {
            failed += 1;
            if !is_back {
                println!(
                    env.context,
                    "  {} frames were free before, {} after",
                    before,
                    env.free()
                );
            }
            println!(env.context, "vm {own}: FAILED");
        }
    }
    if passed + failed == 0 {
        println!(env.context, "there is no such test; 'test list' names them");
        return 2;
    }
    if env.has_back(start) {
        println!(
            env.context,
            "leak check: {start} frames free before and after"
        );
        passed += 1;
    } else {
        println!(
            env.context,
            "leak check: FAILED, {start} frames free before, {} after",
            env.free()
        );
        failed += 1;
    }
    println!(env.context, "vm: {passed} passed, {failed} failed");
    u64::from(failed != 0)
}
