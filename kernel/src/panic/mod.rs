//! The panic path: no lock, no allocation, no way back.
//!
//! The first CPU that panics claims the report; a panic during the report on the same CPU cuts it short; any other
//! CPU that panics stops. The others are stopped by NMI, each leaving its registers in its [`Snapshot`], and the
//! reporting CPU prints for all of them: message, registers, and a backtrace in the markup that `xtask symbolize`
//! turns into names. It writes to the serial port and the screen directly.

pub mod backtrace;

use core::cell::Cell;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering};

use ksync::{Claim, PanicClaim};
use spin::Once;
use x86_64::registers::control::Cr2;

use crate::acpi::devices;
use crate::arch::current::percpu::{self, PerCpu};
use crate::arch::current::serial::Serial;
use crate::arch::current::trap::{DOUBLE_FAULT, PAGE_FAULT, TrapFrame, exception_name};
use crate::arch::current::{apic, halt_forever, time};
use crate::console::framebuffer::{ALARM, FOREGROUND, Painter};
use crate::mm::stack;
use crate::{console, ktest, power, sched};

static CLAIM: PanicClaim = PanicClaim::new();
static SCREEN: Once<Painter> = Once::new();

/// How long the other CPUs get to answer the NMI. (A host may let a virtual one stand still.)
const STOP_PATIENCE_NS: u64 = 5_000_000_000;

/// The screen as the boot loader mapped it.
static EARLY_SCREEN: Once<Painter> = Once::new();
/// Whether the boot loader's mappings are gone.
static EARLY_SCREEN_GONE: AtomicBool = AtomicBool::new(false);

/// Lets a panic show on the screen as the boot loader mapped it.
pub fn set_early_screen(painter: Painter) {
    EARLY_SCREEN.call_once(|| painter);
}

/// To be called when the boot loader's mappings are gone.
pub fn drop_early_screen() {
    EARLY_SCREEN_GONE.store(true, Ordering::Release);
}

/// The screen to show a panic on.
fn screen() -> Option<Painter> {
    let early = || {
        EARLY_SCREEN
            .get()
            .filter(|_| !EARLY_SCREEN_GONE.load(Ordering::Acquire))
    };
    SCREEN.get().or_else(early).copied()
}

/// Lets a panic show on the screen too.
pub fn set_screen(painter: Painter) {
    SCREEN.call_once(|| painter);
}

/// The registers of a CPU that was stopped.
pub struct Snapshot {
    taken: AtomicBool,
    rip: Cell<u64>,
    rsp: Cell<u64>,
    rbp: Cell<u64>,
    user: Cell<bool>,
}

impl Snapshot {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self {
            taken: AtomicBool::new(false),
            rip: Cell::new(0),
            rsp: Cell::new(0),
            rbp: Cell::new(0),
            user: Cell::new(false),
        }
    }

    fn take(&self, frame: &TrapFrame) {
        self.rip.set(frame.rip);
        self.rsp.set(frame.rsp);
        self.rbp.set(frame.rbp);
        self.user.set(frame.is_from_user());
        self.taken.store(true, Ordering::Release);
    }
}

/// Text to the serial port and, when there is one, the screen.
struct Raw {
    painter: Option<Painter>,
    column: usize,
    row: usize,
}

impl Write for Raw {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        Serial.write_str(text)?;
        let Some(painter) = self.painter else {
            return Ok(());
        };
        let columns = painter.size().0;
        for character in text.chars() {
            if character == '\n' || self.column >= columns {
                self.row += 1;
                self.column = 0;
            }
            if character != '\n' {
                painter.draw(self.column, self.row, character, FOREGROUND, ALARM);
                self.column += 1;
            }
        }
        Ok(())
    }
}

fn cpu_index() -> u32 {
    if percpu::is_ready() {
        percpu::current().index
    } else {
        0
    }
}

/// Called for a Rust panic.
pub fn on_rust_panic(info: &core::panic::PanicInfo<'_>) -> ! {
    let message = info.message();
    devices::contain(&message);
    match info.location() {
        Some(at) => report(
            &format_args!("{message}\n    at {}:{}", at.file(), at.line()),
            None,
        ),
        None => report(&message, None),
    }
}

/// Called for an exception that the kernel cannot live with.
pub fn on_exception(frame: &TrapFrame) -> ! {
    let name = exception_name(frame.vector);
    let address = Cr2::read_raw();
    if frame.vector == DOUBLE_FAULT && stack::is_guard(address) {
        report(
            &format_args!(
                "kernel stack overflow: access to {address:#x}, the guard page of {}",
                sched::current_name()
            ),
            Some(frame),
        )
    }
    if frame.vector == PAGE_FAULT {
        let access = match frame.error & 0b1_0010 {
            0b1_0000..=0b1_0010 => "executing",
            0b10 => "writing",
            _ => "reading",
        };
        let cause = if frame.error & 1 == 0 {
            "not mapped"
        } else {
            "not allowed"
        };
        report(
            &format_args!("page fault in the kernel: {access} {address:#x}, {cause}"),
            Some(frame),
        )
    }
    report(
        &format_args!("{name} in the kernel, error code {:#x}", frame.error),
        Some(frame),
    )
}

/// Called for a non-maskable interrupt: a request to stop, or one from the hardware.
pub fn on_nmi(frame: &TrapFrame) {
    if CLAIM.owner().is_some() {
        percpu::current().snapshot.take(frame);
        halt_forever();
    }
    if ktest::nmi::note(frame) {
        return;
    }
    // No lock may be taken here: the interrupted code may hold it.
    let (cpu, rip) = (cpu_index(), frame.rip);
    console::note(format_args!(
        "cpu{cpu}: non-maskable interrupt from the hardware at {rip:#x}"
    ));
}

fn report(message: &dyn fmt::Display, frame: Option<&TrapFrame>) -> ! {
    x86_64::instructions::interrupts::disable();
    let cpu = cpu_index();
    match CLAIM.claim(cpu) {
        Claim::First => {}
        Claim::Recursive { .. } => {
            let _ = writeln!(
                Serial,
                "\n*** panic while reporting the panic: {message}\n*** END PANIC"
            );
            power::fail();
        }
        Claim::Lost { .. } => halt_forever(),
    }
    console::take_serial_back();
    let mut out = Raw {
        painter: screen(),
        column: 0,
        row: 0,
    };
    let _ = print(&mut out, cpu, message, frame);
    power::fail()
}

fn print(
    out: &mut Raw,
    cpu: u32,
    message: &dyn fmt::Display,
    frame: Option<&TrapFrame>,
) -> fmt::Result {
    let thread = sched::current_name();
    write!(
        out,
        "\n*** KERNEL PANIC on cpu{cpu}, {thread}, {} us after start\n    {message}\n",
        time::now_ns() / 1000
    )?;
    if let Some(frame) = frame {
        registers(out, frame)?;
    }
    writeln!(out, "backtrace of cpu{cpu}:")?;
    match frame {
        Some(frame) => backtrace::print(&mut Serial, cpu, frame.rip, frame.rbp)?,
        None => backtrace::print_here(&mut Serial, cpu)?,
    }
    stop_others(cpu);
    for other in percpu::all().filter(|other| other.index != cpu) {
        print_other(other)?;
    }
    writeln!(out, "*** END PANIC")
}

fn stop_others(cpu: u32) {
    if !percpu::is_ready() || !sched::is_running() {
        return;
    }
    for other in percpu::all().filter(|other| other.index != cpu) {
        apic::send_nmi(other.apic_id.load(Ordering::Relaxed));
    }
    let end = time::now_ns() + STOP_PATIENCE_NS;
    let all_stopped = || {
        percpu::all()
            .all(|other| other.index == cpu || other.snapshot.taken.load(Ordering::Acquire))
    };
    while !all_stopped() && time::now_ns() < end {
        core::hint::spin_loop();
    }
}

fn print_other(other: &PerCpu) -> fmt::Result {
    let snapshot = &other.snapshot;
    let index = other.index;
    if !snapshot.taken.load(Ordering::Acquire) {
        return writeln!(Serial, "cpu{index} did not stop");
    }
    let name = sched::name_on(other);
    let (rip, rsp) = (snapshot.rip.get(), snapshot.rsp.get());
    writeln!(
        Serial,
        "backtrace of cpu{index}, {name}, rip {rip:#x}, rsp {rsp:#x}:"
    )?;
    if snapshot.user.get() {
        let module = sched::module_on(other);
        return writeln!(
            Serial,
            "{}",
            klog::markup::Frame {
                cpu: index,
                frame: 0,
                address: rip,
                module: Some(module)
            }
        );
    }
    backtrace::print(&mut Serial, index, rip, snapshot.rbp.get())
}

/// Prints the registers of an exception.
pub fn registers(out: &mut dyn Write, frame: &TrapFrame) -> fmt::Result {
    let TrapFrame {
        rax,
        rbx,
        rcx,
        rdx,
        rsi,
        rdi,
        rbp,
        rsp,
        ..
    } = frame;
    let TrapFrame {
        r8,
        r9,
        r10,
        r11,
        r12,
        r13,
        r14,
        r15,
        rip,
        rflags,
        cs,
        ss,
        error,
        ..
    } = frame;
    writeln!(
        out,
        "  rax {rax:016x} rbx {rbx:016x} rcx {rcx:016x} rdx {rdx:016x}"
    )?;
    writeln!(
        out,
        "  rsi {rsi:016x} rdi {rdi:016x} rbp {rbp:016x} rsp {rsp:016x}"
    )?;
    writeln!(
        out,
        "  r8  {r8:016x} r9  {r9:016x} r10 {r10:016x} r11 {r11:016x}"
    )?;
    writeln!(
        out,
        "  r12 {r12:016x} r13 {r13:016x} r14 {r14:016x} r15 {r15:016x}"
    )?;
    writeln!(
        out,
        "  rip {rip:016x} flags {rflags:08x} cs {cs:02x} ss {ss:02x} error {error:x} cr2 {:x}",
        Cr2::read_raw()
    )
}

#[cfg(target_os = "none")]
#[panic_handler]
fn panic_handler(info: &core::panic::PanicInfo<'_>) -> ! {
    on_rust_panic(info)
}
