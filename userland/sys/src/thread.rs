//! Further threads of this process.
//!
//! ```no_run
//! let sum = sys::thread::spawn(|| (1..=10).sum::<u32>())?;
//! assert_eq!(sum.join(), Ok(55));
//! # Ok::<(), sys::Error>(())
//! ```

#[cfg(target_os = "none")]
mod begin;

use alloc::sync::Arc;

use abi::process::ANY_CPU;
use abi::{Error, Handle, NEVER};

use crate::call;
use crate::heap::try_box;
use crate::object::{Event, Thread};
use crate::sync::Mutex;

pub use crate::time::{sleep, sleep_until};

/// Bytes of a stack, unless something else is said. They are memory when they are used.
pub const STACK: u64 = 256 * 1024;

/// The bit of its event that says that a thread has ended.
const ENDED: u64 = 1;

/// Starts a thread of this process on a stack that the caller has mapped, and that must stay so while the thread lives. `stack_top`
/// is the end of it; the thread begins in `entry` and ends by [`call::thread_exit`]. See [`spawn`] for the usual way.
///
/// # Errors
/// As [`call::thread_create`].
pub fn start(
    own: Handle,
    entry: extern "C" fn(u64) -> !,
    argument: u64,
    stack_top: u64,
    cpu: u64,
) -> Result<Handle, Error> {
    // A function expects the stack as a call leaves it: a multiple of 16, less the return address.
    let stack = (stack_top & !15).wrapping_sub(8);
    call::thread_create(own, entry as usize as u64, stack, argument, cpu, 0)
}

/// Starts a thread that runs a closure, on a stack of its own.
///
/// # Errors
/// As the calls that make areas, mappings, events and threads.
pub fn spawn<T, F>(body: F) -> Result<JoinHandle<T>, Error>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    Builder::new().spawn(body)
}

/// Gives the processor to another thread that is ready.
pub fn yield_now() {
    call::thread_yield();
}

/// How a thread shall be.
#[derive(Clone, Copy, Debug)]
pub struct Builder {
    stack: u64,
    cpu: u64,
    priority: Option<u64>,
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// As [`spawn`] does it.
    pub const fn new() -> Self {
        Self {
            stack: STACK,
            cpu: ANY_CPU,
            priority: None,
        }
    }

    /// With a stack of so many bytes.
    #[must_use]
    pub const fn stack(self, bytes: u64) -> Self {
        Self {
            stack: bytes,
            ..self
        }
    }

    /// On a processor.
    #[must_use]
    pub const fn cpu(self, cpu: u64) -> Self {
        Self { cpu, ..self }
    }

    /// With a priority: 0 is the highest.
    #[must_use]
    pub const fn priority(self, priority: u64) -> Self {
        Self {
            priority: Some(priority),
            ..self
        }
    }

    /// Starts it.
    ///
    /// # Errors
    /// As [`spawn`].
    pub fn spawn<T, F>(self, body: F) -> Result<JoinHandle<T>, Error>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let result = Arc::new(Mutex::new(None));
        let place = Arc::clone(&result);
        let body = try_box(move || {
            let value = body();
            *place.lock() = Some(value);
        });
        let body = body.map_err(|_| Error::OutOfMemory)?;
        let exit = Event::new()?;
        let thread = self.begin(body, &exit)?;
        Ok(JoinHandle {
            thread,
            exit,
            result,
        })
    }

    #[cfg(target_os = "none")]
    fn begin(
        self,
        body: alloc::boxed::Box<dyn FnOnce() + Send>,
        exit: &Event,
    ) -> Result<Option<Thread>, Error> {
        let prepare = |thread: &Thread| {
            if let Some(priority) = self.priority {
                thread.set_priority(priority)?;
            }
            thread.on_exit(Some(exit), ENDED)
        };
        begin::begin(body, self.stack, self.cpu, prepare).map(Some)
    }

    /// On the host the threads are the host's, which no handle names.
    #[cfg(not(target_os = "none"))]
    fn begin(
        self,
        body: std::boxed::Box<dyn FnOnce() + Send>,
        exit: &Event,
    ) -> Result<Option<Thread>, Error> {
        let exit = exit.duplicate(abi::Rights::SIGNAL)?;
        let is_priority = |priority| priority < abi::thread::PRIORITIES;
        let is_processor = self.cpu == ANY_CPU || self.cpu < abi::statistics::PROCESSORS;
        if !self.priority.is_none_or(is_priority) || !is_processor || self.stack > abi::USER_END {
            return Err(Error::InvalidArgument);
        }
        crate::host::spawn(std::boxed::Box::new(move || {
            body();
            let _ = exit.signal(ENDED);
        }))?;
        Ok(None)
    }
}

/// A thread that was started. It goes on when this is dropped.
#[derive(Debug)]
pub struct JoinHandle<T> {
    thread: Option<Thread>,
    exit: Event,
    result: Arc<Mutex<Option<T>>>,
}

impl<T> JoinHandle<T> {
    /// Waits until it has ended; what its closure returned.
    ///
    /// # Errors
    /// `Ended` when it was ended before it could return.
    pub fn join(self) -> Result<T, Error> {
        self.join_until(NEVER)
    }

    /// As [`join`](Self::join), at the latest until a time; then it goes on without one who waits for it.
    ///
    /// # Errors
    /// As [`join`](Self::join), `TimedOut`.
    pub fn join_until(self, until: u64) -> Result<T, Error> {
        loop {
            match self.exit.wait_keep(ENDED, until) {
                Ok(_) => return self.take(),
                Err(Error::OutOfMemory) => yield_now(),
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether it has ended.
    pub fn is_finished(&self) -> bool {
        self.exit.wait_keep(ENDED, 0).is_ok()
    }

    /// The thread; on the host there is no handle of it.
    pub fn thread(&self) -> Option<&Thread> {
        self.thread.as_ref()
    }

    /// The event, of which bit 0 is set when the thread has ended.
    pub(crate) fn exit(&self) -> &Event {
        &self.exit
    }

    pub(crate) fn take(&self) -> Result<T, Error> {
        self.result.lock().take().ok_or(Error::Ended)
    }
}
