//! What the processors did, recorded by the kernel.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use abi::trace::{Action, BEGIN, END};
use files::How;
use ktrace::{Event, MAGIC};
use tools::number::duration;
use tools::options::Given;

use super::{Entry, Failed, Tool, entry, flag};

pub const COMMANDS: &[Entry] = &[entry(
    "trace",
    "records what the processors do, and shows it",
    "[start|stop|show] | TIME",
    &[
        flag(
            'k',
            "kinds",
            "KINDS",
            "only these: switch,wake,migrate,ipc,call,fault,interrupt,ipi",
        ),
        flag(
            'e',
            "events",
            "COUNT",
            "so many are kept for each processor",
        ),
        flag(
            'o',
            "output",
            "FILE",
            "to a file, as xtask's trace reads it, instead of as text",
        ),
    ],
    trace,
)];

/// Bytes that are asked for at once, the place where to go on included.
const PIECE: usize = 32 * 1024;
/// Bytes of the word that says where to go on.
const WORD: usize = 8;

fn trace(tool: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    match given.arguments.first().map(String::as_str) {
        Some("start") => control(tool, given, Action::Start)?,
        Some("stop") => control(tool, given, Action::Stop)?,
        Some("show") => show(tool, given)?,
        Some(time) => {
            let ns = duration(time).ok_or_else(|| format!("'{time}' is no time"))?;
            control(tool, given, Action::Start)?;
            sys::time::sleep(ns);
            control(tool, given, Action::Stop)?;
            show(tool, given)?;
        }
        None => return Err("start, stop, show or a time is missing".into()),
    }
    Ok(0)
}

fn control(tool: &Tool<'_>, given: &Given, action: Action) -> Result<(), Failed> {
    let kinds = given.value('k').unwrap_or_default();
    let events = given.number('e', 0)?;
    let result = sys::call::system_trace(tool.system()?.handle(), action, kinds, events);
    result.map_err(|error| format!("the trace: {error}"))
}

/// All of what was recorded.
fn recording(tool: &Tool<'_>) -> Result<Vec<u8>, Failed> {
    let system = tool.system()?.handle();
    let mut all = Vec::new();
    let mut piece = alloc::vec![0; PIECE];
    let mut from = BEGIN;
    while from != END {
        let count = sys::call::system_trace_read(system, from, &mut piece);
        let count = count.map_err(|error| format!("the trace: {error}"))? as usize;
        let bytes = piece.get(..count).unwrap_or_default();
        let Some((next, bytes)) = bytes.split_first_chunk::<WORD>() else {
            return Err("the trace was cut off".into());
        };
        let next = u64::from_le_bytes(*next);
        if next == from {
            return Err("the trace does not go on".into());
        }
        from = next;
        all.extend(bytes);
    }
    Ok(all)
}

fn show(tool: &mut Tool<'_>, given: &Given) -> Result<(), Failed> {
    let all = recording(tool)?;
    if let Some(path) = given.value('o') {
        let file = tool.files()?.open(path, How::Create);
        let result = file.and_then(|mut file| file.write_all(&all));
        return result.map_err(|error| error.to_string());
    }
    let mut rest = all.strip_prefix(MAGIC.as_slice()).unwrap_or(&all);
    while !rest.is_empty() {
        let event = ktrace::decode(&mut rest)
            .map_err(|damaged| format!("the trace is damaged: {damaged:?}"))?;
        tool.out.line(&line(&event))?;
    }
    Ok(())
}

fn line(event: &Event) -> String {
    let words: Vec<String> = event.words.iter().map(|word| format!("{word:x}")).collect();
    // Words that are not used are 0, at the end.
    let used = event
        .words
        .iter()
        .rposition(|word| *word != 0)
        .map_or(0, |last| last + 1);
    format!(
        "{:>6}.{:09} {:14} thread {:<5} {:<3} {}",
        event.time_ns / 1_000_000_000,
        event.time_ns % 1_000_000_000,
        format!("{:?}", event.kind),
        event.thread,
        event.detail,
        words.get(..used).unwrap_or_default().join(" ")
    )
}
