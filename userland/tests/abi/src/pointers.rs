//! Memory ranges that a call must refuse, and those next to them that it must take.

use sys::abi::log::Level;
use sys::abi::{Error, LOG_WRITE_MAX, Sysno};
use sys::{Context, call};

use crate::start::initial_stack;
use crate::{Report, expect};

const PAGE: u64 = 4096;
/// The end of user space: a page below the lower half's.
const USER_END: u64 = 0x7fff_ffff_f000;
const STACK_SIZE: u64 = 64 * 1024;
/// Text that prints nothing: the log has no empty lines.
const EMPTY: u8 = b'\n';

/// A text in the program's constants, which it may read but not write.
static CONSTANT: [u8; LOG_WRITE_MAX] = [EMPTY; LOG_WRITE_MAX];

/// Checks `system_log_write`, the call that reads memory.
pub fn all(report: &mut Report<'_>, context: &Context) {
    let Some(system) = context.system() else {
        return;
    };
    let write = |address: u64, len: u64| {
        call::raw(
            Sysno::SystemLogWrite as u64,
            [system.0, Level::Info as u64, address, len, 0, 0],
        )
    };
    let text = [EMPTY; LOG_WRITE_MAX + 1];
    let at = text.as_ptr() as u64;
    let most = LOG_WRITE_MAX as u64;

    // Lengths.
    for len in [0, 1, 2, 7, 8, 9, 63, 64, 65, most - 1, most] {
        expect!(report, write(at, len), Ok(0), "a text of {len} bytes");
        expect!(
            report,
            write(CONSTANT.as_ptr() as u64, len),
            Ok(0),
            "a constant text of {len} bytes"
        );
    }
    for len in [
        most + 1,
        1 << 31,
        1 << 32,
        1 << 32 | 1,
        1 << 47,
        1 << 63,
        u64::MAX - at,
        u64::MAX,
    ] {
        expect!(
            report,
            write(at, len),
            Err(Error::InvalidArgument),
            "a text of {len:#x} bytes"
        );
    }
    // Alignment does not matter.
    for offset in 0..64 {
        expect!(
            report,
            write(at + offset, 65),
            Ok(0),
            "a text at an odd address"
        );
    }
    bad_ranges(report, &write);
    stack_ends(report, context, &write);
}

fn bad_ranges(report: &mut Report<'_>, write: &dyn Fn(u64, u64) -> Result<u64, Error>) {
    let most = LOG_WRITE_MAX as u64;
    let bad = [
        0,
        1,
        8,
        PAGE - 1,
        PAGE,
        0x10_0000,
        USER_END - PAGE,
        USER_END - 1,
        USER_END,
        USER_END + PAGE - 1,
        0x8000_0000_0000,
        0x8000_0000_0001,
        0x0100_0000_0000_0000,
        0x7fff_ffff_ffff_ffff,
        0x8000_0000_0000_0000,
        0xffff_7fff_ffff_ffff,
        0xffff_8000_0000_0000,
        0xffff_8000_0010_0000,
        0xffff_c100_0000_0000,
        0xffff_c300_0000_1000,
        0xffff_ffff_8000_0000,
        0xffff_ffff_ffff_f000,
        u64::MAX - most,
        u64::MAX - 1,
        u64::MAX,
    ];
    for address in bad {
        for len in [1, 2, 16, most] {
            expect!(
                report,
                write(address, len),
                Err(Error::BadAddress),
                "{len} bytes at {address:#x}"
            );
        }
    }
    // Good at its begin only: up to the end of user space, over the end of the address space.
    for (address, len) in [
        (USER_END - 1, 2),
        (u64::MAX, 1),
        (u64::MAX - 9, 10),
        (u64::MAX - 9, 11),
        (u64::MAX - 9, most),
    ] {
        expect!(
            report,
            write(address, len),
            Err(Error::BadAddress),
            "{len} bytes at {address:#x}"
        );
    }
}

/// The last mapped byte is good and the next is not, at both ends of the stack.
fn stack_ends(
    report: &mut Report<'_>,
    context: &Context,
    write: &dyn Fn(u64, u64) -> Result<u64, Error>,
) {
    let top = initial_stack(context).top;
    let base = top - STACK_SIZE;
    // The end of the last argument, which ends in the last bytes below the top: nothing reads it after `main` has begun.
    let tail = (top - 1) as *mut u8;
    // SAFETY: the last byte of our own stack, above every frame; it is put back below.
    let kept = unsafe {
        let kept = tail.read_volatile();
        tail.write_volatile(EMPTY);
        kept
    };
    expect!(
        report,
        write(top - 1, 1),
        Ok(0),
        "the last byte of the stack"
    );
    expect!(
        report,
        write(top - 1, 2),
        Err(Error::BadAddress),
        "one byte over the end of the stack"
    );
    expect!(
        report,
        write(top, 1),
        Err(Error::BadAddress),
        "the first byte after the stack"
    );
    expect!(
        report,
        write(top - 1, LOG_WRITE_MAX as u64),
        Err(Error::BadAddress),
        "far over the end of the stack"
    );
    // SAFETY: as above.
    unsafe { tail.write_volatile(kept) };
    expect!(
        report,
        write(base - 1, 1),
        Err(Error::BadAddress),
        "the last byte below the stack"
    );
    expect!(
        report,
        write(base - 1, 2),
        Err(Error::BadAddress),
        "a text that begins below the stack"
    );
    expect!(
        report,
        write(base - PAGE, LOG_WRITE_MAX as u64),
        Err(Error::BadAddress),
        "a page below the stack"
    );
    // Where the stack has not been used yet, zeros: they print as one line of question marks, so only the border is tried.
    let page = (base + STACK_SIZE / 2) & !(PAGE - 1);
    for offset in 1..16u64 {
        let at = page - offset;
        // SAFETY: the middle of our stack, far below the frames in use; 16 bytes around a page border.
        unsafe { core::ptr::write_bytes(at as *mut u8, EMPTY, 16) };
        expect!(report, write(at, 16), Ok(0), "a text over a page border");
    }
}
