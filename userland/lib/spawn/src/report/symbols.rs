//! The functions of a program, by address: from the symbol table of its file.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use elf::ElfBytes;
use elf::abi::{PF_X, PT_LOAD, SHN_UNDEF, STB_GLOBAL, STB_LOCAL, STT_FUNC, STT_NOTYPE};
use elf::endian::LittleEndian;
use elf::string_table::StringTable;
use elf::symbol::Symbol;
use kboot::elf::MAX_SEGMENTS;

/// The most symbols that are looked at: larger files are other people's.
const SYMBOLS_MAX: usize = 1 << 20;

/// A function of a program.
struct Function {
    address: u64,
    size: u64,
    name: usize,
}

/// The functions of a program.
pub struct Symbols<'a> {
    functions: Vec<Function>,
    code: Vec<Range<u64>>,
    names: StringTable<'a>,
}

/// A place in a function; shows itself as `name+offset`, the name as its programmer wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The name, as the linker knows it.
    pub name: &'a str,
    /// Bytes from the function's begin on.
    pub offset: u64,
}

impl<'a> Symbols<'a> {
    /// Those of an ELF file; `None` when it has no symbols, is damaged, or memory is short.
    pub fn new(file: &'a [u8]) -> Option<Self> {
        let file = ElfBytes::<LittleEndian>::minimal_parse(file).ok()?;
        let (symbols, names) = file.symbol_table().ok()??;
        let code = code(&file)?;
        let is_code = |address: u64| code.iter().any(|range| range.contains(&address));
        let mut functions = Vec::new();
        let is_function = |symbol: &Symbol| {
            let has_type = symbol.st_symtype() == STT_FUNC
                // Written in assembly language, without saying what it is.
                || symbol.st_symtype() == STT_NOTYPE
                    && matches!(symbol.st_bind(), STB_GLOBAL | STB_LOCAL);
            has_type && symbol.st_shndx != SHN_UNDEF && is_code(symbol.st_value)
        };
        let all = symbols.iter().take(SYMBOLS_MAX);
        let count = all.filter(is_function).count();
        functions.try_reserve_exact(count).ok()?;
        let all = symbols.iter().take(SYMBOLS_MAX);
        functions.extend(all.filter(is_function).map(|symbol| Function {
            address: symbol.st_value,
            size: symbol.st_size,
            name: symbol.st_name as usize,
        }));
        // Of those at one address the one with a size comes last, and is found.
        functions.sort_unstable_by_key(|function| (function.address, function.size));
        Some(Self {
            functions,
            code,
            names,
        })
    }

    /// Where an address is, as the file counts: without the load bias.
    pub fn place(&self, address: u64) -> Option<Place<'a>> {
        if !self.code.iter().any(|range| range.contains(&address)) {
            return None;
        }
        let after = self
            .functions
            .partition_point(|function| function.address <= address);
        let function = self.functions.get(after.checked_sub(1)?)?;
        let offset = address.checked_sub(function.address)?;
        // A size of 0 is none that was written down.
        if function.size != 0 && offset >= function.size {
            return None;
        }
        let name = self.names.get(function.name).ok()?;
        Some(Place { name, offset })
    }
}

/// What of a file is executed.
fn code(file: &ElfBytes<'_, LittleEndian>) -> Option<Vec<Range<u64>>> {
    let headers = file.segments()?.iter();
    let headers = headers.filter(|header| header.p_type == PT_LOAD && header.p_flags & PF_X != 0);
    let mut code = Vec::new();
    for header in headers.take(MAX_SEGMENTS) {
        code.try_reserve(1).ok()?;
        code.push(header.p_vaddr..header.p_vaddr.checked_add(header.p_memsz)?);
    }
    Some(code)
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the hash that makes names unique.
        write!(
            f,
            "{:#}+{:#x}",
            rustc_demangle::demangle(self.name),
            self.offset
        )
    }
}

impl fmt::Debug for Symbols<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} functions", self.functions.len())
    }
}
