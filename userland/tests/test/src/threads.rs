//! Threads of this program, each with a stack of its own from a guarded area.

use sys::abi::Error;
use sys::{call, log_line, thread};

use crate::area::{Area, Mapping, Owned, PAGE, RW};
use crate::harness::Env;

/// The most threads of a crew.
pub const MOST: usize = 16;
/// Pages of each stack.
const STACK_PAGES: u64 = 8;

/// Threads that run the same function with different arguments; dropping it does not wait for them: see [`Crew::join`].
pub struct Crew {
    stacks: Mapping,
    _area: Area,
    done: Owned,
    threads: u64,
}

/// What a thread is told.
#[repr(C)]
pub struct Task {
    work: fn(u64, u64),
    argument: u64,
    index: u64,
    done: u64,
}

extern "C" fn begin(task: u64) -> ! {
    // SAFETY: the crew has put a task at the end of this thread's stack.
    let task = unsafe { (task as *const Task).read() };
    (task.work)(task.index, task.argument);
    let _ = call::event_signal(sys::abi::Handle(task.done), 1 << task.index);
    call::thread_exit()
}

impl Crew {
    /// Starts a thread for each processor number that `cpus` gives, at most [`MOST`]. `work` gets the thread's number and the
    /// argument.
    pub fn start(
        env: &Env<'_>,
        cpus: impl Iterator<Item = u64> + Clone,
        argument: u64,
        work: fn(u64, u64),
    ) -> Result<Self, Error> {
        let count = cpus.clone().take(MOST).count() as u64;
        let area = Area::guarded(count, STACK_PAGES)?;
        let stacks = area.map(env.own, 0, count * (STACK_PAGES + 1), RW)?;
        let done = Owned(call::event_create()?);
        let mut crew = Self {
            stacks,
            _area: area,
            done,
            threads: 0,
        };
        for (index, cpu) in cpus.take(MOST).enumerate() {
            let index = index as u64;
            let top = crew.stacks.address + (index + 1) * (STACK_PAGES + 1) * PAGE;
            let task = top - size_of::<Task>() as u64;
            // SAFETY: the end of a stack that was mapped for the thread started next.
            unsafe {
                (task as *mut Task).write(Task {
                    work,
                    argument,
                    index,
                    done: crew.done.0.0,
                });
            }
            match thread::start(env.own, begin, task, task, cpu) {
                Ok(handle) => call::handle_close(handle)?,
                Err(error) if crew.threads == 0 => return Err(error),
                Err(error) => {
                    // Those that run need their stacks, and may wait for this one for ever.
                    log_line!(env.context, "thread {index} of {count}: {error}");
                    call::process_exit(1);
                }
            }
            crew.threads |= 1 << index;
        }
        Ok(crew)
    }

    /// Waits for all; their stacks go when they have left them.
    pub fn join(self, env: &Env<'_>) -> Result<(), Error> {
        let mut left = self.threads;
        while left != 0 {
            left &= !call::event_wait(self.done.0, left, 0, sys::abi::NEVER)?;
        }
        // The signal comes before the last instructions of a thread.
        while call::process_info(env.own)?.threads > 1 {
            call::thread_yield();
        }
        Ok(())
    }
}
