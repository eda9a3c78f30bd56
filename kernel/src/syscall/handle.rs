//! Calls on handles, whatever they name.

use abi::handle::Info;
use abi::{Error, Handle, Rights};
use kobj::Object as _;

use super::decode::{AnyHandle, Place, Written, objects};
use super::dispatch::{Caller, Handles};
use crate::object::HandleTable;
use crate::sched;

/// Steps of a revocation between which other threads and interrupts get their turn.
const REVOKE_STEPS: u32 = 32;

impl Handles for Caller<'_> {
    #[inline(always)]
    fn handle_close(self, handle: Handle) -> Result<(), Error> {
        self.0.remove_handle(handle)
    }

    #[inline(always)]
    fn handle_duplicate(self, first: AnyHandle, rights: Rights) -> Result<Handle, Error> {
        HandleTable::duplicate(self.0.handles(), first.handle, rights)
    }

    fn handle_revoke(self, first: AnyHandle) -> Result<(), Error> {
        let mut revocation = self.0.handles().revoke(first.handle)?;
        while !revocation.advance(REVOKE_STEPS)? {
            if sched::current_must_end() {
                return Err(Error::Ended);
            }
            sched::yield_now();
        }
        Ok(())
    }

    fn handle_info(self, handle: AnyHandle, place: Place<Info>) -> Result<Written, Error> {
        let named = self.0.handles().any(handle.handle, handle.needed)?;
        place.write(Info {
            kind: named.object.kind().number(),
            rights: u64::from(named.rights.0),
            object: named.object.number(),
        })
    }

    fn handle_give(self, target: objects::Process, given: AnyHandle) -> Result<Handle, Error> {
        HandleTable::carry(
            self.0.handles(),
            given.handle,
            given.needed,
            target.handles(),
        )
    }
}
