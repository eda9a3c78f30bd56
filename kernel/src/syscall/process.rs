//! Calls on processes: their end, their mappings, their exceptions.

use abi::process::{self as states, Action, Usage};
use abi::statistics::{PROCESSORS, Processor};
use abi::thread::Info;
use abi::{Error, Handle, NAME_MAX, ObjectType, Rights as HandleRights, area as access_bits};
use kaddr::{PAGE_SHIFT, PAGE_SIZE};
use kobj::Object as _;

use super::decode::{Place, Room, Size, UserBytes, Written, objects};
use super::dispatch::{Caller, Processes};
use super::mapping_error;
use crate::arch::current::percpu;
use crate::object::{Binding, Object};
use crate::process::{Exit, Process};
use crate::sched::{self, usage};
use crate::vm::{Account, Rights};

/// Bytes that `process_read` copies at a time.
const READ_STEP: usize = 512;

/// Slots of handles that are looked at between which other threads and interrupts get their turn.
const SLOTS_STEP: u32 = 256;

/// What a handle of a process allows that was opened by its number.
const OPENED_RIGHTS: HandleRights = HandleRights::INSPECT
    .union(HandleRights::KILL)
    .union(HandleRights::DEBUG)
    .union(HandleRights::DUPLICATE)
    .union(HandleRights::TRANSFER);

impl Processes for Caller<'_> {
    fn process_create(self, name: UserBytes) -> Result<Handle, Error> {
        const RIGHTS: HandleRights = HandleRights::of(ObjectType::Process);
        let mut buffer = [0; NAME_MAX];
        let name = name.read(&mut buffer)?;
        let name = core::str::from_utf8(name).map_err(|_| Error::InvalidArgument)?;
        if name.chars().any(char::is_control) {
            return Err(Error::InvalidArgument);
        }
        let parent = self.0.account();
        let (_, limit) = parent.usage();
        let account = Account::new(limit, Some(parent.clone())).map_err(|_| Error::OutOfMemory)?;
        let child = Process::new(name, account, Some(self.0))?;
        self.0.add_handle(Object::Process(child), RIGHTS)
    }

    fn process_kill(self, target: objects::Process, status: u64) -> Result<(), Error> {
        target.end(Exit::Status(status));
        Ok(())
    }

    fn process_exit(self, status: u64) {
        self.0.end(Exit::Status(status));
    }

    fn process_info(
        self,
        target: objects::Process,
        place: Place<states::Info>,
    ) -> Result<Written, Error> {
        let (state, status) = match target.ended() {
            None => (states::RUNNING, 0),
            Some(Exit::Status(status)) => (states::EXITED, status),
            Some(Exit::Fault(vector)) => (states::FAULTED, vector),
        };
        let (used, limit) = target.account().usage();
        let info = states::Info {
            state,
            status,
            memory: used.saturating_mul(PAGE_SIZE),
            limit: limit.saturating_mul(PAGE_SIZE),
            threads: target.thread_count() as u64,
            mappings: target.space().mapping_count() as u64,
            handles: target.handle_count() as u64,
            faults: target.faults.load(core::sync::atomic::Ordering::Relaxed),
        };
        place.write(info)
    }

    fn process_usage(
        self,
        target: objects::Process,
        place: Place<Usage>,
    ) -> Result<Written, Error> {
        place.write(target.usage())
    }

    fn process_next(
        self,
        _: objects::System,
        from: u64,
        place: Place<Usage>,
    ) -> Result<Written, Error> {
        let process = Process::next(from).ok_or(Error::NotReady)?;
        place.write(process.usage())
    }

    fn process_next_thread(
        self,
        target: objects::Process,
        from: u64,
        place: Place<Info>,
    ) -> Result<Written, Error> {
        let thread = target.next_thread(from).ok_or(Error::NotReady)?;
        place.write(super::thread::info(&thread))
    }

    fn process_open(self, _: objects::System, number: u64) -> Result<Handle, Error> {
        let process = Process::next(number).filter(|process| process.id() == number);
        let process = process.ok_or(Error::NotReady)?;
        self.0.add_handle(Object::Process(process), OPENED_RIGHTS)
    }

    fn process_thread(self, target: objects::Process, number: u64) -> Result<Handle, Error> {
        let thread = target.next_thread(number);
        let thread = thread.filter(|thread| thread.id == number);
        let object = Object::Thread(thread.ok_or(Error::NotReady)?);
        self.0
            .add_handle(object, HandleRights::of(ObjectType::Thread))
    }

    fn process_read(
        self,
        target: objects::Process,
        address: u64,
        buffer: Room,
    ) -> Result<u64, Error> {
        let mut piece = [0; READ_STEP];
        let mut read = 0;
        while read < buffer.len() {
            let at = address.saturating_add(read as u64);
            // Up to the end of a page: what follows may not be there.
            let in_page = (PAGE_SIZE - at % PAGE_SIZE) as usize;
            let len = in_page.min(READ_STEP).min(buffer.len() - read);
            let place = piece.get_mut(..len).unwrap_or_default();
            match target.space().read(at, place) {
                Ok(()) => buffer.write(read, place)?,
                Err(_) if read != 0 => break,
                Err(error) => return Err(error),
            }
            read += len;
        }
        Ok(read as u64)
    }

    fn process_next_handle(
        self,
        target: objects::Process,
        from: u64,
        place: Place<abi::handle::Entry>,
    ) -> Result<Written, Error> {
        let mut from = u32::try_from(from).map_err(|_| Error::NotReady)?;
        loop {
            match target.handles().next(&mut from, SLOTS_STEP) {
                (Some((handle, named)), _) => {
                    return place.write(abi::handle::Entry {
                        index: u64::from(handle.index()),
                        handle: handle.0,
                        kind: named.object.kind().number(),
                        rights: u64::from(named.rights.0),
                        object: named.object.number(),
                    });
                }
                (None, false) => return Err(Error::NotReady),
                (None, true) if sched::current_must_end() => return Err(Error::NotReady),
                (None, true) => sched::yield_now(),
            }
        }
    }

    fn process_next_area(
        self,
        target: objects::Process,
        from: u64,
        place: Place<access_bits::Entry>,
    ) -> Result<Written, Error> {
        let (mapped, area) = target.space().next(from).ok_or(Error::NotReady)?;
        let info = area.info();
        let mut access = 0;
        for (right, bit) in [
            (Rights::READ, access_bits::READ),
            (Rights::WRITE, access_bits::WRITE),
            (Rights::EXECUTE, access_bits::EXECUTE),
        ] {
            if mapped.rights.contains(right) {
                access |= bit;
            }
        }
        let entry = access_bits::Entry {
            address: mapped.address,
            len: mapped.len,
            access,
            kind: info.kind,
            offset: mapped.offset,
            committed: info.committed,
            size: info.size,
            object: Object::VmArea(area).number(),
        };
        place.write(entry)
    }

    fn processor_usage(
        self,
        _: objects::System,
        processor: u64,
        place: Place<Processor>,
    ) -> Result<Written, Error> {
        const { assert!(PROCESSORS == percpu::MAX_CPUS as u64) };
        let area = usize::try_from(processor).ok().and_then(percpu::get);
        let area = area.filter(|area| area.queue.is_online());
        place.write(usage::of_processor(area.ok_or(Error::InvalidArgument)?))
    }

    fn process_map(
        self,
        target: objects::Process,
        (area, own): (objects::VmArea, HandleRights),
        address: u64,
        offset: Size,
        len: Size,
        access: u64,
    ) -> Result<u64, Error> {
        let address = (access & access_bits::AT_ADDRESS != 0).then_some(address);
        let (offset, len) = (offset.bytes(), len.bytes());
        let space = target.space();
        let mapped = space.map(address, len, &area, offset, rights(access), limit(own));
        mapped.map_err(mapping_error)
    }

    fn process_unmap(self, target: objects::Process, address: u64, len: Size) -> Result<(), Error> {
        let unmapped = target.space().unmap(address, len.bytes());
        unmapped.map_err(mapping_error)?;
        Ok(())
    }

    fn process_protect(
        self,
        target: objects::Process,
        address: u64,
        len: Size,
        access: u64,
    ) -> Result<(), Error> {
        let changed = target.space().protect(address, len.bytes(), rights(access));
        changed.map_err(mapping_error)?;
        Ok(())
    }

    fn process_set_limit(self, target: objects::Process, bytes: u64) -> Result<(), Error> {
        let pages = bytes >> PAGE_SHIFT;
        let (_, own) = self.0.account().usage();
        if pages > own {
            return Err(Error::InvalidArgument);
        }
        target.account().set_limit(pages);
        Ok(())
    }

    fn process_on_exit(
        self,
        target: objects::Process,
        event: Option<objects::Event>,
        bits: u64,
    ) -> Result<(), Error> {
        target.on_exit(binding(event, bits)?);
        Ok(())
    }

    fn process_on_exception(
        self,
        target: objects::Process,
        event: Option<objects::Event>,
        bits: u64,
    ) -> Result<(), Error> {
        target.on_exception(binding(event, bits)?);
        Ok(())
    }

    fn exception_read(
        self,
        target: objects::Process,
        place: Place<states::Exception>,
    ) -> Result<Written, Error> {
        let unread = target.exceptions.lock().unread();
        let exception = unread.ok_or(Error::NotReady)?;
        let written = place.write(exception)?;
        target.exceptions.lock().mark_read(exception.thread);
        Ok(written)
    }

    fn exception_resume(
        self,
        target: objects::Process,
        thread: u64,
        action: Action,
    ) -> Result<(), Error> {
        if target.resume(thread, action) {
            Ok(())
        } else {
            Err(Error::NotReady)
        }
    }
}

/// What `access` of a mapping call asks for.
fn rights(access: u64) -> Rights {
    let mut rights = Rights::empty();
    rights.set(Rights::READ, access & access_bits::READ != 0);
    rights.set(Rights::WRITE, access & access_bits::WRITE != 0);
    rights.set(Rights::EXECUTE, access & access_bits::EXECUTE != 0);
    rights
}

/// What a handle of an area with these rights allows a mapping.
fn limit(handle: HandleRights) -> Rights {
    let mut limit = Rights::empty();
    limit.set(Rights::READ, handle.contains(HandleRights::MAP_READ));
    limit.set(Rights::WRITE, handle.contains(HandleRights::MAP_WRITE));
    limit.set(Rights::EXECUTE, handle.contains(HandleRights::MAP_EXECUTE));
    limit
}

/// The bits of an event that a call names; no event and no bits for none.
pub fn binding(event: Option<objects::Event>, bits: u64) -> Result<Option<Binding>, Error> {
    match (event, bits) {
        (None, 0) => Ok(None),
        (Some(event), bits) if bits != 0 => Ok(Binding::new(&event, bits)),
        _ => Err(Error::InvalidArgument),
    }
}
