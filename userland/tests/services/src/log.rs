//! The log: nothing is lost silently, whatever comes, and no follower holds up others.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use ipc::Failure;
use protocols::Fault;
use protocols::logger::{Answer, Level, Logger, NAME, Request, Select, Status};
use sys::channel::Reader;
use sys::object::{Mailbox, Owned, VmArea};
use sys::time::MILLISECOND;

use crate::check;
use crate::harness::{Env, Not, Outcome, PATIENCE, Test, ask, rejects_garbage};

/// The tests.
pub const TESTS: &[Test] = &[
    ("query", query),
    ("follow", follow),
    ("burst", burst),
    ("slow follower", slow_follower),
    ("many followers", many_followers),
    ("filter", filter),
    ("refused", refused),
];

/// Bits of a client's own event that it does not have.
const BITS: (u64, u64) = (1, 2);
/// Threads of a burst, and lines of each.
const WRITERS: usize = 4;
const LINES: usize = 25_000;

/// While this is there, the kernel shows nothing on its consoles, if they are this program's to switch: they are slow. Afterwards it shows the log
/// where the test's own lines go.
struct Quiet<'a>(&'a Env);

impl<'a> Quiet<'a> {
    fn new(env: &'a Env) -> Self {
        env.show(0);
        Self(env)
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        self.0.show(abi::console::SERIAL | abi::console::SCREEN);
    }
}

fn all() -> Select {
    Select {
        level: Level::Trace,
        area: String::new(),
    }
}

fn write(text: &str) -> Outcome {
    let system = sys::start::system().ok_or(Not::LeftOut("no log".into()))?;
    let level = abi::log::Level::Info;
    Ok(sys::call::system_log_write(system, level, text.as_bytes())?)
}

fn status(logger: &Mailbox) -> Result<Status, Not> {
    match ask::<Logger>(logger, &Request::Status, Vec::new())? {
        (Answer::Status(status), _) => Ok(status),
        (answer, _) => Err(Not::Failed(format!("{answer:?}"))),
    }
}

/// The lines that the logger keeps.
fn lines(logger: &Mailbox, select: Select, last: u32) -> Result<Vec<String>, Not> {
    let request = Request::Query { select, last };
    let (answer, mut handles) = ask::<Logger>(logger, &request, Vec::new())?;
    let Answer::Lines { bytes, records } = answer else {
        return Err(Not::Failed(format!("{answer:?}")));
    };
    let Some(area) = handles.pop() else {
        check!((bytes, records) == (0, 0), "{bytes} bytes without an area");
        return Ok(Vec::new());
    };
    let mapping = VmArea::from(area).map(abi::area::READ)?;
    let mut text = alloc::vec![0; bytes as usize];
    let count = mapping.read(0, &mut text);
    check!(count == text.len(), "{count} of {bytes} bytes");
    let text = String::from_utf8(text).map_err(|_| Not::Failed("no text".into()))?;
    let lines: Vec<_> = text.lines().map(String::from).collect();
    let heads = lines.iter().filter(|line| line.starts_with('['));
    check!(heads.count() as u64 == records, "not {records} records");
    Ok(lines)
}

fn follow_all(logger: &Mailbox) -> Result<Reader, Not> {
    let request = Request::Follow {
        select: all(),
        bits: BITS,
    };
    let (answer, handles) = ask::<Logger>(logger, &request, Vec::new())?;
    check!(answer == Answer::Done, "{answer:?}");
    let handles = sys::channel::handles(handles)?;
    Ok(Reader::new(sys::start::own(), handles)?)
}

/// Reads lines until one has a text in it.
fn read_until(reader: &mut Reader, text: &str, until: u64) -> Result<Vec<String>, Not> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 1024]);
    let mut searched = 0;
    loop {
        match reader.read(&mut piece, until)? {
            0 => return Err(Not::Failed("the follower was closed".into())),
            count => bytes.extend_from_slice(&piece[..count]),
        }
        let found = bytes[searched..]
            .windows(text.len())
            .any(|window| window == text.as_bytes());
        searched = bytes.len().saturating_sub(text.len());
        if found && bytes.last() == Some(&b'\n') {
            let text = String::from_utf8_lossy(&bytes);
            return Ok(text.lines().map(String::from).collect());
        }
    }
}

/// Waits until the logger has read what was written: so many records, by whomever.
fn wait_for(logger: &Mailbox, records: u64) -> Result<Status, Not> {
    wait_until(logger, |now| now.received + now.lost >= records)
}

/// Waits until the logger's counts are as they shall be.
fn wait_until(logger: &Mailbox, is_so: impl Fn(&Status) -> bool) -> Result<Status, Not> {
    let until = sys::time::after(PATIENCE);
    loop {
        let now = status(logger)?;
        if is_so(&now) {
            return Ok(now);
        }
        check!(sys::time::now() < until, "waited in vain: {now:?}");
        sys::time::sleep(5 * MILLISECOND);
    }
}

fn query(env: &Env) -> Outcome {
    let logger = env.service(NAME)?;
    for index in 0..10 {
        write(&format!("query {index}\nsecond line"))?;
    }
    let until = sys::time::after(PATIENCE);
    loop {
        let lines = lines(&logger, all(), 100)?;
        let found = |index: &usize| {
            let head = format!(": query {index}");
            let at = lines.iter().position(|line| line.ends_with(&head));
            // Each line of a text is a record; others may have written between them.
            at.is_some_and(|at| {
                let mut rest = lines.iter().skip(at + 1);
                rest.any(|line| line.ends_with(": second line"))
            })
        };
        let missing: Vec<_> = (0..10).filter(|index| !found(index)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        check!(sys::time::now() < until, "missing: {missing:?}");
        sys::time::sleep(5 * MILLISECOND);
    }
}

fn follow(env: &Env) -> Outcome {
    let logger = env.service(NAME)?;
    let mut reader = follow_all(&logger)?;
    let until = sys::time::after(PATIENCE);
    let writer = sys::thread::spawn(|| {
        for index in 0..1000 {
            // As fast as lines are told, not faster than they are read.
            if index % 20 == 0 {
                sys::time::sleep(2 * MILLISECOND);
            }
            let _ = write(&format!("follow {index}."));
        }
    })?;
    let lines = read_until(&mut reader, "follow 999.", until)?;
    writer.join()?;
    let own = lines.iter().filter(|line| line.contains(": follow "));
    for (index, line) in own.enumerate() {
        let end = format!("follow {index}.");
        check!(line.ends_with(&end), "line {index} is '{line}'");
    }
    Ok(())
}

/// A number between two texts.
fn number(line: &str, before: &str, after: &str) -> Option<u64> {
    let (_, rest) = line.split_once(before)?;
    rest.split_once(after)?.0.trim().parse().ok()
}

fn burst(env: &Env) -> Outcome {
    let logger = env.service(NAME)?;
    let quiet = Quiet::new(env);
    let before = status(&logger)?;
    let begin = sys::time::now();
    let mut threads = Vec::new();
    for writer in 0..WRITERS {
        threads.push(sys::thread::spawn(move || {
            (0..LINES).all(|line| write(&format!("burst {writer} line {line}.")).is_ok())
        })?);
    }
    for thread in threads {
        check!(thread.join()?, "a line could not be written");
    }
    let took = (sys::time::now() - begin) / MILLISECOND;
    let (total, known) = ((WRITERS * LINES) as u64, before.received + before.lost);
    let after = wait_for(&logger, known + total)?;
    drop(quiet);
    let (received, lost) = (after.received - before.received, after.lost - before.lost);
    sys::println!(
        "burst: {total} lines in {took} ms: {received} received, {lost} lost and told of"
    );
    // In what is kept, each writer's lines are in order, and what is missing was told of.
    let (mut next, mut missing, mut told) = ([None; WRITERS], 0, 0);
    let mut seen = 0;
    for line in lines(&logger, all(), 0)? {
        if let Some(count) = number(&line, "logger: ", " records lost") {
            told += if seen == 0 { 0 } else { count };
            continue;
        }
        let found = number(&line, "burst ", " line").zip(number(&line, "line ", "."));
        let Some((writer, at)) = found else { continue };
        let Some(next) = next.get_mut(writer as usize) else {
            continue;
        };
        if let Some(expected) = *next {
            check!(at >= expected, "'{line}' after line {expected}");
            missing += at - expected;
        }
        *next = Some(at + 1);
        seen += 1;
    }
    check!(seen > 0, "no line of the burst is kept");
    check!(
        missing <= told,
        "{missing} lines are missing, {told} were told of"
    );
    Ok(())
}

fn slow_follower(env: &Env) -> Outcome {
    let logger = env.service(NAME)?;
    let quiet = Quiet::new(env);
    let mut slow = follow_all(&logger)?;
    let before = status(&logger)?;
    let total = 20_000u64;
    for index in 0..total {
        write(&format!("slow {index}."))?;
        if index % 100 == 0 {
            sys::time::sleep(MILLISECOND);
        }
    }
    let known = before.received + before.lost;
    wait_for(&logger, known + total)?;
    drop(quiet);
    write("slow end.")?;
    let lines = read_until(&mut slow, "slow end.", sys::time::after(PATIENCE))?;
    let sum = |before, after| {
        let counts = lines.iter().filter_map(|line| number(line, before, after));
        counts.sum::<u64>()
    };
    let skipped = sum("[", " records skipped");
    let lost = sum("logger: ", " records lost");
    let told = lines.iter().filter(|line| line.contains(": slow ")).count() as u64;
    check!(
        told + skipped + lost > total,
        "{told} lines, {skipped} skipped, {lost} lost"
    );
    check!(told < total, "nothing was skipped");
    Ok(())
}

fn many_followers(env: &Env) -> Outcome {
    let logger = env.service(NAME)?;
    // Whoever begins too many loses the oldest of its own.
    let mut readers: Vec<Reader> = Vec::new();
    for _ in 0..40 {
        readers.push(follow_all(&logger)?);
    }
    write("many followers.")?;
    let newest = readers.last_mut().ok_or(abi::Error::NotReady)?;
    read_until(newest, "many followers.", sys::time::after(PATIENCE))?;
    let mut piece = [0; 256];
    let oldest = readers.first_mut().ok_or(abi::Error::NotReady)?;
    let until = sys::time::after(PATIENCE);
    while oldest.read(&mut piece, until)? != 0 {}
    Ok(())
}

fn filter(env: &Env) -> Outcome {
    let logger = env.service(NAME)?;
    let of = |level| Request::SetFilter {
        select: Select {
            level,
            // What programs write is at level info here.
            area: "test-services".into(),
        },
    };
    let before = status(&logger)?;
    ask::<Logger>(&logger, &of(Level::Warn), Vec::new())?;
    write("not to be kept")?;
    let after = wait_until(&logger, |now| now.filtered > before.filtered)?;
    ask::<Logger>(&logger, &of(Level::Trace), Vec::new())?;
    let is_listed =
        |(area, level): &(String, Level)| area == "test-services" && *level == Level::Warn;
    check!(after.filter.iter().any(is_listed), "{:?}", after.filter);
    let lines = lines(&logger, all(), 20)?;
    let is_kept = lines.iter().any(|line| line.ends_with("not to be kept"));
    check!(!is_kept, "it was kept");
    Ok(())
}

fn refused(env: &Env) -> Outcome {
    let logger = env.service(NAME)?;
    rejects_garbage::<Logger>(&logger)?;
    let select = Select {
        level: Level::Info,
        area: "x".repeat(100),
    };
    let handle: Owned = Mailbox::new()?.into_owned();
    let error = ask::<Logger>(&logger, &Request::SetFilter { select }, Vec::new()).err();
    check!(
        error == Some(Failure::Fault(Fault::InvalidArgument)),
        "a long area: {error:?}"
    );
    let error = ask::<Logger>(&logger, &Request::Status, alloc::vec![handle]).err();
    check!(
        error == Some(Failure::Fault(Fault::InvalidArgument)),
        "a handle: {error:?}"
    );
    Ok(())
}
