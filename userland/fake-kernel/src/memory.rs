//! Areas as memory of the host, and the memory of whoever makes a call. All unsafe code of the crate is here.

use std::os::fd::OwnedFd;
use std::ptr::null_mut;

use abi::{Error, PAGE_SIZE, area};
use rustix::fs::{FallocateFlags, MemfdFlags, fallocate, ftruncate, memfd_create};
use rustix::io::{pread, pwrite};
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap, mmap_anonymous, mprotect, munmap};

/// Memory that can be mapped several times.
#[derive(Debug)]
pub struct Memory(OwnedFd);

impl Memory {
    /// So many bytes, all zero.
    pub fn new(len: u64) -> Result<Self, Error> {
        let file = memfd_create("area", MemfdFlags::CLOEXEC).map_err(|_| Error::OutOfMemory)?;
        ftruncate(&file, len).map_err(|_| Error::OutOfMemory)?;
        Ok(Self(file))
    }

    /// Changes the length. Mappings of what is cut off must not be touched any more.
    pub fn resize(&self, len: u64) -> Result<(), Error> {
        ftruncate(&self.0, len).map_err(|_| Error::OutOfMemory)
    }

    /// Makes a range zero.
    pub fn clear(&self, offset: u64, len: u64) -> Result<(), Error> {
        let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        fallocate(&self.0, how, offset, len).map_err(|_| Error::OutOfMemory)
    }

    /// Copies bytes from an offset on; returns how many.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> usize {
        pread(&self.0, buffer, offset).unwrap_or(0)
    }

    /// Copies bytes to an offset; returns how many.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> usize {
        pwrite(&self.0, bytes, offset).unwrap_or(0)
    }

    /// Maps pieces of it, `(place, offset, len)` each, into a gap of `len` bytes; what no piece covers cannot be touched.
    pub fn map(&self, len: u64, pieces: &[(u64, u64, u64)], access: u64) -> Result<u64, Error> {
        let mut rights = ProtFlags::empty();
        rights.set(ProtFlags::READ, access & area::READ != 0);
        rights.set(ProtFlags::WRITE, access & area::WRITE != 0);
        // SAFETY: the host chooses a gap, which becomes ours.
        let start = unsafe {
            mmap_anonymous(
                null_mut(),
                len as usize,
                ProtFlags::empty(),
                MapFlags::PRIVATE,
            )
        };
        let start = start.map_err(|_| Error::NoRoom)?;
        for &(place, offset, len) in pieces {
            let at = start.wrapping_byte_add(place as usize);
            let how = MapFlags::SHARED | MapFlags::FIXED;
            // SAFETY: pieces lie within the gap that was made ours above, and nobody refers to it yet.
            let mapped = unsafe { mmap(at, len as usize, rights, how, &self.0, offset) };
            if mapped.is_err() {
                unmap(start as u64, len);
                return Err(Error::NoRoom);
            }
        }
        Ok(start as u64)
    }
}

/// Takes a range out of the host's address space, which was mapped by [`Memory::map`].
pub fn unmap(address: u64, len: u64) {
    // SAFETY: the table of mappings has it as ours; the program that runs here has asked for it, as it could by a system call.
    let _ = unsafe { munmap(address as *mut _, len as usize) };
}

/// Changes what a range may be used for.
pub fn protect(address: u64, len: u64, access: u64) {
    let mut rights = MprotectFlags::empty();
    rights.set(MprotectFlags::READ, access & area::READ != 0);
    rights.set(MprotectFlags::WRITE, access & area::WRITE != 0);
    // SAFETY: as in `unmap`.
    let _ = unsafe { mprotect(address as *mut _, len as usize, rights) };
}

/// Whether an address can be memory of the caller at all. (What is mapped there, the host finds out.)
fn is_memory(address: u64, len: u64) -> bool {
    address >= PAGE_SIZE
        && address
            .checked_add(len)
            .is_some_and(|end| end <= abi::USER_END)
}

/// The bytes that a call names.
pub fn bytes(address: u64, len: u64) -> Result<Vec<u8>, Error> {
    if len == 0 {
        return Ok(Vec::new());
    }
    if !is_memory(address, len) {
        return Err(Error::BadAddress);
    }
    // SAFETY: the stubs of `sys` name memory of slices that they have borrowed.
    let bytes = unsafe { std::slice::from_raw_parts(address as *const u8, len as usize) };
    Ok(bytes.to_vec())
}

/// Writes bytes where a call wants them.
pub fn store_bytes(address: u64, bytes: &[u8]) -> Result<(), Error> {
    if bytes.is_empty() {
        return Ok(());
    }
    if !is_memory(address, bytes.len() as u64) {
        return Err(Error::BadAddress);
    }
    // SAFETY: as in `bytes`; borrowed for writing.
    unsafe { (address as *mut u8).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    Ok(())
}

/// Words from a place that is aligned for them.
pub fn words(address: u64, count: usize) -> Result<Vec<u64>, Error> {
    if !address.is_multiple_of(8) {
        return Err(Error::BadAddress);
    }
    let bytes = bytes(address, count as u64 * 8)?;
    let words = bytes.as_chunks().0.iter();
    Ok(words.map(|word| u64::from_le_bytes(*word)).collect())
}

/// Writes words to a place that is aligned for them.
pub fn store_words(address: u64, words: &[u64]) -> Result<(), Error> {
    if !address.is_multiple_of(8) {
        return Err(Error::BadAddress);
    }
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    store_bytes(address, &bytes)
}

/// The word of a futex.
pub fn futex(address: u64) -> Result<u32, Error> {
    if !address.is_multiple_of(4) {
        return Err(Error::InvalidArgument);
    }
    if !is_memory(address, 4) {
        return Err(Error::BadAddress);
    }
    // SAFETY: a word of the program's, which all change atomically only.
    let word = unsafe { &*(address as *const std::sync::atomic::AtomicU32) };
    Ok(word.load(std::sync::atomic::Ordering::SeqCst))
}
