//! The forbidden things. All of them are wrong on purpose: that the kernel stops each is what is tested.

use core::arch::asm;
use core::hint::black_box;

/// A forbidden thing.
pub struct Kind {
    /// What the argument calls it.
    pub name: &'static str,
    /// The exception that must end it (Intel SDM vol. 3A, table 6-1).
    pub vector: u64,
    /// Does it.
    pub act: fn(),
}

const DIVIDE: u64 = 0;
const DEBUG: u64 = 1;
const BREAKPOINT: u64 = 3;
const INVALID_OPCODE: u64 = 6;
/// The stack-segment fault.
pub const STACK: u64 = 12;
/// The general protection fault.
pub const PROTECTION: u64 = 13;
const PAGE: u64 = 14;
const X87: u64 = 16;

/// Kernel image, direct map.
const KERNEL: u64 = 0xffff_ffff_8000_0000;
const DIRECT_MAP: u64 = 0xffff_8000_0000_0000;
/// Neither half: the first address with bit 47 set alone.
const NOT_CANONICAL: u64 = 0x0000_8000_0000_0000;

macro_rules! kinds {
    ($($name:literal $vector:ident $act:expr;)*) => {
        /// All forbidden things.
        pub const KINDS: &[Kind] = &[$(Kind { name: $name, vector: $vector, act: $act }),*];
    };
}

/// Executes instructions that must not be let through.
macro_rules! forbidden {
    ($($text:literal),+) => {
        // SAFETY: none, on purpose: the process ends here. If it does not, it only reports that.
        || unsafe {
            asm!($($text),+, out("rax") _, out("rcx") _, out("rdx") _, out("rdi") _, out("rsi") _)
        }
    };
}

kinds! {
    "null-read" PAGE || read(0);
    "null-write" PAGE || write(0);
    "kernel-read" PAGE || read(KERNEL);
    "kernel-write" PAGE || write(KERNEL);
    "kernel-execute" PAGE || jump(KERNEL);
    "direct-map-read" PAGE || read(DIRECT_MAP);
    "execute-data" PAGE execute_data;
    "execute-stack" PAGE execute_stack;
    "write-code" PAGE || write(write as fn(u64) as usize as u64);
    "write-constant" PAGE write_constant;
    "stack-overflow" PAGE || { black_box(overflow(1)); };
    "huge-rep-store" PAGE forbidden!("lea rdi, [rsp - 64]", "mov rcx, -1", "xor eax, eax", "std", "rep stosb", "cld");
    "huge-rep-load" PAGE forbidden!("xor esi, esi", "mov rcx, -1", "rep lodsb");
    "divide-by-zero" DIVIDE forbidden!("xor edx, edx", "mov eax, 1", "xor ecx, ecx", "div ecx");
    "divide-overflow" DIVIDE forbidden!("mov eax, 0x80000000", "cdq", "mov ecx, -1", "idiv ecx");
    "single-step" DEBUG forbidden!("pushfq", "or qword ptr [rsp], 0x100", "popfq", "nop", "nop");
    "single-step-syscall" DEBUG forbidden!("xor eax, eax", "pushfq", "or qword ptr [rsp], 0x100", "popfq", "syscall", "nop");
    "int3" BREAKPOINT forbidden!("int3");
    "ud2" INVALID_OPCODE forbidden!("ud2");
    "wrgsbase" INVALID_OPCODE forbidden!("xor eax, eax", ".byte 0xf3, 0x48, 0x0f, 0xae, 0xd8");
    "stack-not-canonical" STACK forbidden!("mov rax, rsp", "mov rcx, 0x800000000800", "mov rsp, rcx", "push rax", "mov rsp, rax");
    "jump-not-canonical" PROTECTION || jump(NOT_CANONICAL);
    "read-not-canonical" PROTECTION || read(NOT_CANONICAL);
    "write-not-canonical" PROTECTION || write(NOT_CANONICAL);
    "int-0x80" PROTECTION forbidden!("int 0x80");
    "int-nmi" PROTECTION forbidden!("int 2");
    "int-double-fault" PROTECTION forbidden!("int 8");
    "int-timer" PROTECTION forbidden!("int 0xf0");
    "cli" PROTECTION forbidden!("cli");
    "hlt" PROTECTION forbidden!("hlt");
    "in" PROTECTION forbidden!("mov edx, 0x3f8", "in al, dx");
    "out" PROTECTION forbidden!("mov edx, 0xf4", "mov eax, 1", "out dx, eax");
    "rdmsr" PROTECTION forbidden!("mov ecx, 0xc0000080", "rdmsr");
    "wrmsr" PROTECTION forbidden!("mov ecx, 0xc0000082", "xor eax, eax", "xor edx, edx", "wrmsr");
    "read-cr3" PROTECTION forbidden!("mov rax, cr3");
    "write-cr0" PROTECTION forbidden!("xor eax, eax", "mov cr0, rax");
    "write-dr7" PROTECTION forbidden!("xor eax, eax", "mov dr7, rax");
    "lidt" PROTECTION forbidden!("sub rsp, 16", "lidt [rsp]", "add rsp, 16");
    "ltr" PROTECTION forbidden!("mov eax, 0x28", "ltr ax");
    "swapgs" PROTECTION forbidden!("swapgs");
    "invlpg" PROTECTION forbidden!("invlpg [rsp]");
    "wbinvd" PROTECTION forbidden!("wbinvd");
    "sysret" PROTECTION forbidden!("sysretq");
    "xsetbv" PROTECTION forbidden!("xor ecx, ecx", "mov eax, 1", "xor edx, edx", "xsetbv");
    "load-kernel-segment" PROTECTION forbidden!("mov eax, 0x10", "mov ds, eax");
    "load-unknown-segment" PROTECTION forbidden!("mov eax, 0xfff8", "mov gs, eax");
    "x87-divide" X87 forbidden!(
        "sub rsp, 16", "mov word ptr [rsp], 0x0340", "fldcw [rsp]", "fld1", "fldz", "fdivp", "fwait", "add rsp, 16"
    );
}

#[inline(never)]
fn read(address: u64) {
    // SAFETY: none, on purpose.
    unsafe { asm!("mov {0}, [{0}]", inout(reg) address => _) };
}

#[inline(never)]
fn write(address: u64) {
    // SAFETY: none, on purpose.
    unsafe { asm!("mov qword ptr [{0}], {0}", in(reg) address) };
}

#[inline(never)]
fn jump(address: u64) {
    // SAFETY: none, on purpose. A target that is executed after all returns here.
    unsafe { asm!("call {}", in(reg) address, clobber_abi("C")) };
}

/// `ret`, in memory that may be written to.
static mut CODE: [u8; 16] = [0xc3; 16];
static CONSTANT: u64 = 1;

fn execute_data() {
    jump(&raw const CODE as u64);
}

fn execute_stack() {
    let code = black_box([0xc3u8; 16]);
    jump(code.as_ptr() as u64);
}

fn write_constant() {
    write(&raw const CONSTANT as u64);
}

#[inline(never)]
#[expect(unconditional_recursion, reason = "this is what it is for")]
fn overflow(depth: u64) -> u64 {
    let filler = black_box([depth; 32]);
    overflow(depth + 1) + filler[0]
}
