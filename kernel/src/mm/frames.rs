//! Frames for everybody: a magazine on each processor, the shared allocator behind them, and counts of what for.
//!
//! The common allocation or return takes only the lock of this processor's own stock, which nobody else wants unless
//! memory is out: then the stocks of the others are taken back before anybody is refused.
//!
//! Lock order: a stock, then the shared allocator. Never two stocks.

use core::sync::atomic::{AtomicUsize, Ordering};

use kaddr::{Frame, PhysRange};
use kmem::frame::{FrameAllocator, HALF, Magazine};
use ksync::IrqGuard;

use super::{direct, frames};
use crate::arch::current::percpu;
use crate::arch::current::{Irq, IrqLock};

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A page of an area.
    User,
    /// A page table.
    Table,
    /// The kernel's heap.
    Heap,
    /// A kernel stack.
    Stack,
}

/// How many purposes there are.
const PURPOSES: usize = 4;

/// Frames that programs leave to the kernel: with them it can go on when programs have used up everything else.
static RESERVE: AtomicUsize = AtomicUsize::new(0);

/// What belongs to one processor.
pub struct Stock(IrqLock<Inner>);

struct Inner {
    magazine: Magazine,
    /// Frames handed out by this processor less those returned to it: only the sum over all has a meaning.
    used: [i64; PURPOSES],
}

impl Stock {
    /// An empty stock.
    pub const fn new() -> Self {
        Self(IrqLock::new(Inner {
            magazine: Magazine::new(),
            used: [0; PURPOSES],
        }))
    }
}

/// Stands for the stock of the boot processor until it has one: frames go to the first page tables, before there are
/// per-CPU areas that could be found.
fn stock() -> &'static Stock {
    &percpu::current().frames
}

/// Sets how many frames are left to the kernel when programs ask.
pub fn set_reserve(frames: usize) {
    RESERVE.store(frames, Ordering::Relaxed);
}

fn keep(purpose: Purpose) -> usize {
    match purpose {
        Purpose::User => RESERVE.load(Ordering::Relaxed),
        Purpose::Table | Purpose::Heap | Purpose::Stack => 0,
    }
}

/// Takes a frame, with any content.
pub fn allocate(purpose: Purpose) -> Option<Frame> {
    let _irq = IrqGuard::<Irq>::new();
    let frame = take(purpose).or_else(|| {
        // What the others have in stock is free, too.
        drain();
        take(purpose)
    });
    if let Some(frame) = frame {
        direct::check_unused(frame);
    }
    frame
}

fn take(purpose: Purpose) -> Option<Frame> {
    let mut stock = stock().0.lock();
    if stock.magazine.is_empty() {
        stock.magazine.refill(&mut frames(), keep(purpose));
    }
    let frame = stock.magazine.pop()?;
    stock.used[purpose as usize] += 1;
    Some(frame)
}

/// Gives a frame back.
pub fn free(frame: Frame, purpose: Purpose) {
    direct::mark_unused(frame);
    let _irq = IrqGuard::<Irq>::new();
    let mut stock = stock().0.lock();
    if cfg!(feature = "frame-debug") {
        assert!(
            !stock.magazine.contains(frame),
            "the frame at {} was given back twice",
            frame.start()
        );
    }
    stock.used[purpose as usize] -= 1;
    if stock.magazine.is_full() {
        let spilled = stock.magazine.spill(&mut frames(), HALF);
        report(spilled);
    }
    if stock.magazine.push(frame).is_err() {
        unreachable!("half of the magazine was emptied");
    }
}

/// Takes 512 frames in a row that begin at a multiple of 2 MiB, for areas, if more than one frame in `share` is free.
pub fn allocate_large(share: usize) -> Option<Frame> {
    let frame = {
        let mut shared = frames();
        if shared.free_frames() <= shared.total_frames() / share {
            return None;
        }
        shared.allocate_large()?
    };
    stock().0.lock().used[Purpose::User as usize] += 512;
    Some(frame)
}

/// Gives back frames that [`allocate_large`] handed out.
pub fn free_large(range: PhysRange) {
    report(frames().free_range(range));
    stock().0.lock().used[Purpose::User as usize] -= 512;
}

fn report(freed: Result<(), kmem::frame::FreeError>) {
    if let Err(error) = freed {
        log::error!("frames were not given back: {error}");
    }
}

/// Gives what all processors have in stock to the shared allocator.
pub fn drain() {
    for area in percpu::all() {
        let mut stock = area.frames.0.lock();
        let spilled = stock.magazine.spill(&mut frames(), 0);
        report(spilled);
    }
}

/// Where the frames are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// All that the kernel manages.
    pub total: u64,
    /// Free ones, in stocks or not.
    pub free: u64,
    /// Free ones in stocks.
    pub cached: u64,
    /// Pages of areas.
    pub user: u64,
    /// Page tables.
    pub tables: u64,
    /// The kernel's heap.
    pub heap: u64,
    /// Kernel stacks.
    pub stacks: u64,
    /// The rest.
    pub other: u64,
}

/// Counts. While other processors allocate, the numbers may be of slightly different moments.
pub fn statistics() -> Statistics {
    let mut used = [0i64; PURPOSES];
    let mut cached = 0;
    for area in percpu::all() {
        let stock = area.frames.0.lock();
        cached += stock.magazine.len() as u64;
        for (sum, own) in used.iter_mut().zip(stock.used) {
            *sum += own;
        }
    }
    let count = |purpose: Purpose| used.get(purpose as usize).map_or(0, |sum| (*sum).max(0)) as u64;
    let (shared_free, total) = {
        let shared: &FrameAllocator<'_> = &frames();
        (shared.free_frames() as u64, shared.total_frames() as u64)
    };
    let free = shared_free + cached;
    let mut statistics = Statistics {
        total,
        free,
        cached,
        user: count(Purpose::User),
        tables: count(Purpose::Table),
        heap: count(Purpose::Heap),
        stacks: count(Purpose::Stack),
        other: 0,
    };
    let known = free + statistics.user + statistics.tables + statistics.heap + statistics.stacks;
    statistics.other = total.saturating_sub(known);
    statistics
}
