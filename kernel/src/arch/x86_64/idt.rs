//! The interrupt descriptor table and the 256 entry points behind it.
//!
//! Each vector has a naked stub of its own that pushes an error code where the CPU does not, then the vector, and
//! goes on in one of two common paths: the ordinary one swaps GS if it came from user mode; the *paranoid* one
//! (NMI, double fault, machine check) may interrupt the kernel in the two instructions where GS is not yet, or no
//! longer, the kernel's. It therefore trusts neither the selector nor the sign of the base: it takes the CPU's
//! area from the end of its own interrupt stack and puts back the GS base that it found.

use core::arch::naked_asm;
use core::cell::UnsafeCell;

use x86_64::VirtAddr;
use x86_64::structures::idt::InterruptDescriptorTable;

use super::gdt::{IST_DOUBLE_FAULT, IST_MACHINE_CHECK, IST_NMI, KERNEL_CODE};
use super::trap::{TrapFrame, handle_trap};
use super::usercopy;

/// The interrupt table's storage: written by the boot CPU before the others start.
struct Table(UnsafeCell<InterruptDescriptorTable>);

// SAFETY: written once by the boot CPU before anything else reads it (invariant 3).
unsafe impl Sync for Table {}

static IDT: Table = Table(UnsafeCell::new(InterruptDescriptorTable::new()));

/// Bit n is set where the CPU itself pushes an error code for vector n (Intel SDM vol. 3A, table 6-1).
const HAS_ERROR_CODE: u32 = 1 << 8 | 0b1_1111 << 10 | 1 << 17 | 1 << 21 | 1 << 29 | 1 << 30;

/// Entry of vectors for which the CPU pushes no error code.
#[unsafe(naked)]
extern "C" fn plain<const VECTOR: u16>() {
    naked_asm!("push 0", "push {vector}", "jmp {common}", vector = const VECTOR, common = sym common)
}

/// Entry of vectors for which the CPU pushes an error code.
#[unsafe(naked)]
extern "C" fn with_error<const VECTOR: u16>() {
    naked_asm!("push {vector}", "jmp {common}", vector = const VECTOR, common = sym common)
}

/// Entry of NMI and machine check.
#[unsafe(naked)]
extern "C" fn paranoid_plain<const VECTOR: u16>() {
    naked_asm!("push 0", "push {vector}", "jmp {paranoid}", vector = const VECTOR, paranoid = sym paranoid)
}

/// Entry of the double fault.
#[unsafe(naked)]
extern "C" fn paranoid_with_error<const VECTOR: u16>() {
    naked_asm!("push {vector}", "jmp {paranoid}", vector = const VECTOR, paranoid = sym paranoid)
}

/// Pushes the general registers in the order of [`TrapFrame`], then a frame record (return address and frame
/// pointer of what was interrupted), so that a backtrace runs through the interrupt.
macro_rules! push_registers {
    () => {
        "push rax; push rbx; push rcx; push rdx; push rsi; push rdi; push rbp
         push r8; push r9; push r10; push r11; push r12; push r13; push r14; push r15
         push qword ptr [rsp + 136]
         push rbp
         mov rbp, rsp
         cld"
    };
}

/// Closes user memory to the kernel, which a program may have opened by setting AC, or which the interrupted kernel
/// code had open for a copy; IRETQ restores the flag. SYSCALL clears it by itself (`arch::syscall`).
macro_rules! close_user_memory {
    () => {
        "cmp byte ptr [rip + {smap}], 0
         je 4f
         clac
         4:"
    };
}

/// Undoes [`push_registers`], and drops vector and error code.
macro_rules! pop_registers {
    () => {
        "add rsp, 16
         pop r15; pop r14; pop r13; pop r12; pop r11; pop r10; pop r9; pop r8
         pop rbp; pop rdi; pop rsi; pop rdx; pop rcx; pop rbx; pop rax
         add rsp, 16"
    };
}

/// The ordinary path. RPL of the saved CS says where we come from. The stack is 16-byte aligned at the call: the CPU
/// aligned it, and 22 words of frame plus 2 of the frame record were pushed.
#[unsafe(naked)]
extern "C" fn common() {
    naked_asm!(
        "test byte ptr [rsp + 24], 3",
        "jz 2f",
        "swapgs",
        "2:",
        push_registers!(),
        close_user_memory!(),
        "lea rdi, [rsp + 16]",
        "call {handler}",
        pop_registers!(),
        "test byte ptr [rsp + 8], 3",
        "jz 3f",
        "swapgs",
        "3:",
        "iretq",
        smap = sym usercopy::SMAP,
        handler = sym handle_trap,
    )
}

/// The paranoid path; see the module text. RBX, saved before, holds the GS base that was found.
#[unsafe(naked)]
extern "C" fn paranoid() {
    naked_asm!(
        push_registers!(),
        close_user_memory!(),
        "mov ecx, 0xc0000101",
        "rdmsr",
        "shl rdx, 32",
        "mov ebx, eax",
        "or rbx, rdx",
        "mov eax, [rsp + 16 + {frame}]",
        "mov edx, [rsp + 16 + {frame} + 4]",
        "wrmsr",
        "lea rdi, [rsp + 16]",
        "call {handler}",
        "mov eax, ebx",
        "mov rdx, rbx",
        "shr rdx, 32",
        "mov ecx, 0xc0000101",
        "wrmsr",
        pop_registers!(),
        "iretq",
        frame = const size_of::<TrapFrame>(),
        smap = sym usercopy::SMAP,
        handler = sym handle_trap,
    )
}

/// Calls `$set!(vector)` for each of the 256 vectors, as literals.
macro_rules! for_each_vector {
    ($set:ident) => {
        for_each_vector!(@ $set 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    };
    (@ $set:ident $($high:literal)*) => { $(
        $set!($high * 16); $set!($high * 16 + 1); $set!($high * 16 + 2); $set!($high * 16 + 3);
        $set!($high * 16 + 4); $set!($high * 16 + 5); $set!($high * 16 + 6); $set!($high * 16 + 7);
        $set!($high * 16 + 8); $set!($high * 16 + 9); $set!($high * 16 + 10); $set!($high * 16 + 11);
        $set!($high * 16 + 12); $set!($high * 16 + 13); $set!($high * 16 + 14); $set!($high * 16 + 15);
    )* };
}

/// The entry point of every vector.
static ENTRIES: [extern "C" fn(); 256] = {
    let mut entries: [extern "C" fn(); 256] = [plain::<0>; 256];
    macro_rules! set {
        ($vector:expr) => {
            entries[$vector] = match $vector {
                2 | 18 => paranoid_plain::<{ $vector }>,
                8 => paranoid_with_error::<{ $vector }>,
                v if v < 32 && HAS_ERROR_CODE >> v & 1 == 1 => with_error::<{ $vector }>,
                _ => plain::<{ $vector }>,
            };
        };
    }
    for_each_vector!(set);
    entries
};

/// Fills the table and loads it on the boot CPU.
///
/// # Safety
/// Once, on the boot CPU, after its GDT and per-CPU area are in place (invariant 3).
pub unsafe fn init_boot() {
    let table: *mut u128 = IDT.0.get().cast();
    for (vector, entry) in ENTRIES.iter().enumerate() {
        let ist = match vector {
            2 => IST_NMI + 1,
            8 => IST_DOUBLE_FAULT + 1,
            18 => IST_MACHINE_CHECK + 1,
            _ => 0,
        };
        // INT3 in user mode is a breakpoint; any other vector that user code names is a protection fault.
        let level = if vector == 3 { USER_GATE } else { 0 };
        // SAFETY: the table has 256 entries of 16 bytes and nobody else uses it yet.
        unsafe {
            table
                .add(vector)
                .write(gate(VirtAddr::from_ptr(*entry as *const ()), ist) | level)
        };
    }
    // SAFETY: the table was filled above.
    unsafe { load() };
}

/// Lets user mode call a gate: privilege level 3.
const USER_GATE: u128 = 3 << 45;

/// An interrupt gate, present, privilege level 0 (Intel SDM vol. 3A, figure 6-8). `x86_64`'s typed setters refuse
/// exactly the vectors that are reserved or that diverge; we want one uniform table.
fn gate(entry: VirtAddr, ist: u16) -> u128 {
    const PRESENT_INTERRUPT_GATE: u128 = 0x8e << 40;
    let address = u128::from(entry.as_u64());
    (address & 0xffff)
        | u128::from(KERNEL_CODE) << 16
        | u128::from(ist) << 32
        | PRESENT_INTERRUPT_GATE
        | (address >> 16 & 0xffff) << 48
        | (address >> 32 & 0xffff_ffff) << 64
}

/// Loads the table on this CPU.
///
/// # Safety
/// After [`init_boot`].
pub unsafe fn load() {
    // SAFETY: the table is static and was filled (caller's promise).
    unsafe { (*IDT.0.get()).load_unsafe() };
}
