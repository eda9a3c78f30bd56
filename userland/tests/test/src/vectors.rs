//! The tests of extended registers: each thread keeps its own, whatever others do, and begins without those of others.
//!
//! The threads that look are a few instructions that are copied into an area, and mapped in this and in other processes. Each
//! has a block of two pages: what it is told and the content that its registers are to have, and what they had when it looked.

use sys::abi::process::ANY_CPU;
use sys::abi::{Error, Handle, NEVER, Sysno};
use sys::call;

use crate::area::{Area, Mapping, Owned, PAGE, RW, RX, load, store};
use crate::harness::{Env, Failed, Must, Outcome, Random, Test, list_suite, run_suite};
use crate::{check, same};

const TESTS: &[Test] = &[
    ("begin-clean", begin_clean),
    ("kept-by-threads", kept_by_threads),
    ("kept-by-processes", kept_by_processes),
];

/// Prints the names.
pub fn list(env: &Env<'_>) {
    list_suite(env, "vectors", TESTS);
}

/// Runs all tests, or the one with a name.
pub fn run(env: &Env<'_>, name: Option<&str>) -> u64 {
    // What the kernel takes for good at the first use is not counted as lost.
    let _ = kept_by_threads(env);
    let _ = kept_by_processes(env);
    let _ = call::thread_sleep(call::clock_read() + 100 * MS);
    sys::log_line!(env.context, "vectors: {:?}", Mode::of_this_machine());
    run_suite(env, "vectors", TESTS, name)
}

/// A millisecond, in nanoseconds.
const MS: u64 = 1_000_000;

/// Word of a block: [`Mode`].
const MODE: u64 = 0;
/// Word of a block: how often the thread has looked.
const COUNT: u64 = 1;
/// Word of a block: not 0 when the thread is to end.
const STOP: u64 = 2;
/// Word of a block: not 0 when a register was not what it should be.
const FAULT: u64 = 3;
/// Word of a block: how many bytes there are at `VECTORS`.
const LEN: u64 = 4;
/// Offset in a block: x87 registers, MXCSR and XMM registers, as FXSAVE writes them.
const LEGACY: u64 = 512;
/// Offset in a block: YMM registers, or ZMM registers and behind them the masks.
const VECTORS: u64 = 1024;
/// Offset in a block of the same, as it was found.
const FOUND: u64 = PAGE;

core::arch::global_asm!(
    ".pushsection .rodata.vectors, \"a\"",
    // Loads all registers from the block at the argument, and looks again and again whether they are there.
    ".global vectors_keep",
    "vectors_keep:",
    "mov rbx, rdi",
    "fxrstor64 [rbx + {legacy}]",
    "cmp qword ptr [rbx], 1",
    "jb 4f",
    "ja 3f",
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "vmovdqu ymm\\n, [rbx + {vectors} + 32 * \\n]",
    ".endr",
    "jmp 4f",
    "3:",
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
    "vmovdqu64 zmm\\n, [rbx + {vectors} + 64 * \\n]",
    ".endr",
    ".irp n, 0,1,2,3,4,5,6,7",
    "kmovw k\\n, [rbx + {vectors} + 2048 + 8 * \\n]",
    ".endr",
    // Some time in user mode, now and then a system call.
    "4: mov ecx, 300",
    "5: pause",
    "dec ecx",
    "jnz 5b",
    "test qword ptr [rbx + 8], 15",
    "jnz 6f",
    "mov eax, {give_way}",
    "syscall",
    "6: call 20f",
    "mov ax, [rbx + {legacy}]",
    "cmp ax, [rbx + {found} + {legacy}]",
    "jne 9f",
    "mov eax, [rbx + {legacy} + 24]",
    "cmp eax, [rbx + {found} + {legacy} + 24]",
    "jne 9f",
    "lea rsi, [rbx + {legacy} + 32]",
    "lea rdi, [rbx + {found} + {legacy} + 32]",
    "mov ecx, 384",
    "repe cmpsb",
    "jne 9f",
    "lea rsi, [rbx + {vectors}]",
    "lea rdi, [rbx + {found} + {vectors}]",
    "mov rcx, [rbx + 32]",
    "cmp eax, eax",
    "repe cmpsb",
    "jne 9f",
    "inc qword ptr [rbx + 8]",
    "cmp qword ptr [rbx + 16], 0",
    "je 4b",
    "8: mov eax, {leave}",
    "syscall",
    "9: mov qword ptr [rbx + 24], 1",
    "jmp 8b",
    // Writes down what the registers are at the begin of the thread.
    ".global vectors_begin",
    "vectors_begin:",
    "mov rbx, rdi",
    "call 20f",
    "inc qword ptr [rbx + 8]",
    "jmp 8b",
    // Writes all registers to the second page of the block.
    "20: fxsave64 [rbx + {found} + {legacy}]",
    "cmp qword ptr [rbx], 1",
    "jb 24f",
    "ja 23f",
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "vmovdqu [rbx + {found} + {vectors} + 32 * \\n], ymm\\n",
    ".endr",
    "ret",
    "23:",
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
    "vmovdqu64 [rbx + {found} + {vectors} + 64 * \\n], zmm\\n",
    ".endr",
    ".irp n, 0,1,2,3,4,5,6,7",
    "kmovw [rbx + {found} + {vectors} + 2048 + 8 * \\n], k\\n",
    ".endr",
    "24: ret",
    ".global vectors_end",
    "vectors_end:",
    ".popsection",
    legacy = const LEGACY,
    vectors = const VECTORS,
    found = const FOUND,
    give_way = const Sysno::ThreadYield as u64,
    leave = const Sysno::ThreadExit as u64,
);

unsafe extern "C" {
    static vectors_keep: u8;
    static vectors_begin: u8;
    static vectors_end: u8;
}

/// Which registers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// XMM0 to XMM15.
    Sse = 0,
    /// YMM0 to YMM15.
    Avx = 1,
    /// ZMM0 to ZMM31, K0 to K7.
    Avx512 = 2,
}

impl Mode {
    /// What the processor has and the kernel has turned on.
    fn of_this_machine() -> Self {
        use core::arch::x86_64::__cpuid_count;
        const OSXSAVE: u32 = 1 << 27;
        const AVX: u32 = 1 << 28;
        const AVX512F: u32 = 1 << 16;
        let basic = __cpuid_count(1, 0).ecx;
        if basic & OSXSAVE == 0 || basic & AVX == 0 {
            return Self::Sse;
        }
        let components: u32;
        // SAFETY: OSXSAVE says that the instruction may be used; it reads a register.
        unsafe {
            core::arch::asm!("xgetbv", in("ecx") 0, out("eax") components, out("edx") _, options(nomem, nostack));
        }
        let has_avx512 = __cpuid_count(0, 0).eax >= 7 && __cpuid_count(7, 0).ebx & AVX512F != 0;
        match components {
            on if on & 0xe6 == 0xe6 && has_avx512 => Self::Avx512,
            on if on & 0b110 == 0b110 => Self::Avx,
            _ => Self::Sse,
        }
    }

    /// Bytes of a vector, and how many there are.
    const fn shape(self) -> (u64, u64) {
        match self {
            Self::Sse => (16, 16),
            Self::Avx => (32, 16),
            Self::Avx512 => (64, 32),
        }
    }

    /// Bytes at [`VECTORS`].
    const fn len(self) -> u64 {
        match self {
            // They are in the legacy part.
            Self::Sse => 0,
            Self::Avx => 32 * 16,
            Self::Avx512 => 64 * 32 + 8 * 8,
        }
    }
}

/// The code and blocks of threads, mapped here and in the process that they are threads of.
struct Place {
    process: Handle,
    /// Where the code lies there.
    code: u64,
    /// The blocks, as we see them.
    view: Mapping,
    /// The blocks, as the threads see them.
    there: u64,
    exit: Owned,
    threads: [Option<Owned>; MOST],
    _mapped: Option<(Mapping, Mapping)>,
}

/// The most threads of a place.
const MOST: usize = 8;
/// Pages of a block.
const BLOCK: u64 = 2;

/// An address of the code, from its begin.
fn offset(place: *const u8) -> u64 {
    place as u64 - (&raw const vectors_keep) as u64
}

impl Place {
    fn new(env: &Env<'_>, process: Handle) -> Result<Self, Error> {
        let start = &raw const vectors_keep;
        let len = offset(&raw const vectors_end) as usize;
        // SAFETY: the bytes between the two symbols, which nobody writes.
        let code = unsafe { core::slice::from_raw_parts(start, len) };
        let (program, blocks) = (Area::open(1)?, Area::open(BLOCK * MOST as u64)?);
        let view = program.map(env.own, 0, 1, RW)?;
        assert!(len <= PAGE as usize, "the code is longer than its page");
        // SAFETY: a page of ours, mapped just now, longer than the code.
        unsafe { (view.address as *mut u8).copy_from_nonoverlapping(code.as_ptr(), len) };
        drop(view);
        let view = blocks.map(env.own, 0, BLOCK * MOST as u64, RW)?;
        let code = program.map(process, 0, 1, RX)?;
        let there = blocks.map(process, 0, BLOCK * MOST as u64, RW)?;
        let exit = Owned(call::event_create()?);
        let (code, there, mapped) = if process.0 == env.own.0 {
            (code.address, there.address, Some((code, there)))
        } else {
            // They go with the process.
            (code.keep(), there.keep(), None)
        };
        Ok(Self {
            process,
            code,
            view,
            there,
            exit,
            threads: [const { None }; MOST],
            _mapped: mapped,
        })
    }

    /// A word of a block.
    fn word(&self, slot: usize, word: u64) -> u64 {
        self.view.at(BLOCK * slot as u64, word)
    }

    /// Fills a block with content that no other has.
    fn fill(&self, slot: usize, mode: Mode, random: &mut Random) {
        for word in 0..PAGE / 8 {
            store(self.word(slot, word), 0);
        }
        store(self.word(slot, MODE), mode as u64);
        store(self.word(slot, LEN), mode.len());
        let (bytes, count) = mode.shape();
        for vector in 0..count {
            for part in 0..bytes / 8 {
                let value = random.any();
                if mode != Mode::Sse {
                    store(
                        self.word(slot, (VECTORS + bytes * vector) / 8 + part),
                        value,
                    );
                }
                // The lowest 16 bytes of the first 16 are those of XMM.
                if vector < 16 && part < 2 {
                    store(
                        self.word(slot, (LEGACY + 160) / 8 + 2 * vector + part),
                        value,
                    );
                }
            }
        }
        if mode == Mode::Avx512 {
            for mask in 0..8 {
                let word = (VECTORS + 64 * 32) / 8 + mask;
                store(self.word(slot, word), random.any() & 0xffff);
            }
        }
        // FCW: all masked, any precision and rounding; no register is empty.
        let control = 0x007f | random.below(4) << 10 | [0, 2, 3][slot % 3] << 8;
        store(self.word(slot, LEGACY / 8), control | 0xff << 32);
        // MXCSR: all masked, any rounding, flushing to zero or not.
        let mxcsr = 0x1f80 | random.below(8) << 13;
        store(self.word(slot, LEGACY / 8 + 3), mxcsr);
        for register in 0..8 {
            let at = LEGACY / 8 + 4 + 2 * register;
            store(self.word(slot, at), random.any() | 1 << 63);
            store(self.word(slot, at + 1), 0x3fff + random.below(100));
        }
    }

    /// Starts a thread with a block.
    fn start(&mut self, slot: usize, code: *const u8, cpu: u64) -> Result<(), Error> {
        let block = self.there + BLOCK * PAGE * slot as u64;
        // The last words of the block are its stack, as it calls.
        let stack = block + BLOCK * PAGE;
        let entry = self.code + offset(code);
        let thread = call::thread_create(self.process, entry, stack, block, cpu, 0)?;
        call::thread_on_exit(thread, Some(self.exit.0), 1 << slot)?;
        self.threads[slot] = Some(Owned(thread));
        Ok(())
    }

    /// Tells all threads to end, and waits for them.
    fn stop(&self) -> Result<(), Error> {
        let mut bits = 0;
        for (slot, thread) in self.threads.iter().enumerate() {
            if thread.is_some() {
                store(self.word(slot, STOP), 1);
                bits |= 1 << slot;
            }
        }
        if bits != 0 {
            let how = sys::abi::event::ALL | sys::abi::event::KEEP;
            call::event_wait(self.exit.0, bits, how, NEVER)?;
        }
        Ok(())
    }

    /// Whether all threads go on and all their registers are what they should be.
    fn check(&self, env: &Env<'_>) -> Outcome {
        for (slot, thread) in self.threads.iter().enumerate() {
            if thread.is_none() {
                continue;
            }
            let before = load(self.word(slot, COUNT));
            let end = call::clock_read() + 60_000 * MS;
            while load(self.word(slot, COUNT)) == before {
                let fault = load(self.word(slot, FAULT));
                check!(
                    env,
                    fault == 0,
                    "thread {slot} lost registers after {before} looks"
                );
                check!(env, call::clock_read() < end, "thread {slot} stands still");
                call::thread_sleep(call::clock_read() + MS / 4).must(env, "sleep")?;
            }
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for thread in self.threads.iter().flatten() {
            let _ = call::thread_kill(thread.0);
        }
        let _ = self.stop();
    }
}

/// A new thread has registers that say nothing of others, on each processor, right after a thread with any.
fn begin_clean(env: &Env<'_>) -> Outcome {
    let mode = Mode::of_this_machine();
    let mut random = Random::new(3);
    for cpu in 0..env.statistics().processors {
        let mut place = Place::new(env, env.own).must(env, "place")?;
        place.fill(0, mode, &mut random);
        place
            .start(0, &raw const vectors_keep, cpu)
            .must(env, "start")?;
        for round in 0..4 {
            place.check(env)?;
            place.fill(1, mode, &mut random);
            place
                .start(1, &raw const vectors_begin, cpu)
                .must(env, "start")?;
            let ended = call::event_wait(place.exit.0, 2, 0, NEVER);
            same!(env, ended, Ok(2), "its end");
            place.threads[1] = None;
            same!(env, load(place.word(1, COUNT)), 1, "whether it looked");
            let found = |offset: u64| load(place.word(1, (FOUND + offset) / 8));
            let control = found(LEGACY) & 0x00ff_ffff_ffff;
            same!(env, control, 0x037f, "FCW, FSW and tags in round {round}");
            same!(env, found(LEGACY + 24) & 0xffff_ffff, 0x1f80, "MXCSR");
            for at in (32..416).step_by(8) {
                same!(env, found(LEGACY + at), 0, "the legacy registers at {at}");
            }
            for at in (0..mode.len()).step_by(8) {
                same!(env, found(VECTORS + at), 0, "the vectors at {at}");
            }
        }
    }
    Ok(())
}

/// Keeps registers in threads of some processes, moves them from processor to processor, and looks whether none is lost.
fn keep(env: &Env<'_>, processes: &[Handle]) -> Outcome {
    const ROUNDS: u64 = 15;
    let mode = Mode::of_this_machine();
    let cpus = env.statistics().processors.min(64);
    // On each processor there is more than one thread.
    let count = (2 * cpus as usize / processes.len() + 1).clamp(2, MOST);
    let mut random = Random::new(5);
    let mut places = [const { None }; 2];
    for (place, process) in places.iter_mut().zip(processes) {
        let made = Place::new(env, *process).must(env, "place")?;
        let made = place.insert(made);
        for slot in 0..count {
            made.fill(slot, mode, &mut random);
            made.start(slot, &raw const vectors_keep, ANY_CPU)
                .must(env, "start")?;
        }
    }
    for _ in 0..ROUNDS {
        for place in places.iter().flatten() {
            let slot = random.below(count as u64) as usize;
            if let Some(thread) = &place.threads[slot] {
                let set = 1u64 << random.below(cpus);
                let moved = call::thread_set_affinity(thread.0, &set.to_le_bytes());
                moved.must(env, "move")?;
            }
            place.check(env)?;
        }
    }
    for place in places.iter().flatten() {
        place.stop().must(env, "stop")?;
        for slot in 0..count {
            same!(env, load(place.word(slot, FAULT)), 0, "thread {slot}");
            check!(
                env,
                load(place.word(slot, COUNT)) > 0,
                "thread {slot} never looked"
            );
        }
    }
    Ok(())
}

fn kept_by_threads(env: &Env<'_>) -> Outcome {
    keep(env, &[env.own])
}

fn kept_by_processes(env: &Env<'_>) -> Outcome {
    let make = || -> Result<Owned, Failed> {
        call::process_create("vectors")
            .map(Owned)
            .must(env, "process")
    };
    let (first, second) = (make()?, make()?);
    keep(env, &[first.0, second.0])
}
