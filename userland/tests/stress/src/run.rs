//! The program's own part: it starts peers, ends them at random, and counts what the kernel holds.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sys::abi::process::{ANY_CPU, RUNNING};
use sys::abi::{Error, Handle, NEVER, PAGE_SIZE, Rights, area};
use sys::held::LeakCheck;
use sys::random::Random;
use sys::{Context, call, log_line, thread, twin};

use crate::market::{self, Market};
use crate::peer::{self, Desk};

/// Peers at a time.
const PEERS: usize = 6;
/// What a peer, with all that it makes, may take.
const LIMIT: u64 = 6 << 20;
/// How long a peer may make no step, in nanoseconds: others may have suspended it.
const IDLE_NS: u64 = 100_000_000;
/// How long the end of a process may take, on a loaded host.
const END_NS: u64 = 20_000_000_000;
/// Rounds, after a first one in which the kernel makes what it keeps for good.
const ROUNDS: u64 = 4;
/// Pages of the market's stack.
const STACK_PAGES: u64 = 8;

struct Peer {
    process: Handle,
    desk: u64,
    /// Steps that it had made when it was looked at, and when that changed.
    seen: (u64, u64),
}

struct Run<'a> {
    context: &'a Context,
    own: Handle,
    random: Random,
    ends: Handle,
    peers: [Option<Peer>; PEERS],
    started: u64,
    steps: u64,
}

/// Runs it for some seconds; whether everything is as it should be.
pub fn run(context: &Context, seconds: u64, seed: u64) -> Result<bool, Error> {
    let system = context.system().ok_or(Error::BadHandle)?;
    let mut run = Run {
        context,
        own: context.own(),
        random: Random::new(seed),
        ends: Handle(0),
        peers: [const { None }; PEERS],
        started: 0,
        steps: 0,
    };
    let mut leaks = LeakCheck::new(system);
    let handles = |run: &Run<'_>| call::process_info(run.own).map(|info| info.handles);
    let own_handles = handles(&run)?;
    for round in 0..=ROUNDS {
        let (deals, moved) = match run.round(seconds * 1_000_000_000 / (ROUNDS + 1))? {
            Some(dealt) => dealt,
            None => return Ok(false),
        };
        leaks.after_round(context, round);
        log_line!(
            context,
            "round {round} of {ROUNDS}: {} peers so far, {} steps, {deals} messages with {moved} handles",
            run.started,
            run.steps
        );
    }
    let own_after = handles(&run)?;
    let is_lost = !leaks.is_whole() || own_after != own_handles;
    log_line!(
        context,
        "leak check: {}, {own_handles} handles before and {own_after} after",
        if is_lost {
            "FAILED"
        } else {
            "nothing was lost"
        }
    );
    Ok(!is_lost)
}

impl Run<'_> {
    /// A round of some nanoseconds: how many messages and handles went by the market; none if somebody could not be ended.
    fn round(&mut self, ns: u64) -> Result<Option<(u64, u64)>, Error> {
        let mailbox = call::mailbox_create()?;
        self.ends = call::event_create()?;
        let market = Market {
            mailbox,
            seed: self.random.any(),
            is_over: AtomicBool::new(false),
            deals: AtomicU64::new(0),
            moved: AtomicU64::new(0),
        };
        let closed = call::event_create()?;
        let stack = call::vm_area_create(area::GUARDED, STACK_PAGES * PAGE_SIZE, 1)?;
        let len = (STACK_PAGES + 1) * PAGE_SIZE;
        let access = area::READ | area::WRITE;
        let bottom = call::process_map(self.own, stack, 0, 0, len, access)?;
        call::handle_close(stack)?;
        let argument = (&raw const market) as u64;
        let keeper = thread::start(self.own, market::open, argument, bottom + len, ANY_CPU)?;
        call::thread_on_exit(keeper, Some(closed), 1)?;
        let is_whole = self.trade(mailbox, call::clock_read() + ns)?;
        // It may not go while its thread runs.
        market.is_over.store(true, Ordering::Release);
        call::event_wait(closed, 1, 0, NEVER)?;
        call::process_unmap(self.own, bottom, len)?;
        for handle in [keeper, closed, self.ends, mailbox] {
            call::handle_close(handle)?;
        }
        let dealt = (
            market.deals.load(Ordering::Relaxed),
            market.moved.load(Ordering::Relaxed),
        );
        Ok(is_whole.then_some(dealt))
    }

    /// Keeps peers running until a time, and ends them all; whether that worked.
    fn trade(&mut self, mailbox: Handle, until: u64) -> Result<bool, Error> {
        while call::clock_read() < until {
            for index in 0..PEERS {
                if self.peers[index].is_none() {
                    self.start(index, mailbox)?;
                }
            }
            let pause = call::clock_read() + 1_000_000 * (1 + self.random.below(20));
            let ended = match call::event_wait(self.ends, u64::MAX, 0, pause) {
                Ok(bits) => bits,
                Err(Error::TimedOut) => 0,
                Err(error) => return Err(error),
            };
            let victim = self.random.below(4 * PEERS as u64) as usize;
            for index in 0..PEERS {
                let must_end = index == victim || self.is_stuck(index) || ended & 1 << index != 0;
                if must_end && !self.end(index)? {
                    return Ok(false);
                }
            }
        }
        for index in 0..PEERS {
            if !self.end(index)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn start(&mut self, index: usize, mailbox: Handle) -> Result<(), Error> {
        let paper = call::vm_area_create(area::OPEN, PAGE_SIZE, 0)?;
        let access = area::READ | area::WRITE;
        let desk = call::process_map(self.own, paper, 0, 0, PAGE_SIZE, access)?;
        let process = twin::create(self.own, "peer")?;
        let there = call::process_map(process, paper, 0, 0, PAGE_SIZE, access)?;
        call::handle_close(paper)?;
        call::process_set_limit(process, LIMIT)?;
        call::process_on_exit(process, Some(self.ends), 1 << index)?;
        let lend = |handle, rights| {
            let copy = call::handle_duplicate(handle, rights)?;
            call::handle_give(process, copy)
        };
        let client = call::mailbox_badge(mailbox, self.started)?;
        {
            // SAFETY: a page of ours, mapped just now and zero: all of it is atomic.
            let desk = unsafe { &*(desk as *const Desk) };
            desk.seed.store(self.random.any(), Ordering::Relaxed);
            let own = lend(process, Rights::ALL)?;
            desk.own.store(own.0, Ordering::Relaxed);
            let market = call::handle_give(process, client)?;
            desk.market.store(market.0, Ordering::Relaxed);
        }
        let thread = twin::start(process, peer::live, there, ANY_CPU)?;
        call::handle_close(thread)?;
        self.started += 1;
        self.peers[index] = Some(Peer {
            process,
            desk,
            seen: (0, call::clock_read()),
        });
        Ok(())
    }

    /// Whether a peer has made no step for a while.
    fn is_stuck(&mut self, index: usize) -> bool {
        let Some(peer) = &mut self.peers[index] else {
            return false;
        };
        // SAFETY: as in `start`; it is unmapped when the peer is forgotten.
        let desk = unsafe { &*(peer.desk as *const Desk) };
        let steps = desk.steps.load(Ordering::Relaxed);
        let now = call::clock_read();
        if steps != peer.seen.0 {
            peer.seen = (steps, now);
        }
        now - peer.seen.1 > IDLE_NS
    }

    /// Ends a peer, if it has not ended; whether that worked.
    fn end(&mut self, index: usize) -> Result<bool, Error> {
        let Some(peer) = self.peers[index].take() else {
            return Ok(true);
        };
        call::process_kill(peer.process, 0)?;
        let until = call::clock_read() + END_NS;
        while call::process_info(peer.process)?.state == RUNNING {
            if call::clock_read() > until {
                // SAFETY: as in `start`.
                let desk = unsafe { &*(peer.desk as *const Desk) };
                let (seed, steps) = (&desk.seed, &desk.steps);
                log_line!(
                    self.context,
                    "a peer does not end: FAILED; seed {}, step {}",
                    seed.load(Ordering::Relaxed),
                    steps.load(Ordering::Relaxed)
                );
                return Ok(false);
            }
            let _ = call::thread_sleep(call::clock_read() + 1_000_000);
        }
        // Its end is not to be mistaken for that of the next one.
        call::event_take(self.ends, 1 << index)?;
        {
            // SAFETY: as in `start`.
            let desk = unsafe { &*(peer.desk as *const Desk) };
            self.steps += desk.steps.load(Ordering::Relaxed);
        }
        call::process_unmap(self.own, peer.desk, PAGE_SIZE)?;
        call::handle_close(peer.process)?;
        Ok(true)
    }
}
