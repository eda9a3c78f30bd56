//! Starting a program from a boot module: its segments, its initial stack, its first thread.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use abi::{Rights, auxv};
use kaddr::{PAGE_SIZE, VirtAddr, VirtRange};
use kboot::elf::{ElfError, Image, Placement, SegmentFlags};
use kmem::pt::{Flags, MapError, Protection};

use super::Process;
use super::handles::{HandleTable, Object};
use super::space::AddressSpace;
use crate::arch::current::usercopy::USER_END;
use crate::boot::Module;
use crate::mm::phys_to_virt;
use crate::sched;
use crate::sched::thread::{Affinity, Start, Thread};

/// Bytes of the initial stack.
const STACK_SIZE: u64 = 64 * 1024;
/// The most that arguments and vectors may take of it.
const START_DATA_MAX: usize = 16 * 1024;

/// Why a program could not be started.
#[derive(Debug)]
pub enum LoadError {
    /// The file is no program that can run here.
    Elf(ElfError),
    /// It must be relocated; only programs with fixed addresses can be started.
    NotStatic,
    /// A page of it would be writable and executable.
    WriteExecute,
    /// A mapping failed.
    Map(MapError),
    /// Memory is short.
    OutOfMemory,
    /// The arguments do not fit on the initial stack.
    ArgumentsTooLong,
}

impl From<ElfError> for LoadError {
    fn from(error: ElfError) -> Self {
        Self::Elf(error)
    }
}

impl From<MapError> for LoadError {
    fn from(error: MapError) -> Self {
        Self::Map(error)
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elf(error) => write!(f, "{error}"),
            Self::NotStatic => {
                f.write_str("it is position-independent; link it with --no-pie at a fixed address")
            }
            Self::WriteExecute => {
                f.write_str("a segment is writable and executable; link it with -z separate-code")
            }
            Self::Map(error) => write!(f, "a part of it cannot be mapped: {error}"),
            Self::OutOfMemory => f.write_str("memory is short"),
            Self::ArgumentsTooLong => {
                write!(f, "its arguments are longer than {START_DATA_MAX} bytes")
            }
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
    let file = phys_to_virt(module.range.start).as_u64() as *const u8;
    // SAFETY: modules lie in memory of their own kind in the direct map and are never written (invariant 1).
    let bytes = unsafe { core::slice::from_raw_parts(file, module.len) };
    let image = Image::parse(bytes)?;
    if image.placement() != Placement::Fixed {
        return Err(LoadError::NotStatic);
    }
    let entry = image.checked_entry()?;
    let space = AddressSpace::new()?;
    map_segments(&space, &image)?;

    let mut handles = HandleTable::new();
    let own = handles
        .insert(Object::Own, Rights::NONE)
        .ok_or(LoadError::OutOfMemory)?;
    let log = handles
        .insert(Object::Log, Rights::WRITE)
        .ok_or(LoadError::OutOfMemory)?;
    let vector = [
        (auxv::PAGE_SIZE, PAGE_SIZE),
        (auxv::ENTRY, entry),
        (auxv::ABI_VERSION, abi::VERSION),
        (auxv::SELF_HANDLE, own.0),
        (auxv::LOG_HANDLE, log.0),
        (auxv::NULL, 0),
    ];
    let stack = VirtRange::new(
        VirtAddr::new(USER_END - PAGE_SIZE - STACK_SIZE),
        VirtAddr::new(USER_END - PAGE_SIZE),
    );
    space.map_zeroed(stack, Protection::USER_DATA)?;
    let stack_pointer = fill_stack(&space, stack.end, words, &vector)?;

    let name = module.name.as_str();
    let process = Arc::new(Process::new(name, space, handles));
    let start = Start::User {
        entry,
        stack: stack_pointer,
    };
    let thread = Thread::new(name, affinity, Some(process.clone()), start)
        .map_err(|_| LoadError::OutOfMemory)?;
    sched::add(thread).map_err(|_| LoadError::OutOfMemory)?;
    Ok(process)
}

fn protection(flags: SegmentFlags) -> Result<Protection, LoadError> {
    let mut mapped = Flags::USER;
    if flags.write && flags.execute {
        return Err(LoadError::WriteExecute);
    }
    mapped.set(Flags::WRITE, flags.write);
    mapped.set(Flags::EXECUTE, flags.execute);
    Ok(Protection::new(mapped))
}

fn map_segments(space: &AddressSpace, image: &Image<'_>) -> Result<(), LoadError> {
    if image.shared_page(PAGE_SIZE).is_some() {
        return Err(LoadError::WriteExecute);
    }
    for segment in image.segments() {
        let bytes = segment.range();
        let range = VirtRange::new(VirtAddr::new(bytes.start), VirtAddr::new(bytes.end));
        let pages = range.align_outward(PAGE_SIZE).ok_or(MapError::Misaligned)?;
        space.map_zeroed(pages, protection(segment.flags)?)?;
        space.fill(range.start, segment.file)?;
    }
    Ok(())
}

/// Lays out the System V initial stack below `top`; returns the stack pointer: argc, argv, environment (empty),
/// auxiliary vector, strings.
fn fill_stack(
    space: &AddressSpace,
    top: VirtAddr,
    words: &[&str],
    vector: &[(u64, u64)],
) -> Result<u64, LoadError> {
    let strings: usize = words.iter().map(|word| word.len() + 1).sum();
    let word_count = 1 + words.len() + 1 + 1 + vector.len() * 2;
    let size = (word_count * 8 + strings).next_multiple_of(16);
    if size > START_DATA_MAX {
        return Err(LoadError::ArgumentsTooLong);
    }
    let base = top.as_u64() - size as u64;
    let mut data = Vec::new();
    data.try_reserve_exact(size)
        .map_err(|_| LoadError::OutOfMemory)?;
    let put = |data: &mut Vec<u8>, value: u64| data.extend_from_slice(&value.to_le_bytes());
    put(&mut data, words.len() as u64);
    let mut at = base + (word_count * 8) as u64;
    for word in words {
        put(&mut data, at);
        at += word.len() as u64 + 1;
    }
    put(&mut data, 0);
    put(&mut data, 0);
    for &(tag, value) in vector {
        put(&mut data, tag);
        put(&mut data, value);
    }
    for word in words {
        data.extend_from_slice(word.as_bytes());
        data.push(0);
    }
    space.fill(VirtAddr::new(base), &data)?;
    Ok(base)
}
