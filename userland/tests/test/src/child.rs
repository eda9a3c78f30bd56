//! Other processes: their code is a few instructions that are copied into an area and mapped there.

use sys::abi::process::{ANY_CPU, Action, EXITED, Exception, FAULTED};
use sys::abi::{Error, Handle, Sysno, area};
use sys::call;

use crate::area::{Area, Owned, PAGE, RW, RX};
use crate::harness::Env;

/// Where the code of a child lies.
pub const CODE: u64 = 0x40_0000;

core::arch::global_asm!(
    ".pushsection .rodata.children, \"a\"",
    // Exits with the word at the address in the argument.
    ".global child_read",
    "child_read:",
    "mov rdi, [rdi]",
    "mov eax, 1",
    "syscall",
    // Writes the argument to the address that it is, and exits with 0.
    ".global child_write",
    "child_write:",
    "mov [rdi], rdi",
    "xor edi, edi",
    "mov eax, 1",
    "syscall",
    // Jumps to the argument.
    ".global child_jump",
    "child_jump:",
    "jmp rdi",
    // Writes to each page from the first word at the argument up to the second, then exits with 0.
    ".global child_touch",
    "child_touch:",
    "mov rax, [rdi]",
    "mov rdx, [rdi + 8]",
    "2: cmp rax, rdx",
    "jae 3f",
    "mov [rax], rax",
    "add rax, 4096",
    "jmp 2b",
    "3: xor edi, edi",
    "mov eax, 1",
    "syscall",
    // Does nothing for ever.
    ".global child_spin",
    "child_spin:",
    "4: pause",
    "jmp 4b",
    // Takes all memory that it can get: makes an area and maps it, gives it pages and touches them, in ever smaller
    // steps until not even one page is to be had, and then touches the next one, too. The words at the argument: a
    // handle of the process, an address, a size. Exits with an error if it could not begin.
    ".global child_hog",
    "child_hog:",
    "mov rbx, rdi",
    "mov edi, {open}",
    "mov rsi, [rbx + 16]",
    "xor edx, edx",
    "mov eax, {create}",
    "syscall",
    "test rax, rax",
    "jnz 9f",
    "mov r12, rdx",
    "mov rdi, [rbx]",
    "mov rsi, r12",
    "mov rdx, [rbx + 8]",
    "xor r10d, r10d",
    "mov r8, [rbx + 16]",
    "mov r9d, {access}",
    "mov eax, {map}",
    "syscall",
    "test rax, rax",
    "jnz 9f",
    "xor r13d, r13d",
    "mov r14d, 1 << 22",
    "mov r15, [rbx + 8]",
    "5: mov rdi, r12",
    "mov rsi, r13",
    "mov rdx, r14",
    "mov eax, {commit}",
    "syscall",
    "test rax, rax",
    "jnz 7f",
    "add r13, r14",
    "mov rcx, [rbx + 8]",
    "add rcx, r13",
    "6: mov [r15], r15",
    "add r15, 4096",
    "cmp r15, rcx",
    "jb 6b",
    "jmp 5b",
    "7: shr r14, 1",
    "cmp r14, 4096",
    "jae 5b",
    "8: mov [r15], r15",
    "add r15, 4096",
    "jmp 8b",
    "9: mov rdi, rax",
    "mov eax, {exit}",
    "syscall",
    ".global child_end",
    "child_end:",
    ".popsection",
    open = const area::OPEN,
    access = const area::READ | area::WRITE | area::AT_ADDRESS,
    create = const Sysno::VmAreaCreate as u64,
    map = const Sysno::ProcessMap as u64,
    commit = const Sysno::VmAreaCommit as u64,
    exit = const Sysno::ProcessExit as u64,
);

unsafe extern "C" {
    static child_read: u8;
    static child_write: u8;
    static child_jump: u8;
    static child_touch: u8;
    static child_spin: u8;
    static child_hog: u8;
    static child_end: u8;
}

/// Bit of a child's event: it has ended.
const EXIT: u64 = 1;
/// Bit of a child's event: it has faulted, and waits.
const FAULT: u64 = 2;

/// What a child does.
#[derive(Clone, Copy)]
pub enum Code {
    Read,
    Write,
    Jump,
    Touch,
    Spin,
    Hog,
}

impl Code {
    fn offset(self) -> u64 {
        let place = match self {
            Self::Read => &raw const child_read,
            Self::Write => &raw const child_write,
            Self::Jump => &raw const child_jump,
            Self::Touch => &raw const child_touch,
            Self::Spin => &raw const child_spin,
            Self::Hog => &raw const child_hog,
        };
        place as u64 - (&raw const child_read) as u64
    }
}

/// A process of ours, with the code mapped; it ends when dropped.
pub struct Child {
    pub process: Owned,
    exit: Owned,
}

/// How a child ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    Status(u64),
    Fault(u64),
}

impl Child {
    pub fn new(env: &Env<'_>) -> Result<Self, Error> {
        let start = &raw const child_read;
        let len = (&raw const child_end) as usize - start as usize;
        // SAFETY: the bytes between the two symbols, which nobody writes.
        let code = unsafe { core::slice::from_raw_parts(start, len) };
        let area = Area::open(1)?;
        let view = area.map(env.own, 0, 1, RW)?;
        // SAFETY: a page of ours, mapped just now, longer than the code.
        unsafe { (view.address as *mut u8).copy_from_nonoverlapping(code.as_ptr(), len) };
        drop(view);
        let process = Owned(call::process_create("child")?);
        area.map_at(process.0, CODE, 0, 1, RX)?.keep();
        let exit = Owned(call::event_create()?);
        call::process_on_exit(process.0, exit.0, EXIT)?;
        Ok(Self { process, exit })
    }

    pub fn handle(&self) -> Handle {
        self.process.0
    }

    pub fn start(&self, code: Code, argument: u64) -> Result<(), Error> {
        self.start_on(code, argument, ANY_CPU)
    }

    pub fn start_on(&self, code: Code, argument: u64, cpu: u64) -> Result<(), Error> {
        let thread = call::thread_create(self.handle(), CODE + code.offset(), 0, argument, cpu)?;
        call::handle_close(thread)
    }

    /// Waits for its end. A fault that is reported meanwhile ends it.
    pub fn end(&self) -> Result<End, Error> {
        while call::event_wait(self.exit.0, EXIT | FAULT)? & EXIT == 0 {
            if let Ok(exception) = call::exception_read(self.handle()) {
                call::exception_resume(self.handle(), exception.thread, Action::End)?;
            }
        }
        let info = call::process_info(self.handle())?;
        match info.state {
            EXITED => Ok(End::Status(info.status)),
            FAULTED => Ok(End::Fault(info.status)),
            _ => Err(Error::NotReady),
        }
    }

    /// Runs code and waits for the end.
    pub fn run(&self, code: Code, argument: u64) -> Result<End, Error> {
        self.start(code, argument)?;
        self.end()
    }

    /// Runs code that faults; returns the report. The child goes on when `exception_resume` is called with its thread.
    pub fn fault(&self, code: Code, argument: u64) -> Result<Exception, Error> {
        call::process_on_exception(self.handle(), self.exit.0, FAULT)?;
        self.start(code, argument)?;
        self.report()
    }

    /// Waits for a report; an error when the child ends without one.
    pub fn report(&self) -> Result<Exception, Error> {
        let bits = call::event_wait(self.exit.0, EXIT | FAULT)?;
        if bits & EXIT != 0 {
            // It has ended without a report; whoever waits for the end shall see it, too.
            call::event_signal(self.exit.0, EXIT)?;
        }
        call::exception_read(self.handle())
    }

    /// Runs code that faults, and ends the child; returns the report.
    pub fn fault_and_end(&self, code: Code, argument: u64) -> Result<Exception, Error> {
        let exception = self.fault(code, argument)?;
        call::exception_resume(self.handle(), exception.thread, Action::End)?;
        self.end()?;
        Ok(exception)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = call::process_kill(self.handle(), 0);
    }
}

/// Maps a page with words for a child's argument; returns its address there.
pub fn words(env: &Env<'_>, child: &Child, values: &[u64]) -> Result<u64, Error> {
    let area = Area::open(1)?;
    let view = area.map(env.own, 0, 1, RW)?;
    for (index, value) in values.iter().enumerate() {
        crate::area::store(view.at(0, index as u64), *value);
    }
    Ok(area
        .map_at(child.handle(), CODE + 16 * PAGE, 0, 1, RW)?
        .keep())
}
