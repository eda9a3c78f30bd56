//! The hand-shakes and locks under all interleavings.
//!
//! `ktestkit::models` says how these run.

use ksync::atomic::{AtomicU32, Ordering};
use ksync::{
    Barrier, CheckIn, Claim, Gate, IrqControl, IrqGuard, IrqLock, PanicClaim, PerCpuFlags,
    Residency, SpinLock, Waited,
};
use ktestkit::models::{Arc, model, thread};

#[test]
fn loom_a_check_in_publishes_what_was_written_before() {
    model(|| {
        let shared = Arc::new((CheckIn::new(), AtomicU32::new(0)));
        let ap = Arc::clone(&shared);
        let ap = thread::spawn(move || {
            ap.1.store(7, Ordering::Relaxed);
            assert!(ap.0.check_in(1));
            assert!(!ap.0.check_in(1), "a second report counted");
        });
        assert_eq!(shared.0.wait(1, || false), Waited::Done);
        assert_eq!(shared.1.load(Ordering::Relaxed), 7);
        assert!(shared.0.has(1) && shared.0.count() == 1);
        assert_eq!(shared.0.missing(3).collect::<Vec<_>>(), [0, 2]);
        ap.join().unwrap();
    });
}

#[test]
fn loom_nobody_passes_a_closed_gate() {
    model(|| {
        let shared = Arc::new((Gate::new(), CheckIn::new(), AtomicU32::new(0)));
        let ap = Arc::clone(&shared);
        let ap = thread::spawn(move || {
            ap.1.check_in(1);
            ap.0.pass();
            assert_eq!(ap.2.load(Ordering::Relaxed), 9);
        });
        assert_eq!(shared.1.wait_for(1, || false), Waited::Done);
        shared.2.store(9, Ordering::Relaxed);
        shared.0.open();
        ap.join().unwrap();
    });
}

#[test]
fn loom_two_check_ins_are_both_counted() {
    model(|| {
        let shared = Arc::new(CheckIn::new());
        let aps: Vec<_> = [1, 2]
            .into_iter()
            .map(|cpu| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || shared.check_in(cpu))
            })
            .collect();
        assert_eq!(shared.wait(2, || false), Waited::Done);
        assert!(shared.has(1) && shared.has(2));
        for ap in aps {
            assert!(ap.join().unwrap());
        }
    });
}

#[test]
fn loom_a_barrier_lets_all_pass_together_twice() {
    model(|| {
        let shared = Arc::new((Barrier::new(2), AtomicU32::new(0)));
        let other = Arc::clone(&shared);
        let rounds = |shared: &(Barrier, AtomicU32)| {
            shared.1.fetch_add(1, Ordering::Relaxed);
            let mut last = u32::from(shared.0.wait());
            assert!(
                shared.1.load(Ordering::Relaxed) >= 2,
                "passed before the other came"
            );
            last += u32::from(shared.0.wait());
            last
        };
        let other = thread::spawn(move || rounds(&other));
        let mine = rounds(&shared);
        assert_eq!(mine + other.join().unwrap(), 2, "each round has one last");
    });
}

#[test]
fn loom_one_processor_wins_the_panic() {
    model(|| {
        let shared = Arc::new(PanicClaim::new());
        let other = Arc::clone(&shared);
        let other = thread::spawn(move || other.claim(5));
        let mine = shared.claim(0);
        let theirs = other.join().unwrap();
        match (mine, theirs) {
            (Claim::First, Claim::Lost { owner: 0 }) => assert_eq!(shared.owner(), Some(0)),
            (Claim::Lost { owner: 5 }, Claim::First) => assert_eq!(shared.owner(), Some(5)),
            both => panic!("{both:?}"),
        }
        let winner = shared.owner().unwrap();
        assert_eq!(shared.claim(winner), Claim::Recursive { depth: 1 });
        assert_eq!(shared.claim(winner), Claim::Recursive { depth: 2 });
        assert_eq!(shared.claim(9), Claim::Lost { owner: winner });
    });
}

#[test]
fn loom_flags_of_two_processors_do_not_disturb_each_other() {
    model(|| {
        let shared = Arc::new(PerCpuFlags::new());
        let other = Arc::clone(&shared);
        let other = thread::spawn(move || other.set(3) && other.clear(3));
        assert!(shared.set(4) && !shared.set(4));
        assert!(other.join().unwrap());
        assert_eq!(shared.iter().collect::<Vec<_>>(), [4]);
        assert_eq!(shared.count(), 1);
    });
}

#[test]
fn loom_a_user_is_told_of_a_change_or_finds_it() {
    model(|| {
        // What is kept, and the thing itself.
        let shared = Arc::new((Residency::new(), AtomicU32::new(0)));
        let user = Arc::clone(&shared);
        let user = thread::spawn(move || {
            user.0.enter(3);
            let generation = user.0.generation();
            (generation, user.1.load(Ordering::Relaxed))
        });
        shared.1.store(1, Ordering::Relaxed);
        let change = shared.0.advance();
        let is_told = shared.0.users().get(3);
        let (generation, seen) = user.join().unwrap();
        assert_eq!(change, 1);
        assert!(
            generation == 0 || seen == 1,
            "the change is counted, but not seen"
        );
        assert!(
            is_told || (generation == 1 && seen == 1),
            "neither told nor seen"
        );
        shared.0.leave(3);
        assert!(!shared.0.users().get(3));
    });
}

#[test]
fn loom_two_changes_get_two_numbers() {
    model(|| {
        let shared = Arc::new((Residency::new(), [AtomicU32::new(0), AtomicU32::new(0)]));
        let other = Arc::clone(&shared);
        let other = thread::spawn(move || {
            other.1[1].store(1, Ordering::Relaxed);
            other.0.advance()
        });
        shared.1[0].store(1, Ordering::Relaxed);
        let mine = shared.0.advance();
        // The number of a change says that all changes with smaller numbers are there.
        if mine == 2 {
            assert_eq!(shared.1[1].load(Ordering::Relaxed), 1);
        }
        assert_eq!(mine + other.join().unwrap(), 3);
        assert_eq!(shared.0.generation(), 2);
    });
}

#[test]
fn loom_a_spin_lock_excludes() {
    model(|| {
        let shared = Arc::new(SpinLock::new(0));
        let other = Arc::clone(&shared);
        let other = thread::spawn(move || *other.lock() += 1);
        *shared.lock() += 1;
        if let Some(mut value) = shared.try_lock() {
            *value += 1;
        }
        other.join().unwrap();
        assert!((2..=3).contains(&*shared.lock()));
    });
}

// Stands for the interrupt flag of a processor, which a thread of a model is.
#[cfg(loom)]
loom::thread_local! {
    static ENABLED: std::cell::Cell<bool> = std::cell::Cell::new(true);
}
#[cfg(not(loom))]
std::thread_local! {
    static ENABLED: std::cell::Cell<bool> = const { std::cell::Cell::new(true) };
}

fn set_enabled(state: bool) -> bool {
    ENABLED.with(|enabled| enabled.replace(state))
}

struct FakeIrq;

impl IrqControl for FakeIrq {
    type State = bool;

    fn disable() -> bool {
        set_enabled(false)
    }

    fn restore(state: bool) {
        set_enabled(state);
    }

    fn cpu() -> Option<u32> {
        None
    }
}

#[test]
fn loom_an_irq_lock_excludes_and_restores_interrupts() {
    model(|| {
        let shared = Arc::new(IrqLock::<_, FakeIrq>::new(0));
        let within = |lock: &IrqLock<u32, FakeIrq>| {
            set_enabled(true);
            let irq = IrqGuard::new();
            *lock.lock_within(irq.off()) += 1;
            assert!(
                !ENABLED.with(|enabled| enabled.get()),
                "freeing the lock switched interrupts on"
            );
            drop(irq);
            assert!(ENABLED.with(|enabled| enabled.get()));
        };
        let work = |lock: &IrqLock<u32, FakeIrq>| {
            set_enabled(true);
            let mut guard = lock.lock();
            assert!(
                !ENABLED.with(|enabled| enabled.get()),
                "interrupts are on while the lock is held"
            );
            *guard += 1;
            drop(guard);
            assert!(ENABLED.with(|enabled| enabled.get()));
        };
        let other = Arc::clone(&shared);
        let other = thread::spawn(move || within(&other));
        work(&shared);
        other.join().unwrap();
        assert_eq!(*shared.lock(), 2);
    });
}
