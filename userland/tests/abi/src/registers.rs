//! What a system call does to the registers: it keeps all but RAX, RDX, RCX and R11, and puts nothing of the kernel's
//! into those. And what odd flags and stack pointers do to it: nothing.

use core::arch::naked_asm;
use core::sync::atomic::{AtomicU64, Ordering};

use sys::Context;
use sys::abi::{Error, Sysno};

use crate::{Report, expect};

/// The general registers but RSP, in the order below.
const COUNT: usize = 15;
const NAMES: [&str; COUNT] = [
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
    "r15",
];
const RAX: usize = 0;
const RCX: usize = 2;
const RDX: usize = 3;
const RSI: usize = 4;
const RDI: usize = 5;
const R10: usize = 9;
const R11: usize = 10;

/// What goes into a system call and what comes back. Static: when the call returns no register points anywhere.
#[repr(C)]
struct Probe {
    registers: [AtomicU64; COUNT],
    flags: AtomicU64,
    stack: AtomicU64,
    own_stack: AtomicU64,
    after: AtomicU64,
}

static PROBE: Probe = Probe {
    registers: [const { AtomicU64::new(0) }; COUNT],
    flags: AtomicU64::new(0),
    stack: AtomicU64::new(0),
    own_stack: AtomicU64::new(0),
    after: AtomicU64::new(0),
};

/// Loads registers, flags and stack pointer from `PROBE`, makes a system call, and puts them back there. No signal and no
/// interrupt of ours uses the stack in between, so that the pointer may hold anything.
#[unsafe(naked)]
extern "C" fn probe() {
    naked_asm!(
        "push rbx; push rbp; push r12; push r13; push r14; push r15",
        "mov [rip + {p} + 136], rsp",
        "lea rax, [rip + 3f]",
        "mov [rip + {p} + 144], rax",
        "mov rax, [rip + {p}]",
        "mov rbx, [rip + {p} + 8]",
        "mov rcx, [rip + {p} + 16]",
        "mov rdx, [rip + {p} + 24]",
        "mov rsi, [rip + {p} + 32]",
        "mov rdi, [rip + {p} + 40]",
        "mov rbp, [rip + {p} + 48]",
        "mov r8, [rip + {p} + 56]",
        "mov r9, [rip + {p} + 64]",
        "mov r10, [rip + {p} + 72]",
        "mov r11, [rip + {p} + 80]",
        "mov r12, [rip + {p} + 88]",
        "mov r13, [rip + {p} + 96]",
        "mov r14, [rip + {p} + 104]",
        "mov r15, [rip + {p} + 112]",
        "push qword ptr [rip + {p} + 120]",
        "popfq",
        "mov rsp, [rip + {p} + 128]",
        "syscall",
        "3:",
        "mov [rip + {p}], rax",
        "mov [rip + {p} + 8], rbx",
        "mov [rip + {p} + 16], rcx",
        "mov [rip + {p} + 24], rdx",
        "mov [rip + {p} + 32], rsi",
        "mov [rip + {p} + 40], rdi",
        "mov [rip + {p} + 48], rbp",
        "mov [rip + {p} + 56], r8",
        "mov [rip + {p} + 64], r9",
        "mov [rip + {p} + 72], r10",
        "mov [rip + {p} + 80], r11",
        "mov [rip + {p} + 88], r12",
        "mov [rip + {p} + 96], r13",
        "mov [rip + {p} + 104], r14",
        "mov [rip + {p} + 112], r15",
        "mov [rip + {p} + 128], rsp",
        "mov rsp, [rip + {p} + 136]",
        "pushfq",
        "pop qword ptr [rip + {p} + 120]",
        "push 2",
        "popfq",
        "pop r15; pop r14; pop r13; pop r12; pop rbp; pop rbx",
        "ret",
        p = sym PROBE,
    )
}

const INTERRUPT: u64 = 1 << 9;
const FIXED: u64 = 1 << 1;
const DIRECTION: u64 = 1 << 10;
const NESTED: u64 = 1 << 14;
const ALIGNMENT: u64 = 1 << 18;
const IDENTIFICATION: u64 = 1 << 21;
const ARITHMETIC: u64 = 0x8d5;
/// The flags that user mode may set.
const ALL: u64 = ARITHMETIC | DIRECTION | NESTED | ALIGNMENT | IDENTIFICATION;

fn pattern(index: usize) -> u64 {
    0xa5a5_0000_5a5a_0000u64.rotate_left(index as u32) ^ (index as u64 * 0x0101_0101)
}

/// One call; returns what RAX and RDX held afterwards. Everything else is checked.
fn check(
    report: &mut Report<'_>,
    number: u64,
    arguments: [u64; 4],
    flags: u64,
    stack: u64,
) -> (u64, u64) {
    let mut before: [u64; COUNT] = core::array::from_fn(pattern);
    before[RAX] = number;
    for (register, argument) in [RDI, RSI, RDX, R10].into_iter().zip(arguments) {
        before[register] = argument;
    }
    for (place, value) in PROBE.registers.iter().zip(before) {
        place.store(value, Ordering::SeqCst);
    }
    PROBE.flags.store(flags | FIXED, Ordering::SeqCst);
    PROBE.stack.store(stack, Ordering::SeqCst);
    probe();
    let after: [u64; COUNT] =
        core::array::from_fn(|index| PROBE.registers[index].load(Ordering::SeqCst));
    for index in (0..COUNT).filter(|index| ![RAX, RCX, RDX, R11].contains(index)) {
        expect!(
            report,
            after[index],
            before[index],
            "{} after call {number:#x}",
            NAMES[index]
        );
    }
    let expected = flags | FIXED | INTERRUPT;
    expect!(
        report,
        after[RCX],
        PROBE.after.load(Ordering::SeqCst),
        "rcx after call {number:#x}"
    );
    expect!(report, after[R11], expected, "r11 after call {number:#x}");
    expect!(
        report,
        PROBE.flags.load(Ordering::SeqCst),
        expected,
        "flags after call {number:#x}"
    );
    expect!(
        report,
        PROBE.stack.load(Ordering::SeqCst),
        stack,
        "rsp after call {number:#x}"
    );
    (after[RAX], after[RDX])
}

/// Every call that returns, with every odd flag and stack pointer.
pub fn all(report: &mut Report<'_>, context: &Context) {
    let system = context.system().map_or(0, |handle| handle.0);
    let text = b"\n".as_ptr() as u64;
    let calls = [
        (
            Sysno::AbiVersion as u64,
            [1, 2, 3, 4],
            Ok(Some(sys::abi::VERSION)),
        ),
        (Sysno::ThreadYield as u64, [1, 2, 3, 4], Ok(Some(0))),
        (Sysno::ClockRead as u64, [1, 2, 3, 4], Ok(None)),
        (
            Sysno::SystemLogWrite as u64,
            [system, 3, text, 1],
            Ok(Some(0)),
        ),
        (
            Sysno::SystemLogWrite as u64,
            [system, 3, 0, 1],
            Err(Error::BadAddress),
        ),
        (
            Sysno::SystemLogWrite as u64,
            [system, 3, text, u64::MAX],
            Err(Error::InvalidArgument),
        ),
        (
            Sysno::SystemLogWrite as u64,
            [0, 3, text, 1],
            Err(Error::BadHandle),
        ),
        (u64::MAX, [1, 2, 3, 4], Err(Error::UnknownCall)),
    ];
    let own = &raw const system as u64;
    let flags = [
        0,
        ARITHMETIC,
        DIRECTION,
        NESTED,
        ALIGNMENT,
        IDENTIFICATION,
        ALL,
    ];
    let stacks = [
        own,
        0,
        1,
        7,
        u64::MAX,
        0x8000_0000_0000,
        0x7fff_ffff_ffff,
        0xffff_ffff_8000_0000,
        0xffff_8000_0000_0000,
    ];
    for (number, arguments, wanted) in calls {
        for (flags, stack) in flags
            .iter()
            .map(|flags| (*flags, own))
            .chain(stacks.iter().map(|stack| (ALL, *stack)))
        {
            let (error, value) = check(report, number, arguments, flags, stack);
            match wanted {
                Ok(Some(wanted)) => expect!(
                    report,
                    (error, value),
                    (0, wanted),
                    "result of call {number:#x}"
                ),
                Ok(None) => expect!(report, error, 0, "error of call {number:#x}"),
                Err(wanted) => expect!(
                    report,
                    (error, value),
                    (wanted.number(), 0),
                    "result of call {number:#x}"
                ),
            }
        }
    }
}
