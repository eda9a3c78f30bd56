//! Byte channels of `sys`: between threads and between processes, with peers that end and peers that lie.

use sys::abi::process::ANY_CPU;
use sys::abi::{Error, Handle, Rights, area};
use sys::channel::{CLOSED, Channel, HANDLES, Reader, Writer};
use sys::message::{self, Message};
use sys::random::Random;
use sys::{call, twin};

use super::worker::{Body, Worker};
use super::{MS, mailbox, soon};
use crate::area::{Area, Owned, PAGE, RW, load, store};
use crate::harness::{Env, Failed, Must, Outcome};
use crate::{check, same};

/// Bytes that go through each channel.
const BYTES: usize = 200_000;
/// The most bytes of a piece.
const PIECE: usize = 6000;

/// The byte at a place of what is sent.
fn byte(place: usize) -> u8 {
    (place ^ place >> 8 ^ place >> 16) as u8
}

/// Writes everything in pieces of random sizes.
fn send(mut writer: Writer, seed: u64) -> Result<u64, Error> {
    let mut random = Random::new(seed);
    let mut sent = 0;
    while sent < BYTES {
        let mut piece = [0; PIECE];
        let len = (1 + random.below(PIECE as u64) as usize).min(BYTES - sent);
        for (place, at) in piece[..len].iter_mut().zip(sent..) {
            *place = byte(at);
        }
        writer.write_all(&piece[..len], soon())?;
        sent += len;
    }
    Ok(sent as u64)
}

/// Reads until the end, in pieces of random sizes; how many bytes were right before the first that was not.
fn receive(mut reader: Reader, seed: u64) -> Result<u64, Error> {
    let mut random = Random::new(seed);
    let mut received = 0;
    let mut piece = [0; PIECE];
    loop {
        let len = 1 + random.below(PIECE as u64) as usize;
        let count = reader.read(&mut piece[..len], soon())?;
        if count == 0 {
            return Ok(received as u64);
        }
        for byte_here in &piece[..count] {
            if *byte_here != byte(received) {
                return Ok(received as u64);
            }
            received += 1;
        }
    }
}

/// Between two threads, with a ring of one page and one of many.
pub fn threads(env: &Env<'_>) -> Outcome {
    for pages in [1, 16] {
        let channel = Channel::new(pages * PAGE).must(env, "channel")?;
        let own = env.own;
        let writer = channel.writer().must(env, "writer")?;
        let body = Body::new(|| send(Writer::new(own, writer)?, pages));
        let worker = Worker::start(own, ANY_CPU, &body).must(env, "start")?;
        let reader = channel.reader().must(env, "reader")?;
        let reader = Reader::new(own, reader).must(env, "reader")?;
        let received = receive(reader, pages + 1);
        same!(env, received, Ok(BYTES as u64), "bytes that came");
        same!(env, worker.join(), Ok(BYTES as u64), "bytes that went");
    }
    Ok(())
}

/// Another process, and the mailbox by which it gets its handles: of itself, then those of its end.
struct Other {
    process: Owned,
    mailbox: Owned,
}

impl Other {
    fn new(env: &Env<'_>, entry: extern "C" fn(u64) -> !) -> Result<Self, Failed> {
        let process = twin::create(env.own, "peer").map(Owned);
        let process = process.must(env, "twin")?;
        let mailbox = mailbox(env)?;
        let client = call::mailbox_badge(mailbox.0, 0).must(env, "badge")?;
        let there = call::handle_give(process.0, client).must(env, "give")?;
        let thread = twin::start(process.0, entry, there.0, ANY_CPU);
        drop(thread.map(Owned).must(env, "start")?);
        Ok(Self { process, mailbox })
    }

    /// Gives it its end, in the answer to its call.
    fn equip(&self, env: &Env<'_>, end: [Handle; HANDLES]) -> Outcome {
        message::receive(self.mailbox.0, soon()).must(env, "its call")?;
        let own = call::handle_duplicate(self.process.0, Rights::MAP.union(Rights::TRANSFER));
        let own = own.must(env, "its handle")?;
        let [ring, positions, written, read] = end;
        let answer = Message::with_handles(0, &[own, ring, positions, written, read], &[]);
        message::reply(self.mailbox.0, &answer).must(env, "equip")
    }

    /// Waits for what it has to say at the end.
    fn result(&self, env: &Env<'_>) -> Result<u64, Failed> {
        let received = message::receive(self.mailbox.0, soon()).must(env, "its result")?;
        message::reply(self.mailbox.0, &Message::default()).must(env, "reply")?;
        Ok(received.message.words[0])
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = call::process_kill(self.process.0, 0);
    }
}

/// What a process that was started by [`Other`] gets.
fn equipment(mailbox: u64) -> Result<(Handle, [Handle; HANDLES]), Error> {
    let answer = message::call(Handle(mailbox), &Message::default())?;
    let [own, ring, positions, written, read, ..] = answer.words.map(Handle);
    Ok((own, [ring, positions, written, read]))
}

fn report(mailbox: u64, result: Result<u64, Error>) -> ! {
    let result = result.unwrap_or(u64::MAX);
    let _ = message::call(Handle(mailbox), &Message::new(1, &[result]));
    call::process_exit(0)
}

extern "C" fn write_there(mailbox: u64) -> ! {
    let result = equipment(mailbox).and_then(|(own, end)| send(Writer::new(own, end)?, 5));
    report(mailbox, result)
}

extern "C" fn read_there(mailbox: u64) -> ! {
    let result = equipment(mailbox).and_then(|(own, end)| receive(Reader::new(own, end)?, 6));
    report(mailbox, result)
}

/// Writes without end, and is ended.
extern "C" fn write_for_ever(mailbox: u64) -> ! {
    let result = equipment(mailbox).and_then(|(own, end)| {
        let mut writer = Writer::new(own, end)?;
        loop {
            writer.write_all(&[7; 100], soon())?;
        }
    });
    report(mailbox, result)
}

/// From another process, and to one.
pub fn processes(env: &Env<'_>) -> Outcome {
    let channel = Channel::new(4 * PAGE).must(env, "channel")?;
    let other = Other::new(env, write_there)?;
    other.equip(env, channel.writer().must(env, "writer")?)?;
    let reader = channel.reader().must(env, "reader")?;
    let reader = Reader::new(env.own, reader).must(env, "reader")?;
    same!(env, receive(reader, 9), Ok(BYTES as u64), "bytes from it");
    same!(env, other.result(env)?, BYTES as u64, "bytes that it sent");

    let channel = Channel::new(4 * PAGE).must(env, "channel")?;
    let other = Other::new(env, read_there)?;
    other.equip(env, channel.reader().must(env, "reader")?)?;
    let writer = channel.writer().must(env, "writer")?;
    let writer = Writer::new(env.own, writer).must(env, "writer")?;
    same!(env, send(writer, 8), Ok(BYTES as u64), "bytes to it");
    same!(env, other.result(env)?, BYTES as u64, "bytes that it read");
    Ok(())
}

/// The end of a peer, and time limits.
pub fn ends(env: &Env<'_>) -> Outcome {
    let both = |channel: &Channel| {
        let writer = Writer::new(env.own, channel.writer()?)?;
        Ok((writer, Reader::new(env.own, channel.reader()?)?))
    };
    let channel = Channel::new(PAGE).must(env, "channel")?;
    let (mut writer, mut reader) = both(&channel).must(env, "ends")?;
    let mut buffer = [0; 64];
    let late = reader.read(&mut buffer, call::clock_read() + MS);
    same!(env, late, Err(Error::TimedOut), "read of nothing");
    let page = [1; PAGE as usize];
    writer.write_all(&page, soon()).must(env, "fill")?;
    let late = writer.write(&[1], call::clock_read() + MS);
    same!(env, late, Err(Error::TimedOut), "write without room");
    // What was written before the end comes first.
    drop(writer);
    let mut all = [0; PAGE as usize + 1];
    same!(
        env,
        reader.read_all(&mut all, soon()),
        Ok(PAGE as usize),
        "rest"
    );
    same!(env, reader.read(&mut all, soon()), Ok(0), "after the rest");

    let channel = Channel::new(PAGE).must(env, "channel")?;
    let (mut writer, reader) = both(&channel).must(env, "ends")?;
    drop(reader);
    let gone = writer.write(&[1], soon());
    same!(env, gone, Err(Error::PeerClosed), "write to nobody");

    // A process that is ended says nothing; the event is bound to its end.
    let channel = Channel::new(PAGE).must(env, "channel")?;
    let other = Other::new(env, write_for_ever)?;
    let event = channel.reader_event();
    let bound = call::process_on_exit(other.process.0, Some(event), CLOSED);
    bound.must(env, "bind")?;
    other.equip(env, channel.writer().must(env, "writer")?)?;
    let reader = channel.reader().must(env, "reader")?;
    let mut reader = Reader::new(env.own, reader).must(env, "reader")?;
    let first = reader.read_all(&mut [0; 5000], soon());
    same!(env, first, Ok(5000), "what it writes");
    call::process_kill(other.process.0, 0).must(env, "kill")?;
    let rest = reader.read_all(&mut [0; 3 * PAGE as usize], soon());
    let is_end = rest.is_ok_and(|count| count <= PAGE as usize);
    check!(env, is_end, "after its end: {rest:?}");
    Ok(())
}

/// A peer that writes nonsense into the page that both share: it counts as gone, and nothing is read or written elsewhere.
pub fn liars(env: &Env<'_>) -> Outcome {
    for lie in [u64::MAX, PAGE + 1, 1 << 63] {
        let channel = Channel::new(PAGE).must(env, "channel")?;
        let liar = channel.writer().must(env, "writer")?;
        let [ring, positions, written, read] = liar.map(Owned);
        let shared = Area(positions);
        let view = shared.map(env.own, 0, 1, RW).must(env, "map")?;
        let reader = channel.reader().must(env, "reader")?;
        let mut reader = Reader::new(env.own, reader).must(env, "reader")?;
        store(view.at(0, 0), lie);
        let mut buffer = [0; 64];
        same!(
            env,
            reader.read(&mut buffer, soon()),
            Ok(0),
            "read {lie:#x}"
        );
        store(view.at(0, 0), 1);
        same!(env, reader.read(&mut buffer, soon()), Ok(0), "and later");
        // The reader's own position is told, not asked: word 8, on the second line.
        store(view.at(0, 8), 0x5555);
        let writer = channel.writer().must(env, "writer")?;
        let mut writer = Writer::new(env.own, writer).must(env, "writer")?;
        let refused = writer.write(&[1], soon());
        same!(env, refused, Err(Error::PeerClosed), "write");
        same!(env, load(view.at(0, 8)), 0x5555, "the position");
        // A reader may not write to the ring.
        let narrow = channel.reader().must(env, "reader")?.map(Owned);
        let denied = Area(Owned(narrow[0].0)).map(env.own, 0, 1, RW).map(drop);
        same!(env, denied, Err(Error::AccessDenied), "map for writing");
        let readable = call::vm_area_info(ring.0).must(env, "info")?;
        same!(env, readable.kind, area::RING, "kind");
        drop((written, read));
    }
    Ok(())
}
