//! Priorities that are passed on along a chain of calls, against calls that begin and end meanwhile; see `ktestkit::models` on how these run.
//!
//! The state is the kernel's own ([`ksync::chain`]); the steps between are those of `kernel/src/object/mailbox`, by the same names.

use ksync::SpinLock;
use ksync::atomic::{AtomicBool, Ordering};
use ksync::chain::{Place, Urgency, Walks};
use ktestkit::models::{Arc, model, thread};

const HIGH: u8 = 1;
const LOW: u8 = 6;

/// A mailbox with one server, which waits for a message at first.
struct Mailbox {
    /// Whether the server serves a call, with the lock of the mailbox.
    is_serving: SpinLock<bool>,
    server: Urgency,
    is_freed: AtomicBool,
}

impl Mailbox {
    /// `Mailbox::pass_to_server`.
    fn pass_to_server(&self, level: u8) {
        assert!(!self.is_freed.load(Ordering::Acquire), "used after its end");
        if *self.is_serving.lock() {
            self.server.inherit(level);
        }
    }
}

struct World {
    caller: Urgency,
    place: Place<Mailbox>,
    walks: Walks,
    walk: SpinLock<()>,
    mailbox: Arc<Mailbox>,
}

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            caller: Urgency::new(LOW),
            place: Place::new(),
            walks: Walks::new(),
            walk: SpinLock::new(()),
            mailbox: Arc::new(Mailbox {
                is_serving: SpinLock::new(false),
                server: Urgency::new(LOW),
                is_freed: AtomicBool::new(false),
            }),
        })
    }

    /// `parked::try_call`.
    fn try_call(&self) {
        let mut is_serving = self.mailbox.is_serving.lock();
        self.place.enter(&self.mailbox);
        self.mailbox.server.inherit(self.caller.level());
        *is_serving = true;
    }

    /// `Mailbox::call`.
    fn call(&self) {
        self.place.enter(&self.mailbox);
        let mut is_serving = self.mailbox.is_serving.lock();
        self.mailbox.server.inherit(self.caller.level());
        *is_serving = true;
    }

    /// The caller leaves, and what it called goes.
    fn leave(&self) {
        if self.place.leave(&self.walks) {
            drop(self.walk.lock());
        }
        self.mailbox.is_freed.store(true, Ordering::Release);
    }

    /// `chain::walk` from the caller on.
    fn walk(&self) {
        let walk = self.walk.lock();
        self.walks.begin();
        let target = self.place.target();
        if !target.is_null() {
            // What the pointer names is the world's own.
            assert!(core::ptr::eq(target, &*self.mailbox));
            self.mailbox.pass_to_server(self.caller.level());
        }
        self.walks.end();
        drop(walk);
    }

    /// `chain::priority_changed`.
    fn set_priority(&self) {
        self.caller.set_own(HIGH);
        if !self.place.target().is_null() {
            self.walk();
        }
    }

    /// `chain::walk`, which comes to the caller as one who serves.
    fn pass_on(&self) {
        self.caller.inherit(HIGH);
        self.walk();
    }
}

fn with(world: &Arc<World>, act: fn(&World)) -> thread::JoinHandle<()> {
    let world = Arc::clone(world);
    thread::spawn(move || act(&world))
}

fn the_server_is_told(call: fn(&World), urge: fn(&World)) {
    model(move || {
        let world = World::new();
        let other = with(&world, urge);
        call(&world);
        other.join().unwrap();
        assert_eq!(world.mailbox.server.level(), HIGH);
    });
}

/// Whoever makes a caller more urgent while it calls makes its server so, or the caller does.
#[test]
fn loom_a_priority_that_is_passed_on_reaches_the_server_of_a_short_call() {
    the_server_is_told(World::try_call, World::pass_on);
}

#[test]
fn loom_a_priority_that_is_passed_on_reaches_the_server_of_a_call() {
    the_server_is_told(World::call, World::pass_on);
}

#[test]
fn loom_a_priority_that_is_set_reaches_the_server_of_a_short_call() {
    the_server_is_told(World::try_call, World::set_priority);
}

#[test]
fn loom_a_priority_that_is_set_reaches_the_server_of_a_call() {
    the_server_is_told(World::call, World::set_priority);
}

/// What a caller lets go of when its call is over is used by nobody who walks.
#[test]
fn loom_a_mailbox_stays_while_somebody_walks() {
    model(|| {
        let world = World::new();
        world.call();
        let walker = with(&world, World::pass_on);
        world.leave();
        walker.join().unwrap();
    });
}

/// A server is as urgent as the most urgent who waits, and its own self when nobody does.
#[test]
fn urgency_is_that_of_who_waits() {
    let urgency = Urgency::new(4);
    urgency.inherit(5);
    assert_eq!(urgency.level(), 4, "never less urgent than its own");
    urgency.inherit(2);
    urgency.inherit(3);
    assert_eq!((urgency.level(), urgency.own()), (2, 4));
    urgency.set_own(1);
    assert_eq!(urgency.level(), 1);
    urgency.set_own(6);
    urgency.disinherit();
    assert_eq!(urgency.level(), 6);
}
