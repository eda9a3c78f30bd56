//! The workers, and who looks after them.

use core::sync::atomic::Ordering;

use sys::abi::process::{ANY_CPU, EXITED, RUNNING};
use sys::abi::trace::Action;
use sys::abi::{Error, Handle, PAGE_SIZE, Rights, area};
use sys::held::LeakCheck;
use sys::random::Random;
use sys::{Context, call, log_line, twin};

use crate::Wanted;
use crate::worker::{DONE, Desk, GIVEN, work};

/// The most workers at a time: each has a bit of an event.
pub const WORKERS_MAX: u64 = 16;
/// Calls of one worker, at most: then the next one has its turn, with fresh handles.
const SHIFT: u64 = 5_000;
/// How long a worker may make no call.
const IDLE_NS: u64 = 30_000_000;
/// How long the end of a process may take, on a loaded host.
const END_NS: u64 = 20_000_000_000;
/// Handles derived from one, at most.
const HANDLES: usize = 512;
/// Ports that workers share: some are the kernel's, and no worker uses any.
const FIRST_PORT: u64 = 0x40;
const PORTS: u64 = 0x60;
/// Lines that they share: the first one is that of a timer which fires all the time (the PIT's, as firmware leaves it).
const FIRST_LINE: u64 = 2;
const LINES: u64 = 8;
/// Rounds of calls, after a first one in which the kernel makes what it keeps for good.
const ROUNDS: u64 = 4;

struct Worker {
    process: Handle,
    /// A process that it may do anything to; it is ended with it.
    victim: Handle,
    /// Where its desk is here.
    desk: u64,
    /// Calls that it had made when it was looked at, and when that changed.
    seen: (u64, u64),
}

struct Crew<'a> {
    context: &'a Context,
    own: Handle,
    system: Handle,
    random: Random,
    /// Bits: the end of each worker.
    ends: Handle,
    /// What all workers share: an area, an event, a mailbox.
    shared: [Handle; 5],
    workers: [Option<Worker>; WORKERS_MAX as usize],
    calls: u64,
    succeeded: u64,
    started: u64,
    /// Calls that are not dealt out yet.
    left: u64,
}

/// Makes the calls; whether everything is as it should be.
pub fn run(context: &Context, wanted: &Wanted) -> Result<bool, Error> {
    let mut crew = Crew {
        context,
        own: context.own(),
        system: context.system().ok_or(Error::BadHandle)?,
        random: Random::new(wanted.seed),
        ends: Handle(0),
        shared: [Handle(0); 5],
        workers: [const { None }; WORKERS_MAX as usize],
        calls: 0,
        succeeded: 0,
        started: 0,
        left: 0,
    };
    crew.touch_handles()?;
    crew.touch_machine()?;
    let mut leaks = LeakCheck::new(crew.system);
    for round in 0..=ROUNDS {
        crew.open()?;
        if !crew.round(wanted.calls / (ROUNDS + 1) + 1, wanted.workers)? {
            return Ok(false);
        }
        // Who listened to the log keeps the event that it was told by.
        call::system_log_on_record(crew.system, None, 0)?;
        crew.close()?;
        leaks.after_round(context, round);
        log_line!(
            context,
            "round {round} of {ROUNDS}: {} calls, {} of them without an error, by {} workers",
            crew.calls,
            crew.succeeded,
            crew.started
        );
    }
    let is_whole = leaks.is_whole();
    log_line!(
        context,
        "leak check: {}",
        if is_whole {
            "nothing was lost"
        } else {
            "FAILED"
        }
    );
    Ok(is_whole)
}

impl Crew<'_> {
    /// Has as many handles derived from the one of the machine as there will be: the room for their relation stays.
    fn touch_handles(&self) -> Result<(), Error> {
        let mut handles = [Handle(0); HANDLES];
        for place in &mut handles {
            *place = call::handle_duplicate(self.system, Rights::NONE)?;
        }
        handles.into_iter().try_for_each(call::handle_close)
    }

    /// Makes what the kernel keeps for good as soon as somebody asks for it: the list of devices, and room for events of a trace.
    fn touch_machine(&self) -> Result<(), Error> {
        call::system_device(self.system, 0)?;
        call::system_trace(self.system, Action::Start, "", 64)?;
        call::system_trace(self.system, Action::Stop, "", 0)
    }

    /// Makes what the workers of a round share. What it holds for them, such as room for those who wait, goes with it.
    fn open(&mut self) -> Result<(), Error> {
        let (ports, lines) = (self.context.ports(), self.context.lines());
        let (ports, lines) = ports.zip(lines).ok_or(Error::BadHandle)?;
        self.ends = call::event_create()?;
        self.shared = [
            call::vm_area_create(area::OPEN, 16 * PAGE_SIZE, 0)?,
            call::event_create()?,
            call::mailbox_create()?,
            call::resource_narrow(ports, FIRST_PORT, PORTS)?,
            call::resource_narrow(lines, FIRST_LINE, LINES)?,
        ];
        Ok(())
    }

    fn close(&self) -> Result<(), Error> {
        let all = [self.ends].into_iter().chain(self.shared);
        all.into_iter().try_for_each(call::handle_close)
    }

    /// Makes so many calls; whether all workers could be ended.
    fn round(&mut self, calls: u64, workers: u64) -> Result<bool, Error> {
        self.left = calls;
        loop {
            let mut is_idle = true;
            for index in 0..workers as usize {
                if self.workers[index].is_none() && self.left != 0 {
                    self.start(index)?;
                }
                is_idle &= self.workers[index].is_none();
            }
            if is_idle {
                return Ok(true);
            }
            let until = call::clock_read() + IDLE_NS / 3;
            let ended = match call::event_wait(self.ends, u64::MAX, 0, until) {
                Ok(bits) => bits,
                Err(Error::TimedOut) => 0,
                Err(error) => return Err(error),
            };
            for index in 0..workers as usize {
                if ended & 1 << index != 0 {
                    self.bury(index)?;
                } else if self.is_stuck(index) && !self.end(index)? {
                    return Ok(false);
                }
            }
        }
    }

    fn start(&mut self, index: usize) -> Result<(), Error> {
        let quota = self.left.min(1 + self.random.below(SHIFT));
        let paper = call::vm_area_create(area::OPEN, PAGE_SIZE, 0)?;
        let access = area::READ | area::WRITE;
        let desk = call::process_map(self.own, paper, 0, 0, PAGE_SIZE, access)?;
        let process = twin::create(self.own, "fuzz-worker")?;
        let victim = call::process_create("fuzz-victim")?;
        let there = call::process_map(process, paper, 0, 0, PAGE_SIZE, access)?;
        call::handle_close(paper)?;
        call::process_on_exit(process, Some(self.ends), 1 << index)?;
        {
            // SAFETY: a page of ours, mapped just now and zero: all of it is atomic.
            let desk = unsafe { &*(desk as *const Desk) };
            desk.quota.store(quota, Ordering::Relaxed);
            desk.seed.store(self.random.any(), Ordering::Relaxed);
            let given = self.equip(process, victim)?;
            for (place, handle) in desk.given.iter().zip(given) {
                place.store(handle.0, Ordering::Relaxed);
            }
        }
        let thread = twin::start(process, work, there, ANY_CPU)?;
        call::handle_close(thread)?;
        self.left -= quota;
        self.started += 1;
        let seen = (0, call::clock_read());
        self.workers[index] = Some(Worker {
            process,
            victim,
            desk,
            seen,
        });
        Ok(())
    }

    /// Gives a worker its handles: itself, what all share, and a process with a thread that it may do anything to.
    fn equip(&self, process: Handle, victim: Handle) -> Result<[Handle; GIVEN], Error> {
        let lend = |handle, rights| {
            let copy = call::handle_duplicate(handle, rights)?;
            call::handle_give(process, copy)
        };
        let [area, event, mailbox, ports, lines] = self.shared;
        let client = call::mailbox_badge(mailbox, self.started)?;
        // It faults at once, and is reported to the event that all share.
        call::process_on_exception(victim, Some(event), 1)?;
        let thread = call::thread_create(victim, PAGE_SIZE, 0, 0, ANY_CPU, 0)?;
        Ok([
            lend(process, Rights::ALL)?,
            // Not to write to the log: nobody could read it. Neither to get at other processes: the crew is one.
            lend(
                self.system,
                Rights::STATISTICS
                    .union(Rights::LOG_READ)
                    .union(Rights::DEVICES)
                    .union(Rights::TRACE)
                    .union(Rights::TRANSFER),
            )?,
            lend(area, Rights::ALL)?,
            lend(event, Rights::ALL)?,
            lend(mailbox, Rights::ALL)?,
            call::handle_give(process, client)?,
            lend(victim, Rights::ALL)?,
            call::handle_give(process, thread)?,
            lend(ports, Rights::ALL)?,
            lend(lines, Rights::ALL)?,
        ])
    }

    /// Whether a worker has made no call for a while.
    fn is_stuck(&mut self, index: usize) -> bool {
        let Some(worker) = &mut self.workers[index] else {
            return false;
        };
        // SAFETY: as in `start`; it is unmapped when the worker is forgotten.
        let calls = unsafe { &*(worker.desk as *const Desk) };
        let calls = calls.calls.load(Ordering::Relaxed);
        let now = call::clock_read();
        if calls != worker.seen.0 {
            worker.seen = (calls, now);
        }
        now - worker.seen.1 > IDLE_NS
    }

    /// Ends a worker; whether that worked.
    fn end(&mut self, index: usize) -> Result<bool, Error> {
        let Some(worker) = &self.workers[index] else {
            return Ok(true);
        };
        call::process_kill(worker.process, 0)?;
        // Not by the event: a worker may have taken that from itself.
        let until = call::clock_read() + END_NS;
        while call::process_info(worker.process)?.state == RUNNING {
            if call::clock_read() > until {
                log_line!(self.context, "worker {index} does not end: FAILED");
                self.report(index);
                return Ok(false);
            }
            let _ = call::thread_sleep(call::clock_read() + 1_000_000);
        }
        // It is not to be mistaken for the end of the next one.
        call::event_take(self.ends, 1 << index)?;
        self.bury(index).map(|()| true)
    }

    /// What a worker did last.
    fn report(&self, index: usize) {
        if let Some(worker) = &self.workers[index] {
            // SAFETY: as in `start`.
            let desk = unsafe { &*(worker.desk as *const Desk) };
            let [number, arguments @ ..] =
                [0, 1, 2, 3, 4, 5, 6].map(|at: usize| desk.last[at].load(Ordering::Relaxed));
            log_line!(
                self.context,
                "worker {index}, seed {}, call {}: {}",
                desk.seed.load(Ordering::Relaxed),
                desk.calls.load(Ordering::Relaxed),
                sys::abi::format_call(number, arguments)
            );
        }
    }

    /// Takes note of a worker that has ended.
    fn bury(&mut self, index: usize) -> Result<(), Error> {
        let Some(worker) = self.workers[index].take() else {
            return Ok(());
        };
        {
            // SAFETY: as in `start`.
            let desk = unsafe { &*(worker.desk as *const Desk) };
            // A worker may have written anything there.
            let quota = desk.quota.load(Ordering::Relaxed).min(SHIFT);
            let calls = desk.calls.load(Ordering::Relaxed).clamp(1, quota.max(1));
            let info = call::process_info(worker.process)?;
            let is_done = info.state == EXITED && info.status == DONE;
            if !is_done {
                // The rest is for others.
                self.left += quota.saturating_sub(calls);
            }
            self.calls += calls;
            self.succeeded += desk.succeeded.load(Ordering::Relaxed).min(calls);
        }
        call::process_unmap(self.own, worker.desk, PAGE_SIZE)?;
        call::process_kill(worker.victim, 0)?;
        call::handle_close(worker.victim)?;
        call::handle_close(worker.process)
    }
}
