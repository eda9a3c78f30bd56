//! Processes that run this program's own image, from another function on: for tests and benchmarks that need several.
//!
//! The image of a twin is a copy of this one's, as it is at that moment, at the same addresses. It has no handles but those that it
//! is given, and must not use the heap: the copy of its state names memory that is not mapped there.

use abi::{Error, Handle, PAGE_SIZE, area};

use crate::{call, thread};

/// Pages of the stack of a twin.
const STACK_PAGES: u64 = 16;
/// A part of an image that is loaded.
const LOADED: u32 = 1;
/// The content with which the thread-local memory of each thread begins.
#[cfg(target_os = "none")]
const THREAD_LOCAL: u32 = 7;

/// The start of an ELF file, as far as it tells where the program headers are (System V ABI, "ELF Header").
#[cfg(target_os = "none")]
#[repr(C)]
struct Header {
    identification: [u8; 16],
    kind: u16,
    machine: u16,
    version: u32,
    entry: u64,
    programs: u64,
    sections: u64,
    flags: u32,
    size: u16,
    program_size: u16,
    program_count: u16,
}

/// A program header (System V ABI, "Program Header").
#[repr(C)]
#[derive(Clone, Copy)]
struct Segment {
    kind: u32,
    flags: u32,
    offset: u64,
    address: u64,
    physical: u64,
    file_size: u64,
    size: u64,
    alignment: u64,
}

#[cfg(target_os = "none")]
fn segments() -> &'static [Segment] {
    unsafe extern "C" {
        /// The linker puts this where the headers of the file are in memory.
        static __ehdr_start: Header;
    }
    // SAFETY: the first segment of a program begins with its headers, which nobody writes (`userland/build.rs`).
    unsafe {
        let header = &raw const __ehdr_start;
        let first = header.cast::<u8>().add((*header).programs as usize);
        core::slice::from_raw_parts(first.cast(), usize::from((*header).program_count))
    }
}

#[cfg(not(target_os = "none"))]
fn segments() -> &'static [Segment] {
    &[]
}

/// By how much the image is higher in memory than it says itself: for those that can be anywhere.
#[cfg(target_os = "none")]
fn bias() -> u64 {
    unsafe extern "C" {
        static __ehdr_start: Header;
    }
    let loaded = segments().iter().filter(|segment| segment.kind == LOADED);
    let lowest = loaded
        .map(|segment| segment.address & !(PAGE_SIZE - 1))
        .min();
    (&raw const __ehdr_start as u64).wrapping_sub(lowest.unwrap_or(0))
}

/// The thread-local memory that a thread of this image needs (System V ABI, "Thread-Local Storage", variant II): the block, then a word that
/// holds its own address, to which FS points.
#[cfg(target_os = "none")]
#[derive(Clone, Copy)]
pub(crate) struct Local(Option<Segment>);

#[cfg(target_os = "none")]
impl Local {
    /// Of this image.
    pub(crate) fn of_image() -> Self {
        let mut all = segments().iter();
        Self(all.find(|segment| segment.kind == THREAD_LOCAL).copied())
    }

    /// How much room it needs at most; 0 if there is none.
    pub(crate) fn size(&self) -> u64 {
        let size = |segment: Segment| segment.size + 2 * segment.alignment.max(16);
        self.0.map_or(0, size)
    }

    /// Puts it below an address; returns where FS has to point, below which is what was put there. The stack is to begin below that.
    ///
    /// # Safety
    /// So many bytes below the address are memory that nobody else uses, and zero.
    pub(crate) unsafe fn lay_out(&self, end: u64) -> (u64, u64) {
        let Some(segment) = self.0 else {
            return (0, end);
        };
        let alignment = segment.alignment.max(16);
        let pointer = (end - 8) & !(alignment - 1);
        let block = pointer - segment.size.next_multiple_of(alignment);
        // SAFETY: the caller's promise; the content lies in the image.
        unsafe {
            let content = segment.address.wrapping_add(bias()) as *const u8;
            (block as *mut u8).copy_from_nonoverlapping(content, segment.file_size as usize);
            (pointer as *mut u64).write(pointer);
        }
        (pointer, block)
    }
}

/// Reads from each page of this program's image, as making a twin does: those that are used first then are there before.
pub fn touch_image() {
    for segment in segments().iter().filter(|segment| segment.kind == LOADED) {
        let start = segment.address & !(PAGE_SIZE - 1);
        for page in (start..segment.address + segment.size).step_by(PAGE_SIZE as usize) {
            // SAFETY: a page of the image, which is there; what is read is not used.
            unsafe { (page as *const u8).read_volatile() };
        }
    }
}

/// Makes a process with a copy of this program's image. It has no threads yet.
///
/// # Errors
/// As the calls that make processes, areas and mappings.
pub fn create(own: Handle, name: &str) -> Result<Handle, Error> {
    let twin = call::process_create(name)?;
    let loaded = segments().iter().filter(|segment| segment.kind == LOADED);
    for segment in loaded {
        if let Err(error) = copy(own, twin, segment) {
            call::handle_close(twin)?;
            return Err(error);
        }
    }
    Ok(twin)
}

fn copy(own: Handle, twin: Handle, segment: &Segment) -> Result<(), Error> {
    let start = segment.address & !(PAGE_SIZE - 1);
    let end = (segment.address + segment.size).next_multiple_of(PAGE_SIZE);
    let copy = call::vm_area_create(area::OPEN, end - start, 0)?;
    let result = fill(own, copy, start, end - start).and_then(|()| {
        // The flags of a segment: execute, write, read.
        let bits = [(4, area::READ), (2, area::WRITE), (1, area::EXECUTE)];
        let access = bits.iter().filter(|(flag, _)| segment.flags & flag != 0);
        let access = access.fold(area::AT_ADDRESS, |access, (_, bit)| access | bit);
        call::process_map(twin, copy, start, 0, end - start, access)
    });
    call::handle_close(copy)?;
    result.map(drop)
}

/// Copies memory of this image to the begin of an area.
fn fill(own: Handle, copy: Handle, start: u64, len: u64) -> Result<(), Error> {
    let there = call::process_map(own, copy, 0, 0, len, area::READ | area::WRITE)?;
    // SAFETY: whole pages of the image, which are all there; and as many that were mapped just now.
    unsafe { (there as *mut u8).copy_from_nonoverlapping(start as *const u8, len as usize) };
    call::process_unmap(own, there, len)
}

/// Starts a thread of a twin on a new stack. It begins in `entry`, with the argument, and ends by
/// [`call::thread_exit`] or [`call::process_exit`].
///
/// # Errors
/// As the calls that make areas, mappings and threads.
pub fn start(
    twin: Handle,
    entry: extern "C" fn(u64) -> !,
    argument: u64,
    cpu: u64,
) -> Result<Handle, Error> {
    let stack = call::vm_area_create(area::GUARDED, STACK_PAGES * PAGE_SIZE, 1)?;
    let len = (STACK_PAGES + 1) * PAGE_SIZE;
    let mapped = call::process_map(twin, stack, 0, 0, len, area::READ | area::WRITE);
    call::handle_close(stack)?;
    thread::start(twin, entry, argument, mapped? + len, cpu)
}
