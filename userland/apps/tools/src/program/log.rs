//! The command `log`.

use alloc::format;
use alloc::vec::Vec;

use abi::{NEVER, area};
use ipc::Link;
use protocols::logger::{self, Answer, Level, Logger, Request, Select, Status};
use sys::channel::{self, Reader};
use sys::object::VmArea;
use tools::options::Given;

use super::io::reach;
use super::{Entry, Failed, Tool, entry, flag};

pub const COMMANDS: &[Entry] = &[entry(
    "log",
    "shows the log",
    "",
    &[
        flag('f', "follow", "", "goes on with what comes"),
        flag(
            'l',
            "level",
            "LEVEL",
            "error, warn, info, debug or trace, and what is more important",
        ),
        flag('a', "area", "AREA", "only what areas say that begin so"),
        flag('n', "lines", "COUNT", "only so many, the last ones"),
        flag(
            's',
            "set",
            "",
            "keeps what -l and -a say from now on, instead of showing it",
        ),
        flag(
            'c',
            "counts",
            "",
            "shows how many there were and are, and what is kept",
        ),
    ],
    log,
)];

fn level(text: &str) -> Result<Level, Failed> {
    Ok(match text {
        "error" | "1" => Level::Error,
        "warn" | "2" => Level::Warn,
        "info" | "3" => Level::Info,
        "debug" | "4" => Level::Debug,
        "trace" | "5" => Level::Trace,
        _ => {
            return Err(format!(
                "'{text}' is no level: error, warn, info, debug, trace"
            ));
        }
    })
}

fn log(tool: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    let select = Select {
        level: given.value('l').map_or(Ok(Level::Trace), level)?,
        area: given.value('a').unwrap_or_default().into(),
    };
    let mut link = Link::<Logger>::new(tool.directory()?, logger::NAME);
    reach(&mut link)?;
    let mut ask = |request: &Request| {
        let answer = link.call(request, Vec::new(), NEVER);
        answer.map_err(|failure| format!("the logger: {failure}"))
    };
    if given.has('c') {
        return match ask(&Request::Status)? {
            (Answer::Status(status), _) => counts(tool, &status),
            _ => Err("the logger gave no numbers".into()),
        };
    }
    if given.has('s') {
        ask(&Request::SetFilter { select })?;
        return Ok(0);
    }
    // First the way to what comes, so that nothing is lost between. A line may be there twice.
    let following = match given.has('f') {
        false => None,
        true => {
            let request = Request::Follow {
                select: select.clone(),
                bits: (0, 0),
            };
            let (_, handles) = ask(&request)?;
            let end = channel::handles(handles).map_err(|error| format!("no channel: {error}"))?;
            let reader = Reader::new(sys::start::own(), end);
            Some(reader.map_err(|error| format!("no channel: {error}"))?)
        }
    };
    let last = u32::try_from(given.number('n', 0)?).unwrap_or(u32::MAX);
    if let (Answer::Lines { bytes, .. }, handles) = ask(&Request::Query { select, last })?
        && let Some(handle) = handles.into_iter().next()
    {
        let mapping = VmArea::from(handle).map(area::READ);
        let mapping = mapping.map_err(|error| format!("the lines: {error}"))?;
        let mut at = 0;
        let mut piece = [0; 4096];
        while at < bytes {
            let count = mapping.read(at, &mut piece).min((bytes - at) as usize);
            if count == 0 {
                break;
            }
            tool.out.write(piece.get(..count).unwrap_or_default())?;
            at += count as u64;
        }
    }
    tool.out.flush()?;
    let Some(mut reader) = following else {
        return Ok(0);
    };
    let mut piece = [0; 4096];
    loop {
        let count = reader.read(&mut piece, NEVER);
        match count.map_err(|error| format!("the logger: {error}"))? {
            0 => return Err("the logger is gone".into()),
            count => tool.out.write(piece.get(..count).unwrap_or_default())?,
        }
        tool.out.flush()?;
    }
}

fn counts(tool: &mut Tool<'_>, status: &Status) -> Result<u64, Failed> {
    for (name, number) in [
        ("received", status.received),
        ("lost", status.lost),
        ("filtered", status.filtered),
        ("kept", status.kept),
    ] {
        tool.out.line(&format!("{name:10}{number:12}"))?;
    }
    for (area, level) in &status.filter {
        let area = if area.is_empty() {
            "(all others)"
        } else {
            area
        };
        tool.out.line(&format!("{area:16}{level:?}"))?;
    }
    Ok(0)
}
