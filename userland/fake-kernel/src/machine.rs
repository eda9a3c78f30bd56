//! The machine: who runs on it, its clock, and how threads wait.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use abi::process::EXITED;
use abi::{Error, Handle, NEVER, Rights, Sysno};
use sys::host::Body;

use crate::hook;
use crate::state::{Caller, Id, Runner, State};

/// With what the threads of a process that has ended unwind.
struct Ended;

/// How the clock goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// As the host's.
    #[default]
    Real,
    /// As the host's; and when all threads of the machine wait, it goes on at once to the time when one does not any more. So deadlines
    /// and timers cost no time.
    Skipping,
}

/// For how long all threads of a machine may wait without a deadline while nothing changes: then the test would never end. Only threads of the host could
/// still help.
const PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 200 } else { 60_000 });

/// Looks at calls before they are made, and may let them fail.
pub type Inject = Box<dyn FnMut(&str, Sysno) -> Option<Error> + Send>;

/// Devices behind I/O ports.
pub trait Ports: Send {
    /// Reads so many bytes from a port.
    fn read(&mut self, port: u16, bytes: u8) -> u32;
    /// Writes so many bytes to a port.
    fn write(&mut self, port: u16, bytes: u8, value: u32);
}

/// All machines of the test's program.
static MACHINES: Mutex<Vec<Weak<Shared>>> = Mutex::new(Vec::new());

/// What all who run on a machine share.
pub struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    clock: Clock,
    start: Instant,
    pub inject: Mutex<Option<Inject>>,
    pub ports: Mutex<Option<Box<dyn Ports>>>,
}

thread_local! {
    /// On which machine this thread runs, and as whom.
    static CURRENT: RefCell<Option<(Arc<Shared>, Caller)>> = const { RefCell::new(None) };
}

/// On which machine the calling thread runs, and as whom.
pub fn current() -> Option<(Arc<Shared>, Caller)> {
    CURRENT
        .try_with(|current| current.borrow().clone())
        .ok()
        .flatten()
}

/// Ends what this thread does: its process has ended. In the course of that calls do nothing.
pub fn leave() -> Error {
    if !std::thread::panicking() {
        resume_unwind(Box::new(Ended));
    }
    Error::Ended
}

impl Shared {
    pub fn new(clock: Clock) -> Arc<Self> {
        hook::install();
        let state = State {
            handle_limit: 65536,
            ..State::default()
        };
        let shared = Arc::new(Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            clock,
            start: Instant::now(),
            inject: Mutex::new(None),
            ports: Mutex::new(None),
        });
        let mut all = MACHINES.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|machine| machine.strong_count() != 0);
        all.push(Arc::downgrade(&shared));
        drop(all);
        shared
    }

    /// Wakes threads of other machines that wait for a word: a static of the test's program is the same for all.
    pub fn wake_elsewhere(&self, address: u64, mut most: u64) {
        let all = MACHINES
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for machine in all.iter().filter_map(Weak::upgrade) {
            if most == 0 {
                return;
            }
            if std::ptr::eq(&*machine, self) {
                continue;
            }
            let mut state = machine.state();
            let woken = state.wake((0, address), most);
            if woken != 0 {
                machine.touch(&mut state);
                most -= woken;
            }
        }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time; a kernel's clock is never at 0 when a program asks.
    pub fn now(&self, state: &State) -> u64 {
        1 + self.start.elapsed().as_nanos() as u64 + state.ahead
    }

    /// Something has changed: those who wait look again.
    pub fn touch(&self, state: &mut State) {
        state.changes += 1;
        self.changed.notify_all();
    }

    /// Whether a caller is still there.
    pub fn is_alive(state: &State, caller: Caller) -> bool {
        let process = state.processes.get(&caller.process);
        process.is_some_and(|process| process.end.is_none())
    }

    /// Waits until `ready` has something, at the latest until a time: `TimedOut`. `Ended` when the caller's process does.
    ///
    /// # Panics
    /// When nobody on the machine can go on ([`PATIENCE`]).
    pub fn wait<'a, T>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        caller: Caller,
        until: u64,
        mut ready: impl FnMut(&mut State) -> Option<T>,
    ) -> (MutexGuard<'a, State>, Result<T, Error>) {
        loop {
            let now = self.now(&state);
            let before = state.changes;
            let timer = state.fire_timers(now);
            let result = if !Self::is_alive(&state, caller) {
                Some(Err(Error::Ended))
            } else if let Some(value) = ready(&mut state) {
                Some(Ok(value))
            } else if now >= until && until != NEVER {
                Some(Err(Error::TimedOut))
            } else {
                None
            };
            let changes = state.changes;
            if changes != before {
                self.changed.notify_all();
            }
            if let Some(runner) = state.runners.get_mut(&caller.runner) {
                runner.seen = result.is_none().then_some(changes);
                runner.until = until;
            }
            if let Some(result) = result {
                return (state, result);
            }
            let next = until.min(timer);
            if self.clock == Clock::Skipping && self.skip(&mut state, timer) {
                continue;
            }
            let left = match next {
                NEVER => PATIENCE,
                _ => Duration::from_nanos(next - now),
            };
            let waited = self.changed.wait_timeout(state, left);
            let (after, limit) = waited.unwrap_or_else(PoisonError::into_inner);
            state = after;
            let is_stuck = || {
                let mut all = state.runners.values();
                all.all(|runner| runner.seen == Some(changes) && runner.until == NEVER)
            };
            if next == NEVER && limit.timed_out() && state.changes == changes && is_stuck() {
                let count = state.runners.len();
                drop(state);
                panic!(
                    "nobody can go on: all {count} threads of the machine wait, without a deadline"
                );
            }
        }
    }

    /// When all wait, and have seen all that has changed, the clock goes on to the next deadline, if there is one.
    fn skip(&self, state: &mut State, timer: u64) -> bool {
        let changes = state.changes;
        if !state
            .runners
            .values()
            .all(|runner| runner.seen == Some(changes))
        {
            return false;
        }
        let next = state.runners.values().map(|runner| runner.until).min();
        let next = next.unwrap_or(NEVER).min(timer);
        if next == NEVER {
            return false;
        }
        let now = self.now(state);
        state.ahead += next.saturating_sub(now);
        self.touch(state);
        true
    }

    /// Lets the clock go on.
    pub fn advance(&self, ns: u64) {
        let mut state = self.state();
        state.ahead += ns;
        let now = self.now(&state);
        state.fire_timers(now);
        self.touch(&mut state);
    }

    /// A handle of a process of itself.
    pub fn give_itself(state: &mut State, process: Id) -> Handle {
        let object = state
            .processes
            .get(&process)
            .map_or(0, |process| process.object);
        let rights = Rights::of(abi::ObjectType::Process);
        let own = state
            .insert(process, object, rights, 0, 0)
            .unwrap_or(Handle(0));
        if let Some(process) = state.processes.get_mut(&process) {
            process.own = own;
        }
        own
    }

    /// Notes a thread of the host that is to run for a process.
    pub fn new_runner(state: &mut State, process: Id) -> Caller {
        let id = state.new_id();
        let runner = Runner {
            process,
            ..Runner::default()
        };
        state.runners.insert(id, runner);
        if let Some(process) = state.processes.get_mut(&process) {
            process.threads += 1;
        }
        Caller {
            process,
            runner: id,
        }
    }

    /// A thread of the host runs no longer.
    fn end_runner(&self, caller: Caller) {
        let mut state = self.state();
        if let Some(runner) = state.runners.remove(&caller.runner)
            && let Some(call) = runner.current
        {
            state.answer(call, Err(Error::PeerClosed));
        }
        let process = state.processes.get_mut(&caller.process);
        let is_last = process.is_some_and(|process| {
            process.threads -= 1;
            process.threads == 0
        });
        if is_last {
            state.end_process(caller.process, EXITED, 0);
            state.end_of_memory(caller.process);
        }
        self.touch(&mut state);
    }
}

/// This thread runs for a process until this is dropped.
pub struct Entered {
    caller: Caller,
    shared: Arc<Shared>,
    before: Option<(Arc<Shared>, Caller)>,
}

impl Entered {
    pub fn new(shared: &Arc<Shared>, caller: Caller) -> Self {
        let own = Some((Arc::clone(shared), caller));
        let before = CURRENT.with(|current| current.replace(own));
        Self {
            caller,
            shared: Arc::clone(shared),
            before,
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.shared.end_runner(self.caller);
        let before = self.before.take();
        let _ = CURRENT.try_with(|current| current.replace(before));
    }
}

/// Runs a thread of a process to its end. A panic that is one ends the process, as it does in a program, and is given back.
pub fn run(
    shared: &Arc<Shared>,
    caller: Caller,
    body: impl FnOnce() -> Option<u64>,
) -> Option<Box<dyn std::any::Any + Send>> {
    let entered = Entered::new(shared, caller);
    let result = catch_unwind(AssertUnwindSafe(body));
    let mut panic = None;
    match result {
        Ok(Some(status)) => shared.state().end_process(caller.process, EXITED, status),
        Ok(None) => {}
        Err(payload) if payload.is::<Ended>() => {}
        Err(payload) => {
            shared.state().end_process(caller.process, EXITED, 101);
            panic = Some(payload);
        }
    }
    drop(entered);
    panic
}

/// Starts a thread of the calling thread's process.
pub fn spawn(body: Body) -> Result<(), Error> {
    let (shared, caller) = current().ok_or(Error::NotSupported)?;
    let new = Shared::new_runner(&mut shared.state(), caller.process);
    let run = move || {
        if let Some(panic) = run(&shared, new, || {
            body();
            None
        }) {
            resume_unwind(panic);
        }
    };
    std::thread::spawn(run);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Machine;
    use sys::NEVER;
    use sys::object::Event;
    use sys::{thread, time};

    #[test]
    #[should_panic(expected = "nobody can go on: all 1 threads")]
    fn who_waits_in_vain_is_told() {
        let machine = Machine::new();
        let _entered = machine.enter("test");
        let _ = Event::new().unwrap().wait(1, NEVER);
    }

    #[test]
    fn who_waits_for_somebody_else_is_not() {
        let machine = Machine::new();
        let _entered = machine.enter("test");
        let sleeper = thread::spawn(|| time::sleep(500 * time::MILLISECOND)).unwrap();
        sleeper.join().unwrap();
        let worker = thread::spawn(|| std::thread::sleep(super::PATIENCE * 2)).unwrap();
        worker.join().unwrap();
    }
}
