//! The initial stack of a process: arguments, environment, auxiliary vector, names of handles, and the first thread's thread-local
//! storage (System V ABI, x86-64 supplement, 3.4.1; ELF Handling For Thread-Local Storage, 4.3, variant II).
//!
//! From the stack pointer, which is a multiple of 16, upwards: the number of arguments; their addresses and a zero; the addresses of the
//! variables and a zero; the auxiliary vector; the handles; 16 random bytes; texts; the thread-local storage; and last, at the
//! thread pointer, the thread control block.

use alloc::vec::Vec;

use abi::{Handle, PAGE_SIZE, auxv};

use crate::error::LayoutError;
use crate::layout::Plan;

/// The most bytes that arguments, variables and names may take.
pub const TEXT_MAX: usize = 1 << 20;
/// The most bytes of thread-local storage that the initial stack has room for.
pub const TLS_MAX: u64 = 64 << 20;
/// Bytes of the thread control block: its own address, and at [`CANARY`] a random word.
const CONTROL_BLOCK: u64 = 64;
/// Where stack protectors of C compilers look for their random word.
const CANARY: usize = 0x28;
/// Bytes of the random data that AT_RANDOM names.
const RANDOM: usize = 16;

/// What a program is told.
#[derive(Debug, Default)]
pub struct Told<'a> {
    /// Its arguments, the program's name first.
    pub arguments: &'a [&'a str],
    /// Its variables: names and values.
    pub environment: &'a [(&'a str, &'a str)],
    /// Its handles, by name.
    pub handles: &'a [(&'a str, Handle)],
    /// Its handle of itself.
    pub own: Option<Handle>,
    /// Numbers that nobody can guess: two for AT_RANDOM, one for the stack protector.
    pub random: [u64; 3],
}

/// What lies at the end of the stack when a program begins.
#[derive(Debug, PartialEq, Eq)]
pub struct InitialStack {
    /// The bytes from [`InitialStack::pointer`] to the stack's end.
    pub bytes: Vec<u8>,
    /// The stack pointer.
    pub pointer: u64,
    /// The base of FS.
    pub thread_pointer: u64,
}

impl InitialStack {
    /// Lays it out below `top`, a multiple of the page size. How long it is does not depend on `top`, nor on the values of handles
    /// and random numbers.
    ///
    /// # Errors
    /// When a text cannot be written down, or something is too long.
    pub fn new(top: u64, plan: &Plan<'_>, told: &Told<'_>) -> Result<Self, LayoutError> {
        let tls = TlsPlace::new(top, plan)?;
        let vector_len = 2 * vector(plan, told, 0, 0).count();
        let words = [
            1,
            told.arguments.len() + 1,
            told.environment.len() + 1,
            vector_len,
            2 * told.handles.len(),
        ];
        let words_len = 8 * words.iter().sum::<usize>();
        let texts_len = texts_len(told)?;
        if words_len + texts_len > TEXT_MAX {
            return Err(LayoutError::TextTooLong);
        }
        let below_tls = (words_len + RANDOM + texts_len) as u64;
        let pointer = tls.start.checked_sub(below_tls);
        let pointer = pointer.ok_or(LayoutError::TextTooLong)? & !15;

        let mut bytes = Vec::new();
        let len = usize::try_from(top - pointer).map_err(|_| LayoutError::TlsTooLarge)?;
        bytes.try_reserve_exact(len)?;
        let mut writer = Writer {
            bytes,
            base: pointer,
            text: pointer + (words_len + RANDOM) as u64,
        };
        writer.write_words(plan, told, words_len);
        writer.write_texts(told);
        let mut bytes = writer.bytes;
        bytes.resize(len, 0);
        tls.write(&mut bytes, pointer, plan, told.random[2]);
        Ok(Self {
            bytes,
            pointer,
            thread_pointer: tls.pointer,
        })
    }
}

/// Whether a text can end with a zero byte.
fn is_text(text: &str) -> bool {
    !text.contains('\0')
}

/// How long all texts are with their zero bytes.
fn texts_len(told: &Told<'_>) -> Result<usize, LayoutError> {
    let arguments = told.arguments.iter().map(|text| (*text, ""));
    let names = told.handles.iter().map(|(name, _)| (*name, ""));
    let mut len = 0_usize;
    for (text, more) in arguments.chain(names) {
        if !is_text(text) {
            return Err(LayoutError::BadText);
        }
        len = len.saturating_add(text.len() + more.len() + 1);
    }
    for (name, value) in told.environment {
        if !is_text(name) || !is_text(value) || name.contains('=') || name.is_empty() {
            return Err(LayoutError::BadText);
        }
        len = len.saturating_add(name.len() + value.len() + 2);
    }
    if len > TEXT_MAX {
        return Err(LayoutError::TextTooLong);
    }
    Ok(len)
}

/// The auxiliary vector.
fn vector(
    plan: &Plan<'_>,
    told: &Told<'_>,
    handles: u64,
    random: u64,
) -> impl Iterator<Item = (u64, u64)> {
    let headers = plan.image().program_headers().map(|headers| {
        let address = headers.virt.wrapping_add(plan.bias());
        [
            (auxv::PROGRAM_HEADERS, address),
            (auxv::PROGRAM_HEADER_SIZE, headers.entry_size.into()),
            (auxv::PROGRAM_HEADER_COUNT, headers.count.into()),
        ]
    });
    let all = [
        (auxv::PAGE_SIZE, PAGE_SIZE),
        (auxv::BASE, plan.bias()),
        (auxv::ENTRY, plan.entry()),
        (auxv::RANDOM, random),
        (auxv::ABI_VERSION, abi::VERSION),
        (auxv::INIT_VERSION, abi::INIT_VERSION),
        (auxv::HANDLES, handles),
        (auxv::HANDLE_COUNT, told.handles.len() as u64),
    ];
    let own = told.own.map(|own| (auxv::SELF_HANDLE, own.0));
    let headers = headers.into_iter().flatten();
    headers.chain(all).chain(own).chain([(auxv::NULL, 0)])
}

/// Writes from the stack pointer on.
struct Writer {
    bytes: Vec<u8>,
    base: u64,
    /// Address of the next text.
    text: u64,
}

impl Writer {
    fn word(&mut self, word: u64) {
        self.bytes.extend_from_slice(&word.to_le_bytes());
    }

    /// The address of a text of this length, and room for it.
    fn place(&mut self, len: usize) {
        let text = self.text;
        self.word(text);
        self.text += len as u64 + 1;
    }

    /// The words; texts follow in the order in which their addresses are written here.
    fn write_words(&mut self, plan: &Plan<'_>, told: &Told<'_>, words_len: usize) {
        self.word(told.arguments.len() as u64);
        for argument in told.arguments {
            self.place(argument.len());
        }
        self.word(0);
        for (name, value) in told.environment {
            self.place(name.len() + 1 + value.len());
        }
        self.word(0);
        let end = self.base + words_len as u64;
        let handles = end - 16 * told.handles.len() as u64;
        for (tag, value) in vector(plan, told, handles, end) {
            self.word(tag);
            self.word(value);
        }
        for (name, handle) in told.handles {
            self.place(name.len());
            self.word(handle.0);
        }
        self.word(told.random[0]);
        self.word(told.random[1]);
    }

    fn write_texts(&mut self, told: &Told<'_>) {
        let mut text = |parts: &[&str]| {
            for part in parts {
                self.bytes.extend_from_slice(part.as_bytes());
            }
            self.bytes.push(0);
        };
        for argument in told.arguments {
            text(&[argument]);
        }
        for (name, value) in told.environment {
            text(&[name, "=", value]);
        }
        for (name, _) in told.handles {
            text(&[name]);
        }
    }
}

/// Where the first thread's thread-local storage is.
struct TlsPlace {
    /// Its first byte.
    start: u64,
    /// Where the control block is.
    pointer: u64,
}

impl TlsPlace {
    fn new(top: u64, plan: &Plan<'_>) -> Result<Self, LayoutError> {
        let (virt, size, align) = plan
            .image()
            .tls()
            .map_or((0, 0, 1), |tls| (tls.virt, tls.mem_size, tls.align));
        // The end of the stack is not known to be aligned to more.
        if align > PAGE_SIZE {
            return Err(LayoutError::Alignment(align));
        }
        if size > TLS_MAX {
            return Err(LayoutError::TlsTooLarge);
        }
        let pointer = (top - CONTROL_BLOCK) & !(align.max(CONTROL_BLOCK) - 1);
        // As linkers count: the block begins at an address that is the template's, modulo the alignment.
        let padding = virt.wrapping_add(size).wrapping_neg() & (align - 1);
        let start = pointer
            .checked_sub(size + padding)
            .ok_or(LayoutError::TlsTooLarge)?;
        Ok(Self { start, pointer })
    }

    /// Writes storage and control block into the stack's bytes, which begin at `base`.
    fn write(&self, bytes: &mut [u8], base: u64, plan: &Plan<'_>, canary: u64) {
        let at = |address: u64| (address - base) as usize;
        if let Some(tls) = plan.image().tls() {
            let start = at(self.start);
            let copy = &mut bytes[start..start + tls.file.len()];
            plan.fill_tls(|offset, part| {
                let offset = offset as usize;
                copy[offset..offset + part.len()].copy_from_slice(part);
            });
        }
        let block = at(self.pointer);
        bytes[block..block + 8].copy_from_slice(&self.pointer.to_le_bytes());
        // The lowest byte is zero, so that no text runs over it.
        let canary = (canary & !0xff).to_le_bytes();
        bytes[block + CANARY..block + CANARY + 8].copy_from_slice(&canary);
    }
}
