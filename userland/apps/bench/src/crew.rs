//! Further threads of the program: one to measure in, and those that keep other processors busy.

use core::sync::atomic::{AtomicU64, Ordering};

use sys::abi::{Error, Handle};
use sys::{call, thread};

use crate::measure::Env;
use crate::memory::{Mapping, Owned, PAGE, open_area};

/// Pages of a thread's stack.
const STACK_PAGES: u64 = 16;

/// What a thread is told; it lies at the end of its stack.
#[repr(C)]
struct Task {
    work: fn(u64),
    argument: u64,
    done: Handle,
}

extern "C" fn begin(task: u64) -> ! {
    // SAFETY: `Thread::start` has put a task there.
    let task = unsafe { (task as *const Task).read() };
    (task.work)(task.argument);
    let _ = call::event_signal(task.done, 1);
    call::thread_exit()
}

/// A thread on a processor of choice. It is to be [joined](join) before it is dropped, and its stack with it.
pub struct Thread {
    _stack: Mapping,
    _area: Owned,
    done: Owned,
    /// Its handle.
    pub handle: Owned,
    /// How many threads there were before.
    before: u64,
}

impl Thread {
    /// Starts one.
    pub fn start(env: &Env<'_>, cpu: u64, work: fn(u64), argument: u64) -> Result<Self, Error> {
        let before = call::process_info(env.own)?.threads;
        let area = open_area(STACK_PAGES)?;
        let stack = Mapping::new(env.own, &area, STACK_PAGES)?;
        let done = Owned(call::event_create()?);
        let task = stack.address + STACK_PAGES * PAGE - size_of::<Task>() as u64;
        // SAFETY: the end of a stack that was mapped for the thread started next.
        unsafe {
            (task as *mut Task).write(Task {
                work,
                argument,
                done: done.0,
            });
        }
        let handle = Owned(thread::start(env.own, begin, task, task, cpu)?);
        Ok(Self {
            _stack: stack,
            _area: area,
            done,
            handle,
            before,
        })
    }
}

/// Between two looks at whether threads have ended.
const PAUSE_NS: u64 = 100_000;

/// Waits for the end of threads, in the order of their start, so that their stacks can go.
pub fn join<'a>(env: &Env<'_>, threads: impl Iterator<Item = &'a Thread>) -> Result<(), Error> {
    let mut before = u64::MAX;
    for thread in threads {
        call::event_wait(thread.done.0, 1, 0, sys::abi::NEVER)?;
        before = before.min(thread.before);
    }
    // The signal comes before the last instructions of a thread. (Who asks without a pause fills the rings of a trace.)
    while call::process_info(env.own)?.threads > before {
        sys::time::sleep(PAUSE_NS);
    }
    Ok(())
}

/// The most helpers.
const MOST: usize = 64;

static READY: AtomicU64 = AtomicU64::new(0);
static STOP: AtomicU64 = AtomicU64::new(0);

/// Executes nothing but this, and `pause`: counting turns are taken on it.
fn keep_busy(_: u64) {
    READY.fetch_add(1, Ordering::AcqRel);
    while STOP.load(Ordering::Acquire) == 0 {
        core::hint::spin_loop();
    }
}

/// Does something while a thread of this process runs on every processor but the first.
pub fn with_all_cpus_busy<R>(
    env: &Env<'_>,
    act: impl FnOnce() -> Result<R, Error>,
) -> Result<R, Error> {
    READY.store(0, Ordering::Release);
    STOP.store(0, Ordering::Release);
    let mut helpers = [const { None }; MOST];
    let mut started = Ok(());
    for (place, cpu) in helpers.iter_mut().zip(1..env.cpus) {
        match Thread::start(env, cpu, keep_busy, 0) {
            Ok(helper) => *place = Some(helper),
            Err(error) => {
                started = Err(error);
                break;
            }
        }
    }
    while READY.load(Ordering::Acquire) < helpers.iter().flatten().count() as u64 {
        core::hint::spin_loop();
    }
    let result = started.and_then(|()| act());
    STOP.store(1, Ordering::Release);
    join(env, helpers.iter().flatten())?;
    result
}
