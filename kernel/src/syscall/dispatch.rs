//! The dispatcher, generated from the table: a trait with a method for each call of a group, and the way from a number to it.
//!
//! A method without an implementation does not compile, and there is no way to one but [`HANDLERS`], each of which decodes and checks
//! every argument first, in the order of the registers.

use abi::Error;
use ksync::Arc;

use super::decode::{Place, Registers, Written, argument_type, decode, place};
use super::tell;
use crate::arch::current::trap::TrapFrame;
use crate::process::Process;
use crate::sched::thread::Thread;

/// Who makes a call: what the traits below are implemented for.
#[derive(Clone, Copy)]
pub struct Caller<'a>(pub &'a Arc<Process>);

/// A message was delivered to the registers of the running thread. The first word, which goes to the same register as the
/// values of other calls.
pub struct Message(pub u64);

/// The signature of a handler, by what the call returns.
macro_rules! handler {
    ($(#[doc = $documentation:literal])+ $name:ident($($argument:ident: $type:ty),*) nothing) => {
        $(#[doc = $documentation])+
        fn $name(self, $($argument: $type),*) -> Result<(), Error>;
    };
    ($(#[doc = $documentation:literal])+ $name:ident($($argument:ident: $type:ty),*) value) => {
        $(#[doc = $documentation])+
        fn $name(self, $($argument: $type),*) -> Result<u64, Error>;
    };
    ($(#[doc = $documentation:literal])+ $name:ident($($argument:ident: $type:ty),*) handle) => {
        $(#[doc = $documentation])+
        fn $name(self, $($argument: $type),*) -> Result<abi::Handle, Error>;
    };
    ($(#[doc = $documentation:literal])+ $name:ident($($argument:ident: $type:ty),*) structure($($structure:tt)+)) => {
        $(#[doc = $documentation])+
        fn $name(self, $($argument: $type,)* place: Place<abi::$($structure)+>) -> Result<Written, Error>;
    };
    ($(#[doc = $documentation:literal])+ $name:ident($($argument:ident: $type:ty),*) message) => {
        $(#[doc = $documentation])+
        fn $name(self, $($argument: $type),*) -> Result<Message, Error>;
    };
    ($(#[doc = $documentation:literal])+ $name:ident($($argument:ident: $type:ty),*) never) => {
        $(#[doc = $documentation])+
        fn $name(self, $($argument: $type),*);
    };
    ($(#[doc = $documentation:literal])+ $name:ident($($argument:ident: $type:ty),*) infallible(value)) => {
        $(#[doc = $documentation])+
        fn $name(self, $($argument: $type),*) -> u64;
    };
    ($(#[doc = $documentation:literal])+ $name:ident($($argument:ident: $type:ty),*) infallible(nothing)) => {
        $(#[doc = $documentation])+
        fn $name(self, $($argument: $type),*);
    };
}

/// Calls a handler, and makes RDX of what it returns.
macro_rules! invoke {
    ($method:path, $registers:ident, ($($argument:expr),*) nothing) => {
        $method($($argument),*).map(|()| 0)
    };
    ($method:path, $registers:ident, ($($argument:expr),*) value) => {
        $method($($argument),*)
    };
    ($method:path, $registers:ident, ($($argument:expr),*) handle) => {
        $method($($argument),*).map(|handle| handle.0)
    };
    ($method:path, $registers:ident, ($($argument:expr),*) structure($($structure:tt)+)) => {
        $method($($argument,)* place($registers.next())?).map(|_| 0)
    };
    ($method:path, $registers:ident, ($($argument:expr),*) message) => {
        $method($($argument),*).map(|message| message.0)
    };
    ($method:path, $registers:ident, ($($argument:expr),*) infallible(value)) => {
        Ok($method($($argument),*))
    };
    // What does not return to user mode returns here.
    ($method:path, $registers:ident, ($($argument:expr),*) $nothing:ident $((nothing))?) => {{
        $method($($argument),*);
        Ok(0)
    }};
}

macro_rules! dispatcher {
    ($($(#[doc = $about:literal])+ group $group:ident {
        $($(#[doc = $documentation:literal])+
        $number:literal $variant:ident $name:ident(
            $($argument:ident: $kind:ident $(($($parameter:tt)+))?),* $(,)?
        ) -> $output:ident $(($($result:tt)+))? $(fails $($error:ident)|+)?;)+
    })+) => {
        $($(#[doc = $about])+ pub trait $group {
            $(handler! {
                $(#[doc = $documentation])+
                $name($($argument: argument_type!($kind $(($($parameter)+))?)),*) $output $(($($result)+))?
            })+
        })+

        /// The handlers: each decodes the arguments of a call and carries it out.
        mod handlers {
            use super::*;

            $($(
            pub extern "C" fn $name(frame: *mut TrapFrame, thread: &Thread) {
                #[inline(always)]
                fn act(process: &Arc<Process>, mut registers: Registers) -> Result<u64, Error> {
                    let (caller, _) = (Caller(process), &mut registers);
                    invoke!(
                        $group::$name,
                        registers,
                        (caller $(, decode!(process, registers, $kind $(($($parameter)+))?)?)*) $output $(($($result)+))?
                    )
                }
                handle(frame, thread, act);
            }
            )+)+
        }

        /// How many numbers there are up to the last call.
        const COUNT: usize = {
            let mut count = 0;
            $($(if $number >= count { count = $number + 1; })+)+
            count
        };

        /// What carries out the call with each number, for the thread that runs, whose frame the entry code has pushed.
        pub static HANDLERS: [Handler; COUNT] = {
            let mut all: [Handler; COUNT] = [unknown; COUNT];
            $($(all[$number] = handlers::$name;)+)+
            all
        };
    };
}

/// See [`HANDLERS`].
pub type Handler = extern "C" fn(*mut TrapFrame, &Thread);

/// A handler: carries out a call, and tells the program what it returns.
#[inline(always)]
fn handle(
    frame: *mut TrapFrame,
    thread: &Thread,
    act: impl FnOnce(&Arc<Process>, Registers) -> Result<u64, Error>,
) {
    // SAFETY: the frame that the entry code has pushed; nobody else touches it while the thread runs.
    let registers = unsafe { Registers::new(frame) };
    let result = match &thread.process {
        Some(process) => act(process, registers),
        None => Err(Error::UnknownCall),
    };
    // SAFETY: as above; the call is over.
    unsafe { tell(frame, result) };
}

/// The handler of calls that there are not.
pub extern "C" fn unknown(frame: *mut TrapFrame, thread: &Thread) {
    handle(frame, thread, |_, _| Err(Error::UnknownCall));
}

abi::with_calls!(dispatcher);

/// Panics if a call returned an error that the table does not list for it; only in the checked kernel.
#[cfg(feature = "frame-debug")]
pub fn check_error(number: u64, registers: [u64; 6], result: Result<u64, Error>) {
    let (Ok(call), Err(error)) = (abi::Sysno::try_from(number), result) else {
        return;
    };
    // The caller does not see what a call returns to a thread that must end.
    let is_listed = call.call().errors().any(|listed| listed == error);
    // The table of handles takes nothing more a moment before the threads of a process are told to end.
    let is_ending = || {
        crate::sched::current_process().is_some_and(|process| !process.is_alive())
            || crate::sched::current_must_end()
    };
    assert!(
        is_listed || is_ending(),
        "{} returned an error that the table does not list: {error}",
        abi::format_call(number, registers)
    );
}
