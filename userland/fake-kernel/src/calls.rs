//! The calls, with arguments that were decoded.

mod areas;
mod events;
mod handles;
mod machine;
mod processes;

use std::sync::MutexGuard;

use abi::{Error, Sysno};

use crate::decode::Arguments;
use crate::machine::Shared;
use crate::memory;
use crate::state::{Caller, State};

pub use machine::fire;

/// What a call has brought.
pub enum Done {
    Nothing,
    Value(u64),
    Words(Vec<u64>),
    /// Bytes for a buffer.
    Bytes(Vec<u8>),
}

impl From<abi::Handle> for Done {
    fn from(handle: abi::Handle) -> Self {
        Self::Value(handle.0)
    }
}

impl From<u64> for Done {
    fn from(value: u64) -> Self {
        Self::Value(value)
    }
}

impl From<()> for Done {
    fn from((): ()) -> Self {
        Self::Nothing
    }
}

type Outcome = Result<Done, Error>;

/// Makes a call.
pub fn dispatch(
    shared: &Shared,
    mut state: MutexGuard<'_, State>,
    caller: Caller,
    number: Sysno,
    arguments: &Arguments,
) -> Result<u64, Error> {
    use Sysno as N;
    let words = arguments.words;
    let done = match number {
        N::AbiVersion => return Ok(abi::VERSION),
        N::ClockRead => return Ok(shared.now(&state)),
        N::EventWait => return events::wait(shared, state, caller, arguments),
        N::FutexWait => return events::futex_wait(shared, state, caller, words),
        N::ThreadSleep => {
            let (_state, slept) = shared.wait(state, caller, words[0], |_| None::<()>);
            return match slept {
                Err(Error::TimedOut) => Ok(0),
                other => other.map(|()| 0),
            };
        }
        N::ThreadYield => {
            drop(state);
            std::thread::yield_now();
            return Ok(0);
        }
        N::ProcessExit => {
            state.end_process(caller.process, abi::process::EXITED, words[0]);
            shared.touch(&mut state);
            return Ok(0);
        }
        N::ThreadExit => return Err(Error::NotSupported),
        _ => {
            let now = shared.now(&state);
            let state = &mut *state;
            match number.call().group {
                "Handles" => handles::call(state, caller, number, arguments),
                "Areas" => areas::call(state, caller, number, arguments),
                "Processes" => processes::call(state, caller, number, arguments, now),
                "Threads" => processes::thread_call(state, caller, number, arguments),
                "Events" => events::call(state, caller, number, arguments),
                "Futexes" => events::futex_call(state, number, words),
                "Mailboxes" => events::mailbox_call(state, caller, number, arguments),
                _ => machine::call(state, caller, number, arguments, now),
            }
        }
    }?;
    if !matches!(done, Done::Words(_)) {
        shared.touch(&mut state);
    }
    let (place, room) = arguments.place;
    match done {
        Done::Nothing => Ok(0),
        Done::Value(value) => Ok(value),
        Done::Words(words) => memory::store_words(place, &words).map(|()| 0),
        Done::Bytes(bytes) => {
            let len = bytes.len().min(room as usize);
            memory::store_bytes(place, bytes.get(..len).unwrap_or_default())?;
            Ok(len as u64)
        }
    }
}
