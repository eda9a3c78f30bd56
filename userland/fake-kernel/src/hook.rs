//! What `sys` calls on the host.

use abi::message::REGISTER_WORDS;
use abi::{Error, Handle, Sysno};
use sys::host::{Body, Kernel};
use sys::message::Received;

use crate::machine::{self, Shared, current, leave};
use crate::{calls, decode, messages};

struct Hook;

/// Lets `sys` call here.
pub fn install() {
    sys::host::set(&Hook);
}

/// Who calls, if its process is still there; and whether the call is to fail.
fn enter(number: Sysno) -> Result<(std::sync::Arc<Shared>, crate::state::Caller), Error> {
    let (shared, caller) = current().ok_or(Error::NotSupported)?;
    let state = shared.state();
    let name = match state.processes.get(&caller.process) {
        Some(process) if process.end.is_none() => process.name.clone(),
        _ => {
            drop(state);
            return Err(leave());
        }
    };
    drop(state);
    let mut inject = shared
        .inject
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let error = inject.as_mut().and_then(|inject| inject(&name, number));
    drop(inject);
    match error {
        Some(error) => Err(error),
        None => Ok((shared, caller)),
    }
}

impl Kernel for Hook {
    fn call(&self, number: u64, words: [u64; 6]) -> Result<u64, Error> {
        let number = Sysno::try_from(number)?;
        let (shared, caller) = enter(number)?;
        let result = {
            let state = shared.state();
            let arguments = decode::decode(&state, caller, number.call(), words)?;
            calls::dispatch(&shared, state, caller, number, &arguments)
        };
        if let (Sysno::FutexWake, Ok(woken)) = (number, result) {
            shared.wake_elsewhere(words[0], words[1].saturating_sub(woken));
        }
        // A process that has ended meanwhile does not see what came of it.
        if !Shared::is_alive(&shared.state(), caller) {
            return Err(leave());
        }
        result
    }

    fn exchange(
        &self,
        number: Sysno,
        handle: Handle,
        second: u64,
        words: [u64; REGISTER_WORDS],
    ) -> Result<Received, Error> {
        let (shared, caller) = enter(number)?;
        let result = messages::exchange(&shared, caller, number, handle, second, words);
        if !Shared::is_alive(&shared.state(), caller) {
            return Err(leave());
        }
        result
    }

    fn own(&self) -> Handle {
        let Some((shared, caller)) = current() else {
            return Handle(0);
        };
        let state = shared.state();
        state
            .processes
            .get(&caller.process)
            .map_or(Handle(0), |process| process.own)
    }

    fn spawn(&self, body: Body) -> Result<(), Error> {
        machine::spawn(body)
    }

    fn port_read(&self, port: u16, bytes: u8) -> u32 {
        let Some((shared, _)) = current() else {
            return u32::MAX;
        };
        let mut ports = shared
            .ports
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        ports
            .as_mut()
            .map_or(u32::MAX, |ports| ports.read(port, bytes))
    }

    fn port_write(&self, port: u16, bytes: u8, value: u32) {
        let Some((shared, _)) = current() else { return };
        let mut ports = shared
            .ports
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(ports) = ports.as_mut() {
            ports.write(port, bytes, value);
        }
    }
}
