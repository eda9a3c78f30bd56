//! Caches and allocator together: nothing is lost, nothing is given out twice, all can be reached.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use kaddr::{Frame, PAGE_SIZE, PhysAddr, PhysRange};
use kmem::frame::pool::{self, Pool};
use kmem::frame::{CAPACITY, Cache, FrameAllocator, FreeError, Purpose, limit_for};
use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::{MIB, frame, range, storage};

/// Where the managed memory of these tests begins.
const BASE: u64 = 16 * MIB;

fn allocator(frames: u64) -> FrameAllocator<'static> {
    let usable = [range(BASE, BASE + frames * PAGE_SIZE)];
    let storage = Box::leak(storage(&usable).into_boxed_slice());
    FrameAllocator::new(storage, usable.into_iter()).expect("memory")
}

/// Processors of one thread, which says which of them it plays.
struct Played {
    caches: Vec<RefCell<Cache>>,
    shared: RefCell<FrameAllocator<'static>>,
    cpu: Cell<usize>,
    /// How often the shared allocator was visited.
    visits: Cell<usize>,
}

impl Played {
    fn new(cpus: usize, frames: u64) -> Self {
        Self {
            caches: (0..cpus).map(|_| RefCell::new(Cache::new())).collect(),
            shared: RefCell::new(allocator(frames)),
            cpu: Cell::new(0),
            visits: Cell::new(0),
        }
    }

    /// No cache may be asked for while another, or the shared allocator, is held.
    fn check_lock_order(&self) {
        let free = |cache: &RefCell<Cache>| cache.try_borrow_mut().is_ok();
        assert!(self.caches.iter().all(free) && self.shared.try_borrow_mut().is_ok());
    }
}

impl Pool for Played {
    fn caches(&self) -> usize {
        self.caches.len()
    }

    fn own<R>(&self, act: impl FnOnce(&mut Cache) -> R) -> R {
        self.check_lock_order();
        act(&mut self.caches[self.cpu.get()].borrow_mut())
    }

    fn cache<R>(&self, index: usize, act: impl FnOnce(&mut Cache) -> R) -> Option<R> {
        self.check_lock_order();
        Some(act(&mut self.caches.get(index)?.borrow_mut()))
    }

    fn refused(&self, error: FreeError) {
        panic!("{error}");
    }

    fn shared<R>(&self, act: impl FnOnce(&mut FrameAllocator<'_>) -> R) -> R {
        self.visits.set(self.visits.get() + 1);
        act(&mut self.shared.borrow_mut())
    }
}

#[derive(Clone, Debug)]
enum Op {
    Allocate(usize, usize),
    Free(usize, usize),
    AllocateMany(usize, usize),
    FreeMany(usize, usize),
    Large(usize, usize),
    Contiguous(usize, usize, usize),
    Drain,
    Limits(usize),
}

fn op() -> impl Strategy<Value = (usize, Op)> {
    let op = prop_oneof![
        8 => (0_usize..6, 1_usize..90).prop_map(|(purpose, count)| Op::Allocate(purpose, count)),
        8 => (any::<usize>(), 1_usize..90).prop_map(|(seed, count)| Op::Free(seed, count)),
        4 => (0_usize..6, 0_usize..200)
            .prop_map(|(purpose, count)| Op::AllocateMany(purpose, count)),
        4 => (any::<usize>(), 0_usize..200).prop_map(|(first, count)| Op::FreeMany(first, count)),
        1 => (0_usize..6, 0_usize..2).prop_map(|(purpose, count)| Op::Large(purpose, count)),
        1 => (0_usize..6, 1_usize..40, 0_usize..6)
            .prop_map(|(purpose, count, align)| Op::Contiguous(purpose, count, 1 << align)),
        1 => any::<()>().prop_map(|()| Op::Drain),
        1 => (1_usize..64).prop_map(Op::Limits),
    ];
    (0_usize..4, op)
}

proptest! {
    #![proptest_config(proptest::test_runner::Config {
        cases: 256,
        failure_persistence: None,
        ..Default::default()
    })]

    /// Any program of four processors: each frame has one owner, the sums are exact after every step,
    /// and memory is out only when every frame is owned.
    #[test]
    fn caches_lose_nothing_and_give_nothing_twice(
        frames in prop_oneof![1_u64..40, 200_u64..1600],
        limits in 1_usize..8,
        ops in prop::collection::vec(op(), 1..60),
    ) {
        let pool = Played::new(4, frames);
        prop_assert_eq!(pool::set_limits(&pool, limits), Ok(()));
        let mut owned: BTreeMap<u64, Purpose> = BTreeMap::new();
        for (cpu, op) in ops {
            pool.cpu.set(cpu);
            match op {
                Op::Allocate(purpose, count) => for _ in 0..count {
                    let purpose = Purpose::ALL[purpose];
                    match pool::allocate(&pool, purpose, 0) {
                        Some(got) => {
                            prop_assert!(!pool::is_free(&pool, got));
                            prop_assert_eq!(owned.insert(got.number(), purpose), None);
                        }
                        None => prop_assert_eq!(owned.len() as u64, frames),
                    }
                },
                Op::Free(seed, count) => for step in 0..count {
                    let Some(at) = (seed.wrapping_mul(step + 1)).checked_rem(owned.len()) else {
                        break;
                    };
                    let (&number, &purpose) = owned.iter().nth(at).expect("counted");
                    owned.remove(&number);
                    prop_assert_eq!(pool::free(&pool, frame(number), purpose), Ok(()));
                    prop_assert!(pool::is_free(&pool, frame(number)));
                },
                Op::AllocateMany(purpose, count) => {
                    let purpose = Purpose::ALL[purpose];
                    let mut places = vec![None; count];
                    let got = pool::allocate_many(&pool, purpose, 0, &mut places);
                    prop_assert_eq!(places.iter().take_while(|place| place.is_some()).count(), got);
                    for got in places.into_iter().flatten() {
                        prop_assert!(!pool::is_free(&pool, got));
                        prop_assert_eq!(owned.insert(got.number(), purpose), None);
                    }
                    prop_assert!(got == count || owned.len() as u64 == frames);
                }
                Op::FreeMany(first, count) => {
                    let Some(&purpose) = owned.values().nth(first.checked_rem(owned.len()).unwrap_or(0)) else {
                        continue;
                    };
                    let mut places: Vec<_> = owned
                        .iter()
                        .filter(|(_, owner)| **owner == purpose)
                        .map(|(number, _)| Some(frame(*number)))
                        .take(count)
                        .collect();
                    places.insert(places.len() / 2, None);
                    prop_assert_eq!(pool::free_many(&pool, &places, purpose), Ok(()));
                    for freed in places.into_iter().flatten() {
                        prop_assert!(pool::is_free(&pool, freed));
                        owned.remove(&freed.number());
                    }
                }
                Op::Large(purpose, count) => for _ in 0..count {
                    let purpose = Purpose::ALL[purpose];
                    if let Some(got) = pool::allocate_large(&pool, purpose) {
                        prop_assert_eq!(got.number() % 512, 0);
                        for number in got.number()..got.number() + 512 {
                            prop_assert_eq!(owned.insert(number, purpose), None);
                        }
                    }
                },
                Op::Contiguous(purpose, count, align) => {
                    let purpose = Purpose::ALL[purpose];
                    let got = pool::allocate_contiguous(&pool, count, align, None, purpose);
                    for frame in got.into_iter().flat_map(|range| range.frames()) {
                        prop_assert_eq!(owned.insert(frame.number(), purpose), None);
                    }
                }
                Op::Drain => prop_assert_eq!(pool::drain(&pool), Ok(())),
                Op::Limits(cpus) => prop_assert_eq!(pool::set_limits(&pool, cpus), Ok(())),
            }
            let statistics = pool::statistics(&pool);
            prop_assert_eq!(statistics.total, frames);
            prop_assert_eq!(statistics.free, frames - owned.len() as u64);
            prop_assert_eq!(statistics.free + statistics.used(), statistics.total);
            for purpose in Purpose::ALL {
                let count = owned.values().filter(|owner| **owner == purpose).count();
                prop_assert_eq!(statistics.used_for(purpose), count as u64);
            }
            let parked: usize = pool.caches.iter().map(|cache| cache.borrow().len()).sum();
            prop_assert_eq!(statistics.cached, parked as u64);
        }
        // Everything that is not owned can be had from any one processor.
        let rest: BTreeSet<u64> = std::iter::from_fn(|| pool::allocate(&pool, Purpose::User, 0))
            .map(Frame::number)
            .collect();
        prop_assert_eq!((rest.len() + owned.len()) as u64, frames);
        for number in rest {
            prop_assert_eq!(owned.insert(number, Purpose::User), None);
        }
    }

    /// However requests alternate, half of the limit lies between two visits to what is shared.
    #[test]
    fn the_shared_allocator_is_left_alone(ops in prop::collection::vec(any::<bool>(), 1..2000)) {
        let pool = Played::new(1, 64 * 1024);
        prop_assert_eq!(pool::set_limits(&pool, 1), Ok(()));
        let mut held: Vec<Frame> =
            (0..CAPACITY * 4).filter_map(|_| pool::allocate(&pool, Purpose::User, 0)).collect();
        pool.visits.set(0);
        for &take in &ops {
            match if take { None } else { held.pop() } {
                Some(frame) => prop_assert_eq!(pool::free(&pool, frame, Purpose::User), Ok(())),
                None => held.extend(pool::allocate(&pool, Purpose::User, 0)),
            }
        }
        prop_assert!(pool.visits.get() <= 1 + ops.len() / (CAPACITY / 2));
    }
}

#[test]
fn caches_hold_a_64th_of_memory_at_most() {
    for total in [0, 1, 300, 16 * 1024, 65536, 1 << 30] {
        for cpus in [0, 1, 2, 4, 255, 1024] {
            let limit = limit_for(total, cpus);
            assert!(
                limit * cpus <= total / 64,
                "{total} frames, {cpus} CPUs: {limit}"
            );
            assert!(limit <= CAPACITY && limit.is_multiple_of(2));
        }
    }
    assert_eq!(limit_for(16 * 1024, 4), 64);
    assert_eq!(limit_for(1 << 20, 4), CAPACITY);
}

/// Frames that one processor parked are found by another when all else is used.
#[test]
fn what_others_parked_is_reached_before_memory_is_out() {
    let pool = Played::new(3, 4096);
    pool::set_limits(&pool, 1).expect("nothing is cached");
    pool.cpu.set(2);
    let held: Vec<Frame> = std::iter::from_fn(|| pool::allocate(&pool, Purpose::User, 0)).collect();
    assert_eq!(held.len(), 4096);
    for &frame in &held[..10] {
        pool::free(&pool, frame, Purpose::User).expect("it was ours");
    }
    pool.cpu.set(0);
    let again: BTreeSet<Frame> =
        std::iter::from_fn(|| pool::allocate(&pool, Purpose::User, 0)).collect();
    assert_eq!(again, held[..10].iter().copied().collect());
}

/// Who may be refused leaves a reserve, whoever has parked it; who may not gets it.
#[test]
fn a_reserve_is_kept() {
    let pool = Played::new(3, 4096);
    pool::set_limits(&pool, 1).expect("nothing is cached");
    let mut held = Vec::new();
    for cpu in [2, 0] {
        pool.cpu.set(cpu);
        held.extend(std::iter::from_fn(|| {
            pool::allocate(&pool, Purpose::User, 100)
        }));
    }
    assert_eq!(pool::statistics(&pool).free, 100);
    pool.cpu.set(1);
    for frame in held.drain(..50) {
        pool::free(&pool, frame, Purpose::User).expect("it was ours");
    }
    pool.cpu.set(2);
    held.extend(std::iter::from_fn(|| {
        pool::allocate(&pool, Purpose::User, 100)
    }));
    assert_eq!(pool::statistics(&pool).free, 100);
    let last = std::iter::from_fn(|| pool::allocate(&pool, Purpose::Table, 0)).count();
    assert_eq!(last, 100);
}

/// A run for a device is found although one of its frames is parked.
#[test]
fn a_run_is_completed_from_the_caches() {
    let pool = Played::new(2, 1024);
    pool::set_limits(&pool, 1).expect("nothing is cached");
    let one = pool::allocate(&pool, Purpose::User, 0).expect("a frame");
    pool::free(&pool, one, Purpose::User).expect("it was ours");
    pool.cpu.set(1);
    let all = pool::allocate_contiguous(&pool, 1024, 1, None, Purpose::Device).expect("a run");
    assert_eq!(pool::statistics(&pool).used_for(Purpose::Device), 1024);
    pool::free_range(&pool, all, Purpose::Device).expect("it was ours");
    assert_eq!(pool::statistics(&pool).used(), 0);
}

/// In builds without checks a frame that comes back twice is found when the cache gives it back,
/// and the counts stay right.
#[test]
fn a_double_free_is_refused_at_last() {
    let pool = Played::new(1, 4096);
    pool::set_limits(&pool, 1).expect("nothing is cached");
    let frame = pool::allocate(&pool, Purpose::User, 0).expect("a frame");
    pool::free(&pool, frame, Purpose::User).expect("it was ours");
    assert!(pool::is_free(&pool, frame));
    pool::free(&pool, frame, Purpose::User).expect("nobody looks");
    assert_eq!(pool::drain(&pool), Err(FreeError::DoubleFree(frame)));
    let statistics = pool::statistics(&pool);
    assert_eq!(
        (statistics.free, statistics.cached, statistics.used()),
        (4096, 0, 0)
    );
    let foreign = Frame::from_number(1).expect("a frame number");
    pool::set_limits(&pool, 4096).expect("nothing is cached");
    assert_eq!(
        pool::free(&pool, foreign, Purpose::User),
        Err(FreeError::Foreign(foreign))
    );
    assert_eq!(pool::statistics(&pool).used(), 0);
}

/// Of frames that come back together, those that are refused are told, and all others are free, as they would be one by one.
#[test]
fn many_given_back_at_once_are_as_one_by_one() {
    // In two blocks.
    let usable = [range(1020 * MIB, 1030 * MIB)];
    let storage = Box::leak(storage(&usable).into_boxed_slice());
    let mut shared = FrameAllocator::new(storage, usable.into_iter()).expect("memory");
    let total = shared.free_frames();
    let mut places = vec![None; total];
    assert_eq!(shared.allocate_many(&mut places), total);
    let foreign = frame(5);
    let twice = places[0].expect("a frame");
    let (even, odd): (Vec<_>, Vec<_>) = places
        .into_iter()
        .flatten()
        .partition(|frame| frame.number() % 2 == 0);
    let mut refused = Vec::new();
    let back = odd.into_iter().chain([foreign]).chain(even).chain([twice]);
    shared.free_many(back, |error| refused.push(error));
    assert_eq!(
        refused,
        [FreeError::Foreign(foreign), FreeError::DoubleFree(twice)]
    );
    assert_eq!(shared.free_frames(), total);
    // The groups are whole again, too.
    assert_eq!(
        std::iter::from_fn(|| shared.allocate_large()).count(),
        total / 512
    );
}

#[test]
fn many_at_once_are_those_that_come_one_by_one() {
    let mut shared = allocator(3000);
    let mut places = [None; 700];
    assert_eq!(shared.allocate_many(&mut places), 700);
    assert!(places.iter().flatten().rev().is_sorted());
    assert_eq!(shared.free_frames(), 2300);
    let top = (BASE / PAGE_SIZE) + 3000;
    assert_eq!(places[0].map(Frame::number), Some(top - 1));
    assert_eq!(places[699].map(Frame::number), Some(top - 700));
    assert_eq!(shared.allocate().map(Frame::number), Some(top - 701));
    let mut more = vec![None; 5000];
    assert_eq!(shared.allocate_many(&mut more), 2299);
    assert_eq!(shared.allocate_many(&mut more), 0);
}

/// Processors that really run at once.
struct Threads {
    caches: Vec<Mutex<Cache>>,
    shared: Mutex<FrameAllocator<'static>>,
}

struct Processor {
    all: Arc<Threads>,
    index: usize,
}

impl Pool for Processor {
    fn caches(&self) -> usize {
        self.all.caches.len()
    }

    fn own<R>(&self, act: impl FnOnce(&mut Cache) -> R) -> R {
        act(&mut self.all.caches[self.index].lock().expect("no panic"))
    }

    fn cache<R>(&self, index: usize, act: impl FnOnce(&mut Cache) -> R) -> Option<R> {
        Some(act(&mut self
            .all
            .caches
            .get(index)?
            .lock()
            .expect("no panic")))
    }

    fn refused(&self, error: FreeError) {
        panic!("{error}");
    }

    fn shared<R>(&self, act: impl FnOnce(&mut FrameAllocator<'_>) -> R) -> R {
        act(&mut self.all.shared.lock().expect("no panic"))
    }
}

/// Four threads take, hand over to each other and give back, with so little memory that they always
/// take from each other's caches. A flag per frame shows a frame with two owners.
#[test]
fn four_processors_at_once() {
    const FRAMES: usize = 1500;
    let all = Arc::new(Threads {
        caches: (0..4).map(|_| Mutex::new(Cache::new())).collect(),
        shared: Mutex::new(allocator(FRAMES as u64)),
    });
    let owned: Arc<Vec<AtomicBool>> =
        Arc::new((0..FRAMES).map(|_| AtomicBool::new(false)).collect());
    let hand_over: Arc<Mutex<Vec<Frame>>> = Arc::default();
    let boss = Processor {
        all: all.clone(),
        index: 0,
    };
    pool::set_limits(&boss, 1).expect("nothing is cached");
    let threads: Vec<_> = (0..4)
        .map(|index| {
            let cpu = Processor {
                all: all.clone(),
                index,
            };
            let (owned, hand_over) = (owned.clone(), hand_over.clone());
            std::thread::spawn(move || {
                let flag = |frame: Frame| &owned[(frame.number() - BASE / PAGE_SIZE) as usize];
                let mut held: Vec<Frame> = Vec::new();
                for (round, random) in super::scrambled().skip(index * 7).take(4000).enumerate() {
                    for _ in 0..random % 60 {
                        let Some(frame) = pool::allocate(&cpu, Purpose::User, 0) else {
                            break;
                        };
                        assert!(!flag(frame).swap(true, Ordering::AcqRel), "two owners");
                        held.push(frame);
                    }
                    if round % 3 == 0 {
                        let mut basket = hand_over.lock().expect("no panic");
                        std::mem::swap(&mut *basket, &mut held);
                    }
                    for _ in 0..(random >> 8) % 64 {
                        let Some(place) = ((random >> 16) as usize).checked_rem(held.len()) else {
                            break;
                        };
                        let frame = held.swap_remove(place);
                        assert!(flag(frame).swap(false, Ordering::AcqRel), "no owner");
                        pool::free(&cpu, frame, Purpose::User).expect("it was ours");
                    }
                    if random % 50 == 0 {
                        pool::drain(&cpu).expect("all are ours");
                    }
                    let statistics = pool::statistics(&cpu);
                    assert_eq!(statistics.free + statistics.used(), statistics.total);
                }
                for frame in held {
                    assert!(flag(frame).swap(false, Ordering::AcqRel), "no owner");
                    pool::free(&cpu, frame, Purpose::User).expect("it was ours");
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no thread panicked");
    }
    for frame in hand_over.lock().expect("no panic").drain(..) {
        pool::free(&boss, frame, Purpose::User).expect("it was ours");
    }
    let statistics = pool::statistics(&boss);
    assert_eq!((statistics.free, statistics.used()), (FRAMES as u64, 0));
    pool::drain(&boss).expect("all are ours");
    let all_of_it = PhysRange::from_len(PhysAddr::new(BASE), FRAMES as u64 * PAGE_SIZE);
    assert_eq!(
        pool::allocate_contiguous(&boss, FRAMES, 1, None, Purpose::Other),
        all_of_it
    );
}
