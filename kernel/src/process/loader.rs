//! Starting a program from a boot module: its segments, its initial stack, its first thread.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use abi::{ObjectType, Rights as HandleRights, auxv};
use kaddr::{PAGE_SIZE, VirtAddr, VirtRange};
use kboot::elf::{ElfError, Image, Relocation, SegmentFlags};
use kboot::initial_stack::{InitialStack, StackError};
use kmem::vma::ProvideError;
use ksync::{AllocError, Arc};

use super::{Exit, Process};
use crate::arch::current::random;
use crate::arch::current::usercopy::USER_END;
use crate::boot::Module;
use crate::mm::{self, phys_to_virt};
use crate::object::resource::Kind;
use crate::object::{Object, Resource};
use crate::sched;
use crate::sched::thread::{Affinity, OutOfMemory, Start, Thread};
use crate::vm::{Account, AreaError, MappingError, NewArea, Rights, SpaceError, VmArea};

/// Bytes of the initial stack.
const STACK_SIZE: u64 = 64 * 1024;
/// What a program from a boot module may do with itself.
const OWN_RIGHTS: HandleRights = HandleRights::MAP
    .union(HandleRights::CREATE_THREAD)
    .union(HandleRights::INSPECT)
    .union(HandleRights::HANDLE_EXCEPTIONS)
    .union(HandleRights::GIVE)
    .union(HandleRights::KILL)
    .union(HandleRights::DUPLICATE)
    .union(HandleRights::TRANSFER);
/// Programs that can be moved begin somewhere here: above those at fixed addresses, below the mappings whose place is chosen.
const MOVED: Range<u64> = 0x0100_0000_0000..0x0700_0000_0000;
/// What may be done with files that a program is given.
const FILE_RIGHTS: HandleRights = HandleRights::MAP_READ
    .union(HandleRights::INSPECT)
    .union(HandleRights::DUPLICATE)
    .union(HandleRights::TRANSFER);
/// The most that arguments and vectors may take of it.
const START_DATA_MAX: usize = 16 * 1024;

/// Why a program could not be started.
#[derive(Debug)]
pub enum LoadError {
    /// The file is no program that can run here.
    Elf(ElfError),
    /// It can be moved, but is too large for that.
    TooLarge,
    /// A page of it would be writable and executable.
    WriteExecute,
    /// A part of it lies where nothing can be mapped, or over another part.
    Map(SpaceError),
    /// It needs more memory than a program may use.
    OverLimit,
    /// Memory is short.
    OutOfMemory,
    /// The arguments do not fit on the initial stack.
    ArgumentsTooLong,
    /// An argument has a zero byte in it.
    ZeroByte,
}

impl From<StackError> for LoadError {
    fn from(error: StackError) -> Self {
        match error {
            StackError::TooLong => Self::ArgumentsTooLong,
            StackError::ZeroByte => Self::ZeroByte,
            StackError::OutOfMemory => Self::OutOfMemory,
        }
    }
}

impl From<ElfError> for LoadError {
    fn from(error: ElfError) -> Self {
        Self::Elf(error)
    }
}

impl From<MappingError> for LoadError {
    fn from(error: MappingError) -> Self {
        match error {
            MappingError::Space(SpaceError::OutOfMemory) => Self::OutOfMemory,
            MappingError::Space(error) => Self::Map(error),
            MappingError::OutOfArea | MappingError::Closed => Self::Map(SpaceError::NotMapped),
        }
    }
}

impl From<AreaError> for LoadError {
    fn from(error: AreaError) -> Self {
        match error {
            AreaError::OverLimit => Self::OverLimit,
            AreaError::OutOfRange | AreaError::NotSupported => Self::Map(SpaceError::Overflow),
            AreaError::OutOfMemory => Self::OutOfMemory,
        }
    }
}

impl From<ProvideError> for LoadError {
    fn from(error: ProvideError) -> Self {
        match error {
            ProvideError::OverLimit => Self::OverLimit,
            ProvideError::Guard | ProvideError::Beyond => Self::Map(SpaceError::Overflow),
            ProvideError::OutOfMemory => Self::OutOfMemory,
        }
    }
}

impl From<AllocError> for LoadError {
    fn from(_: AllocError) -> Self {
        Self::OutOfMemory
    }
}

impl From<OutOfMemory> for LoadError {
    fn from(_: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elf(error) => write!(f, "{error}"),
            Self::TooLarge => f.write_str("it is too large for the address space"),
            Self::WriteExecute => {
                f.write_str("a segment is writable and executable; link it with -z separate-code")
            }
            Self::Map(error) => write!(f, "a part of it cannot be mapped: {error}"),
            Self::OverLimit => f.write_str("it needs more memory than a program may use"),
            Self::OutOfMemory => f.write_str("memory is short"),
            Self::ArgumentsTooLong => {
                write!(f, "its arguments are longer than {START_DATA_MAX} bytes")
            }
            Self::ZeroByte => f.write_str("an argument has a zero byte in it"),
        }
    }
}

/// Starts the program of a module with these words as arguments, the first being its name.
///
/// # Errors
/// See [`LoadError`]; nothing is left behind.
pub fn start(
    module: &Module,
    words: &[&str],
    affinity: Affinity,
) -> Result<Arc<Process>, LoadError> {
    start_with(module, words, &Extras::default(), affinity)
}

/// What a program gets besides its arguments.
#[derive(Default)]
pub struct Extras<'a> {
    /// Its environment.
    pub environment: &'a [&'a str],
    /// Areas, by name; it can read them.
    pub areas: &'a [(&'a str, Arc<VmArea>)],
}

/// As [`start`], with more than arguments.
///
/// # Errors
/// See [`LoadError`]; nothing is left behind.
pub fn start_with(
    module: &Module,
    words: &[&str],
    extras: &Extras<'_>,
    affinity: Affinity,
) -> Result<Arc<Process>, LoadError> {
    let file = phys_to_virt(module.range.start).as_u64() as *const u8;
    // SAFETY: modules lie in memory of their own kind in the direct map and are never written (invariant 1).
    let bytes = unsafe { core::slice::from_raw_parts(file, module.len) };
    let image = Image::parse(bytes)?;
    let bias = image.bias(MOVED, PAGE_SIZE, random::next());
    let bias = bias.ok_or(LoadError::TooLarge)?;
    let entry = image.checked_entry()?.wrapping_add(bias);
    let name = module.name.as_str();
    let account = Account::new(mm::default_limit(), None)?;
    let process = Process::new(name, account, None).map_err(|_| LoadError::OutOfMemory)?;
    // Whatever fails from here on: nothing of the process may stay, not even its handle of itself.
    let result = fill(&process, &image, bias, entry, words, extras).and_then(|stack| {
        let start = Start::User {
            entry,
            stack,
            argument: 0,
        };
        start_thread(&process, name, affinity, start)
    });
    match result {
        Ok(_) => Ok(process),
        Err(error) => {
            process.end(Exit::Status(0));
            Err(error)
        }
    }
}

/// Makes a thread of a process and starts it.
///
/// # Errors
/// When memory is short or the process cannot have another thread.
pub fn start_thread(
    process: &Arc<Process>,
    name: &str,
    affinity: Affinity,
    start: Start,
) -> Result<Arc<Thread>, LoadError> {
    let thread = Thread::new(name, affinity, Some(process.clone()), start)?;
    process
        .add_thread(&thread)
        .map_err(|_| LoadError::OutOfMemory)?;
    sched::add(thread.clone());
    Ok(thread)
}

/// Gives a new process its handles, segments and stack; returns the stack pointer.
fn fill(
    process: &Arc<Process>,
    image: &Image<'_>,
    bias: u64,
    entry: u64,
    words: &[&str],
    extras: &Extras<'_>,
) -> Result<u64, LoadError> {
    map_segments(process, image, bias)?;
    let add = |object: Object, rights: HandleRights| {
        let handle = process.add_handle(object, rights);
        handle.map_err(|_| LoadError::OutOfMemory)
    };
    let own = add(Object::Process(process.clone()), OWN_RIGHTS)?;
    let system = add(Object::System, HandleRights::of(ObjectType::System))?;
    // No other program could give it these: the kernel starts only those that the command line names.
    let resource = |kind: Kind| {
        let resource = Resource::whole(kind).map_err(|_| LoadError::OutOfMemory)?;
        let rights = HandleRights::of(ObjectType::Resource);
        add(Object::Resource(resource), rights)
    };
    let memory = resource(Kind::Memory)?;
    let ports = resource(Kind::Ports)?;
    let lines = resource(Kind::Lines)?;
    let vector = [
        (auxv::PAGE_SIZE, PAGE_SIZE),
        (auxv::BASE, bias),
        (auxv::ENTRY, entry),
        (auxv::ABI_VERSION, abi::VERSION),
        (auxv::INIT_VERSION, abi::INIT_VERSION),
        (auxv::SELF_HANDLE, own.0),
        (auxv::SYSTEM_HANDLE, system.0),
        (auxv::MEMORY_HANDLE, memory.0),
        (auxv::PORTS_HANDLE, ports.0),
        (auxv::LINES_HANDLE, lines.0),
    ];
    let mut handles = Vec::new();
    handles
        .try_reserve_exact(extras.areas.len())
        .map_err(|_| AllocError)?;
    for (name, area) in extras.areas {
        let handle = add(Object::VmArea(area.clone()), FILE_RIGHTS)?;
        handles.push((*name, handle.0));
    }
    let mut random = [0; 16];
    for half in random.as_chunks_mut().0 {
        *half = random::next().to_le_bytes();
    }
    // One section: its guard page lies below the stack.
    let kind = NewArea::Guarded {
        sections: 1,
        section_pages: STACK_SIZE / PAGE_SIZE,
    };
    let area = VmArea::new(kind, process.account().clone())?;
    let size = area.pages() * PAGE_SIZE;
    let bottom = USER_END - PAGE_SIZE - size;
    let data = Rights::READ | Rights::WRITE;
    process
        .space()
        .map(Some(bottom), size, &area, 0, data, data)?;
    let stack = InitialStack {
        arguments: words,
        environment: extras.environment,
        vector: &vector,
        random: Some((auxv::RANDOM, random)),
        handles: &handles,
        handle_tags: (auxv::HANDLES, auxv::HANDLE_COUNT),
    };
    let (pointer, bytes) = stack.lay_out(bottom + size, START_DATA_MAX)?;
    area.write(pointer - bottom, &bytes)?;
    Ok(pointer)
}

fn rights(flags: SegmentFlags) -> Result<Rights, LoadError> {
    let mut rights = Rights::READ;
    if flags.write && flags.execute {
        return Err(LoadError::WriteExecute);
    }
    rights.set(Rights::WRITE, flags.write);
    rights.set(Rights::EXECUTE, flags.execute);
    Ok(rights)
}

fn map_segments(process: &Process, image: &Image<'_>, bias: u64) -> Result<(), LoadError> {
    if image.shared_page(PAGE_SIZE).is_some() {
        return Err(LoadError::WriteExecute);
    }
    for segment in image.segments() {
        let bytes = segment.range();
        let moved = bytes.start.wrapping_add(bias)..bytes.end.wrapping_add(bias);
        let range = VirtRange::new(VirtAddr::new(moved.start), VirtAddr::new(moved.end));
        let pages = range
            .align_outward(PAGE_SIZE)
            .ok_or(LoadError::Map(SpaceError::Overflow))?;
        let kind = NewArea::Open {
            pages: pages.len() / PAGE_SIZE,
        };
        let area = VmArea::new(kind, process.account().clone())?;
        let rights = rights(segment.flags)?;
        let start = pages.start.as_u64();
        process
            .space()
            .map(Some(start), pages.len(), &area, 0, rights, rights)?;
        area.write(moved.start - start, segment.file)?;
        let is_here = |relocation: &Relocation| bytes.contains(&relocation.offset);
        for Relocation { offset, addend } in image.relocations().filter(is_here) {
            // All of its bytes are in this segment.
            let value = bias.wrapping_add_signed(addend).to_le_bytes();
            area.write(offset.wrapping_add(bias) - start, &value)?;
        }
    }
    Ok(())
}
