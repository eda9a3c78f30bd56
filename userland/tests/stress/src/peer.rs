//! A peer: a process that makes objects, and does what it can with those that it has made and found.

use core::sync::atomic::{AtomicU64, Ordering};

use sys::abi::message::WORDS_MAX;
use sys::abi::process::{ANY_CPU, Action};
use sys::abi::{Error, Handle, ObjectType, PAGE_SIZE, Rights, area, event};
use sys::message::long::{Buffer, Room};
use sys::message::{self, Message};
use sys::random::Random;
use sys::{call, thread};

use crate::pool::{Pool, close};

/// The longest wait, in nanoseconds.
const WAIT_NS: u64 = 2_000_000;
/// Further threads of a peer.
const THREADS: usize = 3;
/// Pages of the stacks of these.
const STACK_PAGES: u64 = 4;

/// What a peer and the program share: a page.
#[repr(C)]
pub struct Desk {
    pub steps: AtomicU64,
    pub seed: AtomicU64,
    /// A handle of the peer's own process.
    pub own: AtomicU64,
    /// A handle to call the market by.
    pub market: AtomicU64,
}

/// Where a peer begins; the argument is the address of its desk. Its first thread goes to the market, the others work alongside.
pub extern "C" fn live(desk: u64) -> ! {
    // SAFETY: the program has mapped it there before it started this thread; all of it is atomic.
    let shared = unsafe { &*(desk as *const Desk) };
    let own = Handle(shared.own.load(Ordering::Relaxed));
    for _ in 0..THREADS {
        let _ = start_thread(own, desk);
    }
    work(shared, true)
}

extern "C" fn help(desk: u64) -> ! {
    // SAFETY: as in `live`, which has started this thread.
    work(unsafe { &*(desk as *const Desk) }, false)
}

fn start_thread(own: Handle, desk: u64) -> Result<(), Error> {
    let stack = call::vm_area_create(area::GUARDED, STACK_PAGES * PAGE_SIZE, 1)?;
    let len = (STACK_PAGES + 1) * PAGE_SIZE;
    let mapped = call::process_map(own, stack, 0, 0, len, area::READ | area::WRITE);
    close(stack);
    let thread = thread::start(own, help, desk, mapped? + len, ANY_CPU)?;
    close(thread);
    Ok(())
}

fn work(desk: &Desk, is_first: bool) -> ! {
    let salt = desk.steps.fetch_add(1, Ordering::Relaxed);
    let mut random = Random::new(desk.seed.load(Ordering::Relaxed) ^ salt << 32);
    let mut room = Room::new();
    let mut buffer = Buffer::new(&mut room).ok();
    let mut peer = Peer {
        own: Handle(desk.own.load(Ordering::Relaxed)),
        market: Handle(desk.market.load(Ordering::Relaxed)),
        pool: Pool::new(),
    };
    loop {
        desk.steps.fetch_add(1, Ordering::Relaxed);
        // What fails, as an object has gone or was never of the right kind, is part of it.
        let _ = match (&mut buffer, random.below(8)) {
            (Some(buffer), 0) if is_first => peer.trade(&mut random, buffer),
            (_, 1) => peer.make(&mut random),
            _ => peer.act(&mut random),
        };
    }
}

struct Peer {
    own: Handle,
    market: Handle,
    pool: Pool,
}

fn soon(random: &mut Random) -> u64 {
    call::clock_read() + random.below(WAIT_NS)
}

impl Peer {
    /// Sends some handles to the market, and keeps what comes back.
    fn trade(&mut self, random: &mut Random, buffer: &mut Buffer<'_>) -> Result<(), Error> {
        let mut sent = [Handle(0); 4];
        let mut count = 0;
        for _ in 0..random.below(5) {
            let Some(handle) = self.pool.any(random) else {
                break;
            };
            // Often a copy, so that there are families of handles across processes.
            let copy = call::handle_duplicate(handle, Rights(random.any() as u32 | 3));
            let handle = match copy {
                Ok(copy) if !random.one_in(4) => copy,
                _ => handle,
            };
            if !sent[..count].contains(&handle) {
                sent[count] = handle;
                count += 1;
            }
        }
        let words = [random.any(); WORDS_MAX];
        let len = random.below(WORDS_MAX as u64 - 4) as usize;
        buffer.put(1, &sent[..count], &words[..len]);
        let until = call::clock_read() + 10 * WAIT_NS;
        match buffer.call_until(self.market, until) {
            Ok(()) => {
                sent[..count]
                    .iter()
                    .for_each(|handle| self.pool.forget(*handle));
                for handle in buffer.handles().filter(|handle| handle.0 != 0) {
                    self.pool.keep(random, handle);
                }
            }
            // They may be there still, or not.
            Err(_) => {
                for handle in &sent[..count] {
                    self.pool.forget(*handle);
                    close(*handle);
                }
            }
        }
        Ok(())
    }

    /// Makes an object.
    fn make(&mut self, random: &mut Random) -> Result<(), Error> {
        let made = match random.below(9) {
            0 | 1 => call::event_create(),
            2 => call::mailbox_create(),
            3 => {
                let kind = random.one_of(&[area::OPEN, area::RING]);
                call::vm_area_create(kind, PAGE_SIZE * (1 + random.below(8)), 0)
            }
            4 => self.child(random),
            5 => {
                let mailbox = call::mailbox_create()?;
                let client = call::mailbox_badge(mailbox, random.any());
                self.pool.keep(random, mailbox);
                client
            }
            6 => call::handle_duplicate(self.own, Rights(random.any() as u32 | 3)),
            7 => call::mailbox_detach(),
            _ => {
                let first = self.pool.any(random).ok_or(Error::NotReady)?;
                call::handle_duplicate(first, Rights(random.any() as u32 | 3))
            }
        }?;
        self.pool.keep(random, made);
        Ok(())
    }

    /// A process with a thread, which faults at once: somebody may be told.
    fn child(&mut self, random: &mut Random) -> Result<Handle, Error> {
        let child = call::process_create("child")?;
        if let Some(event) = self.pool.any(random) {
            let _ = call::process_on_exception(child, Some(event), 1 << random.below(64));
            let _ = call::process_on_exit(child, Some(event), 1 << random.below(64));
        }
        if let Some(given) = self.pool.take(random)
            && call::handle_give(child, given).is_err()
        {
            close(given);
        }
        if !random.one_in(3) {
            let how = random.below(2) * sys::abi::thread::SUSPEND;
            let thread = call::thread_create(child, PAGE_SIZE, 0, 0, ANY_CPU, how);
            self.pool.keep(random, thread?);
        }
        Ok(child)
    }

    /// Does something with an object, as its kind allows.
    fn act(&mut self, random: &mut Random) -> Result<(), Error> {
        let handle = self.pool.any(random).ok_or(Error::NotReady)?;
        match random.below(40) {
            0 => return call::handle_revoke(handle),
            1 => {
                self.pool.forget(handle);
                return call::handle_close(handle);
            }
            _ => {}
        }
        let kind = call::handle_info(handle)?.kind;
        let is = |object: ObjectType| kind == object.number();
        if is(ObjectType::Event) {
            self.event(random, handle)
        } else if is(ObjectType::Mailbox) {
            self.mailbox(random, handle)
        } else if is(ObjectType::VmArea) {
            self.area(random, handle)
        } else if is(ObjectType::Thread) {
            self.thread(random, handle)
        } else if is(ObjectType::Process) {
            self.process(random, handle)
        } else if is(ObjectType::Reply) {
            message::answer(handle, &Message::new(3, &[1]))
        } else {
            Ok(())
        }
    }

    fn event(&mut self, random: &mut Random, handle: Handle) -> Result<(), Error> {
        let bits = random.any() | 1;
        match random.below(5) {
            0 | 1 => call::event_signal(handle, bits),
            2 => call::event_take(handle, bits).map(drop),
            3 => call::event_set_timer(handle, bits, soon(random)),
            _ => {
                let how = random.below(4) & (event::ALL | event::KEEP);
                let mask = 1 << random.below(8);
                call::event_wait(handle, mask, how, soon(random)).map(drop)
            }
        }
    }

    fn mailbox(&mut self, random: &mut Random, handle: Handle) -> Result<(), Error> {
        match random.below(4) {
            0 => {
                let sent = self.pool.any(random).filter(|_| random.one_in(2));
                let sent = sent.as_slice();
                let message = Message::with_handles(4, sent, &[random.any(), 5]);
                let answer = message::call_until(handle, &message, soon(random))?;
                sent.iter().for_each(|handle| self.pool.forget(*handle));
                self.keep_all(random, &answer);
                Ok(())
            }
            1 => {
                let received = message::receive(handle, soon(random))?;
                self.keep_all(random, &received.message);
                Ok(())
            }
            2 => message::reply(handle, &Message::new(6, &[7])),
            _ => {
                let event = self.pool.any(random);
                call::mailbox_on_readable(handle, event, 1 << random.below(64))
            }
        }
    }

    fn keep_all(&mut self, random: &mut Random, message: &Message) {
        for handle in message.handles().filter(|handle| handle.0 != 0) {
            self.pool.keep(random, handle);
        }
    }

    fn area(&mut self, random: &mut Random, handle: Handle) -> Result<(), Error> {
        let page = PAGE_SIZE * random.below(8);
        match random.below(6) {
            0 => call::vm_area_commit(handle, page, PAGE_SIZE),
            1 => call::vm_area_decommit(handle, page, PAGE_SIZE),
            2 => call::vm_area_resize(handle, page + PAGE_SIZE),
            3 => {
                let copy = call::vm_area_snapshot(handle)?;
                self.pool.keep(random, copy);
                Ok(())
            }
            _ => self.map(random, handle),
        }
    }

    /// Maps an area, lets the kernel look at its words, which may be gone already, and unmaps it.
    fn map(&mut self, random: &mut Random, handle: Handle) -> Result<(), Error> {
        let access = area::READ | area::WRITE;
        let at = call::process_map(self.own, handle, 0, 0, PAGE_SIZE, access)?;
        let word = at + 4 * random.below(16);
        let result = match random.below(4) {
            0 => call::futex_wait(word, 0, soon(random)),
            1 => call::futex_wake(word, 1 + random.below(3)).map(drop),
            2 => {
                let other = at + 4 * random.below(16);
                call::futex_requeue(word, random.below(2), random.below(3), other).map(drop)
            }
            // The kernel writes there: 24 bytes.
            _ => call::raw(
                sys::abi::Sysno::HandleInfo as u64,
                [handle.0, at + 64, 0, 0, 0, 0],
            )
            .map(drop),
        };
        call::process_unmap(self.own, at, PAGE_SIZE)?;
        result
    }

    fn thread(&mut self, random: &mut Random, handle: Handle) -> Result<(), Error> {
        match random.below(8) {
            0 if random.one_in(4) => call::thread_kill(handle),
            1 => call::thread_suspend(handle),
            2 | 3 => call::thread_resume(handle),
            4 => call::thread_set_priority(handle, random.below(8)),
            5 => call::thread_set_affinity(handle, &[random.any() as u8 | 1]),
            6 => {
                let event = self.pool.any(random);
                call::thread_on_exit(handle, event, 1 << random.below(64))
            }
            _ => call::thread_info(handle).map(drop),
        }
    }

    fn process(&mut self, random: &mut Random, handle: Handle) -> Result<(), Error> {
        match random.below(8) {
            0 if random.one_in(8) => call::process_kill(handle, random.below(100)),
            1 => {
                let event = self.pool.any(random);
                call::process_on_exit(handle, event, 1 << random.below(64))
            }
            2 => {
                let exception = call::exception_read(handle)?;
                let action = random.one_of(&[Action::End, Action::Retry]);
                call::exception_resume(handle, exception.thread, action)
            }
            3 => {
                let given = self.pool.take(random).ok_or(Error::NotReady)?;
                call::handle_give(handle, given)
                    .map(drop)
                    .inspect_err(|_| close(given))
            }
            4 => call::process_set_limit(handle, random.below(2 << 20)),
            _ => call::process_info(handle).map(drop),
        }
    }
}
