//! Files in memory: their times, and what a client that floods leaves to the others.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ipc::Failure;
use protocols::Fault;
use protocols::clock::{self, Clock};
use protocols::files::{Answer, FileRequest, Files, How, Info, OpenFile, Request};
use sys::object::{Mailbox, Owned};
use sys::time::{MICROSECOND, MILLISECOND, SECOND};

use crate::check;
use crate::harness::{Env, Not, Outcome, PATIENCE, Test, ask, rejects_garbage};

/// The tests.
pub const TESTS: &[Test] = &[
    ("times", times),
    ("open by one client", open_by_one),
    ("flood", flood),
    ("refused", refused),
];

const NAME: &str = "files.tmp";
/// As the page on services has it.
const OPEN_OF_CLIENT: usize = 256;
/// Threads that flood.
const FLOODERS: usize = 6;
/// Requests that are measured.
const ROUNDS: usize = 200;

/// Opens a file: about it, and its handles, which keep it open.
fn open(files: &Mailbox, path: &str, how: How) -> Result<(Info, Vec<Owned>), Failure> {
    let path = String::from(path);
    match ask::<Files>(files, &Request::Open { path, how }, Vec::new())? {
        (Answer::Info(info), handles) => Ok((info, handles)),
        _ => Err(Failure::Fault(Fault::Failed)),
    }
}

/// Opens a file, as soon as the server has seen that files of this client were closed.
fn open_in_time(files: &Mailbox, path: &str) -> Result<Vec<Owned>, Failure> {
    let end = sys::time::after(PATIENCE);
    loop {
        match open(files, path, How::Create) {
            Err(Failure::Fault(Fault::NoRoom)) if sys::time::now() < end => {
                sys::time::sleep(MILLISECOND);
            }
            opened => return opened.map(|(_, handles)| handles),
        }
    }
}

fn remove(files: &Mailbox, path: &str) -> Outcome {
    let path = path.into();
    ask::<Files>(files, &Request::Remove { path }, Vec::new())?;
    Ok(())
}

/// A file's time is that of the clock.
fn times(env: &Env) -> Outcome {
    let (files, clock) = (env.service(NAME)?, env.service(clock::NAME)?);
    let (answer, _) = ask::<Clock>(&clock, &clock::Request::Now, Vec::new())?;
    let clock::Answer::Time { wall, .. } = answer else {
        return Err(Not::Failed("no time".into()));
    };
    let (info, _) = open(&files, "/times", How::Create)?;
    remove(&files, "/times")?;
    let late = info.modified.abs_diff(wall);
    check!(
        late < 60 * SECOND,
        "made at {}, the clock said {wall}",
        info.modified
    );
    Ok(())
}

/// A client that opens all that it can leaves some to another.
fn open_by_one(env: &Env) -> Outcome {
    let (files, greedy) = (env.service(NAME)?, env.service_for_another(NAME)?);
    let mut held = Vec::new();
    let failure = loop {
        match open(&greedy, "/open", How::Append) {
            Ok((_, handles)) => held.push(handles),
            Err(failure) => break failure,
        }
        check!(held.len() <= OPEN_OF_CLIENT, "more than it may have");
    };
    check!(
        failure == Failure::Fault(Fault::NoRoom),
        "refused by {failure}"
    );
    check!(
        held.len() == OPEN_OF_CLIENT,
        "after {} files that were open",
        held.len()
    );
    let (_, own) = open(&files, "/open", How::Append)?;
    drop((own, held));
    remove(&files, "/open")
}

/// A client that asks as fast as it can from many threads is served one request a thread while another one waits.
fn flood(env: &Env) -> Outcome {
    let files = env.service(NAME)?;
    let is_over = Arc::new(AtomicBool::new(false));
    let served = Arc::new(AtomicU64::new(0));
    let mut threads = Vec::new();
    for number in 0..FLOODERS {
        let other = env.service_for_another(NAME)?;
        let (is_over, served) = (is_over.clone(), served.clone());
        threads.push(sys::thread::spawn(move || -> Result<(), Failure> {
            let path = format!("/flood{number}");
            let mut handles = open_in_time(&other, &path)?;
            let token = handles.pop();
            let file = handles.pop().ok_or(Fault::Failed)?;
            let file = Mailbox::from(file);
            let bytes = alloc::vec![7; protocols::files::IO_MAX];
            let request = FileRequest::Write { offset: 0, bytes };
            while !is_over.load(Ordering::Relaxed) {
                ask::<OpenFile>(&file, &request, Vec::new())?;
                served.fetch_add(1, Ordering::Relaxed);
            }
            drop((file, token));
            let request = Request::Remove { path };
            ask::<Files>(&other, &request, Vec::new()).map(drop)
        })?);
    }
    let root = Request::Stat { path: "/".into() };
    let mut between = Vec::new();
    let mut longest = 0;
    for _ in 0..ROUNDS {
        // It sleeps in between, as somebody at a prompt does.
        sys::time::sleep(200 * MICROSECOND);
        let (before, begin) = (served.load(Ordering::Relaxed), sys::time::now());
        ask::<Files>(&files, &root, Vec::new())?;
        longest = longest.max(sys::time::now() - begin);
        between.push(served.load(Ordering::Relaxed) - before);
    }
    is_over.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join()??;
    }
    between.sort_unstable();
    let median = between.get(ROUNDS / 2).copied().unwrap_or_default();
    let total = served.load(Ordering::Relaxed);
    sys::println!(
        "flood: {total} requests of others; {median} of them (median) during one, which took {} us at most",
        longest / MICROSECOND
    );
    check!(total > ROUNDS as u64, "nobody flooded: {total}");
    // Each thread has one that waits before it, and one that is answered meanwhile.
    check!(median <= 2 * FLOODERS as u64, "{median} came before");
    Ok(())
}

fn refused(env: &Env) -> Outcome {
    let files = env.service(NAME)?;
    rejects_garbage::<Files>(&files)?;
    let (_, mut handles) = open(&files, "/refused", How::Create)?;
    let token = handles.pop();
    let file = handles.pop().ok_or(abi::Error::NotReady)?;
    rejects_garbage::<OpenFile>(&Mailbox::from(file))?;
    drop(token);
    remove(&files, "/refused")
}
