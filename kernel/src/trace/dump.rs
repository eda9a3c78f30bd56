//! How the trace leaves the machine: as bytes through a port of the emulator, or as lines on the serial port; or to a program that reads
//! it piece by piece.
//!
//! The port is that of QEMU's `isa-debugcon`, which puts each byte that is written to it into a file; the command line names it
//! (`trace-port=`). Without one, each event is a line `{{{trace:HEX}}}` on the console: slow, but there on every machine.

use core::fmt::Write;
use core::sync::atomic::Ordering;

use ktrace::{Event, Kind, MAGIC, MAX_BYTES};
use x86_64::instructions::port::Port;

use super::{IS_OF_BOOT, stop};
use crate::arch::current::percpu::{self, PerCpu};
use crate::arch::current::serial::Serial;
use crate::arch::current::time;
use crate::boot;

/// What QEMU's debug console answers when its port is read.
const DEBUG_CONSOLE: u8 = 0xe9;

/// Where events go.
enum Sink {
    Port(Port<u8>),
    Lines,
}

impl Sink {
    /// The port that the command line names, if a debug console is there; else the serial port.
    fn choose() -> Self {
        let named = boot::try_info().and_then(|info| info.options().number("trace-port"));
        let Some(number) = named.and_then(|number| u16::try_from(number).ok()) else {
            return Self::Lines;
        };
        let mut port = Port::new(number);
        // SAFETY: the command line says that this port is a debug console, whose register can be read (invariant 8).
        if unsafe { port.read() } == DEBUG_CONSOLE {
            Self::Port(port)
        } else {
            Self::Lines
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        match self {
            Self::Port(port) => {
                for &byte in bytes {
                    // SAFETY: the debug console's port, which takes any byte (invariant 8).
                    unsafe { port.write(byte) };
                }
            }
            Self::Lines => {
                // The serial port never fails.
                let _ = Serial.write_str("{{{trace:");
                for byte in bytes {
                    let _ = write!(Serial, "{byte:02x}");
                }
                let _ = Serial.write_str("}}}\n");
            }
        }
    }

    fn event(&mut self, event: &Event) {
        let mut bytes = [0; MAX_BYTES];
        let mut len = 0;
        ktrace::encode(event, |byte| {
            if let Some(place) = bytes.get_mut(len) {
                *place = byte;
                len += 1;
            }
        });
        self.bytes(bytes.get(..len).unwrap_or_default());
    }
}

/// Stops recording and writes what was recorded, if the command line asked for that. Takes no lock: a panic may do it, too.
pub fn write() {
    if !stop() || !IS_OF_BOOT.load(Ordering::Relaxed) {
        return;
    }
    let mut sink = Sink::choose();
    sink.bytes(MAGIC);
    for area in percpu::all() {
        write_ring(&mut sink, area);
    }
    sink.event(&Event::new(time::now_ns(), Kind::End, 0, 0, []));
}

/// Writes the events of a processor, the oldest first.
fn write_ring(sink: &mut Sink, area: &PerCpu) {
    // SAFETY: null, or a ring that is there for ever (`super::start`).
    let Some(ring) = (unsafe { area.trace.load(Ordering::Acquire).as_ref() }) else {
        return;
    };
    let now = time::now_ns();
    let kept = ring.kept();
    let head = Event::new(now, Kind::Processor, area.index as u16, 0, [ring.lost()]);
    sink.event(&head);
    for event in kept.filter_map(|number| ring.read(number)) {
        sink.event(&event);
    }
    if let Some(last) = ring.pinned() {
        sink.event(&Event {
            kind: Kind::Running,
            ..last
        });
    }
}
