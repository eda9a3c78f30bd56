//! What processors and threads do.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use abi::process::Usage;
use abi::statistics::Processor;
use abi::thread::Info;
use sys::object::System;
use tools::number::{bytes, duration, percent};
use tools::options::Given;
use tools::table::Table;

use super::processes::{all, name, open, processor, state, threads};
use super::{Failed, Tool};

/// Between two looks, in nanoseconds.
const DELAY_NS: u64 = 1_000_000_000;
/// Bytes of a frame.
const FRAME: u64 = 4096;

/// What there is at a time.
struct Look {
    now: u64,
    processors: Vec<(u64, Processor)>,
    processes: Vec<Usage>,
    /// Threads by their numbers, with the place of their process.
    threads: BTreeMap<u64, (usize, Info)>,
}

fn look(system: &System) -> Result<Look, Failed> {
    let statistics = system.statistics().map_err(|error| format!("{error}"))?;
    let processors = (0..statistics.processors)
        .filter_map(|number| Some((number, system.processor(number).ok()?)))
        .collect();
    let processes = all(system);
    let mut by_number = BTreeMap::new();
    for (place, usage) in processes.iter().enumerate() {
        // It may have ended meanwhile.
        if let Ok(process) = open(system, usage.number) {
            let infos = threads(&process).into_iter();
            by_number.extend(infos.map(|info| (info.number, (place, info))));
        }
    }
    Ok(Look {
        now: sys::time::now(),
        processors,
        processes,
        threads: by_number,
    })
}

/// The lines that tell what was done between two looks.
fn lines(system: &System, before: &Look, after: &Look) -> Result<Vec<String>, Failed> {
    let statistics = system.statistics().map_err(|error| format!("{error}"))?;
    let time = after.now.saturating_sub(before.now).max(1);
    // What a process is charged for includes what those that it made use.
    let roots = after.processes.iter().filter(|usage| usage.parent == 0);
    let used: u64 = roots.map(|usage| usage.memory).sum();
    let mut lines = Vec::from([
        format!(
            "up {} s, {} processes, {} threads",
            after.now / 1_000_000_000,
            after.processes.len(),
            after.threads.len()
        ),
        format!(
            "memory: {} of {} free; processes {}, tables {}, kernel {}",
            bytes(statistics.free * FRAME),
            bytes(statistics.total * FRAME),
            bytes(used),
            bytes(statistics.tables * FRAME),
            bytes((statistics.heap + statistics.stacks + statistics.other) * FRAME),
        ),
    ]);
    let mut table = Table::new(&["CPU", "BUSY %", "WAKES/s", "INTERRUPTS/s", "RUNNABLE"]);
    for ((number, one), (_, other)) in before.processors.iter().zip(&after.processors) {
        let time = other.now.saturating_sub(one.now).max(1);
        let per_second = |one: u64, other: u64| {
            let count = u128::from(other.saturating_sub(one));
            count * 1_000_000_000 / u128::from(time)
        };
        table.row([
            number,
            &percent(other.busy.saturating_sub(one.busy), time),
            &per_second(one.switches, other.switches),
            &per_second(one.interrupts, other.interrupts),
            &other.runnable,
        ]);
    }
    lines.push(String::new());
    lines.extend(table.lines());
    let mut by_use: Vec<(u64, usize, &Info)> = after
        .threads
        .iter()
        .map(|(number, (place, info))| {
            let earlier = before.threads.get(number).map_or(0, |(_, info)| info.ran);
            (info.ran.saturating_sub(earlier), *place, info)
        })
        .collect();
    by_use.sort_by_key(|(ran, _, info)| (core::cmp::Reverse(*ran), info.number));
    let mut table = Table::new(&["PID", "THREAD", "CPU", "CPU %", "MEMORY", "<STATE", "<NAME"]);
    for (ran, place, info) in by_use {
        let Some(usage) = after.processes.get(place) else {
            continue;
        };
        table.row([
            &usage.number,
            &info.number,
            &processor(info),
            &percent(ran, time),
            &bytes(usage.memory),
            &state(info),
            &name(usage),
        ]);
    }
    lines.push(String::new());
    lines.extend(table.lines());
    Ok(lines)
}

/// The command `top`.
pub fn top(tool: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    let delay = match given.value('d') {
        None => DELAY_NS,
        Some(text) => duration(text)
            .filter(|ns| *ns >= 10_000_000)
            .ok_or_else(|| format!("'{text}' is no time of 10ms or more"))?,
    };
    let mut before = look(tool.system()?)?;
    if given.has('1') {
        sys::time::sleep(delay);
        let after = look(tool.system()?)?;
        let lines = lines(tool.system()?, &before, &after)?;
        tool.out.lines(lines)?;
        return Ok(0);
    }
    let mut left = given.number('n', u64::MAX)?;
    let (rows, columns) = (tool.rows(), tool.columns());
    // The alternate screen, without a cursor: the shell brings the terminal back if this program is ended.
    tool.out.write(b"\x1b[?1049h\x1b[?25l\x1b[2J")?;
    while left > 0 {
        left -= 1;
        sys::time::sleep(delay);
        let after = look(tool.system()?)?;
        let lines = lines(tool.system()?, &before, &after)?;
        before = after;
        // In place: each line is written over the old one, and what is left of it cleared.
        tool.out.write(b"\x1b[H")?;
        for (index, line) in lines.iter().take(rows.saturating_sub(1)).enumerate() {
            let end = line
                .char_indices()
                .nth(columns)
                .map_or(line.len(), |(end, _)| end);
            if index > 0 {
                tool.out.write(b"\r\n")?;
            }
            tool.out
                .write(line.get(..end).unwrap_or_default().as_bytes())?;
            tool.out.write(b"\x1b[K")?;
        }
        tool.out.write(b"\x1b[J")?;
        tool.out.flush()?;
    }
    tool.out.write(b"\x1b[?25h\x1b[?1049l")?;
    Ok(0)
}
