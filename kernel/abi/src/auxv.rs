//! The auxiliary vector that a new process finds above its environment on the initial stack (System V ABI, x86-64
//! supplement, 3.4.1): pairs of words, ended by [`NULL`].

/// Ends the vector.
pub const NULL: u64 = 0;
/// The address of the program headers.
pub const PROGRAM_HEADERS: u64 = 3;
/// Bytes of a program header.
pub const PROGRAM_HEADER_SIZE: u64 = 4;
/// How many program headers there are.
pub const PROGRAM_HEADER_COUNT: u64 = 5;
/// Page size in bytes.
pub const PAGE_SIZE: u64 = 6;
/// What was added to the addresses in the file: the load bias.
pub const BASE: u64 = 7;
/// The program's entry point.
pub const ENTRY: u64 = 9;
/// The address of 16 random bytes.
pub const RANDOM: u64 = 25;
/// First tag of our own.
pub const JSIX: u64 = 0x6a73_0000;
/// Version of the ABI, [`crate::VERSION`].
pub const ABI_VERSION: u64 = JSIX;
/// Handle of the process itself.
pub const SELF_HANDLE: u64 = JSIX + 1;
/// Handle of the machine, with the rights that the process has there.
pub const SYSTEM_HANDLE: u64 = JSIX + 2;
/// Handle of the resource of all physical memory, in programs that the kernel starts itself.
pub const MEMORY_HANDLE: u64 = JSIX + 3;
/// Handle of the resource of all I/O ports, in programs that the kernel starts itself.
pub const PORTS_HANDLE: u64 = JSIX + 4;
/// Handle of the resource of all interrupt lines, in programs that the kernel starts itself.
pub const LINES_HANDLE: u64 = JSIX + 5;
/// Version of the process initialisation, [`crate::INIT_VERSION`].
pub const INIT_VERSION: u64 = JSIX + 6;
/// Address of an array of pairs: the address of a name, which ends with a zero byte, and a handle.
pub const HANDLES: u64 = JSIX + 7;
/// How many pairs there are.
pub const HANDLE_COUNT: u64 = JSIX + 8;
