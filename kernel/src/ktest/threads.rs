//! Threads: stacks come back, no wake-up is lost.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::tools::{Account, on_each_cpu, online, start_on, wait_until};
use super::{Outcome, check};
use crate::arch::current::{IrqLock, time};
use crate::mm::{self, stack};
use crate::sched::{self, thread::Thread};

/// Threads of each CPU that exist at the same time: more than any later test starts.
const CROWD: usize = 8;

/// Starts a crowd of threads on every CPU, all of which block until all are there.
fn crowd() -> Result<usize, String> {
    struct Gate {
        waiting: IrqLock<Vec<ksync::Arc<Thread>>>,
        left: AtomicUsize,
    }
    let count = online().count() * CROWD + CROWD;
    let gate = Arc::new(Gate {
        waiting: IrqLock::new(Vec::with_capacity(count)),
        left: AtomicUsize::new(count),
    });
    let open = Arc::new(AtomicBool::new(false));
    let cpus: Vec<u32> = online().map(|cpu| cpu.index).collect();
    for &cpu in cpus.iter().cycle().take(count) {
        let (gate, open) = (gate.clone(), open.clone());
        start_on(cpu, "crowd", move || {
            gate.waiting.lock().push(sched::current_thread());
            while !open.load(Ordering::Acquire) {
                sched::block();
            }
            gate.left.fetch_sub(1, Ordering::AcqRel);
        })?;
    }
    check!(
        wait_until(|| gate.waiting.lock().len() == count),
        "not all of {count} threads ran"
    );
    open.store(true, Ordering::Release);
    for thread in core::mem::take(&mut *gate.waiting.lock()) {
        sched::wake(&thread);
    }
    check!(
        wait_until(|| gate.left.load(Ordering::Acquire) == 0),
        "not all of {count} threads were woken"
    );
    Ok(count)
}

/// The stacks of threads that have ended are used again, and few of them stay: a second crowd leaves nothing behind.
pub fn stacks_return() -> Outcome {
    crowd()?;
    // The first crowd ends in its own time; only then does the second find all stacks.
    let in_use = |limit: usize| {
        move || {
            let (made, pooled) = stack::counts();
            made - pooled <= limit
        }
    };
    let idle = online().count();
    check!(
        wait_until(in_use(idle + sched::thread_count()))
            && wait_until(|| sched::thread_count() == 1),
        "threads stay"
    );
    check!(
        wait_until(in_use(idle)),
        "{:?} stacks (made, free) with {idle} processors",
        stack::counts()
    );
    let before = Account::now();
    let count = crowd()?;
    before.check_same()?;
    let kept = stack::counts().1;
    check!(
        kept <= stack::KEPT,
        "{kept} stacks stay mapped after {count} threads"
    );
    mm::trim();
    before.check_same()?;
    check!(
        stack::counts() == (idle, 0),
        "{:?} stacks (mapped, free) with {idle} processors after all was given back",
        stack::counts()
    );
    let deepest = stack::high_water();
    check!(
        (256..stack::SIZE / 4 * 3).contains(&deepest),
        "the deepest use of a stack was {deepest} bytes"
    );
    Ok(format!(
        "{count} threads, {kept} stacks kept, the deepest use {deepest} bytes"
    ))
}

/// Wake-ups of all pairs together, if there is time.
const PASSES: u64 = 20_000;
/// When to stop all the same: on a host that is busy with other things, a wake-up can take milliseconds.
const PLAY_NS: u64 = 3_000_000_000;
/// A game that is over.
const OVER: u64 = u64::MAX;

/// Two players, who hand a ball to each other.
struct Game {
    /// How often it was passed: an even number is for player 0. [`OVER`] ends the game.
    ball: AtomicU64,
    limit: u64,
    passed: AtomicU64,
    players: IrqLock<[Option<ksync::Arc<Thread>>; 2]>,
    left: AtomicUsize,
}

/// Passes the ball, and blocks while the other has it.
fn play(game: &Game, me: usize) {
    game.players.lock()[me] = Some(sched::current_thread());
    let peer = loop {
        if let Some(peer) = game.players.lock()[1 - me].clone() {
            break peer;
        }
        sched::yield_now();
        core::hint::spin_loop();
    };
    let end = time::now_ns() + PLAY_NS;
    loop {
        let ball = game.ball.load(Ordering::Acquire);
        if ball == OVER {
            break;
        }
        if ball % 2 != me as u64 {
            sched::block();
            continue;
        }
        let is_over = ball >= game.limit || time::now_ns() >= end;
        game.passed.store(ball, Ordering::Release);
        game.ball
            .store(if is_over { OVER } else { ball + 1 }, Ordering::Release);
        sched::wake(&peer);
    }
    game.left.fetch_sub(1, Ordering::AcqRel);
}

/// Pairs of threads on neighbouring CPUs wake each other in turn; on a machine with one CPU both run there. A wake-up
/// that is lost stops a game for ever.
pub fn ping_pong() -> Outcome {
    let before = Account::now();
    let cpus: Vec<u32> = online().map(|cpu| cpu.index).collect();
    let mut games = Vec::new();
    for first in 0..cpus.len() {
        let game = Arc::new(Game {
            ball: AtomicU64::new(0),
            limit: PASSES / cpus.len() as u64,
            passed: AtomicU64::new(0),
            players: IrqLock::new([None, None]),
            left: AtomicUsize::new(2),
        });
        for me in 0..2 {
            let game = game.clone();
            start_on(cpus[(first + me) % cpus.len()], "player", move || {
                play(&game, me)
            })?;
        }
        games.push(game);
    }
    wait_until(|| {
        games
            .iter()
            .all(|game| game.left.load(Ordering::Acquire) == 0)
    });
    let passed = |game: &Arc<Game>| game.passed.load(Ordering::Acquire);
    for game in &games {
        check!(
            game.left.load(Ordering::Acquire) == 0,
            "the ball stays at pass {} of {}",
            passed(game),
            game.limit
        );
    }
    let total: u64 = games.iter().map(passed).sum();
    let count = games.len();
    drop((games, cpus));
    before.check_same()?;
    check!(total >= 100, "there were only {total} wake-ups");
    Ok(format!("{total} wake-ups in {count} games"))
}

const WAKES: u64 = 2_000;

/// Threads of all CPUs wake one thread, which blocks whenever it has nothing to count: it must count everything.
pub fn wake_storm() -> Outcome {
    struct Storm {
        sent: AtomicU64,
        sleeper: IrqLock<Option<ksync::Arc<Thread>>>,
        counted: AtomicU64,
    }
    let before = Account::now();
    let total = WAKES * online().count() as u64;
    let storm = Arc::new(Storm {
        sent: AtomicU64::new(0),
        sleeper: IrqLock::new(None),
        counted: AtomicU64::new(0),
    });
    let shared = storm.clone();
    let last = online().last().map_or(0, |cpu| cpu.index);
    start_on(last, "sleeper", move || {
        *shared.sleeper.lock() = Some(sched::current_thread());
        let mut counted = 0;
        while counted < total {
            match shared.sent.load(Ordering::Acquire) {
                sent if sent == counted => sched::block(),
                sent => counted = sent,
            }
            shared.counted.store(counted, Ordering::Release);
        }
    })?;
    check!(
        wait_until(|| storm.sleeper.lock().is_some()),
        "the sleeper did not start"
    );
    let shared = storm.clone();
    on_each_cpu(move |_| {
        let sleeper = shared.sleeper.lock().clone();
        for _ in 0..WAKES {
            shared.sent.fetch_add(1, Ordering::AcqRel);
            if let Some(sleeper) = &sleeper {
                sched::wake(sleeper);
            }
            sched::yield_now();
        }
    })?;
    if !wait_until(|| storm.counted.load(Ordering::Acquire) == total) {
        return Err(format!(
            "the sleeper was woken for {} of {total}",
            storm.counted.load(Ordering::Acquire)
        ));
    }
    drop(storm);
    before.check_same()?;
    Ok(format!("{total} wake-ups of one thread"))
}
