//! The extended registers: XMM, the upper halves of YMM where there are any, MXCSR, and the x87 control word and stack.
//!
//! The program is compiled without vector instructions, so nothing but the code here touches them.

use core::arch::asm;
use core::arch::x86_64::__cpuid_count;

use sys::call;

use crate::{Report, expect};

/// How long the program `abi vectors` holds its pattern: many time slices.
pub const LONG_NS: u64 = 400_000_000;
/// How long it is held among other checks.
pub const SHORT_NS: u64 = 20_000_000;

const MXCSR_START: u32 = 0x1f80;
const CONTROL_START: u16 = 0x037f;

/// All registers that are looked at, as the code below reads and writes them.
#[repr(C, align(32))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    vectors: [[u64; 4]; 16],
    numbers: [u64; 8],
    mxcsr: u32,
    control: u16,
}

const EMPTY: State = State {
    vectors: [[0; 4]; 16],
    numbers: [0; 8],
    mxcsr: 0,
    control: 0,
};
/// Offset of `numbers`; `mxcsr` and `control` follow it.
const NUMBERS: usize = core::mem::offset_of!(State, numbers);
const MXCSR: usize = core::mem::offset_of!(State, mxcsr);
const CONTROL: usize = core::mem::offset_of!(State, control);

/// Whether AVX can be used: the CPU has it and the kernel has turned its state on.
fn has_avx() -> bool {
    let features = __cpuid_count(1, 0).ecx;
    if features & 1 << 27 == 0 || features & 1 << 28 == 0 {
        return false;
    }
    let low: u32;
    // SAFETY: OSXSAVE is set, so the instruction exists; it reads XCR0.
    unsafe {
        asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") _, options(nomem, nostack, preserves_flags))
    };
    low & 0b110 == 0b110
}

/// Loads 16 vector registers with the instruction and the kind of register given.
macro_rules! load_vectors {
    ($instruction:literal, $kind:literal) => {
        load_vectors!(@ $instruction, $kind, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    };
    (@ $instruction:literal, $kind:literal, $($index:literal)*) => {
        concat!($($instruction, " ", $kind, $index, ", [{at} + 32 * ", $index, "]\n"),*)
    };
}

/// Stores 16 vector registers with the instruction and the kind of register given.
macro_rules! store_vectors {
    ($instruction:literal, $kind:literal) => {
        store_vectors!(@ $instruction, $kind, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    };
    (@ $instruction:literal, $kind:literal, $($index:literal)*) => {
        concat!($($instruction, " [{at} + 32 * ", $index, "], ", $kind, $index, "\n"),*)
    };
}

impl State {
    /// A pattern that depends on the seed: any two differ in every register.
    fn pattern(seed: u64, avx: bool) -> Self {
        let mut state = EMPTY;
        for (index, vector) in state.vectors.iter_mut().enumerate() {
            for (lane, word) in vector.iter_mut().enumerate() {
                let salt = (index * 4 + lane + 1) as u64;
                // Only AVX reaches the upper half.
                *word = if lane < 2 || avx {
                    seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)
                        .rotate_left(salt as u32)
                        ^ salt
                } else {
                    0
                };
            }
        }
        for (index, number) in state.numbers.iter_mut().enumerate() {
            *number = seed << 8 | index as u64;
        }
        // The rounding modes are the seed's; the exceptions stay masked.
        state.mxcsr = MXCSR_START | ((seed & 3) as u32) << 13;
        state.control = CONTROL_START | ((seed & 3) as u16) << 10;
        state
    }

    fn load(&self, avx: bool) {
        let at = &raw const *self;
        // SAFETY: reads the structure and changes only registers that no compiled code uses: the target has no vector
        // instructions and no x87.
        unsafe {
            if avx {
                asm!(load_vectors!("vmovups", "ymm"), at = in(reg) at, options(nostack, readonly));
            } else {
                asm!(load_vectors!("movups", "xmm"), at = in(reg) at, options(nostack, readonly));
            }
            asm!(
                "fninit",
                "fldcw [{at} + {control}]",
                "fild qword ptr [{at} + {numbers}]", "fild qword ptr [{at} + {numbers} + 8]",
                "fild qword ptr [{at} + {numbers} + 16]", "fild qword ptr [{at} + {numbers} + 24]",
                "fild qword ptr [{at} + {numbers} + 32]", "fild qword ptr [{at} + {numbers} + 40]",
                "fild qword ptr [{at} + {numbers} + 48]", "fild qword ptr [{at} + {numbers} + 56]",
                "ldmxcsr [{at} + {mxcsr}]",
                at = in(reg) at, numbers = const NUMBERS, control = const CONTROL, mxcsr = const MXCSR,
                options(nostack, readonly),
            );
        }
    }

    /// The registers as they are; `numbers` empties the x87 stack.
    fn read(avx: bool, with_numbers: bool) -> Self {
        let mut state = EMPTY;
        let at = &raw mut state;
        // SAFETY: writes the structure only, whose size and alignment fit; the rest as in `load`.
        unsafe {
            if avx {
                asm!(store_vectors!("vmovups", "ymm"), at = in(reg) at, options(nostack));
            } else {
                asm!(store_vectors!("movups", "xmm"), at = in(reg) at, options(nostack));
            }
            asm!(
                "stmxcsr [{at} + {mxcsr}]", "fnstcw [{at} + {control}]",
                at = in(reg) at, control = const CONTROL, mxcsr = const MXCSR, options(nostack),
            );
            if with_numbers {
                asm!(
                    "fistp qword ptr [{at} + {numbers} + 56]", "fistp qword ptr [{at} + {numbers} + 48]",
                    "fistp qword ptr [{at} + {numbers} + 40]", "fistp qword ptr [{at} + {numbers} + 32]",
                    "fistp qword ptr [{at} + {numbers} + 24]", "fistp qword ptr [{at} + {numbers} + 16]",
                    "fistp qword ptr [{at} + {numbers} + 8]", "fistp qword ptr [{at} + {numbers}]",
                    at = in(reg) at, numbers = const NUMBERS, options(nostack),
                );
            }
        }
        state
    }
}

/// A program starts with empty vector registers and the control words of the System V ABI, whatever ran before.
pub fn initial(report: &mut Report<'_>) {
    let found = State::read(has_avx(), false);
    expect!(
        report,
        found.vectors,
        EMPTY.vectors,
        "vector registers at the start"
    );
    expect!(report, found.mxcsr, MXCSR_START, "MXCSR at the start");
    expect!(
        report,
        found.control,
        CONTROL_START,
        "x87 control word at the start"
    );
}

/// Waits for a part of a time slice with the flag AC set, so that the kernel is often entered with it.
fn wait_with_alignment_check() {
    // SAFETY: alignment is checked only if the kernel asks for it (CR0.AM), and nothing is accessed meanwhile but the
    // stack, by words.
    unsafe {
        asm!(
            "pushfq", "or qword ptr [rsp], 0x40000", "popfq",
            "2:", "pause", "dec {rounds:e}", "jnz 2b",
            "pushfq", "and qword ptr [rsp], -0x40001", "popfq",
            rounds = inout(reg) 20_000 => _,
        );
    }
}

/// Holds a pattern for a while, yielding half of the time and waiting for the end of the time slice in the other half.
pub fn hold(report: &mut Report<'_>, seed: u64, duration_ns: u64) {
    let avx = has_avx();
    let pattern = State::pattern(seed, avx);
    let start = call::clock_read();
    let mut rounds = 0u64;
    loop {
        pattern.load(avx);
        let elapsed = call::clock_read().saturating_sub(start);
        if elapsed < duration_ns / 2 {
            call::thread_yield();
        } else {
            wait_with_alignment_check();
        }
        let found = State::read(avx, true);
        rounds += 1;
        // At least twice, even if this processor stands still for the whole time.
        if found != pattern || (elapsed >= duration_ns && rounds > 1) {
            expect!(
                report,
                found,
                pattern,
                "registers in round {rounds} of seed {seed}"
            );
            return;
        }
    }
}
