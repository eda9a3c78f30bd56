//! Channels: whatever is written comes out, whole and in order, however both sides go about it.

use std::time::{Duration, Instant};

use fake_kernel::{Clock, Machine};
use proptest::prelude::{ProptestConfig, Strategy, any, prop, prop_assert_eq, proptest};
use sys::abi::{Error, NEVER, Rights};
use sys::channel::{Channel, Reader, Writer, handles};
use sys::exec::Executor;
use sys::object::Owned;
use sys::{start, thread};

/// What a side does next: so many bytes, and how.
#[derive(Clone, Copy, Debug)]
enum Step {
    Wait(usize),
    Try(usize),
    Pause,
    /// The end is handed on, as to another process.
    HandOn,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (any::<u8>(), 0..9000usize).prop_map(|(kind, count)| match kind % 16 {
        0..8 => Step::Wait(count),
        8..13 => Step::Try(count),
        13..15 => Step::Pause,
        _ => Step::HandOn,
    });
    prop::collection::vec(step, 1..60)
}

fn byte(at: usize) -> u8 {
    (at ^ at >> 8) as u8
}

/// Writes as the steps say; how many bytes.
fn write(mut writer: Writer, steps: &[Step]) -> Result<usize, Error> {
    let mut at = 0;
    for step in steps {
        let bytes = |count: usize| (at..at + count).map(byte).collect::<Vec<_>>();
        at += match *step {
            Step::Wait(count) => {
                writer.write_all(&bytes(count), NEVER)?;
                count
            }
            Step::Try(count) => match writer.try_write(&bytes(count)) {
                Err(Error::NotReady) => 0,
                result => result?,
            },
            Step::Pause => {
                std::thread::yield_now();
                0
            }
            Step::HandOn => {
                writer = Writer::new(start::own(), writer.into_handles())?;
                0
            }
        };
    }
    Ok(at)
}

/// Reads as the steps say, again and again until the end; how many bytes were right.
fn read(mut reader: Reader, steps: &[Step]) -> Result<usize, Error> {
    let mut at = 0;
    let mut buffer = vec![0; 9000];
    for step in steps.iter().cycle() {
        let count = match *step {
            Step::Wait(count) if count != 0 => match reader.read(&mut buffer[..count], NEVER)? {
                0 => return Ok(at),
                count => count,
            },
            Step::Try(count) if count != 0 => match reader.try_read(&mut buffer[..count]) {
                Err(Error::NotReady) => 0,
                Ok(0) => return Ok(at),
                result => result?,
            },
            Step::HandOn => {
                reader = Reader::new(start::own(), reader.into_handles())?;
                // Steps that only hand on would never end.
                match reader.read(&mut buffer[..1], NEVER)? {
                    0 => return Ok(at),
                    count => count,
                }
            }
            _ => match reader.read(&mut buffer[..1], NEVER)? {
                0 => return Ok(at),
                count => count,
            },
        };
        for byte_here in &buffer[..count] {
            assert_eq!(*byte_here, byte(at));
            at += 1;
        }
    }
    Ok(at)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    #[test]
    fn what_is_written_is_read(writes in steps(), reads in steps(), pages in 1..4u64) {
        let machine = Machine::new();
        let _test = machine.enter("test");
        let before = machine.objects();
        let channel = Channel::new(pages * 4096).unwrap();
        let writer = Writer::new(start::own(), channel.writer().unwrap()).unwrap();
        let reader = Reader::new(start::own(), channel.reader().unwrap()).unwrap();
        drop(channel);
        let written = thread::spawn(move || write(writer, &writes)).unwrap();
        let read = read(reader, &reads).unwrap();
        assert_eq!(written.join(), Ok(Ok(read)));
        // The thread drops what it has a moment after it was joined.
        let until = Instant::now() + Duration::from_secs(60);
        while machine.objects() != before {
            assert!(Instant::now() < until, "objects are left");
            std::thread::yield_now();
        }
    }
}

#[test]
fn an_end_of_something_else_is_refused() {
    let machine = Machine::new();
    let _test = machine.enter("test");
    let before = machine.handles("test");
    let channel = Channel::new(4096).unwrap();
    // Not four handles.
    let mut end: Vec<Owned> = channel.reader().unwrap().map(Owned::from_raw).into();
    end.pop();
    assert_eq!(handles(end).map(drop), Err(Error::InvalidArgument));
    // The page in the place of the ring.
    let [ring, page, written, read] = channel.reader().unwrap();
    let mixed = Reader::new(start::own(), [page, ring, written, read]);
    assert!(mixed.is_err());
    // A reader's ring cannot be written to.
    let reader = channel.reader().unwrap();
    assert!(Writer::new(start::own(), reader).is_err());
    drop(channel);
    assert_eq!(machine.handles("test"), before);
}

#[test]
fn the_creator_closes_for_the_dead() {
    let machine = Machine::new();
    let _test = machine.enter("test");
    let channel = Channel::new(4096).unwrap();
    let mut writer = Writer::new(start::own(), channel.writer().unwrap()).unwrap();
    let mut reader = Reader::new(start::own(), channel.reader().unwrap()).unwrap();
    writer.write_all(b"last", NEVER).unwrap();
    channel.close_writer().unwrap();
    let mut buffer = [0; 16];
    assert_eq!(reader.read_all(&mut buffer, NEVER), Ok(4));
    channel.close_reader().unwrap();
    assert_eq!(writer.write(b"more", NEVER), Err(Error::PeerClosed));

    // The same for one who waits in an executor.
    let exec = Executor::new().unwrap();
    let channel = Channel::with(4096, None, Some(exec.waiter().unwrap())).unwrap();
    let reader = Reader::new(start::own(), channel.reader().unwrap()).unwrap();
    let mut reader = exec.reader(reader).unwrap();
    let closer = thread::spawn(move || channel.close_writer()).unwrap();
    let read = exec.run_until(async { reader.read(&mut [0; 4]).await });
    assert_eq!(read, Ok(Ok(0)));
    assert_eq!(closer.join(), Ok(Ok(())));
}

/// A writer whose process is killed at any moment: the reader finds the end, if the creator binds it.
#[test]
fn a_writer_is_killed() {
    for ms in 0..8 {
        let machine = Machine::with_clock(Clock::Skipping);
        let _test = machine.enter("test");
        let channel = Channel::new(4096).unwrap();
        let end: Vec<_> = channel.writer().unwrap().into_iter().collect();
        let end = end
            .into_iter()
            .map(|handle| ("end", Owned::from_raw(handle)));
        let writer = machine.spawn("writer", end, |context| {
            let end = handles(context.bundle("end")).unwrap();
            let mut writer = Writer::new(start::own(), end).unwrap();
            loop {
                writer.write_all(&[7; 1000], NEVER).unwrap();
            }
        });
        let event = sys::object::Borrowed::<sys::object::Event>::new(channel.reader_event());
        let bound = writer.process().on_exit(Some(&event), sys::channel::CLOSED);
        bound.unwrap();
        let mut reader = Reader::new(start::own(), channel.reader().unwrap()).unwrap();
        let mut buffer = [0; 3000];
        assert_eq!(reader.read_all(&mut buffer, NEVER), Ok(3000));
        sys::time::sleep(ms * 1_000_000);
        writer.kill(9);
        while reader.read(&mut buffer, NEVER).unwrap() != 0 {}
        assert_eq!(writer.join(), 9);
    }
}

/// Whoever has got the other end changes for what the reader waits: the reader takes it from the channel itself.
#[test]
fn a_liar_does_not_change_for_what_the_other_side_waits() {
    let machine = Machine::new();
    let _test = machine.enter("test");
    let exec = Executor::new().unwrap();
    let channel = Channel::with(4096, None, Some(exec.waiter().unwrap())).unwrap();
    let other = exec.waiter().unwrap();
    let end = channel.writer().unwrap();
    let page = sys::object::Borrowed::<sys::object::VmArea>::new(end[1]);
    let view = page
        .map_part(0, 4096, sys::abi::area::READ | sys::abi::area::WRITE)
        .unwrap();
    // The second line: the reader's position, whether it waits, is closed, its bits.
    assert!(view.write_u64(64 + 16, other.moved) && view.write_u64(64 + 24, other.moved));
    let mut reader = exec.reader(channel.open_reader().unwrap()).unwrap();
    view.write_u64(64 + 16, 1);
    let mut writer = Writer::new(start::own(), end).unwrap();
    writer.write_all(b"x", NEVER).unwrap();
    assert_eq!(exec.run_until(reader.read(&mut [0; 4])), Ok(Ok(1)));
    exec.forget_waiter(other.moved);
}

#[test]
fn a_waiter_with_less_rights_does() {
    let machine = Machine::new();
    let _test = machine.enter("test");
    let exec = Executor::new().unwrap();
    let waiter = exec.waiter().unwrap();
    // As it arrives in another process.
    let narrow = waiter.event.duplicate(
        Rights::SIGNAL
            .union(Rights::DUPLICATE)
            .union(Rights::TRANSFER),
    );
    let waiter = sys::channel::Waiter {
        event: narrow.unwrap(),
        ..waiter
    };
    let channel = Channel::with(4096, None, Some(waiter)).unwrap();
    let reader = Reader::new(start::own(), channel.reader().unwrap()).unwrap();
    let mut reader = exec.reader(reader).unwrap();
    let mut writer = Writer::new(start::own(), channel.writer().unwrap()).unwrap();
    let sent = thread::spawn(move || writer.write_all(b"hello", NEVER)).unwrap();
    let mut buffer = [0; 8];
    assert_eq!(exec.run_until(reader.read_all(&mut buffer)), Ok(Ok(5)));
    assert_eq!(sent.join(), Ok(Ok(())));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 50, ..ProptestConfig::default() })]

    #[test]
    fn what_was_not_taken_can_be_had_again(steps in prop::collection::vec((0..5000usize, 0..5000usize), 1..20)) {
        let machine = Machine::new();
        let _test = machine.enter("test");
        let channel = Channel::new(4096).expect("a channel");
        let mut writer = channel.open_writer().expect("a writer");
        let mut reader = channel.open_reader().expect("a reader");
        let (mut written, mut taken) = (0, 0);
        for (write, read) in steps {
            let bytes: Vec<u8> = (written..written + write).map(byte).collect();
            written += writer.try_write(&bytes).unwrap_or(0);
            taken += reader.try_read(&mut vec![0; read]).unwrap_or(0);
            let rest: Vec<u8> = (taken..written).map(byte).collect();
            prop_assert_eq!(writer.untaken().expect("memory"), rest);
        }
        drop(reader);
        prop_assert_eq!(writer.untaken().expect("memory").len(), written - taken);
    }
}
