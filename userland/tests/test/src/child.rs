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
    "mov eax, {exit}",
    "syscall",
    // Writes the argument to the address that it is, and exits with 0.
    ".global child_write",
    "child_write:",
    "mov [rdi], rdi",
    "xor edi, edi",
    "mov eax, {exit}",
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
    "mov eax, {exit}",
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
    // Uses a page in each 2 MiB of an area, then needs small pages, by touching and by a commit, and looks whether the first
    // ones hold what they did. The words at the argument: see `vm::pressure`.
    ".global child_squeeze",
    "child_squeeze:",
    "mov rbx, rdi",
    "lea rsp, [rdi + 4096]",
    "mov r13, [rbx + 8]",
    "mov r14, [rbx + 16]",
    "call 7f",
    "mov r12, r15",
    "lea r14, [r13 + r14]",
    "2: mov [r13 + 0x5000], r13",
    "add r13, 0x200000",
    "cmp r13, r14",
    "jb 2b",
    "mov rdi, r12",
    "lea rsi, [rbx + 64]",
    "mov eax, {info}",
    "syscall",
    "mov r13, [rbx + 24]",
    "mov r14, [rbx + 32]",
    "call 7f",
    "mov r14, [rbx + 40]",
    "lea r14, [r13 + r14]",
    "3: mov [r13], r13",
    "add r13, 4096",
    "cmp r13, r14",
    "jb 3b",
    "mov rdi, r15",
    "mov rsi, [rbx + 40]",
    "mov rdx, [rbx + 32]",
    "sub rdx, rsi",
    "mov eax, {commit}",
    "syscall",
    "test rax, rax",
    "jnz 9f",
    "mov rdi, r12",
    "lea rsi, [rbx + 128]",
    "mov eax, {info}",
    "syscall",
    "mov r13, [rbx + 8]",
    "mov r14, [rbx + 16]",
    "lea r14, [r13 + r14]",
    "4: mov eax, 77",
    "cmp [r13 + 0x5000], r13",
    "jne 9f",
    "cmp qword ptr [r13 + 0x7000], 0",
    "jne 9f",
    "add r13, 0x200000",
    "cmp r13, r14",
    "jb 4b",
    "xor eax, eax",
    "jmp 9f",
    // Makes an area of r14 bytes, mapped at r13; its handle is in r15 then. (The stack is at the end of the page of the words.)
    "7: mov edi, {open}",
    "mov rsi, r14",
    "xor edx, edx",
    "mov eax, {create}",
    "syscall",
    "test rax, rax",
    "jnz 9f",
    "mov r15, rdx",
    "mov rdi, [rbx]",
    "mov rsi, r15",
    "mov rdx, r13",
    "xor r10d, r10d",
    "mov r8, r14",
    "mov r9d, {access}",
    "mov eax, {map}",
    "syscall",
    "test rax, rax",
    "jnz 9f",
    "ret",
    "9: mov rdi, rax",
    "mov eax, {exit}",
    "syscall",
    // Signals the event whose handle is at the argument, again and again, until that fails; exits with the error.
    ".global child_signal",
    "child_signal:",
    "mov rbx, [rdi]",
    "10: mov rdi, rbx",
    "mov esi, 1",
    "mov eax, {signal}",
    "syscall",
    "test rax, rax",
    "jnz 9b",
    "mov eax, {pause}",
    "syscall",
    "jmp 10b",
    // Makes the system call whose registers are at the argument, notes what they hold then, and ends: see `kernel::orders`.
    ".global child_order",
    "child_order:",
    "mov rbx, rdi",
    "mov rax, [rbx]",
    "mov rdi, [rbx + 8]",
    "mov rsi, [rbx + 16]",
    "mov rdx, [rbx + 24]",
    "mov r10, [rbx + 32]",
    "mov r8, [rbx + 40]",
    "mov r9, [rbx + 48]",
    "mov r12, [rbx + 56]",
    "mov r13, [rbx + 64]",
    "mov r14, [rbx + 72]",
    "mov r15, [rbx + 80]",
    "syscall",
    "mov [rbx + 128], rax",
    "mov [rbx + 136], rdi",
    "mov [rbx + 144], rsi",
    "mov [rbx + 152], rdx",
    "mov [rbx + 160], r10",
    "mov [rbx + 168], r8",
    "mov [rbx + 176], r9",
    "mov [rbx + 184], r12",
    "mov [rbx + 192], r13",
    "mov [rbx + 200], r14",
    "mov [rbx + 208], r15",
    "mov qword ptr [rbx + 248], 1",
    "mov eax, {leave}",
    "syscall",
    // Counts at the argument for ever.
    ".global child_count",
    "child_count:",
    "inc qword ptr [rdi]",
    "jmp child_count",
    // Receives by the mailbox whose handle is the argument, and answers each message with its words inverted, label and length as
    // they were; exits with the error when that fails.
    ".global child_invert",
    "child_invert:",
    "mov rbx, rdi",
    "xor esi, esi",
    "11: mov rdi, rbx",
    "mov eax, {serve}",
    "syscall",
    "test rax, rax",
    "jnz 12f",
    "not rdx",
    "not r10",
    "not r8",
    "not r9",
    "not r12",
    "not r13",
    "not r14",
    "not r15",
    "jmp 11b",
    "12: mov rdi, rax",
    "mov eax, {exit}",
    "syscall",
    // Exits with the byte that it reads from the port in the argument.
    ".global child_port",
    "child_port:",
    "mov edx, edi",
    "in al, dx",
    "movzx edi, al",
    "mov eax, {exit}",
    "syscall",
    // Reads from it for ever, and gives way in between.
    ".global child_ports",
    "child_ports:",
    "mov ebx, edi",
    "13: mov edx, ebx",
    "in al, dx",
    "mov eax, {pause}",
    "syscall",
    "jmp 13b",
    // Stores all registers at the address that FS has as its base, the flags, and the word at GS; ends the thread.
    ".global child_store",
    "child_store:",
    "mov fs:[0], rax; mov fs:[8], rbx; mov fs:[16], rcx; mov fs:[24], rdx; mov fs:[32], rsi; mov fs:[40], rdi",
    "mov fs:[48], rbp; mov fs:[56], rsp; mov fs:[64], r8; mov fs:[72], r9; mov fs:[80], r10; mov fs:[88], r11",
    "mov fs:[96], r12; mov fs:[104], r13; mov fs:[112], r14; mov fs:[120], r15",
    "pushfq; pop qword ptr fs:[128]",
    "mov rax, gs:[0]; mov fs:[136], rax",
    "mov eax, {leave}; syscall",
    // Counts at RDX as long as RDI is the word at FS and RSI that at GS; else ends the process with 1.
    ".global child_bases",
    "child_bases:",
    "cmp rdi, fs:[0]; jne 14f",
    "cmp rsi, gs:[0]; jne 14f",
    "inc qword ptr [rdx]",
    "jmp child_bases",
    "14: mov edi, 1",
    "mov eax, {exit}",
    "syscall",
    ".global child_end",
    "child_end:",
    ".popsection",
    open = const area::OPEN,
    access = const area::READ | area::WRITE | area::AT_ADDRESS,
    create = const Sysno::VmAreaCreate as u64,
    info = const Sysno::VmAreaInfo as u64,
    map = const Sysno::ProcessMap as u64,
    commit = const Sysno::VmAreaCommit as u64,
    exit = const Sysno::ProcessExit as u64,
    signal = const Sysno::EventSignal as u64,
    pause = const Sysno::ThreadYield as u64,
    leave = const Sysno::ThreadExit as u64,
    serve = const Sysno::MailboxReplyReceive as u64,
);

unsafe extern "C" {
    static child_read: u8;
    static child_write: u8;
    static child_jump: u8;
    static child_touch: u8;
    static child_spin: u8;
    static child_hog: u8;
    static child_squeeze: u8;
    static child_signal: u8;
    static child_order: u8;
    static child_count: u8;
    static child_invert: u8;
    static child_port: u8;
    static child_ports: u8;
    static child_store: u8;
    static child_bases: u8;
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
    Squeeze,
    Signal,
    Order,
    Count,
    Invert,
    Port,
    Ports,
    Store,
    Bases,
}

impl Code {
    /// Where it lies in a child.
    pub fn address(self) -> u64 {
        let place = match self {
            Self::Read => &raw const child_read,
            Self::Write => &raw const child_write,
            Self::Jump => &raw const child_jump,
            Self::Touch => &raw const child_touch,
            Self::Spin => &raw const child_spin,
            Self::Hog => &raw const child_hog,
            Self::Squeeze => &raw const child_squeeze,
            Self::Signal => &raw const child_signal,
            Self::Order => &raw const child_order,
            Self::Count => &raw const child_count,
            Self::Invert => &raw const child_invert,
            Self::Port => &raw const child_port,
            Self::Ports => &raw const child_ports,
            Self::Store => &raw const child_store,
            Self::Bases => &raw const child_bases,
        };
        CODE + (place as u64 - (&raw const child_read) as u64)
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
        call::process_on_exit(process.0, Some(exit.0), EXIT)?;
        Ok(Self { process, exit })
    }

    pub fn handle(&self) -> Handle {
        self.process.0
    }

    pub fn start(&self, code: Code, argument: u64) -> Result<(), Error> {
        self.start_on(code, argument, ANY_CPU)
    }

    pub fn start_on(&self, code: Code, argument: u64, cpu: u64) -> Result<(), Error> {
        self.spawn(code, argument, cpu).map(drop)
    }

    /// Starts a thread whose handle the test keeps.
    pub fn spawn(&self, code: Code, argument: u64, cpu: u64) -> Result<Owned, Error> {
        self.create(code, argument, cpu, 0)
    }

    /// Makes a thread that waits to be resumed.
    pub fn spawn_suspended(&self, code: Code, argument: u64, cpu: u64) -> Result<Owned, Error> {
        self.create(code, argument, cpu, sys::abi::thread::SUSPEND)
    }

    fn create(&self, code: Code, argument: u64, cpu: u64, how: u64) -> Result<Owned, Error> {
        let entry = code.address();
        call::thread_create(self.handle(), entry, 0, argument, cpu, how).map(Owned)
    }

    /// Waits for its end. A fault that is reported meanwhile ends it.
    pub fn end(&self) -> Result<End, Error> {
        while call::event_wait(self.exit.0, EXIT | FAULT, 0, sys::abi::NEVER)? & EXIT == 0 {
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
        call::process_on_exception(self.handle(), Some(self.exit.0), FAULT)?;
        self.start(code, argument)?;
        self.report()
    }

    /// Waits for its end; whether it has reported a fault before.
    pub fn reports_again(&self) -> Result<bool, Error> {
        let bits = call::event_wait(self.exit.0, EXIT | FAULT, 0, sys::abi::NEVER)?;
        if bits & EXIT != 0 {
            call::event_signal(self.exit.0, EXIT)?;
        }
        Ok(bits & FAULT != 0)
    }

    /// Waits for a report; an error when the child ends without one.
    pub fn report(&self) -> Result<Exception, Error> {
        let bits = call::event_wait(self.exit.0, EXIT | FAULT, 0, sys::abi::NEVER)?;
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
