//! The server on the kernel's stand-in: what clients are answered, and followers that are slow, many, or gone.

#![allow(missing_docs, reason = "a test")]

use std::time::{Duration, Instant};

use abi::log::Level;
use abi::{Error, NEVER, Rights};
use fake_kernel::{Clock, Machine, Running};
use ipc::Failure;
use logger::server::{FOLLOWERS_EACH, Server};
use protocols::Fault;
use protocols::logger::{self as protocol, Answer, Logger, Request, Select, Status};
use sys::channel::Reader;
use sys::exec::Executor;
use sys::object::{Mailbox, Owned, System, VmArea};
use sys::{Context, call};

/// How long something may take at most.
const PATIENCE: Duration = Duration::from_secs(60);

fn server(context: &Context) -> Result<u64, Error> {
    let exec = Executor::new()?;
    let take = |name| context.handle(name).ok_or(Error::NotReady);
    let server = Server::new(&exec, 64 * 1024);
    let system = System::from(take("system")?);
    exec.spawn(server.clone().read(system, exec.signal()?));
    let inbox = exec.mailbox(Mailbox::from(take("mailbox")?))?;
    let served = exec.run_until(server.serve(inbox))?;
    served.map(|never| match never {})
}

/// A machine's logger, and how to reach it.
struct World {
    system: System,
    logger: Mailbox,
    running: Running,
}

fn world(machine: &Machine) -> World {
    let mailbox = Mailbox::new().expect("room");
    let logger = mailbox.badge(1).expect("room");
    let given: Vec<(&'static str, Owned)> = vec![
        ("system", machine.system(Rights::LOG_READ).into()),
        ("mailbox", mailbox.into()),
    ];
    World {
        system: machine.system(Rights::LOG_WRITE),
        logger,
        running: machine.spawn("srv.logger", given, |context| {
            u64::from(server(context).is_err())
        }),
    }
}

fn select(level: protocol::Level, area: &str) -> Select {
    let area = area.into();
    Select { level, area }
}

impl World {
    fn write(&self, level: Level, text: &str) {
        call::system_log_write(self.system.handle(), level, text.as_bytes()).expect("the log");
    }

    fn ask(&self, request: &Request, handles: Vec<Owned>) -> Result<(Answer, Vec<Owned>), Failure> {
        ipc::call::<Logger>(&self.logger, request, handles, NEVER)
    }

    fn status(&self) -> Status {
        match self.ask(&Request::Status, vec![]) {
            Ok((Answer::Status(status), _)) => status,
            other => panic!("{other:?}"),
        }
    }

    fn wait_for(&self, records: u64) {
        let until = Instant::now() + PATIENCE;
        while self.status().received < records {
            assert!(Instant::now() < until, "{:?}", self.status());
            std::thread::yield_now();
        }
    }

    fn query(&self, select: Select, last: u32) -> String {
        let answer = self.ask(&Request::Query { select, last }, vec![]);
        let Ok((Answer::Lines { bytes, records }, mut handles)) = answer else {
            panic!("{answer:?}");
        };
        let Some(area) = handles.pop() else {
            assert_eq!((bytes, records), (0, 0));
            return String::new();
        };
        let mapping = VmArea::from(area).map(abi::area::READ).expect("a mapping");
        let mut text = vec![0; bytes as usize];
        assert_eq!(mapping.read(0, &mut text), text.len());
        let text = String::from_utf8(text).expect("text");
        assert_eq!(text.lines().count() as u64, records);
        text
    }

    fn follow(&self, select: Select) -> Reader {
        let bits = (1, 2);
        let answer = self.ask(&Request::Follow { select, bits }, vec![]);
        let (_, handles) = answer.expect("a follower");
        let handles = sys::channel::handles(handles).expect("an end");
        Reader::new(sys::start::own(), handles).expect("a reader")
    }
}

#[test]
fn what_was_written_is_told_by_level_and_area() {
    let machine = Machine::with_clock(Clock::Skipping);
    let _test = machine.enter("test");
    let world = world(&machine);
    world.write(Level::Error, "one");
    world.write(Level::Debug, "two");
    world.write(Level::Info, "three");
    world.wait_for(3);
    let ends = |text: String| {
        let ends = text
            .lines()
            .map(|line| line.rsplit(": ").next().unwrap_or("").to_string());
        ends.collect::<Vec<_>>()
    };
    let all = select(protocol::Level::Trace, "");
    assert_eq!(ends(world.query(all.clone(), 0)), ["one", "two", "three"]);
    assert_eq!(ends(world.query(all.clone(), 2)), ["two", "three"]);
    let important = select(protocol::Level::Info, "te");
    assert_eq!(ends(world.query(important, 0)), ["one", "three"]);
    assert_eq!(world.query(select(protocol::Level::Trace, "other"), 0), "");
    let quiet = select(protocol::Level::Warn, "test");
    world
        .ask(
            &Request::SetFilter {
                select: quiet.clone(),
            },
            vec![],
        )
        .expect("a filter");
    world.write(Level::Info, "four");
    world.wait_for(4);
    assert_eq!(ends(world.query(all, 0)), ["one", "two", "three"]);
    let status = world.status();
    assert_eq!(
        (status.received, status.filtered, status.kept, status.lost),
        (4, 1, 3, 0)
    );
    assert!(status.filter.contains(&(quiet.area, quiet.level)));
}

#[test]
fn a_slow_follower_holds_up_nobody_and_is_told_what_it_missed() {
    let machine = Machine::with_clock(Clock::Skipping);
    let _test = machine.enter("test");
    let world = world(&machine);
    let all = select(protocol::Level::Trace, "");
    let (mut slow, mut quick) = (world.follow(all.clone()), world.follow(all));
    let total = 5000;
    let read = |reader: &mut Reader, text: &mut String, end: &str| {
        let mut piece = [0; 4096];
        while !text.ends_with(end) {
            let count = reader.read(&mut piece, NEVER).expect("a line");
            text.push_str(&String::from_utf8_lossy(&piece[..count]));
        }
    };
    let mut quick_text = String::new();
    for index in 0..total {
        world.write(Level::Info, &format!("line {index}."));
        read(&mut quick, &mut quick_text, &format!(" {index}.\n"));
    }
    assert_eq!(quick_text.lines().count(), total);
    world.wait_for(total as u64);
    world.write(Level::Info, "end.");
    let mut slow_text = String::new();
    read(&mut slow, &mut slow_text, " end.\n");
    let skipped = |line: &str| {
        line.strip_prefix('[')?
            .split_once(" records skipped")?
            .0
            .parse::<usize>()
            .ok()
    };
    let missed: usize = slow_text.lines().filter_map(skipped).sum();
    let lines = slow_text
        .lines()
        .filter(|line| skipped(line).is_none())
        .count();
    assert!(missed > 0);
    assert_eq!(missed + lines, total + 1);
}

#[test]
fn followers_come_and_go_and_nothing_stays() {
    let machine = Machine::with_clock(Clock::Skipping);
    let _test = machine.enter("test");
    let world = world(&machine);
    let all = select(protocol::Level::Trace, "");
    // The server's own things are there from its first answer on.
    world.status();
    let before = machine.handles("srv.logger");
    for _ in 0..20 {
        drop(world.follow(all.clone()));
    }
    let mut readers: Vec<_> = (0..10).map(|_| world.follow(all.clone())).collect();
    let rest = readers.split_off(10 - FOLLOWERS_EACH);
    for mut reader in readers {
        assert_eq!(reader.read(&mut [0], NEVER), Ok(0));
    }
    drop(rest);
    let until = Instant::now() + PATIENCE;
    while machine.handles("srv.logger") > before {
        assert!(Instant::now() < until, "handles are left");
        world.status();
        std::thread::yield_now();
    }
}

#[test]
fn whatever_a_client_sends_the_server_goes_on() {
    let machine = Machine::with_clock(Clock::Skipping);
    let _test = machine.enter("test");
    let world = world(&machine);
    let fault = |request: &Request, handles| match world.ask(request, handles) {
        Err(Failure::Fault(fault)) => Some(fault),
        _ => None,
    };
    let handle = || vec![Mailbox::new().expect("room").into_owned()];
    assert_eq!(
        fault(&Request::Status, handle()),
        Some(Fault::InvalidArgument)
    );
    let select = select(protocol::Level::Info, "");
    let bits = (1, 2);
    let follow = Request::Follow { select, bits };
    assert_eq!(fault(&follow, handle()), Some(Fault::InvalidArgument));
    let garbage = sys::message::Message::new(1 << 8, &[u64::MAX, 3]);
    world.logger.call(&garbage).expect("an answer");
    // Memory that is short at any place is told, or made up for, and the server goes on.
    for n in 0..40 {
        machine.fail_memory("srv.logger", n);
        let _ = world.ask(&follow, vec![]);
        machine.inject_nothing();
        assert_eq!(world.running.status(), None, "at call {n}");
        world.status();
    }
    world.write(Level::Info, "still there");
    world.wait_for(1);
}
