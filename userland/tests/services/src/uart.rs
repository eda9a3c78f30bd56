//! Two ports whose lines are connected with each other: what goes into one comes out of the other, both ways at once.
//!
//! For QEMU: `-chardev socket,id=a,path=P,server=on,wait=off -serial chardev:a -chardev socket,id=b,path=P -serial chardev:b`.

use alloc::vec::Vec;

use ipc::Failure;
use protocols::Fault;
use protocols::terminal::{Answer, Request, Terminal};
use sys::channel::{HANDLES, Reader, Writer};
use sys::object::{Mailbox, Owned};
use sys::time::SECOND;

use crate::check;
use crate::harness::{Env, Not, Outcome, PATIENCE, Test, ask, rejects_garbage};

/// The tests.
pub const TESTS: &[Test] = &[
    ("both ways", both_ways),
    ("newest", newest),
    ("refused", refused),
];

/// The two.
const NAMES: [&str; 2] = ["terminal.serial2", "terminal.serial3"];
/// Bytes each way: many times what the queues on the way take.
const BYTES: usize = 64 * 1024;
/// Bits of a client's own event that it does not have.
const BITS: (u64, u64) = (1, 2);

/// A session.
struct Session {
    reader: Reader,
    writer: Writer,
}

fn attach(terminal: &Mailbox) -> Result<Session, Not> {
    let request = Request::Attach {
        input: BITS,
        output: BITS,
    };
    let (answer, handles) = ask::<Terminal>(terminal, &request, Vec::new())?;
    check!(matches!(answer, Answer::Attached(_)), "{answer:?}");
    check!(handles.len() == 2 * HANDLES, "{} handles", handles.len());
    let mut handles = handles.into_iter();
    let mut end = || sys::channel::handles(handles.by_ref().take(HANDLES).collect::<Vec<Owned>>());
    let own = sys::start::own();
    Ok(Session {
        reader: Reader::new(own, end()?)?,
        writer: Writer::new(own, end()?)?,
    })
}

fn both(env: &Env) -> Result<[Mailbox; 2], Not> {
    Ok([env.service(NAMES[0])?, env.service(NAMES[1])?])
}

/// Whether the two are connected: what is written to one arrives at the other. What the firmware has sent before comes first.
fn are_connected(sessions: &mut [Session; 2]) -> Result<(), Not> {
    let until = sys::time::after(SECOND);
    let word = b"<begin>";
    let [one, other] = sessions;
    one.writer.write_all(word, until)?;
    other.writer.write_all(word, until)?;
    for reader in [&mut one.reader, &mut other.reader] {
        let mut found = 0;
        while found < word.len() {
            let mut byte = [0];
            if reader.read(&mut byte, until) != Ok(1) {
                return Err(Not::LeftOut("the ports are not connected".into()));
            }
            found = match byte[0] {
                byte if byte == word[found] => found + 1,
                byte => usize::from(byte == word[0]),
            };
        }
    }
    Ok(())
}

fn byte(seed: usize, index: usize) -> u8 {
    (index.wrapping_mul(31) >> 3 ^ index ^ seed) as u8
}

fn both_ways(env: &Env) -> Outcome {
    let [first, second] = both(env)?;
    let mut sessions = [attach(&first)?, attach(&second)?];
    are_connected(&mut sessions)?;
    let begin = sys::time::now();
    let until = sys::time::after(PATIENCE);
    let mut threads = Vec::new();
    let [one, other] = sessions;
    // Each end is somebody's own: what one writes with 3 the other reads with 3.
    for (mut writer, mut reader, seed) in
        [(one.writer, other.reader, 3), (other.writer, one.reader, 7)]
    {
        threads.push(sys::thread::spawn(move || {
            let bytes: Vec<u8> = (0..BYTES).map(|index| byte(seed, index)).collect();
            let written = writer.write_all(&bytes, until);
            // Closed when all is read.
            (written.err(), Some(writer), 0)
        })?);
        threads.push(sys::thread::spawn(move || {
            let mut buffer = [0; 1000];
            let mut count = 0;
            while count < BYTES {
                match reader.read(&mut buffer, until) {
                    Ok(more @ 1..) => {
                        for (at, found) in buffer[..more].iter().enumerate() {
                            if *found != byte(seed, count + at) {
                                return (Some(abi::Error::InvalidArgument), None, count + at);
                            }
                        }
                        count += more;
                    }
                    Ok(_) => return (Some(abi::Error::PeerClosed), None, count),
                    Err(error) => return (Some(error), None, count),
                }
            }
            (None, None, count)
        })?);
    }
    let mut ends = Vec::new();
    for thread in threads {
        ends.push(thread.join()?);
    }
    for (error, _, count) in &ends {
        check!(error.is_none(), "after {count} bytes: {error:?}");
    }
    let took = (sys::time::now() - begin).max(1);
    let rate = 2 * BYTES as u64 * SECOND / took;
    sys::println!("uart both ways: {rate} bytes a second");
    Ok(())
}

fn newest(env: &Env) -> Outcome {
    let [first, second] = both(env)?;
    let mut sessions = [attach(&first)?, attach(&second)?];
    are_connected(&mut sessions)?;
    let until = sys::time::after(PATIENCE);
    let [mut old, mut other] = sessions;
    old.writer.write_all(b"before", until)?;
    let mut new = attach(&first)?;
    new.writer.write_all(b" after", until)?;
    let mut bytes = [0; 12];
    let count = other.reader.read_all(&mut bytes, until)?;
    check!(bytes[..count] == *b"before after", "{:?}", &bytes[..count]);
    let end = old.reader.read(&mut bytes, until);
    check!(end == Ok(0), "the older session reads: {end:?}");
    while old.writer.write(b"x", until).is_ok() {}
    let error = old.writer.write(b"x", until);
    check!(
        error == Err(abi::Error::PeerClosed),
        "the older session writes: {error:?}"
    );
    other.writer.write_all(b"typed", until)?;
    let count = new.reader.read_all(&mut bytes[..5], until)?;
    check!(bytes[..count] == *b"typed", "{:?}", &bytes[..count]);
    Ok(())
}

fn refused(env: &Env) -> Outcome {
    let [terminal, _] = both(env)?;
    rejects_garbage::<Terminal>(&terminal)?;
    let request = Request::Attach {
        input: BITS,
        output: BITS,
    };
    let no_event = Mailbox::new()?.into_owned();
    let error = ask::<Terminal>(&terminal, &request, alloc::vec![no_event]).err();
    check!(
        error == Some(Failure::Fault(Fault::InvalidArgument)),
        "a mailbox for an event: {error:?}"
    );
    let (answer, _) = ask::<Terminal>(&terminal, &Request::Size, Vec::new())?;
    check!(matches!(answer, Answer::Size(_)), "{answer:?}");
    Ok(())
}
