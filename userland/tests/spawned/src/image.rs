//! The file that this program was started from, put together from its memory.

use abi::{PAGE_SIZE, area};
use sys::{Context, call};

use crate::told::Told;

/// A part of an image that is loaded.
const LOADED: u32 = 1;

/// A program header (System V ABI, "Program Header").
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Segment {
    /// Its type.
    pub kind: u32,
    /// Execute, write, read.
    pub flags: u32,
    /// Where it is in the file.
    pub offset: u64,
    /// Where it is in memory, but for the load bias.
    pub address: u64,
    /// Not used.
    pub physical: u64,
    /// Its bytes in the file.
    pub file_size: u64,
    /// Its bytes in memory.
    pub size: u64,
    /// Its alignment.
    pub alignment: u64,
}

#[cfg(target_os = "none")]
fn first_byte() -> *const u8 {
    unsafe extern "C" {
        /// The linker puts this where the headers of the file are in memory.
        static __ehdr_start: u8;
    }
    &raw const __ehdr_start
}

#[cfg(not(target_os = "none"))]
fn first_byte() -> *const u8 {
    core::ptr::null()
}

/// Where the headers of the file are in memory.
pub fn start() -> u64 {
    first_byte() as u64
}

/// The program headers.
pub fn segments() -> &'static [Segment] {
    if start() == 0 {
        return &[];
    }
    // SAFETY: the first segment of a program begins with the headers of its file: `e_phoff` is at 32 and `e_phnum` at 56 (System V ABI,
    // "ELF Header"). Nobody writes there.
    unsafe {
        let first = first_byte().add(32).cast::<u64>().read() as usize;
        let count = first_byte().add(56).cast::<u16>().read();
        core::slice::from_raw_parts(first_byte().add(first).cast(), count.into())
    }
}

/// The part of the file that is loaded: all of it but for sections and symbols. What the program has written to its data since
/// it began is in it, too.
pub fn file(context: &Context) -> &'static [u8] {
    let loaded = || segments().iter().filter(|segment| segment.kind == LOADED);
    let len = loaded()
        .map(|segment| segment.offset + segment.file_size)
        .max();
    let Some(len) = len else {
        return &[];
    };
    let own = context.own();
    let size = len.next_multiple_of(PAGE_SIZE);
    let access = area::READ | area::WRITE;
    let Ok(area) = call::vm_area_create(area::OPEN, size, 0) else {
        return &[];
    };
    let mapped = call::process_map(own, area, 0, 0, size, access);
    let closed = call::handle_close(area);
    let (Ok(copy), Ok(())) = (mapped, closed) else {
        return &[];
    };
    let bias = Told::read(context).bias();
    for segment in loaded() {
        let from = (segment.address + bias) as *const u8;
        let to = (copy + segment.offset) as *mut u8;
        // SAFETY: from a part of the image to a part of the fresh mapping, which is as long as the file.
        unsafe { to.copy_from_nonoverlapping(from, segment.file_size as usize) };
    }
    // SAFETY: the mapping stays, and nobody writes to it any more.
    unsafe { core::slice::from_raw_parts(copy as *const u8, len as usize) }
}
