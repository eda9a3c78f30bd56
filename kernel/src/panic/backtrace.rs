//! Walking frame pointers without trusting them.
//!
//! Every word is read only after a walk of the page tables found it mapped, and a chain must rise strictly, so that
//! neither a wild pointer nor a loop can hurt.

use core::arch::asm;
use core::fmt::{self, Write};

use klog::markup::Frame;

use crate::arch::current::paging;

/// The most frames that are printed of one CPU.
const LIMIT: u32 = 48;

/// Prints a frame for `rip`, then those of the callers that the chain at `rbp` names.
///
/// # Errors
/// Those of the sink.
pub fn print(out: &mut dyn Write, cpu: u32, rip: u64, rbp: u64) -> fmt::Result {
    writeln!(
        out,
        "{}",
        Frame {
            cpu,
            frame: 0,
            address: rip,
            module: None
        }
    )?;
    walk(out, cpu, rbp, 1)
}

/// Prints the callers of this function's caller.
///
/// # Errors
/// Those of the sink.
pub fn print_here(out: &mut dyn Write, cpu: u32) -> fmt::Result {
    let rbp: u64;
    // SAFETY: reads the frame pointer.
    unsafe { asm!("mov {}, rbp", out(reg) rbp, options(nomem, nostack, preserves_flags)) };
    walk(out, cpu, rbp, 0)
}

fn walk(out: &mut dyn Write, cpu: u32, mut rbp: u64, first: u32) -> fmt::Result {
    for frame in first..LIMIT {
        if !rbp.is_multiple_of(8)
            || !paging::is_kernel_readable(rbp)
            || !paging::is_kernel_readable(rbp.wrapping_add(8))
        {
            break;
        }
        // SAFETY: both words are mapped kernel memory, looked up just now; all other CPUs are stopped or do not unmap.
        let (next, address) = unsafe {
            (
                (rbp as *const u64).read_volatile(),
                ((rbp + 8) as *const u64).read_volatile(),
            )
        };
        if address == 0 {
            break;
        }
        writeln!(
            out,
            "{}",
            Frame {
                cpu,
                frame,
                address,
                module: None
            }
        )?;
        if next <= rbp {
            break;
        }
        rbp = next;
    }
    Ok(())
}
