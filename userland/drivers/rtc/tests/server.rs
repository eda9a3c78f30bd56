//! The server on the kernel's stand-in, with a chip whose seconds are told by its line.

#![allow(missing_docs, reason = "a test")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use abi::interrupt::AS_WIRED;
use abi::{Error, NEVER};
use fake_kernel::{Clock as Time, Machine, Ports};
use ipc::Failure;
use protocols::Fault;
use protocols::clock::{Answer, Clock, Request};
use rtc::chip::Chip;
use rtc::registers::{self as r, IoPorts};
use rtc::server::Server;
use sys::Context;
use sys::exec::Executor;
use sys::object::{Interrupt, Mailbox, Owned, Process, Resource};
use sys::time::SECOND;

const INDEX: u16 = 0x70;
const LINE: u64 = 8;
/// 2026-02-03 04:05:06, a Tuesday.
const THEN: u64 = 1_770_091_506;

/// The memory of a chip that stands still, and which byte of it is meant.
#[derive(Clone)]
struct Memory(Arc<Mutex<(u8, [u8; 128])>>);

impl Memory {
    fn new() -> Self {
        let mut bytes = [0; 128];
        bytes[..10].copy_from_slice(&[0x06, 0, 0x05, 0, 0x04, 0, 3, 0x03, 0x02, 0x26]);
        bytes[usize::from(r::B)] = r::B_24_HOURS;
        bytes[usize::from(r::D)] = r::D_VALID;
        Self(Arc::new(Mutex::new((0, bytes))))
    }

    fn set(&self, register: u8, value: u8) {
        self.0.lock().expect("nobody panics").1[usize::from(register)] = value;
    }

    fn get(&self, register: u8) -> u8 {
        self.0.lock().expect("nobody panics").1[usize::from(register)]
    }
}

impl Ports for Memory {
    fn read(&mut self, port: u16, _: u8) -> u32 {
        let (index, bytes) = &mut *self.0.lock().expect("nobody panics");
        assert_eq!(port, INDEX + 1);
        let value = bytes[usize::from(*index)];
        if *index == r::C {
            bytes[usize::from(r::C)] = 0;
        }
        value.into()
    }

    fn write(&mut self, port: u16, _: u8, value: u32) {
        let (index, bytes) = &mut *self.0.lock().expect("nobody panics");
        if port == INDEX {
            *index = value as u8;
        } else {
            bytes[usize::from(*index)] = value as u8;
        }
    }
}

fn driver(context: &Context) -> Result<u64, Error> {
    let exec = Executor::new()?;
    let take = |name| context.handle(name).ok_or(Error::NotReady);
    Resource::from(take("ports")?).grant_ports(&Process::own())?;
    let line: Interrupt = Resource::from(take("lines")?).interrupt(0, AS_WIRED)?;
    let server = Server::new(&exec, Chip::new(IoPorts(INDEX), None));
    exec.spawn(server.clone().keep(exec.interrupt(line)?));
    let inbox = exec.mailbox(Mailbox::from(take("mailbox")?))?;
    exec.run_until(server.serve(inbox))?
        .map(|never| match never {})
}

fn ask(clock: &Mailbox, request: Request) -> Result<Answer, Failure> {
    ipc::call::<Clock>(clock, &request, Vec::new(), NEVER).map(|(answer, _)| answer)
}

fn wall(clock: &Mailbox) -> (u64, u64) {
    match ask(clock, Request::Now) {
        Ok(Answer::Time { wall, monotonic }) => (wall, monotonic),
        other => panic!("{other:?}"),
    }
}

/// When a second began, on the monotonic clock, by what the clock says now. (A busy host may let seconds go by before it is asked.)
fn began(clock: &Mailbox, seconds: u64) -> u64 {
    let (wall, monotonic) = wall(clock);
    monotonic - (wall - seconds * SECOND)
}

#[test]
fn the_date_is_read_kept_right_and_set() {
    let machine = Machine::with_clock(Time::Skipping);
    let _test = machine.enter("test");
    let memory = Memory::new();
    machine.set_ports(memory.clone());
    let mailbox = Mailbox::new().expect("room");
    let clock = mailbox.badge(1).expect("room");
    let given: [(&'static str, Owned); 3] = [
        ("ports", machine.ports(INDEX.into(), 2).into()),
        ("lines", machine.lines(LINE, 1).into()),
        ("mailbox", mailbox.into()),
    ];
    let running = machine.spawn("drv.rtc", given, |context| {
        u64::from(driver(context).is_err())
    });
    // A chip that hangs has no date, and one without a battery has none.
    memory.set(r::A, r::A_UPDATING);
    assert_eq!(
        ask(&clock, Request::Now),
        Err(Failure::Fault(Fault::Failed))
    );
    memory.set(r::A, 0);
    memory.set(r::D, 0);
    assert_eq!(
        ask(&clock, Request::Now),
        Err(Failure::Fault(Fault::Failed))
    );
    memory.set(r::D, r::D_VALID);
    let before = machine.now();
    let began_then = began(&clock, THEN);
    assert!((before..=machine.now()).contains(&began_then));
    // It goes on with the monotonic clock.
    machine.advance(10 * SECOND);
    assert_eq!(began(&clock, THEN), began_then);
    // The line tells the begin of a second: from then on it is exact, and the chip is quiet.
    assert_ne!(memory.get(r::B) & r::B_EACH_SECOND, 0);
    memory.set(r::C, r::C_SECOND);
    memory.set(r::SECONDS, 0x30);
    let before = machine.now();
    assert!(machine.fire(LINE));
    let until = Instant::now() + Duration::from_secs(60);
    while memory.get(r::B) & r::B_EACH_SECOND != 0 {
        assert!(Instant::now() < until, "the chip is not quiet");
        std::thread::yield_now();
    }
    assert!((before..=machine.now()).contains(&began(&clock, THEN + 24)));
    // A leap day.
    let before = machine.now();
    assert_eq!(
        ask(
            &clock,
            Request::Set {
                seconds: 1_709_164_800
            }
        ),
        Ok(Answer::Done)
    );
    let day = [r::DAY, r::MONTH, r::YEAR, r::HOURS].map(|register| memory.get(register));
    assert_eq!(day, [0x29, 0x02, 0x24, 0]);
    assert!((before..=machine.now()).contains(&began(&clock, 1_709_164_800)));
    let range = Request::Set { seconds: 1 << 60 };
    assert_eq!(
        ask(&clock, range),
        Err(Failure::Fault(Fault::InvalidArgument))
    );
    assert_eq!(running.status(), None);
    running.kill(0);
}
