//! Who uses the services meanwhile: each gets answers or errors, never a wrong answer and never none, and goes on when the service is back.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use files::{FileError, Files, How, Reason};
use ipc::{Directory, Failure, Link};
use protocols::{Fault, Protocol, clock, keyboard, logger, terminal};
use sys::Context;
use sys::channel::{self, Writer};
use sys::object::Owned;
use sys::random::Random;
use sys::thread::{self, JoinHandle};
use sys::time::{MILLISECOND, SECOND};

/// How long a client may wait for a service that is not there, and then for its answer.
const PATIENCE: u64 = 30 * SECOND;
/// How long it may take until each has had answers again.
const PROGRESS: u64 = 60 * SECOND;
/// Rounds that each must have done after the last kill.
const ROUNDS: u64 = 3;
/// The longest rest between two rounds.
const REST: u64 = 8 * MILLISECOND;

/// What a client tells of itself.
#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    /// Rounds that went well.
    good: AtomicU64,
    /// Rounds in which the service was gone.
    bad: AtomicU64,
}

/// One round: `Err` for a service that is gone, and within that what is wrong for good.
type Round = Result<(), Trouble>;

enum Trouble {
    Gone,
    Wrong(String),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        match failure {
            failure if failure.is_closed() => Self::Gone,
            // It ends, or its memory was lost with it.
            Failure::Fault(Fault::Busy | Fault::NotFound) => Self::Gone,
            failure => Self::Wrong(failure.to_string()),
        }
    }
}

impl From<FileError> for Trouble {
    fn from(error: FileError) -> Self {
        match error.reason {
            // What is asked of files may take for ever: it is the service that was not there in time.
            Reason::Service(Failure::Fault(Fault::TimedOut)) => Self::Gone,
            Reason::Service(failure) => failure.into(),
            Reason::Path(_) => Self::Wrong(error.to_string()),
        }
    }
}

impl From<abi::Error> for Trouble {
    fn from(error: abi::Error) -> Self {
        Failure::from(error).into()
    }
}

struct Client {
    name: &'static str,
    shared: Arc<Shared>,
    thread: JoinHandle<Result<(), String>>,
}

/// All of them.
pub struct Clients(Vec<Client>);

impl Clients {
    /// Starts them: those whose services are among `victims`.
    pub fn start(
        context: &Context,
        directory: &Directory,
        victims: &[String],
    ) -> Result<Self, String> {
        let text = |failure: Failure| failure.to_string();
        let has = |name: &str| victims.iter().any(|victim| victim == name);
        let mut all = Self(Vec::new());
        for (name, path) in [
            ("files", "/tmp/supervision-1"),
            ("more files", "/tmp/supervision-2"),
        ] {
            let files = Files::of(context, directory).map_err(text)?;
            let mut random = Random::new(path.len() as u64);
            all.add(name, has("tmpfs"), move || {
                use_files(&files, path, &mut random)
            })?;
        }
        let mut link = link_of::<clock::Clock>(directory, clock::NAME)?;
        let mut last = 0;
        all.add("clock", has("rtc"), move || {
            read_clock(&mut link, &mut last)
        })?;
        let mut link = link_of::<logger::Logger>(directory, logger::NAME)?;
        all.add("log", has("logger"), move || use_log(&mut link))?;
        let mut link = link_of::<keyboard::Keyboard>(directory, keyboard::NAME)?;
        all.add("keyboard", has("ps2"), move || {
            ask(&mut link, &keyboard::Request::Layout).map(drop)
        })?;
        let mut link = link_of::<terminal::Terminal>(directory, "terminal.serial")?;
        all.add("serial", has("uart"), move || {
            ask(&mut link, &terminal::Request::Size).map(drop)
        })?;
        let mut link = link_of::<terminal::Terminal>(directory, "terminal.screen")?;
        let mut writer = None;
        all.add("screen", has("fb"), move || {
            write_screen(&mut link, &mut writer)
        })?;
        Ok(all)
    }

    fn add(
        &mut self,
        name: &'static str,
        is_there: bool,
        mut round: impl FnMut() -> Round + Send + 'static,
    ) -> Result<(), String> {
        if !is_there {
            return Ok(());
        }
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let mut random = Random::new(name.len() as u64);
        let thread = thread::spawn(move || {
            while !own.is_over.load(Ordering::Relaxed) {
                match round() {
                    Ok(()) => own.good.fetch_add(1, Ordering::Relaxed),
                    Err(Trouble::Gone) => own.bad.fetch_add(1, Ordering::Relaxed),
                    Err(Trouble::Wrong(text)) => return Err(text),
                };
                sys::time::sleep(random.below(REST));
            }
            Ok(())
        });
        let thread = thread.map_err(|error| format!("no thread: {error}"))?;
        self.0.push(Client {
            name,
            shared,
            thread,
        });
        Ok(())
    }

    /// Ends them; the first thing that was wrong.
    pub fn end(self) -> Result<(), String> {
        let mut all = self.end_each().into_iter();
        let wrong = all.find_map(|(name, result)| Some((name, result.err()?)));
        match wrong {
            Some((name, text)) => Err(format!("{name}: {text}")),
            None => Ok(()),
        }
    }

    /// Waits until each goes on, and ends them; what each has to say.
    pub fn end_each(self) -> Vec<(&'static str, Result<String, String>)> {
        let good = |client: &Client| client.shared.good.load(Ordering::Relaxed);
        let begun: Vec<u64> = self.0.iter().map(good).collect();
        let until = sys::time::after(PROGRESS);
        let mut late = BTreeSet::new();
        for (client, begun) in self.0.iter().zip(&begun) {
            while good(client) < begun + ROUNDS && !client.thread.is_finished() {
                if sys::time::now() > until {
                    late.insert(client.name);
                    break;
                }
                sys::time::sleep(MILLISECOND);
            }
            client.shared.is_over.store(true, Ordering::Relaxed);
        }
        let ended = self.0.into_iter().map(|client| {
            let Client {
                name,
                shared,
                thread,
            } = client;
            let result = match thread.join_until(until) {
                Ok(Ok(())) if late.contains(name) => Err("it has no answers any more".into()),
                Ok(result) => result,
                Err(error) => Err(format!("it does not end: {error}")),
            };
            let counts = || {
                let [good, bad] =
                    [&shared.good, &shared.bad].map(|count| count.load(Ordering::Relaxed));
                format!("{good} rounds, and {bad} in which the service was gone")
            };
            (name, result.map(|()| counts()))
        });
        ended.collect()
    }
}

fn link_of<P: Protocol>(directory: &Directory, name: &str) -> Result<Link<P>, String> {
    let directory = directory.duplicate();
    let directory = directory.map_err(|failure| failure.to_string())?;
    Ok(Link::new(directory, name))
}

/// Asks a service, and waits for it.
fn ask<P: Protocol>(
    link: &mut Link<P>,
    request: &P::Request,
) -> Result<(P::Answer, Vec<Owned>), Trouble> {
    Ok(link.call(request, Vec::new(), sys::time::after(PATIENCE))?)
}

/// Writes a file, and reads it: what can be read is what was written.
fn use_files(files: &Files, path: &str, random: &mut Random) -> Round {
    let len = random.below(3000);
    let content: Vec<u8> = (0..len).map(|_| random.any() as u8).collect();
    let mut file = files.open(path, How::Create)?;
    file.write_all(&content)?;
    let read = files.read(path)?;
    if read != content {
        let text = format!("{path}: {} bytes of {len}, or others", read.len());
        return Err(Trouble::Wrong(text));
    }
    Ok(files.remove(path)?)
}

/// The clock goes on.
fn read_clock(link: &mut Link<clock::Clock>, last: &mut u64) -> Round {
    let (answer, _) = ask(link, &clock::Request::Now)?;
    let clock::Answer::Time { wall, monotonic } = answer else {
        return Err(Trouble::Wrong("it did not tell the time".into()));
    };
    // A clock that was read anew may be off by what it shows at least: a second.
    let now = wall.saturating_add(sys::time::now().saturating_sub(monotonic));
    let before = core::mem::replace(last, now);
    if now.saturating_add(2 * SECOND) < before {
        return Err(Trouble::Wrong(format!("{now} ns came after {before} ns")));
    }
    Ok(())
}

/// Writes to the log, and asks for its last lines.
fn use_log(link: &mut Link<logger::Logger>) -> Round {
    log::info!("a line of the test of supervision");
    let select = logger::Select {
        level: logger::Level::Info,
        area: String::new(),
    };
    let (answer, handles) = ask(link, &logger::Request::Query { select, last: 10 })?;
    match answer {
        logger::Answer::Lines { bytes: 0, .. } => Ok(()),
        logger::Answer::Lines { records, .. } if records <= 10 && handles.len() == 1 => Ok(()),
        other => Err(Trouble::Wrong(format!("{other:?}"))),
    }
}

/// Begins a session, and writes to it as long as the driver is there.
fn write_screen(link: &mut Link<terminal::Terminal>, writer: &mut Option<Writer>) -> Round {
    let result = write_line(link, writer);
    if result.is_err() {
        *writer = None;
    }
    result
}

fn write_line(link: &mut Link<terminal::Terminal>, writer: &mut Option<Writer>) -> Round {
    // A driver that was killed has closed nothing: its mailbox tells.
    ask(link, &terminal::Request::Size)?;
    let now = match writer {
        Some(writer) => writer,
        None => {
            let bits = (1, 2);
            let request = terminal::Request::Attach {
                input: bits,
                output: bits,
            };
            let (_, handles) = ask(link, &request)?;
            let output = channel::handles(handles.into_iter().skip(channel::HANDLES))?;
            writer.insert(Writer::new(sys::start::own(), output)?)
        }
    };
    match now.write_all(
        b"\x1b[32ma line of the test\x1b[m\r\n",
        sys::time::after(SECOND),
    ) {
        // It was killed just now, or shows other things first.
        Err(abi::Error::TimedOut) => Err(Trouble::Gone),
        result => Ok(result?),
    }
}
