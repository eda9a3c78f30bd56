//! Starting the other processors: INIT, STARTUP, and a trampoline page below 1 MiB, all CPUs in parallel.
//!
//! Every CPU runs the same trampoline (Intel SDM vol. 3A, 9.4): real mode, protected mode, long mode on a small page
//! table of its own; then it looks its APIC id up in a table of [`Slot`]s and claims its slot. The boot CPU abandons
//! slots that nobody claimed in time, so that a CPU that wakes up late finds its slot taken and halts, and never
//! runs on memory that has been given to somebody else.

use alloc::vec::Vec;
use core::arch::global_asm;
use core::mem::offset_of;
use core::sync::atomic::{AtomicU32, Ordering};

use kaddr::{Frame, PAGE_SIZE, PhysAddr};

use super::percpu::{self, PerCpu};
use super::{apic, cpuid, fpu, idt, paging, shootdown, syscall, time};
use crate::mm::frames::{self, Purpose};
use crate::mm::{self, stack::KernelStack};
use crate::sched;

/// A slot that waits for its CPU.
const WAITING: u32 = 0;
/// The CPU schedules threads.
const ONLINE: u32 = 2;
/// The boot CPU gave up.
const ABANDONED: u32 = 3;

/// What the trampoline needs to know of one CPU.
#[repr(C)]
struct Slot {
    apic_id: u32,
    state: AtomicU32,
    area: u64,
    stack: u64,
}

/// Parameters at the end of the trampoline; the boot CPU fills them in its copy.
#[repr(C, packed)]
struct Parameters {
    gdt_limit: u16,
    gdt_base: u32,
    protected_entry: u32,
    protected_code: u32,
    long_entry: u32,
    long_code: u32,
    cr3: u32,
    cr4: u32,
    slots: u64,
    count: u64,
    entry: u64,
    gdt: [u64; 4],
}

// In the copy, EBX/R8 holds the physical address of the page; everything else is addressed relative to it.
global_asm!(
    ".pushsection .rodata.trampoline, \"a\"",
    ".balign 16",
    ".globl ap_trampoline_start, ap_trampoline_end, ap_trampoline_parameters",
    ".globl ap_trampoline_protected, ap_trampoline_long",
    ".code16",
    "ap_trampoline_start:",
    "cli",
    "cld",
    "mov %cs, %ax",
    "mov %ax, %ds",
    "xor %ebx, %ebx",
    "mov %ax, %bx",
    "shl $4, %ebx",
    "lgdtl (ap_trampoline_parameters - ap_trampoline_start)",
    "mov %cr0, %eax",
    "or $1, %eax",
    "mov %eax, %cr0",
    "ljmpl *(ap_trampoline_parameters - ap_trampoline_start + {protected_entry})",
    ".code32",
    "ap_trampoline_protected:",
    "mov $0x18, %ax",
    "mov %ax, %ds",
    "mov %ax, %es",
    "mov %ax, %ss",
    "mov (ap_trampoline_parameters - ap_trampoline_start + {cr4})(%ebx), %eax",
    "mov %eax, %cr4",
    "mov (ap_trampoline_parameters - ap_trampoline_start + {cr3})(%ebx), %eax",
    "mov %eax, %cr3",
    "mov $0xc0000080, %ecx",
    "rdmsr",
    "or $0x900, %eax", // long mode, no-execute
    "wrmsr",
    "mov %cr0, %eax",
    "and $0x9fffffff, %eax", // caches on
    "or $0x80010001, %eax",  // paging, write protection
    "mov %eax, %cr0",
    "ljmp *(ap_trampoline_parameters - ap_trampoline_start + {long_entry})(%ebx)",
    ".code64",
    "ap_trampoline_long:",
    "mov %ebx, %r8d",
    "xor %eax, %eax",
    "cpuid",
    "cmp $0xb, %eax",
    "jb 2f",
    "mov $0xb, %eax",
    "xor %ecx, %ecx",
    "cpuid",
    "test %ebx, %ebx",
    "jnz 3f",
    "2:",
    "mov $1, %eax",
    "cpuid",
    "shr $24, %ebx",
    "mov %ebx, %edx",
    "3:",
    "mov (ap_trampoline_parameters - ap_trampoline_start + {slots})(%r8), %rsi",
    "mov (ap_trampoline_parameters - ap_trampoline_start + {count})(%r8), %rcx",
    "4:",
    "cmp %edx, (%rsi)",
    "je 5f",
    "add ${slot_size}, %rsi",
    "dec %rcx",
    "jnz 4b",
    "jmp 6f",
    "5:",
    "xor %eax, %eax",
    "mov $1, %ecx", // claimed: neither waiting nor online
    "lock cmpxchg %ecx, {slot_state}(%rsi)",
    "jne 6f",
    "mov {slot_stack}(%rsi), %rsp",
    "mov %rsi, %rdi",
    "xor %ebp, %ebp",
    "push $0", // ends backtraces, and aligns the stack as a call would
    "jmp *(ap_trampoline_parameters - ap_trampoline_start + {entry})(%r8)",
    "6:",
    "cli",
    "hlt",
    "jmp 6b",
    ".balign 8",
    "ap_trampoline_parameters:",
    ".skip {parameters_size}",
    "ap_trampoline_end:",
    ".popsection",
    protected_entry = const offset_of!(Parameters, protected_entry),
    cr4 = const offset_of!(Parameters, cr4),
    cr3 = const offset_of!(Parameters, cr3),
    long_entry = const offset_of!(Parameters, long_entry),
    slots = const offset_of!(Parameters, slots),
    count = const offset_of!(Parameters, count),
    entry = const offset_of!(Parameters, entry),
    slot_size = const size_of::<Slot>(),
    slot_state = const offset_of!(Slot, state),
    slot_stack = const offset_of!(Slot, stack),
    parameters_size = const size_of::<Parameters>(),
    options(att_syntax),
);

unsafe extern "C" {
    static ap_trampoline_start: u8;
    static ap_trampoline_end: u8;
    static ap_trampoline_parameters: u8;
    static ap_trampoline_protected: u8;
    static ap_trampoline_long: u8;
}

/// A processor that was asked to start and did not answer in time.
#[derive(Clone, Copy, Debug)]
pub struct Missing {
    /// Its local APIC id.
    pub apic_id: u32,
}

/// How the start went.
#[derive(Debug, Default)]
pub struct Report {
    /// CPUs that schedule now, the boot CPU among them.
    pub online: usize,
    /// Those that did not answer.
    pub missing: Vec<Missing>,
}

/// Why no other processor could be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmpError {
    /// No free page below 1 MiB for the trampoline.
    NoLowMemory,
    /// Memory for stacks, tables or areas is short.
    OutOfMemory,
}

impl core::fmt::Display for SmpError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NoLowMemory => {
                "the memory map has no usable page below 1 MiB for the start-up code"
            }
            Self::OutOfMemory => "memory is too short for their stacks and tables",
        })
    }
}

/// How long the processors together get to answer, and how much longer for each: they come within milliseconds, but an
/// emulator that runs many of them on few of its own takes its time.
const PATIENCE_NS: u64 = 5_000_000_000;
const PATIENCE_FOR_EACH_NS: u64 = 50_000_000;
/// Time between INIT and STARTUP. The 10 ms of the MultiProcessor Specification (B.4) are for processors without an
/// integrated APIC; those of our floor accept STARTUP at once.
const INIT_PAUSE_NS: u64 = 200_000;
/// When STARTUP is repeated for a processor that has not answered.
const SECOND_STARTUP_NS: u64 = 10_000_000;

/// Starts the processors with these APIC ids.
///
/// # Errors
/// See [`SmpError`]; no processor was started then.
///
/// # Safety
/// Once, on the boot CPU, with the clock, the APIC and the memory system ready (invariant 3).
#[unsafe(link_section = ".init.text")]
pub unsafe fn start(apic_ids: &[u32]) -> Result<Report, SmpError> {
    if apic_ids.is_empty() {
        return Ok(Report {
            online: 1,
            missing: Vec::new(),
        });
    }
    let page = frames::allocate_contiguous(1, 1, Some(PhysAddr::new(0x10_0000)), Purpose::Device)
        .ok_or(SmpError::NoLowMemory)?
        .start;
    let tables = paging::Trampoline::new(page).ok_or(SmpError::OutOfMemory)?;
    let slots = make_slots(apic_ids).ok_or(SmpError::OutOfMemory)?;
    // SAFETY: the page was allocated just now and is in the direct map; the slots live until the end of this function
    // or, when a CPU is missing, for ever.
    unsafe { write_trampoline(page, &tables, &slots) };

    for slot in &slots {
        apic::send_init(slot.apic_id);
    }
    time::spin_ns(INIT_PAUSE_NS);
    let startup_page = (page.as_u64() / PAGE_SIZE) as u8;
    for slot in &slots {
        apic::send_startup(slot.apic_id, startup_page);
    }
    let began = time::now_ns();
    let patience = PATIENCE_NS + PATIENCE_FOR_EACH_NS * slots.len() as u64;
    let mut repeated = false;
    while slots
        .iter()
        .any(|slot| slot.state.load(Ordering::Acquire) != ONLINE)
    {
        let waited = time::now_ns() - began;
        if waited > patience {
            break;
        }
        if waited > SECOND_STARTUP_NS && !repeated {
            repeated = true;
            for slot in slots
                .iter()
                .filter(|slot| slot.state.load(Ordering::Acquire) == WAITING)
            {
                apic::send_startup(slot.apic_id, startup_page);
            }
        }
        core::hint::spin_loop();
    }
    Ok(finish(slots, page, tables))
}

#[unsafe(link_section = ".init.text")]
fn make_slots(apic_ids: &[u32]) -> Option<Vec<Slot>> {
    let mut slots = Vec::new();
    slots.try_reserve_exact(apic_ids.len()).ok()?;
    for (position, &apic_id) in apic_ids.iter().enumerate() {
        // SAFETY: nobody uses the original.
        let area = unsafe { mm::heap::leak_copy(percpu::fresh()) }?;
        area.index = position as u32 + 1;
        area.bit = ksync::CpuBit::new(area.index);
        area.apic_id.store(apic_id, Ordering::Relaxed);
        let stack = KernelStack::new().ok()?;
        let top = stack.top();
        sched::prepare_cpu(area, stack).ok()?;
        slots.push(Slot {
            apic_id,
            state: AtomicU32::new(WAITING),
            area: core::ptr::from_ref(area) as u64,
            stack: top,
        });
    }
    Some(slots)
}

/// Copies the trampoline to its page and fills in its parameters.
///
/// # Safety
/// The page is ours and in the direct map.
#[unsafe(link_section = ".init.text")]
unsafe fn write_trampoline(page: PhysAddr, tables: &paging::Trampoline, slots: &[Slot]) {
    let start = &raw const ap_trampoline_start as usize;
    let offset = |symbol: *const u8| (symbol as usize - start) as u32;
    let parameters_at = offset(&raw const ap_trampoline_parameters);
    let base = page.as_u64() as u32;
    let parameters = Parameters {
        gdt_limit: 4 * 8 - 1,
        gdt_base: base + parameters_at + offset_of!(Parameters, gdt) as u32,
        protected_entry: base + offset(&raw const ap_trampoline_protected),
        protected_code: 0x08,
        long_entry: base + offset(&raw const ap_trampoline_long),
        long_code: 0x10,
        cr3: tables.root(),
        cr4: tables.cr4(),
        slots: slots.as_ptr() as u64,
        count: slots.len() as u64,
        entry: ap_main as *const () as u64,
        // Null; 32-bit code, 64-bit code, data: flat.
        gdt: [
            0,
            0x00cf_9b00_0000_ffff,
            0x00af_9b00_0000_ffff,
            0x00cf_9300_0000_ffff,
        ],
    };
    let target = mm::phys_to_virt(page).as_u64() as *mut u8;
    let len = offset(&raw const ap_trampoline_end) as usize;
    // SAFETY: the page is ours (caller), the code with its parameters is shorter than a page, the sources are static.
    unsafe {
        target.copy_from_nonoverlapping(&raw const ap_trampoline_start, len);
        target
            .add(parameters_at as usize)
            .cast::<Parameters>()
            .write_unaligned(parameters);
    }
}

/// Sorts out who came, and gives the trampoline back if nobody can still be on the way.
#[unsafe(link_section = ".init.text")]
fn finish(slots: Vec<Slot>, page: PhysAddr, tables: paging::Trampoline) -> Report {
    let mut report = Report {
        online: 1,
        missing: Vec::new(),
    };
    for slot in &slots {
        let abandoned = slot
            .state
            .compare_exchange(WAITING, ABANDONED, Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
        if !abandoned && slot.state.load(Ordering::Acquire) == ONLINE {
            report.online += 1;
        } else {
            report.missing.push(Missing {
                apic_id: slot.apic_id,
            });
        }
    }
    if report.missing.is_empty() {
        drop(tables);
        if let Some(frame) = Frame::starting_at(page) {
            frames::free(frame, Purpose::Device);
        }
    } else {
        // A late CPU still reads the page, the tables and its slot.
        core::mem::forget((slots, tables));
    }
    report
}

/// First Rust code of every other processor, on its own stack, with interrupts off.
extern "C" fn ap_main(slot: *const Slot) -> ! {
    // SAFETY: the trampoline hands over the slot that this CPU claimed; the boot CPU keeps it while a slot is not
    // online, and nothing of it is used after that.
    let slot = unsafe { &*slot };
    // SAFETY: the slot's area was made for this CPU and lives for ever.
    let area: &'static PerCpu = unsafe { &*(slot.area as *const PerCpu) };
    // SAFETY: this is the owning CPU, interrupts are off, and each step's predecessors are done (invariants 2, 3).
    unsafe {
        area.install();
        idt::load();
        cpuid::enable();
        shootdown::load_kernel_tables();
        apic::init_cpu();
        syscall::init();
    }
    fpu::init_cpu();
    apic::enable_timer();
    percpu::publish(area);
    // SAFETY: interrupts are off, the area is installed, and the kernel's own tables are loaded.
    unsafe { shootdown::join() };
    sched::adopt_idle(area);
    slot.state.store(ONLINE, Ordering::Release);
    sched::idle_loop()
}
