//! The boot order from the first own page table to the first programs.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};

use kaddr::{PhysAddr, VirtAddr};
use kboot::acpi::Platform;
use kboot::madt::{NmiTarget, Override, Polarity, Trigger};

use crate::arch::current::ioapic::IoApic;
use crate::arch::current::{apic, cpuid, fpu, percpu, smp, syscall, time, tlb};
use crate::boot::FramebufferInfo;
use crate::console::framebuffer::{Console, Painter};
use crate::mm::{MapError, layout};
use crate::object::{interrupt, ports};
use crate::process::first;
use crate::sched::thread::{Affinity, Thread};
use crate::{
    acpi, boot, commands, console, crash, identity, ktest, mm, panic, power, sched, trace,
};

/// Takes what must be known before anything can go wrong from the command line.
#[unsafe(link_section = ".init.text")]
pub fn options() {
    let options = boot::info().options();
    if let Some(port) = options
        .number("qemu-exit")
        .and_then(|port| u16::try_from(port).ok())
    {
        power::set_exit_port(port);
    }
    if let Some(levels) = options.get("log") {
        console::set_filter(levels);
    }
}

/// Everything after the switch to our own page tables, on the boot stack. Each step is a sentence when it fails.
#[unsafe(link_section = ".init.text")]
pub fn run() -> ! {
    let info = boot::info();
    let reclaimed = mm::reclaim_boot_loader();
    screen();
    log::info!(
        "jsix {}, build {}, started by {}, protocol revision {}",
        env!("CARGO_PKG_VERSION"),
        identity::name(),
        info.loader.as_str(),
        info.revision
    );
    log::info!("command line: {}", info.cmdline.as_str());
    memory_report(reclaimed);
    let platform = match info
        .rsdp
        .ok_or("the boot loader found no ACPI root pointer")
        .map(acpi::init)
    {
        Ok(Ok(platform)) => platform,
        Ok(Err(error)) => panic!("the ACPI tables cannot be used: {error}"),
        Err(error) => panic!("{error}"),
    };
    ports::keep(platform);
    interrupts(platform);
    let clock = time::calibrate(
        platform
            .hpet
            .as_ref()
            .map(|hpet| PhysAddr::new(hpet.address)),
        platform.pm_timer().as_ref(),
    );
    log::info!("clock: TSC at {} kHz, by {clock:?}", time::tsc_hz() / 1000);
    fpu::init_cpu();
    // SAFETY: the per-CPU area of this CPU is installed.
    unsafe { syscall::init() };
    apic::enable_timer();
    sched::init_boot().expect("there is memory for the first thread");
    processors(platform);
    trace::start();
    mm::frames::set_limits(percpu::count());
    let main = Thread::new("main", Affinity::Any, None, Box::new(main_thread));
    sched::add(main.expect("there is memory for the first thread"));
    start_is_over()
}

/// The boot processor runs no code of the start any more.
static START_IS_OVER: AtomicBool = AtomicBool::new(false);

#[inline(never)]
fn start_is_over() -> ! {
    START_IS_OVER.store(true, Ordering::Release);
    sched::idle_loop()
}

/// Gives back what only the start needed, on the first thread.
fn give_start_back() {
    while !START_IS_OVER.load(Ordering::Acquire) {
        sched::yield_now();
    }
    match mm::reclaim_start() {
        Ok(frames) => log::info!(
            "memory: {} KiB of code that only the start needed taken back",
            frames * 4
        ),
        Err(error) => log::warn!("the memory of the start's code stays in use: {error}"),
    }
}

/// Lets a panic show on the screen through the boot loader's mapping of it, until [`screen`] has one of our own.
#[unsafe(link_section = ".init.text")]
pub fn early_screen() {
    let info = boot::info();
    if let Some(framebuffer) = wanted_framebuffer() {
        let base = VirtAddr::new(info.direct_map.wrapping_add(framebuffer.address.as_u64()));
        // SAFETY: the boot loader maps the framebuffer in its direct map; `panic::drop_early_screen` ends the use of it.
        panic::set_early_screen(unsafe { Painter::new(base, framebuffer) });
    }
}

#[unsafe(link_section = ".init.text")]
fn wanted_framebuffer() -> Option<FramebufferInfo> {
    boot::info()
        .framebuffer
        .filter(|_| boot::info().options().get("fb") != Some("off"))
}

/// Shows the log on the framebuffer, unless `fb=off` says not to.
#[unsafe(link_section = ".init.text")]
fn screen() {
    let Some(framebuffer) = wanted_framebuffer() else {
        return;
    };
    let len = (framebuffer.pitch * framebuffer.height) as u64;
    let base = match mm::map_framebuffer(framebuffer.address, len) {
        Ok(base) => base,
        Err(error) => return log::warn!("the framebuffer cannot be mapped: {error}"),
    };
    // SAFETY: the whole framebuffer was mapped just now, for ever.
    let painter = unsafe { Painter::new(base, framebuffer) };
    panic::set_screen(painter);
    if let Some(console) = Console::new(painter) {
        console::add_screen(console);
    }
}

#[unsafe(link_section = ".init.text")]
fn memory_report(reclaimed: u64) {
    let (free, total) = {
        let statistics = mm::statistics();
        (statistics.free, statistics.total)
    };
    log::info!(
        "memory: {} of {} MiB free, {} KiB of it taken back from the boot loader; kernel image {} KiB, {}-level paging",
        free >> 8,
        total >> 8,
        reclaimed * 4,
        layout::data()
            .end
            .offset_from(layout::image_start())
            .unwrap_or(0)
            >> 10,
        if boot::info().five_levels { 5 } else { 4 }
    );
    log::info!("{}", tlb::pcid_use());
    let (regions, modules) = boot::info().dropped;
    if regions + modules != 0 {
        log::warn!("too many: {regions} memory regions and {modules} boot modules were left out");
    }
}

/// Local APIC and I/O APICs: everything masked but the NMI pins.
#[unsafe(link_section = ".init.text")]
fn interrupts(platform: &Platform) {
    let result: Result<(), MapError> = (|| {
        // SAFETY: once, on the boot CPU.
        unsafe { apic::init_boot(PhysAddr::new(platform.local_apic_address)) }?;
        if platform.has_8259 {
            mask_8259();
        }
        let mut chips = Vec::new();
        for io_apic in &platform.io_apics {
            let chip = IoApic::new(PhysAddr::new(io_apic.address))?;
            log::debug!(
                "I/O APIC {}: {} lines from {} on",
                io_apic.id,
                chip.inputs,
                io_apic.gsi_base
            );
            chips.push((io_apic.gsi_base, chip));
        }
        let overrides = platform.overrides.iter().map(wired).collect();
        // Nobody handles them as what they are, so that they stay masked.
        let kept = platform.nmi_sources.iter().map(|nmi| nmi.gsi).collect();
        interrupt::init(chips, overrides, kept);
        Ok(())
    })();
    if let Err(error) = result {
        panic!("the interrupt controllers cannot be used: {error}");
    }
    percpu::current()
        .apic_id
        .store(cpuid::apic_id(), core::sync::atomic::Ordering::Relaxed);
    set_nmi_pins(platform, cpuid::apic_id());
    log::debug!(
        "{} I/O APICs, {} overrides, {} NMI sources; local APIC by {}",
        platform.io_apics.len(),
        platform.overrides.len(),
        platform.nmi_sources.len(),
        if apic::is_x2apic() {
            "x2APIC registers"
        } else {
            "its page"
        }
    );
}

/// An override as `kirq` wants it.
#[unsafe(link_section = ".init.text")]
fn wired(from: &Override) -> kirq::Override {
    kirq::Override {
        isa: from.source_irq,
        gsi: from.gsi,
        trigger: match from.trigger {
            Trigger::Bus => None,
            Trigger::Edge => Some(kirq::Trigger::Edge),
            Trigger::Level => Some(kirq::Trigger::Level),
        },
        polarity: match from.polarity {
            Polarity::Bus => None,
            Polarity::High => Some(kirq::Polarity::High),
            Polarity::Low => Some(kirq::Polarity::Low),
        },
    }
}

/// Wires the local NMI pins of this CPU as the MADT says.
#[unsafe(link_section = ".init.text")]
fn set_nmi_pins(platform: &Platform, apic_id: u32) {
    let uid = platform
        .cpus
        .iter()
        .find(|cpu| cpu.apic_id == apic_id)
        .map(|cpu| cpu.processor_uid);
    for nmi in &platform.local_nmis {
        let ours = match nmi.target {
            NmiTarget::All => true,
            NmiTarget::Processor(target) => Some(target) == uid,
        };
        if ours && nmi.lint < 2 {
            apic::set_nmi_pin(
                nmi.lint,
                nmi.polarity == Polarity::Low,
                nmi.trigger == Trigger::Level,
            );
        }
    }
}

/// Masks both old interrupt controllers, whose interrupts would come in over the exceptions (Intel 8259A data sheet).
#[unsafe(link_section = ".init.text")]
fn mask_8259() {
    for port in [0x21u16, 0xa1] {
        // SAFETY: the mask registers of the two controllers, which the MADT says exist.
        unsafe { x86_64::instructions::port::Port::<u8>::new(port).write(0xff) };
    }
}

/// Starts the other processors, at most as many as `maxcpus=` allows.
#[unsafe(link_section = ".init.text")]
fn processors(platform: &Platform) {
    let own = cpuid::apic_id();
    let limit = boot::info()
        .options()
        .number("maxcpus")
        .map_or(percpu::MAX_CPUS, |limit| limit.max(1) as usize);
    let limit = limit.min(percpu::MAX_CPUS);
    let usable = |id: u32| apic::is_x2apic() || id < 0xff;
    let enabled = platform.enabled_cpus().count();
    // `ghostcpu=ID` claims a processor that does not exist: for the test of what happens then.
    let ghost = boot::info()
        .options()
        .number("ghostcpu")
        .and_then(|id| u32::try_from(id).ok());
    let ids: Vec<u32> = platform
        .enabled_cpus()
        .map(|cpu| cpu.apic_id)
        .chain(ghost)
        .filter(|&id| id != own && usable(id))
        .take(limit - 1)
        .collect();
    // SAFETY: once, on the boot CPU, with clock, APIC, memory and scheduler ready.
    match unsafe { smp::start(&ids) } {
        Ok(report) => {
            for missing in &report.missing {
                log::warn!(
                    "the processor with APIC id {} did not start; it is left out",
                    missing.apic_id
                );
            }
            log::info!(
                "{} of {enabled} processors up, {} us after entry",
                report.online,
                time::now_ns() / 1000
            );
        }
        Err(error) => {
            log::warn!("1 of {enabled} processors up; the others cannot be started: {error}")
        }
    }
}

/// The first thread: does what the command line asks for.
fn main_thread() {
    give_start_back();
    let options = boot::info().options();
    if let Some(kind) = options.get("crash") {
        crash::crash(kind);
        power::off(1);
    }
    if options.flag("ktest") {
        power::off(ktest::run());
    }
    match options.get("cmd") {
        Some(lines) => power::off(commands::run(lines)),
        None => match first::module() {
            Some(module) => power::off(first::run(module)),
            None => log::info!(
                "nothing to run: there is no boot module {}, and no cmd=\"PROGRAM ARGUMENTS; ...\" on the command line",
                first::NAME
            ),
        },
    }
}
