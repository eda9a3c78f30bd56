//! Processes to measure with: their code is a few instructions in an area, which is mapped in each.

use sys::abi::{Error, Handle, Sysno, area};
use sys::call;

use crate::measure::Env;
use crate::memory::{Mapping, Owned, PAGE, RW, open_area};

/// Where the code of a child lies.
const CODE: u64 = 0x40_0000;
/// Where its stack lies.
const STACK: u64 = 0x50_0000;

core::arch::global_asm!(
    ".pushsection .rodata.children, \"a\"",
    // Answers every call to the mailbox whose handle is the argument with what it was sent; ends when nobody can call any more.
    ".global child_echo",
    "child_echo:",
    "mov rbx, rdi",
    "xor esi, esi",
    "2: mov rdi, rbx",
    "mov eax, {reply_receive}",
    "syscall",
    "test eax, eax",
    "jz 2b",
    // The same with messages of up to 64 words: the buffer lies at the begin of the stack.
    ".global child_echo_long",
    "child_echo_long:",
    "mov rbx, rdi",
    "mov edi, {stack}",
    "mov eax, {set_buffer}",
    "syscall",
    "mov rdi, rbx",
    "jmp child_echo",
    // Touches its stack, and ends.
    ".global child_exit",
    "child_exit:",
    "push rax",
    "xor edi, edi",
    "mov eax, {exit}",
    "syscall",
    ".global child_end",
    "child_end:",
    ".popsection",
    stack = const STACK,
    set_buffer = const Sysno::MailboxSetBuffer as u64,
    reply_receive = const Sysno::MailboxReplyReceive as u64,
    exit = const Sysno::ProcessExit as u64,
);

unsafe extern "C" {
    static child_echo: u8;
    static child_echo_long: u8;
    static child_exit: u8;
    static child_end: u8;
}

/// What a child does.
#[derive(Clone, Copy)]
pub enum Code {
    Echo,
    EchoLong,
    Exit,
}

impl Code {
    fn address(self) -> u64 {
        let place = match self {
            Self::Echo => &raw const child_echo,
            Self::EchoLong => &raw const child_echo_long,
            Self::Exit => &raw const child_exit,
        };
        CODE + (place as u64 - (&raw const child_echo) as u64)
    }
}

/// The code of children, ready to be mapped.
pub struct Image(Owned);

impl Image {
    pub fn new(env: &Env<'_>) -> Result<Self, Error> {
        let start = &raw const child_echo;
        let len = (&raw const child_end) as usize - start as usize;
        let area = open_area(1)?;
        let view = Mapping::new(env.own, &area, 1)?;
        // SAFETY: from what lies between the two symbols to a page of ours, mapped just now, which is longer.
        unsafe { (view.address as *mut u8).copy_from_nonoverlapping(start, len) };
        Ok(Self(area))
    }

    /// Makes a process with this code, and a stack of a page of its own.
    pub fn load(&self) -> Result<Owned, Error> {
        let process = Owned(call::process_create("child")?);
        let stack = open_area(1)?;
        let executable = area::READ | area::EXECUTE;
        map_at(&process, CODE, &self.0, executable)?;
        map_at(&process, STACK, &stack, RW)?;
        Ok(process)
    }
}

fn map_at(process: &Owned, address: u64, area: &Owned, access: u64) -> Result<(), Error> {
    let access = access | area::AT_ADDRESS;
    call::process_map(process.0, area.0, address, 0, PAGE, access)?;
    Ok(())
}

/// Starts the thread of a process that was [loaded](Image::load), on the first processor.
pub fn start(process: Handle, code: Code, argument: u64) -> Result<(), Error> {
    let thread = call::thread_create(process, code.address(), STACK + PAGE, argument, 0, 0)?;
    call::handle_close(thread)
}
