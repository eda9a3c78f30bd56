//! The group `sched`: switches between threads, their lives, and the timer's interrupts.

use core::sync::atomic::{AtomicU64, Ordering};

use sys::abi::{Error, NEVER};
use sys::clock::{self, Clock};
use sys::{call, thread};

use crate::crew::{self, Thread};
use crate::measure::{Env, Figure, Samples};
use crate::memory::{Mapping, Owned, PAGE, open_area};

/// All of them.
pub const FIGURES: &[Figure] = &[
    Figure {
        name: "yield",
        what: "give way to another thread: a half of a round of two threads that do",
        run: yield_switch,
    },
    Figure {
        name: "thread",
        what: "start a thread on a stack that is there, let it end, and wait for that",
        run: thread_life,
    },
    Figure {
        name: "tick",
        what: "an interrupt of the timer while a less urgent thread waits for the processor",
        run: tick,
    },
    Figure {
        name: "interrupt",
        what: "an interrupt that a driver, which is another thread, looks after, acknowledges and waits for",
        run: interrupt,
    },
];

/// Rounds of what is repeated.
const ROUNDS: usize = 128;
/// Rounds before those that count.
const WARM: usize = 8;
/// Interrupts that are measured: each is a quantum away.
const TICKS: usize = 16;

/// Interrupts of a device that are measured.
const INTERRUPTS: usize = 64;

static STOP: AtomicU64 = AtomicU64::new(0);

/// Gives way until it is to stop.
fn give_way(_: u64) {
    while STOP.load(Ordering::Acquire) == 0 {
        call::thread_yield();
    }
}

/// Does something while another thread of this processor can run, and gives way.
fn with_another_thread(
    env: &Env<'_>,
    act: impl FnOnce(&Thread) -> Result<(), Error>,
) -> Result<(), Error> {
    STOP.store(0, Ordering::Release);
    let thread = Thread::start(env, 0, give_way, 0)?;
    let result = act(&thread);
    STOP.store(1, Ordering::Release);
    crew::join(env, core::iter::once(&thread))?;
    result
}

fn yield_switch(env: &Env<'_>, samples: &mut Samples) -> Result<(), Error> {
    with_another_thread(env, |_| {
        (0..WARM).for_each(|_| call::thread_yield());
        for _ in 0..ROUNDS {
            samples.take_each(2, call::thread_yield);
        }
        Ok(())
    })
}

extern "C" fn end(_: u64) -> ! {
    call::thread_exit()
}

fn thread_life(env: &Env<'_>, samples: &mut Samples) -> Result<(), Error> {
    let area = open_area(1)?;
    let stack = Mapping::new(env.own, &area, 1)?;
    let exit = Owned(call::event_create()?);
    let live = || {
        let thread = Owned(thread::start(env.own, end, 0, stack.address + PAGE, 0)?);
        call::thread_on_exit(thread.0, Some(exit.0), 1)?;
        call::event_wait(exit.0, 1, 0, NEVER)
    };
    for _ in 0..WARM {
        live()?;
    }
    for _ in 0..ROUNDS {
        samples.take(live)?;
    }
    Ok(())
}

/// The other thread makes the kernel want its timer; being less urgent it does not run. Giving way, which finds nobody, takes this thread
/// back to its own priority, from which each quantum that it uses up moves it.
fn tick(env: &Env<'_>, samples: &mut Samples) -> Result<(), Error> {
    with_another_thread(env, |other| {
        call::thread_set_priority(other.handle.0, LEAST_URGENT)?;
        for _ in 0..TICKS {
            call::thread_yield();
            samples.wait_for_interrupt();
        }
        Ok(())
    })
}

/// What the driver of the clock has, and how often it was told.
struct Driver {
    clock: Clock,
    line: Owned,
    event: Owned,
    served: AtomicU64,
}

/// Looks after the clock until it is to stop.
fn drive(driver: u64) {
    // SAFETY: `interrupt` waits for this thread and keeps the value until then; nobody changes more of it than the atomic.
    let driver = unsafe { &*(driver as *const Driver) };
    while STOP.load(Ordering::Acquire) == 0 {
        let told = call::event_wait(driver.event.0, 1, 0, NEVER);
        driver.clock.serve();
        let acknowledged = call::interrupt_acknowledge(driver.line.0);
        if told.is_err() || acknowledged.is_err() {
            return;
        }
        driver.served.fetch_add(1, Ordering::Release);
    }
}

/// The driver is more urgent than this thread, which it takes the processor from, and to which it gives it back.
fn interrupt(env: &Env<'_>, samples: &mut Samples) -> Result<(), Error> {
    clock::grant(env.context)?;
    let line = clock::interrupt(env.context, sys::abi::interrupt::AS_WIRED);
    let driver = Driver {
        line: Owned(line?),
        event: Owned(call::event_create()?),
        clock: Clock::start(CLOCK_RATE),
        served: AtomicU64::new(0),
    };
    STOP.store(0, Ordering::Release);
    let thread = Thread::start(env, 0, drive, (&raw const driver) as u64)?;
    call::thread_set_priority(thread.handle.0, MOST_URGENT)?;
    call::interrupt_on_fire(driver.line.0, Some(driver.event.0), 1)?;
    // An edge that came before has left the line high.
    driver.clock.serve();
    for _ in 0..INTERRUPTS {
        samples.wait_for_change(|| driver.served.load(Ordering::Acquire));
    }
    STOP.store(1, Ordering::Release);
    crew::join(env, core::iter::once(&thread))
}

/// 1024 interrupts a second.
const CLOCK_RATE: u8 = 6;
/// The highest priority.
const MOST_URGENT: u64 = 0;
/// The lowest priority.
const LEAST_URGENT: u64 = 7;
