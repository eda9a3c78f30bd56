//! Calls on handles, whatever they name.

use abi::{Error, Handle, Rights};

use crate::process::Process;

/// `handle_close`.
pub fn close(process: &Process, handle: u64) -> Result<u64, Error> {
    process.remove_handle(Handle(handle))?;
    Ok(0)
}

/// `handle_duplicate`.
pub fn duplicate(process: &Process, handle: u64, rights: u64) -> Result<u64, Error> {
    let (object, own) = process.any_object(Handle(handle), Rights::DUPLICATE)?;
    // Bits that are no rights are no error: a program may ask for rights that a later kernel knows.
    let wanted = Rights(rights as u32).intersection(own);
    let second = process.add_handle(object, wanted)?;
    Ok(second.0)
}

/// `handle_give`.
pub fn give(process: &Process, target: &Process, handle: u64) -> Result<u64, Error> {
    let handle = Handle(handle);
    let (object, rights) = process.any_object(handle, Rights::TRANSFER)?;
    let there = target.add_handle(object, rights)?;
    // Another thread may have closed or given it meanwhile: then this call comes second, and takes back what it did.
    if let Err(error) = process.remove_handle(handle) {
        let _ = target.remove_handle(there);
        return Err(error);
    }
    Ok(there.0)
}
