//! Init on the kernel's stand-in: its services are processes in which nothing runs, and the test speaks for them.

use std::string::{String, ToString};
use std::time::{Duration, Instant};
use std::vec;
use std::vec::Vec;

use abi::{Error, NEVER, Rights, console};
use fake_kernel::{Clock, Machine as Fake};
use ipc::{Directory, Failure};
use protocols::directory::{Directory as Protocol, Request};
use protocols::files::{self, FileAnswer, FileRequest, Files, How, OpenFile};
use protocols::services::{self, Services, State};
use protocols::{Fault, directory};
use sys::exec::Executor;
use sys::message::Message;
use sys::object::{Event as SysEvent, Mailbox, Owned, System, VmArea};

use super::*;

const MANIFEST: &str = r#"
[[service]]
name = "server"
program = "/bin/inert"
grants = ["system.log_write", "ports:0x60", "framebuffer"]
provides = ["good"]
uses = ["files.boot", "good", "better", "services"]
console = "serial"
restart = { limit = 2, delay = "20 ms", window = "60 min", steady = "60 min" }

[[service]]
name = "client"
program = "/bin/inert"
uses = ["*"]
may = ["restart", "stop"]
after = ["server"]
"#;

/// A program that could be started: one page of code at a fixed address.
fn program() -> Vec<u8> {
    let mut file = vec![0; 0x1010];
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"\x7fELF\x02\x01\x01");
    put(16, &[2, 0, 62, 0, 1]);
    put(24, &0x40_0000_u64.to_le_bytes());
    put(32, &64_u64.to_le_bytes());
    put(52, &[64, 0, 56, 0, 1, 0, 64, 0]);
    put(64, &[1, 0, 0, 0, 5, 0, 0, 0]);
    for (index, word) in [0x1000, 0x40_0000, 0x40_0000, 16, 16, 0x1000_u64]
        .iter()
        .enumerate()
    {
        put(72 + index * 8, &word.to_le_bytes());
    }
    file
}

fn archive() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let files = [
        ("bin/inert", program()),
        ("etc/services.toml", MANIFEST.as_bytes().to_vec()),
        ("text", vec![b'x'; 5000]),
    ];
    for (path, data) in files {
        let mut header = tar::Header::new_ustar();
        header.set_path(path).unwrap();
        header.set_size(data.len() as u64);
        header.set_cksum();
        builder.append(&header, data.as_slice()).unwrap();
    }
    let tar = builder.into_inner().unwrap();
    ruzstd::encoding::compress_to_vec(tar.as_slice(), ruzstd::encoding::CompressionLevel::Fastest)
}

/// Runs init; the ways in of its services are the test's.
struct World {
    system: System,
    server: Directory,
    client: Directory,
    _running: fake_kernel::Running,
}

impl World {
    fn new(fake: &Fake, bytes: &[u8]) -> Self {
        let area = VmArea::open((bytes.len() as u64).next_multiple_of(abi::PAGE_SIZE)).unwrap();
        let mapping = area.map(abi::area::READ | abi::area::WRITE).unwrap();
        mapping.write(0, bytes);
        drop(mapping);
        let len = bytes.len().to_string();
        let meeting = Mailbox::new().unwrap();
        let given: Vec<(&'static str, Owned)> = vec![
            ("module:archive", area.into()),
            ("system", fake.system(Rights::ALL).into()),
            ("ports", fake.ports(0, 0x1_0000).into()),
            ("memory", fake.memory(0, 1 << 40).into()),
            ("lines", fake.lines(0, 24).into()),
            ("meeting", meeting.badge(1).unwrap().into()),
        ];
        let environment = [("module:archive", len.as_str())];
        let running = fake.spawn_with("srv.init", &["srv.init"], &environment, given, |context| {
            let meeting = context.handle("meeting").map(Mailbox::from).unwrap();
            let exec = Executor::new().unwrap();
            let machine = Machine::of(context);
            let options = Options::default();
            let Ok(mut init) = Init::new(context, &exec, machine, &options) else {
                return 99;
            };
            // As if both ran already, and asked by what they were given.
            init.turn();
            let ways: Vec<_> = (1..=1)
                .map(|client| badge::new(badge::Kind::Directory, client))
                .map(|badge| init.inbox.mailbox().badge(badge).unwrap().into_raw())
                .collect();
            let other = init.directory.begin(1, &init.services[1].uses.clone());
            let badge = badge::new(badge::Kind::Directory, other);
            let other = init.inbox.mailbox().badge(badge).unwrap().into_raw();
            let message = Message::with_handles(0, &[ways[0], other], &[]);
            meeting.call(&message).unwrap();
            init.run(&exec)
        });
        let received = meeting.receive(NEVER).unwrap();
        let mut handles = received.message.handles().map(Owned::from_raw);
        let mut next = || Directory::from_owned(handles.next().unwrap());
        let (server, client) = (next(), next());
        meeting.reply(&Message::new(0, &[])).unwrap();
        Self {
            system: fake.system(Rights::ALL),
            server,
            client,
            _running: running,
        }
    }

    fn services(&self) -> Mailbox {
        self.client.lookup(services::NAME, 0).unwrap()
    }

    fn list(&self) -> Vec<services::Service> {
        let request = services::Request::List {
            after: String::new(),
        };
        match ipc::call::<Services>(&self.services(), &request, vec![], NEVER) {
            Ok((services::Answer::Services(list), _)) => list,
            other => panic!("{other:?}"),
        }
    }

    /// Waits until a service's state is one that fits.
    fn wait(&self, name: &str, fits: impl Fn(&services::Service) -> bool) -> services::Service {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let list = self.list();
            let found = list.into_iter().find(|service| service.name == name);
            match found {
                Some(service) if fits(&service) => return service,
                found => assert!(Instant::now() < until, "{found:?}"),
            }
            std::thread::yield_now();
        }
    }

    fn kill(&self, service: &services::Service) {
        let process = self.system.open_process(service.process).unwrap();
        process.kill(3).unwrap();
    }
}

fn refused(result: Result<impl core::fmt::Debug, Failure>) -> Fault {
    match result {
        Err(Failure::Fault(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

/// When the machine is off, no call of this thread comes back: it ends as a thread does.
fn wait_for_the_end(test: fake_kernel::Entered) {
    let end = std::panic::catch_unwind(|| {
        loop {
            // The clock goes on when everybody waits.
            time::sleep(time::SECOND);
        }
    });
    assert!(end.is_err());
    drop(test);
}

fn fake() -> Fake {
    let fake = Fake::with_clock(Clock::Skipping);
    fake.set_framebuffer(abi::framebuffer::Framebuffer {
        address: 0x8000_0000,
        width: 100,
        height: 10,
        pitch: 400,
        bytes_per_pixel: 4,
        ..Default::default()
    });
    fake
}

#[test]
fn names_lead_to_services_for_those_who_may() {
    let fake = fake();
    let _test = fake.enter("test");
    let world = World::new(&fake, &archive());
    assert_eq!(fake.consoles() & console::SERIAL, 0);
    assert_eq!(
        refused(world.server.lookup("power", 0)),
        Fault::AccessDenied
    );
    assert_eq!(refused(world.server.lookup("better", 0)), Fault::NotFound);
    assert_eq!(refused(world.server.lookup("good", 0)), Fault::NotFound);
    assert_eq!(refused(world.client.lookup("good", 1)), Fault::TimedOut);
    // Only the service itself may register, and only what it provides, by what can be called.
    let mailbox = Mailbox::new().unwrap();
    assert_eq!(
        refused(world.client.register("good", &mailbox)),
        Fault::AccessDenied
    );
    assert_eq!(
        refused(world.server.register("better", &mailbox)),
        Fault::AccessDenied
    );
    let request = Request::Register {
        name: "good".into(),
    };
    let way_in = world.server.duplicate().unwrap().into_owned();
    let way_in = Mailbox::from(way_in);
    let ask = |request: &Request, handles: Vec<Owned>| {
        ipc::call::<Protocol>(&way_in, request, handles, NEVER)
    };
    let event = SysEvent::new().unwrap();
    assert_eq!(
        refused(ask(&request, vec![event.into()])),
        Fault::InvalidArgument
    );
    assert_eq!(refused(ask(&request, vec![])), Fault::InvalidArgument);

    world.server.register("good", &mailbox).unwrap();
    let found = world.client.lookup("good", 0).unwrap();
    let same = found.into_owned().info().unwrap().object;
    assert_eq!(same, mailbox.handle_info().unwrap().object);
    let narrowed = Directory::from_owned(world.client.narrow(&["good"]).unwrap());
    assert_eq!(narrowed.list().unwrap(), ["good"]);
    assert_eq!(
        refused(narrowed.lookup("files.boot", 0)),
        Fault::AccessDenied
    );
    assert_eq!(refused(narrowed.ready()), Fault::AccessDenied);
    assert_eq!(
        world.client.list().unwrap(),
        ["files.boot", "good", "services"]
    );
    assert_eq!(
        world
            .wait("client", |client| client.state == State::Running)
            .restarts,
        0
    );
}

#[test]
fn garbage_and_floods_are_answered() {
    let fake = fake();
    let _test = fake.enter("test");
    let world = World::new(&fake, &archive());
    let mailbox = Mailbox::from(world.server.duplicate().unwrap().into_owned());
    // Words that are no request, of a protocol that is spoken and of one that is not.
    for label in [
        0,
        <Protocol as protocols::Protocol>::LABEL,
        <Files as protocols::Protocol>::LABEL,
    ] {
        for words in [&[][..], &[1][..], &[u64::MAX, 3][..], &[3, 0x00ff_ffff][..]] {
            let answer = mailbox.call(&Message::new(label, words)).unwrap();
            assert_ne!(answer.words(), &[] as &[u64]);
        }
    }
    // The client's own lookups wait, each on a thread; others are served meanwhile, and all are told in the end.
    let waiting: Vec<_> = (0..directory_limit() + 8)
        .map(|_| {
            let way_in = world.client.duplicate().unwrap().into_owned();
            fake.spawn("waiting", [("directory", way_in)], |context| {
                let directory = Directory::of(context).unwrap();
                match directory.lookup("good", NEVER) {
                    Ok(_) => 0,
                    Err(Failure::Fault(Fault::NoRoom)) => 1,
                    Err(_) => 2,
                }
            })
        })
        .collect();
    assert_eq!(refused(world.server.lookup("better", 0)), Fault::NotFound);
    // Eight of them are refused at once; the others wait for this.
    let until = Instant::now() + Duration::from_secs(60);
    while world.list().is_empty() {
        assert!(Instant::now() < until, "nobody is answered");
    }
    let served = Mailbox::new().unwrap();
    let mut results: Vec<u64> = Vec::new();
    let mut waiting = waiting.into_iter();
    std::thread::sleep(std::time::Duration::from_millis(300));
    world.server.register("good", &served).unwrap();
    results.extend(waiting.by_ref().map(fake_kernel::Running::join));
    assert!(results.iter().all(|result| *result < 2), "{results:?}");
    assert!(results.iter().filter(|result| **result == 0).count() >= directory_limit());
}

fn directory_limit() -> usize {
    crate::directory::WAITING_MAX
}

#[test]
fn files_are_read_and_mapped_and_not_written() {
    let fake = fake();
    let _test = fake.enter("test");
    let world = World::new(&fake, &archive());
    let boot = world.client.lookup("files.boot", 0).unwrap();
    let open = |path: &str, how| {
        let path = path.into();
        ipc::call::<Files>(&boot, &files::Request::Open { path, how }, vec![], NEVER)
    };
    assert_eq!(refused(open("/gone", How::Read)), Fault::NotFound);
    assert_eq!(refused(open("/text", How::Write)), Fault::ReadOnly);
    // Both services run from now on: else the second one would begin when the first has not been ready for long enough.
    let mailbox = Mailbox::new().unwrap();
    world.server.register("good", &mailbox).unwrap();
    world.wait("client", |client| client.state == State::Running);
    let before = fake.objects();
    for _ in 0..100 {
        let (_, mut handles) = open("/text", How::Read).unwrap();
        let file = Mailbox::from(handles.pop().unwrap());
        let ask = |request: &FileRequest| ipc::call::<OpenFile>(&file, request, vec![], NEVER);
        let (answer, _) = ask(&FileRequest::Read {
            offset: 4990,
            len: 100,
        })
        .unwrap();
        assert_eq!(answer, FileAnswer::Bytes(vec![b'x'; 10]));
        assert_eq!(
            refused(ask(&FileRequest::Truncate { size: 0 })),
            Fault::ReadOnly
        );
        let (_, mut handles) = ask(&FileRequest::Map).unwrap();
        let area = VmArea::from(handles.pop().unwrap());
        let access = abi::area::READ | abi::area::WRITE;
        assert_eq!(area.map(access).err(), Some(Error::AccessDenied));
        let mapping = area.map(abi::area::READ).unwrap();
        assert_eq!(
            (mapping.read_u8(4999), mapping.read_u8(5000)),
            (Some(b'x'), Some(0))
        );
    }
    // One area for all, and nothing for each open file.
    assert!(fake.objects() <= before + 1);
    let kernel = directory::Request::Ready;
    let wrong = ipc::call::<Protocol>(&boot, &kernel, vec![], NEVER);
    assert_eq!(refused(wrong), Fault::WrongProtocol);
}

#[test]
fn who_ends_is_started_again_until_it_may_not_and_all_are_stopped_in_order() {
    let fake = fake();
    let test = fake.enter("test");
    let world = World::new(&fake, &archive());
    world
        .server
        .register("good", &Mailbox::new().unwrap())
        .unwrap();
    for restarts in 0..3 {
        let server = world.wait("server", |server| {
            let runs = matches!(server.state, State::Running | State::Starting);
            runs && server.restarts == restarts && server.process != 0
        });
        world.kill(&server);
    }
    let failed = world.wait("server", |server| matches!(server.state, State::Failed(3)));
    assert_eq!((failed.restarts, failed.process), (2, 0));
    // What it registered is gone with it, and its console is the kernel's again.
    assert_eq!(refused(world.client.lookup("good", NEVER)), Fault::Failed);
    assert_ne!(fake.consoles() & console::SERIAL, 0);

    let ask = |request| ipc::call::<Services>(&world.services(), &request, vec![], NEVER);
    let name = || "server".to_string();
    let gone = services::Request::Stop {
        name: "nobody".into(),
    };
    assert_eq!(refused(ask(gone)), Fault::NotFound);
    let one = world.list();
    assert_eq!(one.len(), 2);
    // A start by hand forgets what was before. Nothing in it says that it is ready: it counts as that after a while.
    ask(services::Request::Start { name: name() }).unwrap();
    let again = world.wait("server", |server| server.state == State::Running);
    ask(services::Request::Restart { name: name() }).unwrap();
    assert_ne!(
        world.wait("server", |server| server.process != 0).process,
        again.process
    );
    ask(services::Request::Stop { name: name() }).unwrap();
    assert!(matches!(world.list()[0].state, State::Stopped(_)));
    ask(services::Request::Start { name: name() }).unwrap();

    // The client asks and stays; it does not switch the machine off, so init does.
    ask(services::Request::StopAll).unwrap();
    wait_for_the_end(test);
    assert_eq!(fake.power(), Some((abi::power::Action::Off, NOT_BEGUN)));
    assert_eq!(fake.consoles(), console::SERIAL | console::SCREEN);
}

#[test]
fn an_archive_that_is_none_ends_the_system_with_a_message() {
    let fake = fake();
    let test = fake.enter("test");
    let area = VmArea::open(abi::PAGE_SIZE).unwrap();
    let given: Vec<(&'static str, Owned)> = vec![
        ("module:archive", area.into()),
        ("system", fake.system(Rights::ALL).into()),
    ];
    let arguments = ["srv.init", "shell=ls"];
    let _running = fake.spawn_with("srv.init", &arguments, &[], given, run);
    wait_for_the_end(test);
    assert_eq!(fake.power(), Some((abi::power::Action::Off, NOT_BEGUN)));
}
