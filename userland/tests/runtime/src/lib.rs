//! Tests of the runtime library: heap, threads, locks, executor, channels. They run in jsix, as the program `runtime`, and those that need
//! nothing of the kernel's own on the host, on `fake-kernel`.

#![cfg_attr(target_os = "none", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod checks;
mod exec;
mod memory;
mod threads;

pub use checks::{Test, run};

/// What only the kernel has: memory that is mapped and given back, processors, threads with stacks of their own, idle time.
pub const IN_JSIX: &[Test] = &[
    ("heap-grows-and-shrinks", memory::heap_grows_and_shrinks),
    ("heap-of-many-threads", memory::heap_of_many_threads),
    ("heap-says-no", memory::heap_says_no),
    ("threads-leave-nothing", threads::threads_leave_nothing),
    ("thread-that-is-killed", threads::thread_that_is_killed),
    ("exec-idle", exec::idle),
];

/// What is the same everywhere.
pub const EVERYWHERE: &[Test] = &[
    ("mappings-copy", memory::mappings_copy),
    ("threads-return", threads::threads_return),
    ("mutex-counts", threads::mutex_counts),
    ("condvar-queue", threads::condvar_queue),
    ("rwlock-is-one-or-many", threads::rwlock_is_one_or_many),
    ("once-is-once", threads::once_is_once),
    ("exec-timers", exec::timers),
    ("exec-calls", exec::calls),
    ("exec-answers-later", exec::answers_later),
    ("exec-channels", exec::channels),
    ("exec-foreign-channel", exec::foreign_channel),
    ("exec-tasks", exec::tasks),
    ("exec-closed", exec::closed),
    ("exec-process-exit", exec::process_exit),
    ("exec-threads", exec::threads),
    ("exec-spurious-bits", exec::spurious_bits),
    ("exec-runs-out-of-bits", exec::runs_out_of_bits),
];

/// All.
pub fn all() -> impl Iterator<Item = &'static Test> {
    IN_JSIX.iter().chain(EVERYWHERE)
}
