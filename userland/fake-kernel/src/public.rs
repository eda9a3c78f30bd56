//! What tests use.

use std::any::Any;
use std::panic::resume_unwind;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;

use abi::device::Device;
use abi::framebuffer::Framebuffer;
use abi::power::Action;
use abi::process::RUNNING;
use abi::{Error, Handle, ObjectType, Rights, Sysno, resource};
use sys::Context;
use sys::object::{Owned, Process, Resource, System};

use crate::calls;
use crate::machine::{self, Clock, Inject, Ports, Shared, current};
use crate::state::{Caller, Id, Object, Record, State};

/// A machine. What is cloned is the same one.
#[derive(Clone)]
pub struct Machine(Arc<Shared>);

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

impl Machine {
    /// A machine with nothing on it, whose clock goes as the host's.
    pub fn new() -> Self {
        Self::with_clock(Clock::Real)
    }

    /// A machine with nothing on it.
    pub fn with_clock(clock: Clock) -> Self {
        Self(Shared::new(clock))
    }

    /// From now on the calling thread is one of a new process of this machine, until what is returned is dropped; then the process ends.
    pub fn enter(&self, name: &str) -> Entered {
        let mut state = self.0.state();
        let process = state.new_process(name, 0);
        Shared::give_itself(&mut state, process);
        let caller = Shared::new_runner(&mut state, process);
        drop(state);
        Entered(machine::Entered::new(&self.0, caller))
    }

    /// Runs a function as the main function of a new process, with handles of the calling process under names, which move there.
    /// Its result is the exit status. The calling thread must have [entered](Self::enter) this machine.
    ///
    /// # Panics
    /// When the calling thread is not of this machine, or a handle cannot be moved.
    pub fn spawn<H: Into<Owned>>(
        &self,
        name: &str,
        handles: impl IntoIterator<Item = (&'static str, H)>,
        main: impl FnOnce(&Context) -> u64 + Send + 'static,
    ) -> Running {
        self.spawn_with(name, &[name], &[], handles, main)
    }

    /// As [`spawn`](Self::spawn), with arguments (the name of the program first) and an environment.
    ///
    /// # Panics
    /// As [`spawn`](Self::spawn).
    pub fn spawn_with<H: Into<Owned>>(
        &self,
        name: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
        handles: impl IntoIterator<Item = (&'static str, H)>,
        main: impl FnOnce(&Context) -> u64 + Send + 'static,
    ) -> Running {
        let caller = self.caller();
        let mut state = self.0.state();
        let process = state.new_process(name, caller.process);
        Shared::give_itself(&mut state, process);
        let runner = Shared::new_runner(&mut state, process);
        let given: Vec<(&'static str, Handle)> = handles
            .into_iter()
            .map(|(name, handle)| {
                let handle = handle.into().into_raw();
                let there = state.carry(caller.process, handle, process);
                (name, there.expect("a handle that can be moved"))
            })
            .collect();
        let object = state
            .processes
            .get(&process)
            .map_or(0, |process| process.object);
        let rights = Rights::of(ObjectType::Process);
        let handle = state.insert(caller.process, object, rights, 0, 0);
        drop(state);
        let own = |text: &[&str]| text.iter().map(ToString::to_string).collect::<Vec<_>>();
        let arguments = own(arguments);
        let environment: Vec<(String, String)> = environment
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect();
        let shared = Arc::clone(&self.0);
        let body = move || {
            machine::run(&shared, runner, || {
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                let environment: Vec<(&str, &str)> = environment
                    .iter()
                    .map(|(key, value)| (key.as_str(), value.as_str()))
                    .collect();
                let handles = given
                    .into_iter()
                    .map(|(name, handle)| (name, Owned::from_raw(handle)))
                    .collect();
                let context = Context::for_test(&arguments, &environment, handles);
                Some(main(&context))
            })
        };
        Running {
            machine: self.clone(),
            process,
            handle: Process::from_raw(handle.expect("room for a handle")),
            thread: std::thread::spawn(body),
        }
    }

    fn caller(&self) -> Caller {
        let (shared, caller) = current().expect("a thread that has entered the machine");
        assert!(Arc::ptr_eq(&shared, &self.0), "another machine");
        caller
    }

    fn insert(&self, object: Object, rights: Rights) -> Owned {
        let caller = self.caller();
        let mut state = self.0.state();
        let object = state.new_object(object);
        let handle = state.insert(caller.process, object, rights, 0, 0);
        Owned::from_raw(handle.expect("room for a handle"))
    }

    /// A handle of the machine with some rights, for the calling process.
    pub fn system(&self, rights: Rights) -> System {
        self.insert(Object::System, rights).into()
    }

    fn resource(&self, kind: u64, start: u64, len: u64) -> Resource {
        let rights = Rights::of(ObjectType::Resource);
        self.insert(Object::Resource { kind, start, len }, rights)
            .into()
    }

    /// A resource of I/O ports, for the calling process. What is behind them [`set_ports`](Self::set_ports) says.
    pub fn ports(&self, start: u64, len: u64) -> Resource {
        self.resource(resource::PORTS, start, len)
    }

    /// A resource of memory of devices.
    pub fn memory(&self, start: u64, len: u64) -> Resource {
        self.resource(resource::MEMORY, start, len)
    }

    /// A resource of interrupt lines.
    pub fn lines(&self, start: u64, len: u64) -> Resource {
        self.resource(resource::LINES, start, len)
    }

    /// Puts devices behind the ports.
    pub fn set_ports(&self, ports: impl Ports + 'static) {
        let mut place = self.0.ports.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Some(Box::new(ports));
    }

    /// Lets an interrupt line fire; whether somebody has taken it.
    pub fn fire(&self, line: u64) -> bool {
        let mut state = self.0.state();
        let is_taken = calls::fire(&mut state, line);
        self.0.touch(&mut state);
        is_taken
    }

    /// Says which screen there is.
    pub fn set_framebuffer(&self, framebuffer: Framebuffer) {
        self.0.state().framebuffer = Some(framebuffer);
    }

    /// Says which devices the firmware names.
    pub fn set_devices(&self, devices: Vec<Device>) {
        self.0.state().devices = devices;
    }

    /// How the machine was switched off, if it was, and with which status.
    pub fn power(&self) -> Option<(Action, u64)> {
        self.0.state().power
    }

    /// On which consoles the kernel shows its log.
    pub fn consoles(&self) -> u64 {
        self.0.state().consoles
    }

    /// What was written to the log.
    pub fn log(&self) -> Vec<Record> {
        self.0.state().log.clone()
    }

    /// The time.
    pub fn now(&self) -> u64 {
        self.0.now(&self.0.state())
    }

    /// Lets the clock go on by so many nanoseconds.
    pub fn advance(&self, ns: u64) {
        self.0.advance(ns);
    }

    /// Looks at each call of each process before it is made: what is returned it fails with.
    pub fn inject(&self, inject: impl FnMut(&str, Sysno) -> Option<Error> + Send + 'static) {
        let inject: Inject = Box::new(inject);
        *self.0.inject.lock().unwrap_or_else(PoisonError::into_inner) = Some(inject);
    }

    /// Looks at calls no longer.
    pub fn inject_nothing(&self) {
        *self.0.inject.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Lets the n-th call from now on that can find memory short (counted from 0) of a process do so, once. (Unmapping is left out: of a
    /// whole mapping it takes no memory.)
    pub fn fail_memory(&self, process: &str, mut n: u64) {
        let process = process.to_string();
        self.inject(move |name, number| {
            let can = number.call().own_errors.contains(&Error::OutOfMemory);
            if name != process || !can || number == Sysno::ProcessUnmap {
                return None;
            }
            let is_it = n == 0;
            n = n.checked_sub(1).unwrap_or(u64::MAX);
            is_it.then_some(Error::OutOfMemory)
        });
    }

    /// How many handles a process may have.
    pub fn set_handle_limit(&self, limit: usize) {
        self.0.state().handle_limit = limit;
    }

    /// How many objects there are that somebody has a handle of or has mapped, processes aside: what is left over shows a leak.
    pub fn objects(&self) -> usize {
        let state = self.0.state();
        let is_counted = |object: &Object| !matches!(object, Object::Process(_));
        state
            .objects
            .values()
            .filter(|(object, _)| is_counted(object))
            .count()
    }

    /// How many handles the live process of a name has; that of itself counts.
    pub fn handles(&self, process: &str) -> usize {
        let state = self.0.state();
        let mut all = state.processes.iter();
        let found = all.find(|(_, other)| other.name == process && other.end.is_none());
        found.map_or(0, |(number, _)| state.handles(*number).len())
    }

    /// What a device's memory at an address holds: `len` bytes of the area that was made for it.
    pub fn device_memory(&self, start: u64, len: usize) -> Vec<u8> {
        let memory = self.0.state().device_memory.get(&start).cloned();
        let mut bytes = vec![0; len];
        if let Some(memory) = memory {
            memory.read(0, &mut bytes);
        }
        bytes
    }
}

/// The calling thread is one of a process's until this is dropped.
pub struct Entered(machine::Entered);

impl Entered {
    /// The handle that the process has of itself.
    pub fn own(&self) -> Handle {
        let _ = &self.0;
        sys::start::own()
    }
}

/// A process that runs a function.
pub struct Running {
    machine: Machine,
    process: Id,
    /// The handle that whoever started it has of it.
    handle: Process,
    thread: JoinHandle<Option<Box<dyn Any + Send>>>,
}

impl Running {
    /// The handle of it, with all rights.
    pub fn process(&self) -> &Process {
        &self.handle
    }

    /// Ends it. Its thread notices at its next call.
    pub fn kill(&self, status: u64) {
        let _ = self.handle.kill(status);
    }

    /// Whether it has ended, and with which status.
    pub fn status(&self) -> Option<u64> {
        let state = self.machine.0.state();
        let end = state.processes.get(&self.process)?.end?;
        (end.0 != RUNNING).then_some(end.1)
    }

    /// Waits until it has ended; its status. A panic of it goes on here.
    pub fn join(self) -> u64 {
        self.wait_for_end();
        let Self {
            machine,
            process,
            handle,
            thread,
        } = self;
        if let Ok(Some(panic)) = thread.join() {
            resume_unwind(panic);
        }
        drop(handle);
        let state = machine.0.state();
        let end = state
            .processes
            .get(&process)
            .and_then(|process| process.end);
        end.map_or(0, |(_, status)| status)
    }

    /// Waits until it has ended, a call as any other for the clock.
    fn wait_for_end(&self) {
        let Some((shared, caller)) = current() else {
            return;
        };
        let state = shared.state();
        let process = self.process;
        let ended = |state: &mut State| state.processes.get(&process)?.end;
        let (state, _) = shared.wait(state, caller, abi::NEVER, ended);
        drop(state);
    }
}
