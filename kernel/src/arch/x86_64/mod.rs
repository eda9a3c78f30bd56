//! Everything that knows x86-64: tables, registers, interrupt controllers, entry and exit paths.

pub mod apic;
pub mod boot;
pub mod cpuid;
pub mod fpu;
pub mod gdt;
pub mod idt;
pub mod ioapic;
pub mod paging;
pub mod percpu;
pub mod random;
pub mod serial;
pub mod shootdown;
pub mod smp;
pub mod switch;
pub mod syscall;
pub mod time;
pub mod tlb;
pub mod trap;
pub mod usercopy;

use x86_64::instructions::interrupts;

/// Turns interrupts on and off for [`ksync::IrqLock`].
pub struct Irq;

impl ksync::IrqControl for Irq {
    type State = bool;

    #[inline(always)]
    fn disable() -> bool {
        let were_on = interrupts::are_enabled();
        if were_on {
            interrupts::disable();
        }
        were_on
    }

    #[inline(always)]
    fn restore(were_on: bool) {
        if were_on {
            interrupts::enable();
        }
    }

    fn cpu() -> Option<u32> {
        percpu::is_ready().then(|| percpu::current().index)
    }

    const CHECKS_ORDER: bool = cfg!(feature = "frame-debug");

    #[cfg(feature = "frame-debug")]
    fn tally() -> Option<&'static ksync::Tally> {
        Some(&crate::locks::TALLY)
    }

    fn held() -> Option<&'static ksync::Held> {
        percpu::is_ready().then(|| &percpu::current().held)
    }

    fn while_waiting() {
        core::hint::spin_loop();
        if percpu::is_ready() {
            // Who waits for a lock may have interrupts on.
            let _irq = IrqGuard::new();
            shootdown::serve();
        }
    }
}

/// A spin lock that keeps interrupts off while it is held.
pub type IrqLock<T, L = ksync::Unranked> = ksync::IrqLock<T, Irq, L>;

/// Keeps interrupts off.
pub type IrqGuard = ksync::IrqGuard<Irq>;
/// Shows that they are.
pub type IrqOff<'a> = ksync::IrqOff<'a, Irq>;

/// Stops this CPU for good.
pub fn halt_forever() -> ! {
    loop {
        interrupts::disable();
        x86_64::instructions::hlt();
    }
}
