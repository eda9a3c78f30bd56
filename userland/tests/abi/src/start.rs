//! The initial stack: System V, with our tags in the auxiliary vector (`abi::auxv`).

use core::ffi::CStr;

use sys::Context;
use sys::abi::{self, auxv};

use crate::{Report, expect};

const PAGE: u64 = 4096;

/// The parts of the initial stack.
pub struct InitialStack {
    /// Where the stack pointer was.
    pub base: u64,
    /// The first byte after the stack.
    pub top: u64,
}

/// Where the initial stack lies. Its top is the end of the last string, rounded up.
pub fn initial_stack(context: &Context) -> InitialStack {
    let base = context.initial_stack();
    // SAFETY: argc, and that many pointers to strings, lie there; they stay.
    let end = unsafe {
        let argc = *base as usize;
        match argc {
            0 => base as u64,
            argc => {
                let last = *base.add(argc) as *const core::ffi::c_char;
                last as u64 + CStr::from_ptr(last).to_bytes_with_nul().len() as u64
            }
        }
    };
    InitialStack {
        base: base as u64,
        top: end.next_multiple_of(16),
    }
}

/// Checks argc, argv, the environment and the auxiliary vector.
pub fn stack(report: &mut Report<'_>, context: &Context) {
    let stack = initial_stack(context);
    expect!(
        report,
        stack.base % 16,
        0,
        "alignment of the initial stack pointer"
    );
    expect!(report, stack.top % PAGE, 0, "end of the initial stack");
    expect!(report, context.argument(0), Some("abi"), "argument 0");
    let words = stack.base as *const u64;
    let word = |index: usize| -> u64 {
        if stack.base + index as u64 * 8 + 8 > stack.top {
            return 0;
        }
        // SAFETY: inside the initial stack, which is mapped up to `top`; nothing there changes.
        unsafe { *words.add(index) }
    };
    let argc = word(0) as usize;
    for index in 0..argc {
        let at = word(1 + index);
        report.check(
            at > stack.base && at < stack.top,
            format_args!("argv[{index}] points to {at:#x}"),
        );
    }
    expect!(report, context.argument(argc), None, "argument {argc}");
    expect!(report, word(1 + argc), 0, "word after argv");
    expect!(report, word(2 + argc), 0, "environment");
    let vector = 3 + argc;
    let find = |tag: u64| {
        let pairs = (0..32).map(|pair| (word(vector + pair * 2), word(vector + pair * 2 + 1)));
        pairs
            .take_while(|(tag, _)| *tag != auxv::NULL)
            .find(|(found, _)| *found == tag)
            .map(|(_, value)| value)
    };
    expect!(
        report,
        find(auxv::PAGE_SIZE),
        Some(PAGE),
        "page size in the vector"
    );
    expect!(
        report,
        find(auxv::ABI_VERSION),
        Some(abi::VERSION),
        "ABI version in the vector"
    );
    expect!(
        report,
        find(auxv::SYSTEM_HANDLE),
        context.system().map(|handle| handle.0),
        "handle of the machine in the vector"
    );
    expect!(
        report,
        find(auxv::SELF_HANDLE),
        Some(context.own().0),
        "own handle in the vector"
    );
    report.check(
        context.system().is_some_and(|handle| handle.0 != 0),
        format_args!("there is no handle of the machine"),
    );
    report.check(
        context.own().0 != 0,
        format_args!("there is no handle of this process"),
    );
    let entry = find(auxv::ENTRY).unwrap_or(0);
    report.check(
        (0x20_0000..0x40_0000).contains(&entry),
        format_args!("the entry point is {entry:#x}"),
    );
}
