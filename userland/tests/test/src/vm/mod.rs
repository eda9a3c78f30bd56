//! The tests of the memory system: the rules of who owns pages by name, and what may not happen.

mod ahead;
mod faults;
mod fixed;
mod kinds;
mod life;
mod limits;
mod mapping;
mod pressure;
mod shared;
mod snapshot;

use crate::harness::{Env, Test, list_suite, run_suite};

pub const TESTS: &[Test] = &[
    ("vma-owns-its-pages", life::vma_owns_its_pages),
    ("hand-over", life::hand_over),
    ("deleted-when-unused", life::deleted_when_unused),
    (
        "last-mapping-dies-with-its-process",
        life::last_mapping_dies_with_its_process,
    ),
    ("zeroed-once", life::zeroed_once),
    ("everything-comes-back", life::everything_comes_back),
    ("ahead-of-a-run", ahead::of_a_run),
    ("not-ahead-of-others", ahead::not_of_others),
    ("guarded-areas", kinds::guarded_areas),
    ("ring-aliases", kinds::ring_aliases),
    ("fixed-areas", fixed::fixed_areas),
    (
        "fixed-areas-do-not-change",
        fixed::fixed_areas_do_not_change,
    ),
    ("resources-only-shrink", fixed::resources_only_shrink),
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
    ("fault-end-is-final", faults::end_is_final),
    ("fault-handler-resolves", faults::handler_resolves),
    ("fault-ends-process", faults::ends_process),
    (
        "kernel-copies-fault-pages-in",
        faults::kernel_copies_fault_pages_in,
    ),
    ("limit-of-commit", limits::commit),
    ("limit-at-a-fault", limits::at_a_fault),
    ("limit-covers-children", limits::covers_children),
    (
        "large-pages-split-under-pressure",
        pressure::large_pages_split,
    ),
    ("limit-is-not-for-pages-ahead", ahead::within_the_limit),
    ("two-cpus-one-frame", shared::two_cpus_one_frame),
    ("no-write-after-protect", shared::no_write_after_protect),
    ("no-access-after-unmap", shared::no_access_after_unmap),
    (
        "threads-end-with-their-process",
        shared::threads_end_with_their_process,
    ),
];

/// Prints the names.
pub fn list(env: &Env<'_>) {
    list_suite(env, "vm", TESTS);
}

/// Runs all tests, or the one with a name. All memory must be back after each.
pub fn run(env: &Env<'_>, name: Option<&str>) -> u64 {
    // What the kernel takes for good at the first use of everything is not counted as lost.
    let _ = life::vma_owns_its_pages(env);
    let _ = life::hand_over(env);
    let _ = shared::two_cpus_one_frame(env);
    run_suite(env, "vm", TESTS, name)
}
