//! What needs no second processor.
#![cfg(not(loom))]

use ksync::{
    CheckIn, Gate, IrqControl, IrqGuard, IrqLock, Level, MAX_CPUS, PerCpuFlags, Shared, SpinLock,
    Tally, Waited,
};
use proptest::prelude::*;
use std::cell::{Cell, RefCell};

thread_local! {
    static ENABLED: Cell<bool> = const { Cell::new(true) };
    static EVENTS: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

struct Cpu3;

impl IrqControl for Cpu3 {
    type State = bool;

    fn disable() -> bool {
        EVENTS.with_borrow_mut(|events| events.push("disable"));
        ENABLED.replace(false)
    }

    fn restore(state: bool) {
        EVENTS.with_borrow_mut(|events| events.push("restore"));
        ENABLED.set(state);
    }

    fn cpu() -> Option<u32> {
        Some(3)
    }
}

#[test]
fn guards_nest_and_restore_what_was() {
    let outer = IrqGuard::<Cpu3>::new();
    let lock = IrqLock::<_, Cpu3>::new(1);
    let other = IrqLock::<_, Cpu3>::new(2);
    {
        let a = lock.lock();
        let b = other.lock();
        assert_eq!(*a + *b, 3);
        let c = IrqLock::<_, Cpu3>::new(3);
        assert_eq!(*c.lock_within(outer.off()), 3);
    }
    assert!(!ENABLED.get(), "the inner guards switched interrupts on");
    drop(outer);
    assert!(ENABLED.get());
}

#[test]
fn a_failed_try_leaves_interrupts_as_they_were() {
    let lock = IrqLock::<_, Cpu3>::new(());
    let guard = lock.lock();
    assert!(lock.try_lock().is_none());
    assert!(!ENABLED.get());
    drop(guard);
    assert!(lock.try_lock().is_some());
    assert!(ENABLED.get());
}

/// Notes when it is dropped, which is while its lock is still held.
struct Noting;

impl Drop for Noting {
    fn drop(&mut self) {
        EVENTS.with_borrow_mut(|events| events.push("data"));
    }
}

#[test]
fn interrupts_come_back_last() {
    let lock = IrqLock::<_, Cpu3>::new(None);
    EVENTS.with_borrow_mut(Vec::clear);
    {
        let mut guard = lock.lock();
        *guard = Some(Noting);
        *guard = None;
    }
    assert_eq!(
        EVENTS.with_borrow(Clone::clone),
        ["disable", "data", "restore"]
    );
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "processor 3 waits for a lock that it holds")]
fn taking_a_lock_twice_is_reported() {
    let lock = IrqLock::<_, Cpu3>::new(());
    let _held = lock.lock();
    let _again = lock.lock();
}

/// A processor whose number is set, and whose locks are counted.
struct Numbered;

static TALLY: Tally = Tally::new();

thread_local! {
    static NUMBER: Cell<u32> = const { Cell::new(0) };
}

impl IrqControl for Numbered {
    type State = ();

    fn disable() {}

    fn restore((): ()) {}

    fn cpu() -> Option<u32> {
        Some(NUMBER.get())
    }

    const CHECKS_ORDER: bool = true;

    fn tally() -> Option<&'static Tally> {
        Some(&TALLY)
    }
}

struct Seventh;

impl Level for Seventh {
    const RANK: Option<u8> = Some(7);
    const NAME: &'static str = "seventh";
}

proptest! {
    /// A lock is counted each time that it comes from another processor, and nothing else is.
    #[test]
    fn what_processors_share_is_counted(holders in proptest::collection::vec((0usize..2, 0u32..3), 0..50)) {
        let locks = [const { IrqLock::<u32, Numbered, Seventh>::new(0) }; 2];
        let mut last = [None; 2];
        let mut passed = 0;
        for (lock, cpu) in holders {
            NUMBER.set(cpu);
            *locks[lock].lock() += 1;
            passed += u64::from(last[lock].is_some_and(|last| last != cpu));
            last[lock] = Some(cpu);
        }
        prop_assert_eq!(TALLY.take(7), Shared { passed, waited: 0 });
        prop_assert_eq!(TALLY.take(7), Shared::default());
        prop_assert_eq!(TALLY.take(6), Shared::default());
        prop_assert_eq!(TALLY.take(255), Shared::default());
    }
}

#[test]
fn a_lock_in_a_static_needs_no_set_up() {
    static LOCK: SpinLock<u32> = SpinLock::new(5);
    let held = LOCK.lock();
    assert!(LOCK.try_lock().is_none());
    assert_eq!(format!("{LOCK:?}"), "SpinLock(<locked>)");
    drop(held);
    assert_eq!(format!("{LOCK:?}"), "SpinLock(5)");
}

#[test]
fn waiting_ends_at_the_deadline() {
    let check_in = CheckIn::new();
    let mut turns = 0;
    let expired = || {
        turns += 1;
        turns == 10
    };
    assert_eq!(check_in.wait(1, expired), Waited::TimedOut);
    assert_eq!(turns, 10);
    // A report that comes with the deadline still counts.
    assert_eq!(check_in.wait(1, || check_in.check_in(0)), Waited::Done);
    assert!(!Gate::new().is_open());
}

#[test]
fn flags_cover_all_processors_and_no_more() {
    let flags = PerCpuFlags::new();
    let last = MAX_CPUS as u32 - 1;
    for cpu in [0, 63, 64, 500, last] {
        assert!(flags.set(cpu));
    }
    assert!(!flags.set(last + 1) && !flags.get(last + 1) && !flags.set(u32::MAX));
    assert_eq!(flags.iter().collect::<Vec<_>>(), [0, 63, 64, 500, last]);
    assert_eq!(flags.count(), 5);
}
