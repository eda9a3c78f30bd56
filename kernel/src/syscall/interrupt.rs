//! Calls on interrupts.

use abi::interrupt::Info;
use abi::{Error, Handle, ObjectType, Rights};

use super::decode::{Place, Written, objects};
use super::dispatch::{Caller, Interrupts};
use super::process::binding;
use crate::object::Object;
use crate::object::interrupt::{Interrupt, mode};

impl Interrupts for Caller<'_> {
    fn interrupt_create(
        self,
        resource: objects::Resource,
        offset: u64,
        number: u64,
    ) -> Result<Handle, Error> {
        const RIGHTS: Rights = Rights::of(ObjectType::Interrupt);
        let line = resource.line(offset)?;
        let interrupt = Interrupt::new(line, mode(number))?;
        self.0.add_handle(Object::Interrupt(interrupt), RIGHTS)
    }

    fn interrupt_on_fire(
        self,
        interrupt: objects::Interrupt,
        event: Option<objects::Event>,
        bits: u64,
    ) -> Result<(), Error> {
        interrupt.on_fire(binding(event, bits)?);
        Ok(())
    }

    fn interrupt_acknowledge(self, interrupt: objects::Interrupt) -> Result<u64, Error> {
        interrupt.acknowledge()
    }

    fn interrupt_info(
        self,
        interrupt: objects::Interrupt,
        place: Place<Info>,
    ) -> Result<Written, Error> {
        place.write(interrupt.info())
    }
}
