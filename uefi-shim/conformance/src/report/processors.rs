//! The other processors: each is started and says what it finds.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use limine::mp::Cpu;

use super::{conf, note, yes};
use crate::hardware::{control, gdt, initial_apic_id, rdmsr, segments};
use crate::report::memory::kind_at;
use crate::requests::{MP, STACK_SIZE};
use crate::walk::translate;

/// What a started processor finds, bit by bit.
const CHECKS: [&str; 10] = [
    "argument",
    "extra argument",
    "own id",
    "stack",
    "return address",
    "CR0",
    "CR4",
    "EFER",
    "PAT",
    "GDT",
];

static ANSWERED: AtomicU32 = AtomicU32::new(0);
static FINDINGS: AtomicU64 = AtomicU64::new(0);
static MTRR_DEFAULT: AtomicU64 = AtomicU64::new(0);
static EXPECTED: [AtomicU64; 5] = [const { AtomicU64::new(0) }; 5];

/// Prints them.
pub fn report() {
    let Some(response) = MP.get_response() else {
        conf!("processors: none");
        return;
    };
    let x2apic = response.flags().bits();
    conf!(
        "processors: revision {}, flags {x2apic:#x}, boot processor {}, {} of them",
        response.revision(),
        response.bsp_lapic_id(),
        response.cpus().len()
    );
    conf!("processors: x2APIC mode {}", yes(rdmsr(0x1b) & 0x400 != 0));
    let (cr0, cr3, cr4) = control();
    for (place, value) in EXPECTED
        .iter()
        .zip([cr0, cr3, cr4, rdmsr(0xc000_0080), rdmsr(0x277)])
    {
        place.store(value, Ordering::Relaxed);
    }
    MTRR_DEFAULT.store(rdmsr(0x2ff), Ordering::Relaxed);
    for cpu in response.cpus() {
        let is_boot = cpu.lapic_id == response.bsp_lapic_id();
        let structure = core::ptr::from_ref::<Cpu>(cpu) as u64;
        let memory = translate(structure).and_then(|map| kind_at(map.phys));
        // SAFETY: `goto_address` is the third word of the structure.
        let goto = unsafe { (structure as *const u64).add(2).read_volatile() };
        conf!(
            "processor: ACPI id {}, APIC id {}, boot {}, goto {goto}, loader memory {}",
            cpu.id,
            cpu.lapic_id,
            yes(is_boot),
            yes(memory == Some(5))
        );
        if !is_boot {
            start(cpu);
        }
    }
}

fn start(cpu: &Cpu) {
    ANSWERED.store(0, Ordering::SeqCst);
    cpu.extra
        .store(0x1234_5678_0000 + u64::from(cpu.lapic_id), Ordering::SeqCst);
    cpu.goto_address.write(arrive);
    for _ in 0..200_000_000_u64 {
        if ANSWERED.load(Ordering::SeqCst) != 0 {
            break;
        }
        core::hint::spin_loop();
    }
    let findings = FINDINGS.load(Ordering::SeqCst);
    conf!("processor: answered {}", ANSWERED.load(Ordering::SeqCst));
    for (bit, name) in CHECKS.iter().enumerate() {
        conf!("processor: {name} {}", yes(findings >> bit & 1 != 0));
    }
    note!(
        "processor: MTRR default type the same {}",
        yes(findings >> 32 & 1 != 0)
    );
}

/// Where a processor arrives: with the stack as the loader set it up.
#[unsafe(naked)]
unsafe extern "C" fn arrive(_cpu: &Cpu) -> ! {
    core::arch::naked_asm!("mov rsi, rsp", "and rsp, -16", "call {inside}", "ud2", inside = sym inside)
}

extern "C" fn inside(cpu: &Cpu, stack: u64) -> ! {
    let (cr0, cr3, cr4) = control();
    let expected = |index: usize| EXPECTED[index].load(Ordering::Relaxed);
    // SAFETY: the protocol puts a return address at the top of the stack.
    let return_address = unsafe { (stack as *const u64).read() };
    let mut stack_good = true;
    let mut at = stack + 8 - STACK_SIZE;
    while at < stack {
        stack_good &= translate(at).is_some_and(|map| map.write && kind_at(map.phys) == Some(5));
        at += 0x1000;
    }
    let findings = [
        translate(core::ptr::from_ref(cpu) as u64).is_some(),
        cpu.extra.load(Ordering::SeqCst) == 0x1234_5678_0000 + u64::from(cpu.lapic_id),
        initial_apic_id() == cpu.lapic_id & 0xff,
        stack_good,
        return_address == 0,
        cr0 & 0xe001_0001 == expected(0) & 0xe001_0001 && cr3 == expected(1),
        cr4 & 0x1020 == expected(2) & 0x1020,
        rdmsr(0xc000_0080) & 0xd00 == expected(3) & 0xd00,
        rdmsr(0x277) & 0xffff_ffff_ffff == expected(4) & 0xffff_ffff_ffff,
        gdt().1 >= 55 && segments() == [0x28, 0x30, 0x30, 0x30, 0x30, 0x30],
    ];
    let mut bits = u64::from(rdmsr(0x2ff) == MTRR_DEFAULT.load(Ordering::Relaxed)) << 32;
    for (bit, finding) in findings.iter().enumerate() {
        bits |= u64::from(*finding) << bit;
    }
    FINDINGS.store(bits, Ordering::SeqCst);
    ANSWERED.store(1, Ordering::SeqCst);
    loop {
        // SAFETY: interrupts are off, so this waits for good.
        unsafe { core::arch::asm!("cli", "hlt", options(nomem, nostack)) };
    }
}
