//! Handles, whatever they name.

use abi::handle::Info;
use abi::{Error, Handle, Rights, Sysno};

use super::{Done, Outcome};
use crate::decode::Arguments;
use crate::state::{Caller, Object, State};

pub fn call(state: &mut State, caller: Caller, number: Sysno, arguments: &Arguments) -> Outcome {
    let words = arguments.words;
    let entry = arguments.handle(0);
    match number {
        Sysno::HandleClose => state
            .close(caller.process, Handle(words[0]))
            .map(Done::from),
        Sysno::HandleDuplicate => {
            let rights = entry.rights.intersection(Rights(words[1] as u32));
            let made = state.insert(
                caller.process,
                entry.object,
                rights,
                entry.badge,
                entry.node,
            );
            made.map(Done::from)
        }
        Sysno::HandleRevoke => {
            state.revoke(entry.node);
            Ok(Done::Nothing)
        }
        Sysno::HandleInfo => {
            let kind = state
                .object(entry.object)
                .map_or(0, |object| object.kind().number());
            let info = Info {
                kind,
                rights: u64::from(entry.rights.0),
                object: entry.object,
            };
            Ok(Done::Words(info.to_words().to_vec()))
        }
        Sysno::HandleGive => {
            let to = match state.object(entry.object) {
                Some(Object::Process(to)) => *to,
                _ => return Err(Error::WrongType),
            };
            state
                .carry(caller.process, Handle(words[1]), to)
                .map(Done::from)
        }
        _ => Err(Error::NotSupported),
    }
}
