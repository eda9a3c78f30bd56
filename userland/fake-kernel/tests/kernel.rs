//! The stand-in behaves as the kernel does: handles, messages, ends of processes, memory, what is injected.

use fake_kernel::{Clock, Machine};
use sys::abi::area::{READ, WRITE};
use sys::abi::log::{Level, records};
use sys::abi::{Error, NEVER, ObjectType, Rights, power};
use sys::message::Message;
use sys::message::long::{Buffer, Room};
use sys::object::{Event, Mailbox, Owned, Process, Reply, System, VmArea};
use sys::time::{self, SECOND};
use sys::{Context, call, start, thread};

#[test]
fn handles_have_types_rights_and_descendants() {
    let machine = Machine::new();
    let _test = machine.enter("test");
    let event = Event::new().unwrap();
    let signaller = event
        .duplicate(Rights::SIGNAL.union(Rights::DUPLICATE))
        .unwrap();
    assert_eq!(signaller.take(1), Err(Error::AccessDenied));
    assert_eq!(call::mailbox_create().map(|_| ()), Ok(()));
    assert_eq!(call::vm_area_info(event.handle()), Err(Error::WrongType));
    let grandchild = signaller.duplicate(Rights(u32::MAX)).unwrap();
    assert!(!Rights(grandchild.handle_info().unwrap().rights as u32).contains(Rights::WAIT));
    event.revoke().unwrap();
    assert_eq!(grandchild.signal(1), Err(Error::BadHandle));
    assert_eq!(event.signal(1), Ok(()));
    let stale = event.handle();
    assert!(Owned::from(event).is(ObjectType::Event));
    assert_eq!(call::event_signal(stale, 1), Err(Error::BadHandle));
}

#[test]
fn long_messages_carry_handles_both_ways() {
    let machine = Machine::new();
    let _test = machine.enter("test");
    let mailbox = Mailbox::new().unwrap();
    let client = mailbox.badge(42).unwrap();
    let server = machine.spawn("server", [("mailbox", mailbox)], |context| {
        let mailbox = context.handle("mailbox").unwrap();
        let mut room = Room::new();
        let mut buffer = Buffer::new(&mut room).unwrap();
        let badge = buffer.receive(mailbox.handle(), NEVER).unwrap();
        let words: Vec<u64> = buffer.words()[2..].iter().rev().copied().collect();
        let handles: Vec<_> = buffer.handles().collect();
        assert_eq!(call::event_take(handles[0], 7), Ok(5));
        buffer.put(badge, &[handles[1], handles[0]], &words);
        buffer.reply(mailbox.handle()).unwrap();
        0
    });
    let mut room = Room::new();
    let mut buffer = Buffer::new(&mut room).unwrap();
    let (one, other) = (Event::new().unwrap(), Event::new().unwrap());
    one.signal(5).unwrap();
    let words: Vec<u64> = (0..62).collect();
    buffer.put(1, &[one.into_raw(), other.into_raw()], &words);
    buffer.call(client.handle()).unwrap();
    assert_eq!(buffer.tag().label(), 42);
    assert!(buffer.words()[2..].iter().rev().eq(&words));
    let handles: Vec<_> = buffer.handles().map(Owned::from_raw).collect();
    assert_eq!(handles.len(), 2);
    assert_eq!(server.join(), 0);
    // Without a buffer a long answer is not taken, and without TRANSFER no handle goes.
    let event = Event::new().unwrap().duplicate(Rights::SIGNAL).unwrap();
    let message = Message::with_handles(0, &[event.handle()], &[]);
    let mailbox = Mailbox::new().unwrap();
    assert_eq!(mailbox.call(&message), Err(Error::AccessDenied));
    assert_eq!(event.signal(1), Ok(()));
}

/// The end of a process, and what becomes of those who deal with it. Hours cost nothing here, and a busy host keeps no thread from running for one.
#[test]
fn peers_die() {
    let machine = Machine::with_clock(Clock::Skipping);
    let _test = machine.enter("test");
    const HOUR: u64 = 3600 * SECOND;
    let before = machine.objects();
    let die = |context: &Context| -> u64 {
        let mailbox = Mailbox::from(context.handle("mailbox").unwrap());
        let _received = mailbox.receive(NEVER).unwrap();
        time::sleep(HOUR);
        5
    };
    // With a call that was received, killed or by its own choice.
    for kill in [false, true] {
        let mailbox = Mailbox::new().unwrap();
        let client = mailbox.badge(0).unwrap();
        let server = machine.spawn("server", [("mailbox", mailbox)], die);
        let event = Event::new().unwrap();
        client.on_closed(Some(&event), 1).unwrap();
        server.process().on_exit(Some(&event), 2).unwrap();
        if kill {
            let process = server.process().duplicate(Rights::KILL).unwrap();
            let kill = move || {
                time::sleep(SECOND);
                process.kill(77)
            };
            drop(thread::spawn(kill).unwrap());
        }
        assert_eq!(client.call(&Message::default()), Err(Error::PeerClosed));
        assert_eq!(event.wait_all(3, NEVER), Ok(3));
        assert_eq!(client.call(&Message::default()), Err(Error::PeerClosed));
        let info = server.process().info().unwrap();
        assert_eq!((info.state, info.handles), (1, 0));
        assert_eq!(server.join(), if kill { 77 } else { 5 });
    }
    // A caller that gives up, or is killed: who answers hears of it.
    let mailbox = Mailbox::new().unwrap();
    let client = mailbox.badge(0).unwrap();
    let caller = machine.spawn("caller", [("server", client)], |context| {
        let server = Mailbox::from(context.handle("server").unwrap());
        let late = server.call_until(&Message::default(), time::after(HOUR));
        assert_eq!(late, Err(Error::TimedOut));
        let _ = server.call(&Message::default());
        0
    });
    mailbox.receive(NEVER).unwrap();
    let reply = Reply::detach().unwrap();
    time::sleep(2 * HOUR);
    assert_eq!(reply.answer(&Message::default()), Err(Error::PeerClosed));
    mailbox.receive(NEVER).unwrap();
    caller.kill(3);
    assert_eq!(mailbox.reply(&Message::default()), Err(Error::PeerClosed));
    assert_eq!(caller.join(), 3);
    drop((mailbox, reply));
    assert_eq!(machine.objects(), before);
}

#[test]
fn memory_is_shared_and_cut() {
    let machine = Machine::new();
    let _test = machine.enter("test");
    let ring = VmArea::ring(4096).unwrap();
    let view = ring.map(READ | WRITE).unwrap();
    view.write(4094, b"abcd");
    let mut buffer = [0; 4];
    view.read(0, &mut buffer);
    assert_eq!(&buffer, b"cd\0\0");
    view.read(4096, &mut buffer);
    assert_eq!(&buffer, b"cd\0\0");
    let area = VmArea::open(8192).unwrap();
    let given = area.duplicate(
        Rights::MAP_READ
            .union(Rights::INSPECT)
            .union(Rights::TRANSFER),
    );
    let other = machine.spawn("other", [("area", given.unwrap())], |context| {
        let area = VmArea::from(context.handle("area").unwrap());
        assert_eq!(area.map(READ | WRITE).map(drop), Err(Error::AccessDenied));
        let view = area.map(READ).unwrap();
        while view.read_u64(8) != Some(9) {
            sys::thread::yield_now();
        }
        0
    });
    area.map(READ | WRITE).unwrap().write_u64(8, 9);
    assert_eq!(other.join(), 0);
    let snapshot = area.snapshot().unwrap();
    area.decommit(0, 4096).unwrap();
    assert_eq!(area.map(READ).unwrap().read_u64(8), Some(0));
    assert_eq!(snapshot.map(READ).unwrap().read_u64(8), Some(9));
    area.resize(4096).unwrap();
    assert_eq!(
        area.map_part(0, 8192, READ).map(drop),
        Err(Error::InvalidArgument)
    );

    // A process without code: filled, looked at, ended.
    let child = Process::new("child").unwrap();
    child.map_at(&snapshot, 0x40_0000, 0, 8192, READ).unwrap();
    assert_eq!(
        child.map_at(&snapshot, 0x40_1000, 0, 4096, READ),
        Err(Error::Occupied)
    );
    let mut word = [0; 8];
    assert_eq!(child.read(0x40_0008, &mut word), Ok(8));
    assert_eq!(u64::from_le_bytes(word), 9);
    let thread = child
        .create_thread(0x40_0000, 0x7000, 5, u64::MAX, 1)
        .unwrap();
    let mut registers = thread.read_registers().unwrap();
    assert_eq!((registers.rip, registers.rdi), (0x40_0000, 5));
    registers.fs_base = 0x1000;
    thread.write_registers(&registers).unwrap();
    assert_eq!(thread.read_registers().unwrap().fs_base, 0x1000);
    child.unmap(0x40_1000, 4096).unwrap();
    let event = Event::new().unwrap();
    let there = child.give(event).unwrap();
    assert_eq!(child.next_handle(0).unwrap().handle, there.0);
    assert_eq!(child.next_area(0).unwrap().len, 4096);
    thread.kill().unwrap();
    assert_eq!(child.info().unwrap().state, 1);
}

#[test]
fn memory_that_runs_short_leaves_nothing() {
    // Each call that can fail so does, one after the other, until one run has no failure.
    for n in 0.. {
        let machine = Machine::new();
        let _test = machine.enter("test");
        let before = (machine.handles("test"), machine.objects());
        machine.fail_memory("test", n);
        let made = sys::channel::Channel::new(4096).and_then(|channel| {
            let writer = sys::channel::Writer::new(start::own(), channel.writer()?)?;
            let reader = sys::channel::Reader::new(start::own(), channel.reader()?)?;
            Ok((writer, reader))
        });
        machine.inject_nothing();
        let error = made.err();
        assert!(error.is_none() || error == Some(Error::OutOfMemory));
        let is_made = error.is_none();
        assert_eq!(
            (machine.handles("test"), machine.objects()),
            before,
            "failure {n}"
        );
        if is_made {
            assert!(n > 10);
            break;
        }
    }
}

#[test]
fn the_machine_logs_and_stops() {
    let machine = Machine::new();
    let entered = machine.enter("test");
    let log = machine.system(Rights::LOG_WRITE.union(Rights::TRANSFER));
    assert_eq!(log.log_read(0, &mut [0; 1000]), Err(Error::AccessDenied));
    let reader = machine.system(Rights::LOG_READ);
    let event = Event::new().unwrap();
    reader.on_record(Some(&event), 4).unwrap();
    let writer = machine.spawn("writer", [("log", log)], |context| {
        let log = System::from(context.handle("log").unwrap());
        log.log_write(Level::Warn, b"one\ntwo").unwrap();
        0
    });
    assert_eq!(event.wait(4, NEVER), Ok(4));
    assert_eq!(writer.join(), 0);
    let mut buffer = [0; 1000];
    let count = reader.log_read(1, &mut buffer).unwrap();
    let all: Vec<_> = records(&buffer[..count]).collect();
    assert_eq!((all[0].target, all[0].text), (&b"writer"[..], &b"two"[..]));
    assert_eq!((all.len(), all[0].head.level), (1, Level::Warn));
    assert_eq!(reader.log_read(0, &mut [0; 8]), Err(Error::InvalidArgument));
    assert_eq!(machine.log()[0].text, "one");
    let power = machine.system(Rights::POWER.union(Rights::TRANSFER));
    let off = machine.spawn("power", [("power", power)], |context| {
        let power = System::from(context.handle("power").unwrap());
        let _ = power.power(power::Action::Off, 3);
        unreachable!("the machine is off");
    });
    // This process ends, too, perhaps at once: what it calls does not come back.
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        drop(off);
        loop {
            sys::thread::yield_now();
        }
    }));
    assert!(result.is_err());
    drop(entered);
    assert_eq!(machine.power(), Some((power::Action::Off, 3)));
}

#[test]
fn interrupts_fire_until_acknowledged() {
    let machine = Machine::new();
    let _test = machine.enter("test");
    let lines = machine.lines(0, 16);
    let interrupt = lines.interrupt(4, 0).unwrap();
    assert_eq!(lines.interrupt(4, 0).map(drop), Err(Error::Occupied));
    let event = Event::new().unwrap();
    interrupt.on_fire(Some(&event), 1).unwrap();
    assert!(machine.fire(4) && machine.fire(4) && !machine.fire(5));
    assert_eq!(event.take(1), Ok(1));
    assert_eq!(interrupt.acknowledge(), Ok(2));
    assert_eq!(interrupt.acknowledge(), Err(Error::NotReady));
    assert!(machine.fire(4));
    assert_eq!(event.wait(1, NEVER), Ok(1));

    let exec = sys::exec::Executor::new().unwrap();
    drop(interrupt);
    let interrupts = exec.interrupt(lines.interrupt(4, 0).unwrap()).unwrap();
    let other = machine.clone();
    let device = std::thread::spawn(move || {
        for _ in 0..3 {
            std::thread::sleep(std::time::Duration::from_millis(2));
            other.fire(4);
        }
    });
    let fired = exec.run_until(async {
        let mut all = 0;
        while all < 3 {
            all += interrupts.fired().await.unwrap();
        }
        all
    });
    assert_eq!(fired, Ok(3));
    device.join().unwrap();
}

/// A panic in a process ends it with 101, and goes on where the test joins it.
#[test]
fn panics_are_not_lost() {
    let machine = Machine::new();
    let _test = machine.enter("test");
    let none: [(&'static str, Owned); 0] = [];
    let process = machine.spawn("process", none, |_| panic!("on purpose"));
    let event = Event::new().unwrap();
    process.process().on_exit(Some(&event), 1).unwrap();
    event.wait(1, NEVER).unwrap();
    assert_eq!(process.status(), Some(101));
    let joined = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| process.join()));
    assert!(joined.is_err());
}

/// Deadlines pass while a thread of the test is busy elsewhere, too.
#[test]
fn a_clock_that_skips_goes_on_by_itself() {
    let machine = Machine::with_clock(Clock::Skipping);
    let _test = machine.enter("test");
    let none: [(&'static str, Owned); 0] = [];
    let sleeper = machine.spawn("sleeper", none, |_| {
        time::sleep(20_000_000);
        4
    });
    // Not a call of the machine's.
    let joined = std::thread::spawn(move || sleeper.join()).join();
    assert_eq!(joined.unwrap(), 4);
    // And when all wait, an hour costs nothing.
    let before = std::time::Instant::now();
    time::sleep(3600 * SECOND);
    assert!(before.elapsed().as_secs() < 60 && machine.now() > 3600 * SECOND);
}
