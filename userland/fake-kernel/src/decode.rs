//! Arguments of calls: what the kernel's table says of them is checked before a call does anything, in the order of the registers.

use abi::call::{Call, Kind, Output};
use abi::{Error, Handle, PAGE_SIZE, Rights};

use crate::memory;
use crate::state::{Caller, Entry, State};

/// Arguments that are as the table says.
#[derive(Debug, Default)]
pub struct Arguments {
    /// The registers.
    pub words: [u64; 6],
    /// What handles among them are, in order; none for an optional one that is not given.
    handles: Vec<Option<Entry>>,
    /// What they name in memory, in order.
    pub bytes: Vec<Vec<u8>>,
    /// Where a structure, or the content of a buffer, is to be written, and how much at most.
    pub place: (u64, u64),
}

impl Arguments {
    /// The n-th handle.
    pub fn handle(&self, index: usize) -> Entry {
        let none = Entry {
            node: 0,
            object: 0,
            rights: Rights::NONE,
            badge: 0,
        };
        self.handles.get(index).copied().flatten().unwrap_or(none)
    }

    /// The n-th handle, which may be none.
    pub fn optional(&self, index: usize) -> Option<Entry> {
        self.handles.get(index).copied().flatten()
    }

    /// Bits of an event to be bound: the event is the second handle, and its bits the word that follows.
    pub fn binding(&self) -> Result<crate::state::Binding, Error> {
        match (self.optional(1), self.words[2]) {
            (Some(event), bits) if bits != 0 => Ok(Some((event.object, bits))),
            (None, 0) => Ok(None),
            _ => Err(Error::InvalidArgument),
        }
    }
}

fn valid(is_valid: bool) -> Result<(), Error> {
    is_valid.then_some(()).ok_or(Error::InvalidArgument)
}

/// Checks the registers of a call.
pub fn decode(
    state: &State,
    caller: Caller,
    call: &Call,
    words: [u64; 6],
) -> Result<Arguments, Error> {
    let mut arguments = Arguments {
        words,
        ..Arguments::default()
    };
    let mut register = 0;
    for argument in call.arguments {
        let word = words[register];
        let len = words.get(register + 1).copied().unwrap_or(0);
        register += argument.kind.registers();
        let named = |object: Option<abi::ObjectType>, rights: Rights| {
            let entry = state.entry(caller.process, Handle(word))?;
            let kind = state.object(entry.object).map(crate::state::Object::kind);
            if object.is_some() && kind != object {
                return Err(Error::WrongType);
            }
            if !entry.rights.contains(rights) {
                return Err(Error::AccessDenied);
            }
            Ok(Some(entry))
        };
        match argument.kind {
            Kind::Handle { object, rights } => arguments.handles.push(named(Some(object), rights)?),
            Kind::OptionalHandle { .. } if word == 0 => arguments.handles.push(None),
            Kind::OptionalHandle { object, rights } => {
                arguments.handles.push(named(Some(object), rights)?);
            }
            Kind::HandleAndRights { object } => {
                arguments.handles.push(named(Some(object), Rights::NONE)?);
            }
            Kind::AnyHandle { rights } => arguments.handles.push(named(None, rights)?),
            Kind::Consumed => arguments.handles.push(named(None, Rights::NONE)?),
            Kind::Bytes { max } => {
                valid(len <= max)?;
                arguments.bytes.push(memory::bytes(word, len)?);
            }
            Kind::Text { max } => {
                valid(len <= max)?;
                let bytes = memory::bytes(word, len)?;
                valid(std::str::from_utf8(&bytes).is_ok())?;
                arguments.bytes.push(bytes);
            }
            Kind::Room { max } => {
                valid(len <= max)?;
                arguments.place = (word, len);
            }
            Kind::Page => valid(word <= abi::USER_END && word.is_multiple_of(PAGE_SIZE))?,
            Kind::Address => valid(word <= abi::USER_END)?,
            Kind::Size => valid(word.is_multiple_of(PAGE_SIZE))?,
            Kind::Bits { bits } => {
                let all = bits.iter().fold(0, |all, (_, bit)| all | bit);
                valid(word & !all == 0)?;
            }
            Kind::Below(limit) => valid(word < limit)?,
            Kind::Choice { first, end } => valid((first..end).contains(&word))?,
            Kind::Tag => valid(abi::message::Tag(word).is_valid())?,
            Kind::Rights | Kind::Value => {}
        }
    }
    if let Output::Structure(structure) = call.output {
        arguments.place = (words[register], structure.fields.len() as u64 * 8);
    }
    Ok(arguments)
}
