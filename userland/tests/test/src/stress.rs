//! Threads on all processors that map, touch, protect, unmap, decommit and snapshot, each with patterns of its own, in
//! memory that all share and in memory of their own.

use core::sync::atomic::{AtomicU64, Ordering};

use sys::abi::{Error, Handle};
use sys::{call, log_line};

use crate::area::{Area, Mapping, PAGE, R, RW};
use crate::harness::{Env, Must, Outcome, Random};
use crate::threads::Crew;

/// Pages of the area that all threads share; each writes to those whose number is its own modulo [`THREADS`].
const SHARED: u64 = 64;
/// The most threads.
const THREADS: u64 = 8;
/// Pages of a thread's own areas.
const OWN: u64 = 24;

/// When to end; 0 until all threads are there.
static END_NS: AtomicU64 = AtomicU64::new(0);
static LEN_NS: AtomicU64 = AtomicU64::new(0);
/// Threads that are missing still.
static MISSING: AtomicU64 = AtomicU64::new(0);
static SEED: AtomicU64 = AtomicU64::new(0);
static PROCESS: AtomicU64 = AtomicU64::new(0);
static SHARED_AREA: AtomicU64 = AtomicU64::new(0);
static STEPS: AtomicU64 = AtomicU64::new(0);
/// What went wrong first: thread, step and kind.
static WRONG: AtomicU64 = AtomicU64::new(0);

/// Runs the stress; status 0 when all patterns held and all memory is back.
pub fn run(env: &Env<'_>, seconds: u64, seed: u64) -> u64 {
    // A first short run makes what the kernel keeps for good.
    if touch_mappings(env).is_err() || round(env, 200_000_000, seed).is_err() {
        return 1;
    }
    let before = env.held_at_rest();
    let ran = round(env, seconds.saturating_mul(1_000_000_000), seed);
    if env.check_back(&before).is_err() {
        log_line!(env.context, "stress: FAILED");
        return 1;
    }
    match ran {
        Ok(steps) => {
            let now = env.statistics();
            log_line!(
                env.context,
                "stress: {steps} steps on {} processors, {} shootdowns, seed {seed}, {before}, before and after",
                now.processors,
                now.shootdowns
            );
            0
        }
        Err(()) => 1,
    }
}

/// Has more mappings at once than all threads will, so that the room for them does not count as lost when it comes.
fn touch_mappings(env: &Env<'_>) -> Outcome {
    const PIECES: u64 = 2048;
    let area = Area::open(PIECES).must(env, "create")?;
    let view = area.map(env.own, 0, PIECES, RW).must(env, "map")?;
    for page in (0..PIECES).step_by(2) {
        view.protect(page, 1, R).must(env, "protect")?;
    }
    Ok(())
}

fn round(env: &Env<'_>, len_ns: u64, seed: u64) -> Result<u64, ()> {
    STEPS.store(0, Ordering::Release);
    WRONG.store(0, Ordering::Release);
    SEED.store(seed, Ordering::Release);
    PROCESS.store(env.own.0, Ordering::Release);
    END_NS.store(0, Ordering::Release);
    LEN_NS.store(len_ns, Ordering::Release);
    let shared = Area::open(SHARED).must(env, "create").map_err(drop)?;
    SHARED_AREA.store(shared.handle().0, Ordering::Release);
    let view = shared
        .map(env.own, 0, SHARED, RW)
        .must(env, "map")
        .map_err(drop)?;
    let cpus = env.statistics().processors;
    let threads = THREADS.min(2 * cpus);
    MISSING.store(threads, Ordering::Release);
    let crew = Crew::start(
        env,
        (0..threads).map(|index| index % cpus),
        view.address,
        work,
    );
    crew.and_then(|crew| crew.join(env))
        .must(env, "threads")
        .map_err(drop)?;
    match WRONG.load(Ordering::Acquire) {
        0 => Ok(STEPS.load(Ordering::Acquire)),
        wrong => {
            log_line!(
                env.context,
                "stress: FAILED in thread {} at step {}: {}",
                wrong >> 56,
                wrong >> 8 & 0xffff_ffff_ffff,
                KINDS.get((wrong & 0xff) as usize).unwrap_or(&"?")
            );
            Err(())
        }
    }
}

const KINDS: &[&str] = &[
    "",
    "a system call was refused",
    "a page does not hold what was written",
    "a shared page does not hold what was written",
    "a snapshot does not hold what was there",
    "a page that was taken away is not zero",
];

/// What can go wrong, as an index into [`KINDS`].
type Wrong = u64;

struct Worker {
    index: u64,
    random: Random,
    process: Handle,
    shared: u64,
    /// What this thread's shared pages hold.
    shared_values: [u64; (SHARED / THREADS) as usize],
    area: Area,
    view: Mapping,
    values: [u64; OWN as usize],
    /// Whether the page may be written to.
    writable: [bool; OWN as usize],
}

/// Waits for all others, however long they take to start: so each round has as many threads at once.
fn assemble() {
    if MISSING.fetch_sub(1, Ordering::AcqRel) == 1 {
        let end = call::clock_read().saturating_add(LEN_NS.load(Ordering::Acquire));
        END_NS.store(end, Ordering::Release);
    }
    while END_NS.load(Ordering::Acquire) == 0 {
        call::thread_yield();
    }
}

fn work(index: u64, shared: u64) {
    assemble();
    let seed = SEED.load(Ordering::Acquire).wrapping_mul(1000) + index;
    let process = Handle(PROCESS.load(Ordering::Acquire));
    let mut steps = 0;
    let result = Worker::new(index, seed, process, shared)
        .map_err(|_| 1)
        .and_then(|mut worker| {
            while call::clock_read() < END_NS.load(Ordering::Acquire)
                && WRONG.load(Ordering::Relaxed) == 0
            {
                worker.step()?;
                steps += 1;
            }
            Ok(())
        });
    if let Err(kind) = result {
        let wrong = index << 56 | steps << 8 | kind;
        let _ = WRONG.compare_exchange(0, wrong, Ordering::AcqRel, Ordering::Acquire);
    }
    STEPS.fetch_add(steps, Ordering::AcqRel);
}

fn refused(_: Error) -> Wrong {
    1
}

impl Worker {
    fn new(index: u64, seed: u64, process: Handle, shared: u64) -> Result<Self, Error> {
        let area = Area::open(OWN)?;
        let view = area.map(process, 0, OWN, RW)?;
        let worker = Self {
            index,
            random: Random::new(seed),
            process,
            shared,
            shared_values: [0; (SHARED / THREADS) as usize],
            area,
            view,
            values: [0; OWN as usize],
            writable: [true; OWN as usize],
        };
        // From an earlier run in the same area there is nothing: it is new.
        Ok(worker)
    }

    fn range(&mut self) -> (u64, u64) {
        let first = self.random.below(OWN);
        (first, 1 + self.random.below(OWN - first))
    }

    fn step(&mut self) -> Result<(), Wrong> {
        match self.random.below(16) {
            0..=4 => {
                let page = self.random.below(OWN);
                if self.writable[page as usize] {
                    let value = 1 + self.random.below(1 << 40);
                    self.view.write(page, value);
                    self.values[page as usize] = value;
                }
            }
            5..=6 => self.check_own()?,
            7..=8 => self.share()?,
            9..=10 => {
                let (first, pages) = self.range();
                let writable = self.random.below(2) == 0;
                self.view
                    .protect(first, pages, if writable { RW } else { R })
                    .map_err(refused)?;
                for page in first..first + pages {
                    self.writable[page as usize] = writable;
                }
            }
            11 => {
                // Elsewhere: the old place is gone, the pages are not.
                let fresh = self.area.map(self.process, 0, OWN, RW).map_err(refused)?;
                let old = core::mem::replace(&mut self.view, fresh);
                old.unmap().map_err(refused)?;
                self.writable = [true; OWN as usize];
                self.check_own()?;
            }
            12 => {
                let (first, pages) = self.range();
                call::vm_area_decommit(self.area.handle(), first * PAGE, pages * PAGE)
                    .map_err(refused)?;
                for page in first..first + pages {
                    self.values[page as usize] = 0;
                    if self.view.read(page) != Some(0) {
                        return Err(5);
                    }
                }
            }
            13 => self.snapshot()?,
            14 => {
                // A hole in the shared area as this thread sees it, through a view of its own.
                let area = Handle(SHARED_AREA.load(Ordering::Acquire));
                let address = call::process_map(self.process, area, 0, 0, SHARED * PAGE, R)
                    .map_err(refused)?;
                let view = self.index + THREADS * self.random.below(SHARED / THREADS);
                let value = crate::area::load(address + view * PAGE);
                if value != self.shared_values[(view / THREADS) as usize] {
                    return Err(3);
                }
                call::process_unmap(self.process, address + 7 * PAGE, 9 * PAGE).map_err(refused)?;
                call::process_unmap(self.process, address, SHARED * PAGE).map_err(refused)?;
            }
            _ => {
                // A new area: the old one goes with all its pages.
                let area = Area::open(OWN).map_err(refused)?;
                self.view = area.map(self.process, 0, OWN, RW).map_err(refused)?;
                self.area = area;
                self.values = [0; OWN as usize];
                self.writable = [true; OWN as usize];
                self.check_own()?;
            }
        }
        Ok(())
    }

    fn check_own(&self) -> Result<(), Wrong> {
        for page in 0..OWN {
            if self.view.read(page) != Some(self.values[page as usize]) {
                return Err(2);
            }
        }
        Ok(())
    }

    fn share(&mut self) -> Result<(), Wrong> {
        let slot = self.random.below(SHARED / THREADS);
        let place = self.shared + (self.index + slot * THREADS) * PAGE;
        let known = &mut self.shared_values[slot as usize];
        if crate::area::load(place) != *known {
            return Err(3);
        }
        *known = known.wrapping_add(1 + self.random.below(1000));
        crate::area::store(place, *known);
        Ok(())
    }

    fn snapshot(&mut self) -> Result<(), Wrong> {
        let copy = self.area.snapshot().map_err(refused)?;
        let seen = copy.map(self.process, 0, OWN, RW).map_err(refused)?;
        let page = self.random.below(OWN);
        if self.writable[page as usize] {
            self.view.write(page, self.values[page as usize] + 1);
        }
        for other in 0..OWN {
            if seen.read(other) != Some(self.values[other as usize]) {
                return Err(4);
            }
        }
        if self.writable[page as usize] {
            self.values[page as usize] += 1;
        }
        seen.write(page, 3);
        self.check_own()
    }
}
