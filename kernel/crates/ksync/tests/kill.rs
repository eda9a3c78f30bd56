//! Ending, suspending and moving a thread from another processor, against all that the thread does meanwhile; see `ktestkit::models` on how
//! these run.
//!
//! The state is the kernel's own ([`Wake`], [`Whereabouts`]); the steps between are those of `kernel/src/sched`, by the same names: a run
//! queue is a count of how often the thread was put in one, an interrupt a flag of the processor.

use ksync::atomic::{AtomicBool, AtomicU32, Ordering};
use ksync::{Wake, Whereabouts};
use ktestkit::models::{Arc, model, thread};

/// What threads are asked, as `sched::thread::Attention` has it.
const END: u32 = 1;
const SUSPEND: u32 = 2;

/// Where the thread runs at first, and where it is put when it is woken.
const FIRST: u32 = 0;
const SECOND: u32 = 1;

struct World {
    wake: Wake,
    at: Whereabouts,
    /// How often it was put in a run queue.
    queued: AtomicU32,
    /// What the thread waits for.
    flag: AtomicBool,
    /// Processors that were interrupted.
    interrupted: [AtomicBool; 2],
}

/// Where the thread has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reached {
    /// It blocks: nothing but a run queue brings it on.
    Blocked,
    /// It is in user mode: nothing but an interrupt brings it into the kernel.
    UserMode,
    /// It ends.
    Ended,
}

impl World {
    fn new() -> Arc<Self> {
        let world = Self {
            wake: Wake::new(),
            at: Whereabouts::new(),
            queued: AtomicU32::new(0),
            flag: AtomicBool::new(false),
            interrupted: [AtomicBool::new(false), AtomicBool::new(false)],
        };
        world.at.put_on(FIRST);
        Arc::new(world)
    }

    /// `sched::wake`, and `sched::run`.
    fn wake(&self) {
        if self.wake.wake() {
            self.at.put_on(SECOND);
            self.queued.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// `sched::control::interrupt`.
    fn interrupt(&self, what: u32) {
        let cpu = self.at.ask(what);
        self.interrupted[cpu as usize].store(true, Ordering::Release);
    }

    /// `sched::make_leave`.
    fn kill(&self) {
        self.at.ask(END);
        self.wake();
        self.interrupt(END);
    }

    /// `sched::resume`.
    fn resume(&self) {
        self.at.withdraw(SUSPEND);
        self.wake();
    }

    /// `sched::block`, and `sched::finish_switch` of whoever runs next; whether the thread is blocked then.
    fn block(&self) -> bool {
        !self.wake.consume() && self.wake.settle()
    }

    /// The thread waits for the flag, as those in a call or for an event do, and then goes to user mode.
    fn wait(&self) -> Reached {
        while !self.flag.load(Ordering::Acquire) && self.at.asked() & END == 0 {
            if self.block() {
                return Reached::Blocked;
            }
        }
        self.before_user_return()
    }

    /// `sched::before_user_return`, and `sched::look_after`.
    fn before_user_return(&self) -> Reached {
        loop {
            match self.at.asked() {
                asked if asked & END != 0 => return Reached::Ended,
                asked if asked & SUSPEND != 0 => {
                    if self.block() {
                        return Reached::Blocked;
                    }
                }
                _ => return Reached::UserMode,
            }
        }
    }

    /// Lets the thread go on after all others are done, as far as they have seen to it that it can.
    fn go_on(&self, reached: Reached, from_block: impl Fn(&Self) -> Reached) -> Reached {
        match reached {
            Reached::Blocked => {
                let queued = self.queued.load(Ordering::Acquire);
                assert_eq!(queued, 1, "it blocks, and is in {queued} run queues");
                from_block(self)
            }
            Reached::UserMode => {
                assert_eq!(self.queued.load(Ordering::Acquire), 0, "it runs twice");
                let cpu = self.at.cpu() as usize;
                if self.interrupted[cpu].load(Ordering::Acquire) {
                    self.before_user_return()
                } else {
                    reached
                }
            }
            Reached::Ended => reached,
        }
    }
}

fn with(world: &Arc<World>, act: fn(&World)) -> thread::JoinHandle<()> {
    let world = Arc::clone(world);
    thread::spawn(move || act(&world))
}

/// A thread that is killed while it begins to wait ends: it does not block for ever, nor run twice.
#[test]
fn loom_a_killed_thread_does_not_block_for_ever() {
    model(|| {
        let world = World::new();
        let killer = with(&world, World::kill);
        let reached = world.wait();
        killer.join().unwrap();
        assert_eq!(world.go_on(reached, World::wait), Reached::Ended);
    });
}

/// The same when what it waits for comes at that moment: it may be in user mode by then, and is fetched from there.
#[test]
fn loom_a_killed_thread_that_is_woken_ends() {
    model(|| {
        let world = World::new();
        let killer = with(&world, World::kill);
        let waker = with(&world, |world| {
            world.flag.store(true, Ordering::Release);
            world.wake();
        });
        let reached = world.wait();
        killer.join().unwrap();
        waker.join().unwrap();
        let reached = match reached {
            // One of the two put it in a queue; the other may have found it runnable, which makes its next block return.
            Reached::UserMode => {
                let cpu = world.at.cpu() as usize;
                assert!(
                    world.interrupted[cpu].load(Ordering::Acquire),
                    "it runs on in user mode"
                );
                world.before_user_return()
            }
            other => world.go_on(other, World::wait),
        };
        assert_eq!(reached, Reached::Ended);
    });
}

/// A thread that is moved to another processor while it is killed does not go to user mode there unnoticed.
#[test]
fn loom_a_killed_thread_that_is_moved_ends() {
    model(|| {
        let world = World::new();
        let killer = with(&world, |world| world.interrupt(END));
        // `place::move_to`; the other processor finds it in its queue, and goes to user mode.
        world.at.put_on(SECOND);
        let reached = world.before_user_return();
        killer.join().unwrap();
        assert_eq!(
            world.go_on(reached, World::before_user_return),
            Reached::Ended
        );
    });
}

/// A suspended thread that is resumed goes on.
#[test]
fn loom_a_resumed_thread_goes_on() {
    model(|| {
        let world = World::new();
        world.interrupt(SUSPEND);
        let resumer = with(&world, World::resume);
        let reached = world.before_user_return();
        resumer.join().unwrap();
        let reached = world.go_on(reached, World::before_user_return);
        assert_eq!(reached, Reached::UserMode);
    });
}

/// A suspended thread that is killed ends, also if it is resumed at that moment; only one of the two makes it run.
#[test]
fn loom_a_killed_thread_that_is_suspended_ends() {
    model(|| {
        let world = World::new();
        world.interrupt(SUSPEND);
        let killer = with(&world, World::kill);
        let resumer = with(&world, World::resume);
        let reached = world.before_user_return();
        killer.join().unwrap();
        resumer.join().unwrap();
        let reached = world.go_on(reached, World::before_user_return);
        assert_eq!(reached, Reached::Ended);
    });
}

/// Two who kill a thread that blocks make it run once.
#[test]
fn loom_two_killers_make_it_run_once() {
    model(|| {
        let world = World::new();
        assert_eq!(world.wait(), Reached::Blocked);
        let one = with(&world, World::kill);
        let other = with(&world, World::kill);
        one.join().unwrap();
        other.join().unwrap();
        assert_eq!(world.go_on(Reached::Blocked, World::wait), Reached::Ended);
    });
}

/// While a debugger has the registers of a stopped thread, who kills it waits; then the thread runs, once.
#[test]
fn loom_a_killed_thread_does_not_run_while_its_registers_are_read() {
    model(|| {
        let world = World::new();
        world.interrupt(SUSPEND);
        assert_eq!(world.before_user_return(), Reached::Blocked);
        let killer = with(&world, World::kill);
        let queued = || world.queued.load(Ordering::Acquire);
        if world
            .wake
            .while_blocked(|| assert_eq!(queued(), 0))
            .is_none()
        {
            assert!(world.at.asked() & END != 0, "woken, and does not know why");
        }
        killer.join().unwrap();
        let reached = world.go_on(Reached::Blocked, World::before_user_return);
        assert_eq!(reached, Reached::Ended);
    });
}

/// Who makes a blocked thread run, or takes over one that was preempted, finds on its stack all that was put there.
#[test]
fn loom_a_stack_is_left_before_another_processor_uses_it() {
    model(|| {
        let world = World::new();
        let stack = Arc::new(AtomicU32::new(0));
        world.at.set_on_cpu(true);
        let waker = {
            let (world, stack) = (Arc::clone(&world), Arc::clone(&stack));
            thread::spawn(move || {
                let is_mine = world.wake.wake();
                // `place::is_movable`.
                let is_left = !world.at.is_on_cpu();
                if is_mine || is_left {
                    assert_eq!(stack.load(Ordering::Relaxed), 7, "the stack is in use");
                }
            })
        };
        // The switch, and `finish_switch`.
        stack.store(7, Ordering::Relaxed);
        world.at.set_on_cpu(false);
        let _ = world.wake.settle();
        waker.join().unwrap();
    });
}
