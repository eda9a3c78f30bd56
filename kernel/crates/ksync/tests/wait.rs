//! Waking and answering under all interleavings; see `ktestkit::models` on how these run.

use core::num::NonZeroU64;
use ksync::atomic::{AtomicBool, AtomicU32, Ordering};
use ksync::{Answer, Call, Given, SpinLock, Wake};
use ktestkit::models::{Arc, model, thread};

/// A thread that waits for a flag as the kernel's do, and who wakes it: the flag is set before the wake-up. `is_run` stands for the run
/// queue: the one who is told to see to it that the thread runs sets it.
#[test]
fn loom_no_wake_up_is_lost() {
    model(|| {
        let shared = Arc::new((Wake::new(), AtomicBool::new(false), AtomicBool::new(false)));
        let waker = Arc::clone(&shared);
        let waker = thread::spawn(move || {
            let (wake, flag, is_run) = &*waker;
            flag.store(true, Ordering::Release);
            if wake.wake() {
                is_run.store(true, Ordering::Release);
            }
        });
        let (wake, flag, is_run) = &*shared;
        let mut rounds = 0;
        while !flag.load(Ordering::Acquire) {
            rounds += 1;
            assert!(rounds < 3, "woken in vain again and again");
            if wake.consume() {
                continue;
            }
            if wake.settle() {
                // Blocked: only the waker gets it going again.
                waker.join().unwrap();
                assert!(is_run.load(Ordering::Acquire), "nobody runs the thread");
                return assert!(flag.load(Ordering::Acquire));
            }
        }
        waker.join().unwrap();
        assert!(!is_run.load(Ordering::Acquire), "it ran already");
    });
}

/// A list in which one thread waits, as events have: the lock guards whether it is in there. `touched` stands for what of the thread
/// the one who gives touches: after the thread has gone on, nobody does.
struct List {
    is_in: SpinLock<bool>,
    wake: Wake,
    given: Given,
    is_run: AtomicBool,
    has_gone_on: AtomicBool,
}

impl List {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            is_in: SpinLock::new(true),
            wake: Wake::new(),
            given: Given::new(),
            is_run: AtomicBool::new(false),
            has_gone_on: AtomicBool::new(false),
        })
    }

    /// Gives something to the thread if it waits; whether it did.
    fn give(&self, what: u64) -> bool {
        let mut is_in = self.is_in.lock();
        let was_in = core::mem::take(&mut *is_in);
        if was_in {
            assert!(!self.has_gone_on.load(Ordering::Relaxed), "it has ended");
            let what = NonZeroU64::new(what).unwrap();
            if self.given.give(&self.wake, what) {
                self.is_run.store(true, Ordering::Release);
            }
        }
        was_in
    }

    /// Waits, as `Event::wait` does; what it was given, or nothing if it gave up when it was woken without that. `blocked` is what happens
    /// when the thread really blocks.
    fn wait(&self, gives_up: bool, mut blocked: impl FnMut()) -> Option<u64> {
        for _ in 0..4 {
            if !self.wake.consume() && self.wake.settle() {
                blocked();
            }
            if let Some(given) = self.given.get() {
                self.has_gone_on.store(true, Ordering::Relaxed);
                return Some(given.get());
            }
            let mut is_in = self.is_in.lock();
            if let Some(given) = self.given.get() {
                self.has_gone_on.store(true, Ordering::Relaxed);
                return Some(given.get());
            }
            assert!(*is_in, "it is in no list and was given nothing");
            if gives_up {
                *is_in = false;
                return None;
            }
        }
        panic!("woken in vain again and again");
    }
}

/// What a thread is given it finds, whether it has blocked by then or not, and it is made to run if it has.
#[test]
fn loom_what_is_given_is_found() {
    model(|| {
        let list = List::new();
        let giver = Arc::clone(&list);
        let giver = thread::spawn(move || assert!(giver.give(7)));
        let mut giver = Some(giver);
        let given = list.wait(false, || {
            // Only the one who gives gets it going again.
            giver.take().expect("blocked twice").join().unwrap();
            assert!(
                list.is_run.load(Ordering::Acquire),
                "nobody runs the thread"
            );
        });
        assert_eq!(given, Some(7));
        if let Some(giver) = giver {
            giver.join().unwrap();
            assert!(!list.is_run.load(Ordering::Acquire), "it ran already");
        }
    });
}

/// A thread that somebody else wakes, and that gives up then, has been given something, or is in the list no more and is not given
/// anything.
#[test]
fn loom_who_gives_up_was_given_all_or_nothing() {
    model(|| {
        let list = List::new();
        let giver = Arc::clone(&list);
        let giver = thread::spawn(move || giver.give(7));
        // The other one who wakes was there before.
        assert!(!list.wake.wake());
        let given = list.wait(true, || unreachable!("it was woken"));
        assert_eq!(giver.join().unwrap(), given.is_some());
        assert_eq!(given.unwrap_or(7), 7);
        assert!(!list.is_run.load(Ordering::Acquire), "it runs already");
    });
}

/// Of two who wake a blocked thread, one makes it run.
#[test]
fn loom_one_of_two_makes_it_run() {
    model(|| {
        let shared = Arc::new((Wake::new(), AtomicU32::new(0)));
        assert!(shared.0.settle());
        let other = Arc::clone(&shared);
        let other = thread::spawn(move || {
            if other.0.wake() {
                other.1.fetch_add(1, Ordering::Relaxed);
            }
        });
        if shared.0.wake() {
            shared.1.fetch_add(1, Ordering::Relaxed);
        }
        other.join().unwrap();
        assert_eq!(shared.1.load(Ordering::Relaxed), 1);
    });
}

/// Who looks at a blocked thread is alone with what belongs to it: the thread goes on afterwards, and sees what was written.
#[test]
fn loom_nobody_runs_who_is_looked_at() {
    model(|| {
        let shared = Arc::new((Wake::new(), AtomicU32::new(0), AtomicBool::new(false)));
        assert!(shared.0.settle());
        let other = Arc::clone(&shared);
        let other = thread::spawn(move || {
            let (wake, word, is_looked_at) = &*other;
            assert!(wake.wake(), "one wake-up was lost");
            // It runs now.
            assert!(!is_looked_at.load(Ordering::Relaxed), "it runs meanwhile");
            word.load(Ordering::Relaxed)
        });
        let (wake, word, is_looked_at) = &*shared;
        let looked = wake.while_blocked(|| {
            is_looked_at.store(true, Ordering::Relaxed);
            word.store(7, Ordering::Relaxed);
            assert!(wake.is_blocked());
            is_looked_at.store(false, Ordering::Relaxed);
        });
        let seen = other.join().unwrap();
        match looked {
            Some(()) => assert_eq!(seen, 7, "it does not see what was written"),
            None => assert_eq!(seen, 0),
        }
        assert!(wake.while_blocked(|| ()).is_none(), "it runs");
    });
}

/// Who finds a thread parked finds what it was when it parked, whatever it does besides: it is woken without cause, and blocks in
/// another way. `context` stands for where it goes on, which is its own while it runs.
#[test]
fn loom_who_is_parked_has_no_context() {
    model(|| {
        let shared = Arc::new((Wake::new(), AtomicBool::new(false)));
        assert!(shared.0.settle_parked());
        let other = Arc::clone(&shared);
        let other = thread::spawn(move || {
            let (wake, context) = &*other;
            if wake.wake() {
                // It runs, and blocks with a context.
                context.store(true, Ordering::Relaxed);
                assert!(wake.settle(), "nobody else wakes one that is not parked");
                return true;
            }
            false
        });
        let (wake, context) = &*shared;
        let is_ours = wake.wake_parked();
        if is_ours {
            assert!(!context.load(Ordering::Relaxed), "it has a context");
        }
        assert_eq!(other.join().unwrap(), !is_ours, "one of the two wakes it");
    });
}

/// Who looks at a parked thread leaves it parked.
#[test]
fn loom_who_is_looked_at_stays_parked() {
    model(|| {
        let wake = Arc::new(Wake::new());
        assert!(wake.settle_parked());
        let other = Arc::clone(&wake);
        let other = thread::spawn(move || other.while_blocked(|| ()).is_some());
        let is_first = wake.wake_parked();
        let is_seen = other.join().unwrap();
        assert!(is_first || is_seen, "it was neither woken nor looked at");
        assert!(is_first || wake.wake_parked(), "it is not parked any more");
    });
}

/// A caller that gives up while it is answered: it sees the whole answer, or none was written and none ever will be.
#[test]
fn loom_an_answer_is_whole_or_not_at_all() {
    model(|| {
        let shared = Arc::new((Call::new(), AtomicU32::new(0)));
        let serial = shared.0.begin();
        let server = Arc::clone(&shared);
        let server = thread::spawn(move || {
            let (call, word) = &*server;
            let is_claimed = call.claim(serial);
            if is_claimed {
                word.store(7, Ordering::Relaxed);
                call.finish(serial, Answer::Given);
            }
            is_claimed
        });
        let (call, word) = &*shared;
        let answer = call.ended().or_else(|| call.give_up());
        let seen = word.load(Ordering::Relaxed);
        match answer {
            Some(answer) => assert_eq!((answer, seen), (Answer::Given, 7)),
            None => assert_eq!(seen, 0, "an answer after the caller gave up"),
        }
        // The next call of the same caller is not that server's business.
        let next = call.begin();
        assert!(!call.claim(serial), "an old right answers a new call");
        assert_eq!(server.join().unwrap(), answer.is_some());
        assert!(call.claim(next));
        call.finish(next, Answer::Refused);
        assert_eq!(call.ended(), Some(Answer::Refused));
        assert_eq!(call.ended(), None);
    });
}

/// Two have the same right: one uses it.
#[test]
fn loom_a_right_is_used_once() {
    model(|| {
        let call = Arc::new(Call::new());
        let serial = call.begin();
        let other = Arc::clone(&call);
        let other = thread::spawn(move || other.claim(serial));
        let own = call.claim(serial);
        assert!(own != other.join().unwrap());
        call.finish(serial, Answer::Given);
        assert_eq!(call.give_up(), Some(Answer::Given));
    });
}

/// A right that is claimed, given back, and claimed again: the caller that gives up meanwhile is answered or not at all.
#[test]
fn loom_a_right_that_was_given_back_can_be_used() {
    model(|| {
        let shared = Arc::new((Call::new(), AtomicU32::new(0)));
        let serial = shared.0.begin();
        let server = Arc::clone(&shared);
        let server = thread::spawn(move || {
            let (call, word) = &*server;
            if !call.claim(serial) {
                return false;
            }
            call.release(serial);
            let is_claimed = call.claim(serial);
            if is_claimed {
                word.store(7, Ordering::Relaxed);
                call.finish(serial, Answer::Given);
            }
            is_claimed
        });
        let answer = shared.0.give_up();
        let seen = shared.1.load(Ordering::Relaxed);
        assert_eq!(seen, if answer.is_some() { 7 } else { 0 });
        assert_eq!(server.join().unwrap(), answer.is_some());
    });
}
