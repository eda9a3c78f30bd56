//! Calls on resources.

use abi::resource::Info;
use abi::{Error, Handle};
use kobj::Named;

use super::decode::{AnyHandle, Place, Written, objects};
use super::dispatch::{Caller, Resources};
use crate::object::{HandleTable, Object, ports};

impl Resources for Caller<'_> {
    fn resource_narrow(self, whole: AnyHandle, offset: u64, len: u64) -> Result<Handle, Error> {
        HandleTable::derive(self.0.handles(), whole.handle, whole.needed, |named| {
            let Object::Resource(resource) = &named.object else {
                return Err(Error::WrongType);
            };
            let part = resource.part(offset, len)?;
            Ok(Named {
                object: Object::Resource(part),
                ..named
            })
        })
    }

    fn resource_info(
        self,
        resource: objects::Resource,
        place: Place<Info>,
    ) -> Result<Written, Error> {
        let (start, len) = resource.range();
        let kind = resource.kind().number();
        place.write(Info { kind, start, len })
    }

    fn resource_grant_ports(
        self,
        resource: objects::Resource,
        process: objects::Process,
    ) -> Result<(), Error> {
        let range = resource.ports()?;
        if !ports::are_for_programs(&range) {
            return Err(Error::AccessDenied);
        }
        process.ports.add(range).map_err(|_| Error::TooMany)
    }

    fn resource_isa_line(self, resource: objects::Resource, isa: u64) -> Result<u64, Error> {
        resource.isa_line(isa)
    }
}
