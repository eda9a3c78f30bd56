//! Calls on events.

use abi::event::{ALL, KEEP};
use abi::{Error, Handle, ObjectType, Rights};

use super::decode::objects;
use super::dispatch::{Caller, Events};
use crate::arch::current::IrqOff;
use crate::object::Object;
use crate::object::event::{Listener, Wanted};

impl Events for Caller<'_> {
    fn event_create(self) -> Result<Handle, Error> {
        const RIGHTS: Rights = Rights::of(ObjectType::Event);
        let listener = Listener::new().map_err(|_| Error::OutOfMemory)?;
        self.0.add_handle(Object::Event(listener), RIGHTS)
    }

    #[inline(always)]
    fn event_signal(self, event: objects::Event, bits: u64) -> Result<(), Error> {
        event.signal_within(bits, IrqOff::known());
        Ok(())
    }

    #[inline(always)]
    fn event_take(self, event: objects::Event, mask: u64) -> Result<u64, Error> {
        Ok(event.take(mask, IrqOff::known()))
    }

    #[inline(always)]
    fn event_wait(
        self,
        event: objects::Event,
        mask: u64,
        how: u64,
        until: u64,
    ) -> Result<u64, Error> {
        if mask == 0 {
            return Err(Error::InvalidArgument);
        }
        let wanted = Wanted {
            mask,
            all: how & ALL != 0,
            keep: how & KEEP != 0,
        };
        event.wait(wanted, until, IrqOff::known())
    }

    fn event_set_timer(self, event: objects::Event, bits: u64, at: u64) -> Result<(), Error> {
        event.set_timer(bits, at)
    }
}
