//! Calls on processes: their end, their mappings, their exceptions.

use abi::process::{self as states, Action};
use abi::{Error, Handle, NAME_MAX, ObjectType, Rights as HandleRights, area as access_bits};
use kaddr::{PAGE_SHIFT, PAGE_SIZE};
use ksync::Arc;

use super::{mapping_error, write_words};
use crate::arch::current::usercopy;
use crate::object::{Binding, Object};
use crate::process::{Exit, Process};
use crate::vm::{Account, Rights};

/// `process_exit`.
pub fn exit(process: &Process, status: u64) -> Result<u64, Error> {
    process.end(Exit::Status(status));
    Ok(0)
}

/// `process_create`.
pub fn create(process: &Process, name: u64, len: u64) -> Result<u64, Error> {
    let len = usize::try_from(len).map_err(|_| Error::InvalidArgument)?;
    let mut buffer = [0; NAME_MAX];
    let bytes = buffer.get_mut(..len).ok_or(Error::InvalidArgument)?;
    usercopy::read(name, bytes).map_err(|_| Error::BadAddress)?;
    let name = core::str::from_utf8(bytes).map_err(|_| Error::InvalidArgument)?;
    if name.chars().any(char::is_control) {
        return Err(Error::InvalidArgument);
    }
    let parent = process.account();
    let (_, limit) = parent.usage();
    let account = Account::new(limit, Some(parent.clone())).map_err(|_| Error::OutOfMemory)?;
    let child = Process::new(name, account).map_err(|_| Error::OutOfMemory)?;
    let handle = process.add_handle(Object::Process(child), HandleRights::ALL)?;
    Ok(handle.0)
}

/// `process_kill`.
pub fn kill(target: &Process, status: u64) -> Result<u64, Error> {
    target.end(Exit::Status(status));
    Ok(0)
}

/// `process_info`.
pub fn info(target: &Process, info: u64) -> Result<u64, Error> {
    let (state, status) = match target.ended() {
        None => (states::RUNNING, 0),
        Some(Exit::Status(status)) => (states::EXITED, status),
        Some(Exit::Fault(vector)) => (states::FAULTED, vector),
    };
    let (used, limit) = target.account().usage();
    let words = states::Info {
        state,
        status,
        memory: used.saturating_mul(PAGE_SIZE),
        limit: limit.saturating_mul(PAGE_SIZE),
        threads: target.thread_count() as u64,
        mappings: target.space().mapping_count() as u64,
        handles: target.handle_count() as u64,
        faults: target.faults.load(core::sync::atomic::Ordering::Relaxed),
    };
    write_words(info, words.to_words())
}

/// `process_set_limit`.
pub fn set_limit(process: &Process, target: &Process, bytes: u64) -> Result<u64, Error> {
    let pages = bytes >> PAGE_SHIFT;
    let (_, own) = process.account().usage();
    if pages > own {
        return Err(Error::InvalidArgument);
    }
    target.account().set_limit(pages);
    Ok(0)
}

/// What `access` of a mapping call asks for, and the handle's rights that it needs.
fn rights(access: u64) -> Result<Rights, Error> {
    const KNOWN: u64 = access_bits::READ | access_bits::WRITE | access_bits::EXECUTE;
    if access & !KNOWN != 0 {
        return Err(Error::InvalidArgument);
    }
    let mut rights = Rights::empty();
    rights.set(Rights::READ, access & access_bits::READ != 0);
    rights.set(Rights::WRITE, access & access_bits::WRITE != 0);
    rights.set(Rights::EXECUTE, access & access_bits::EXECUTE != 0);
    Ok(rights)
}

/// What a handle of an area with these rights allows a mapping.
fn limit(handle: HandleRights) -> Rights {
    let mut limit = Rights::empty();
    limit.set(Rights::READ, handle.contains(HandleRights::MAP_READ));
    limit.set(Rights::WRITE, handle.contains(HandleRights::MAP_WRITE));
    limit.set(Rights::EXECUTE, handle.contains(HandleRights::MAP_EXECUTE));
    limit
}

/// `process_map`.
pub fn map(
    process: &Process,
    target: &Process,
    area: u64,
    address: u64,
    offset: u64,
    len: u64,
    access: u64,
) -> Result<u64, Error> {
    let rights = rights(access & !access_bits::AT_ADDRESS)?;
    let address = (access & access_bits::AT_ADDRESS != 0).then_some(address);
    let (object, own) = process.any_object(Handle(area), HandleRights::NONE)?;
    let Object::VmArea(area) = object else {
        return Err(Error::WrongType);
    };
    let space = target.space();
    let mapped = space.map(address, len, &area, offset, rights, limit(own));
    mapped.map_err(mapping_error)
}

/// `process_unmap`.
pub fn unmap(target: &Process, address: u64, len: u64) -> Result<u64, Error> {
    target.space().unmap(address, len).map_err(mapping_error)?;
    Ok(0)
}

/// `process_protect`.
pub fn protect(target: &Process, address: u64, len: u64, access: u64) -> Result<u64, Error> {
    let rights = rights(access)?;
    let changed = target.space().protect(address, len, rights);
    changed.map_err(mapping_error)?;
    Ok(0)
}

/// The bits of an event that a call names; none if there are no bits.
fn binding(process: &Process, event: u64, bits: u64) -> Result<Option<Binding>, Error> {
    if bits == 0 {
        return Ok(None);
    }
    match process.object(Handle(event), ObjectType::Event, HandleRights::SIGNAL)? {
        Object::Event(event) => Ok(Binding::new(event, bits)),
        _ => Err(Error::WrongType),
    }
}

/// `process_on_exit`.
pub fn on_exit(process: &Process, target: &Process, event: u64, bits: u64) -> Result<u64, Error> {
    target.on_exit(binding(process, event, bits)?);
    Ok(0)
}

/// `process_on_exception`.
pub fn on_exception(
    process: &Process,
    target: &Arc<Process>,
    event: u64,
    bits: u64,
) -> Result<u64, Error> {
    target.on_exception(binding(process, event, bits)?);
    Ok(0)
}

/// `exception_read`.
pub fn exception_read(target: &Process, place: u64) -> Result<u64, Error> {
    let unread = target.exceptions.lock().unread();
    let exception = unread.ok_or(Error::NotReady)?;
    write_words(place, exception.to_words())?;
    target.exceptions.lock().mark_read(exception.thread);
    Ok(0)
}

/// `exception_resume`.
pub fn exception_resume(target: &Process, thread: u64, action: u64) -> Result<u64, Error> {
    let action = Action::from_number(action).ok_or(Error::InvalidArgument)?;
    if !target.resume(thread, action) {
        return Err(Error::NotReady);
    }
    Ok(0)
}
