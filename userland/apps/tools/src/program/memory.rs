//! Memory and handles of processes.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use abi::{ObjectType, Rights, area};
use sys::object::Process;
use tools::number::bytes;
use tools::options::Given;
use tools::table::Table;

use super::io::number;
use super::processes::{all, name, open};
use super::{Entry, Failed, Tool, entry};

pub const COMMANDS: &[Entry] = &[
    entry(
        "vm",
        "shows the memory of processes by kind, or the mappings of some",
        "[PID ...]",
        &[],
        vm,
    ),
    entry(
        "handles",
        "lists the handles of processes",
        "PID ...",
        &[],
        handles,
    ),
];

/// The mappings of a process, in order.
fn areas(process: &Process) -> Vec<area::Entry> {
    let mut all = Vec::new();
    let mut from = 0;
    while let Ok(entry) = sys::call::process_next_area(process.handle(), from) {
        from = entry.address.saturating_add(entry.len);
        all.push(entry);
    }
    all
}

fn kind(entry: &area::Entry) -> &'static str {
    match entry.kind {
        area::OPEN => "open",
        area::GUARDED => "guarded",
        area::RING => "ring",
        area::FIXED => "device",
        _ => "other",
    }
}

fn access(entry: &area::Entry) -> String {
    let bits = [(area::READ, 'r'), (area::WRITE, 'w'), (area::EXECUTE, 'x')];
    let letter = |(bit, letter)| if entry.access & bit != 0 { letter } else { '-' };
    bits.into_iter().map(letter).collect()
}

fn vm(tool: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    if given.arguments.is_empty() {
        return summary(tool);
    }
    for text in &given.arguments {
        let process = match open(tool.system()?, number(text)?) {
            Ok(process) => process,
            Err(error) => {
                tool.complain(&error);
                continue;
            }
        };
        let mut table = Table::new(&[
            "<ADDRESS",
            "LENGTH",
            "<USE",
            "<KIND",
            "AREA",
            "OF AREA",
            "COMMITTED",
        ]);
        for entry in areas(&process) {
            table.row([
                &format!("{:#014x}", entry.address),
                &bytes(entry.len),
                &access(&entry),
                &kind(&entry),
                &entry.object,
                &bytes(entry.size),
                &bytes(entry.committed),
            ]);
        }
        tool.out.lines(table.lines())?;
    }
    Ok(tool.status)
}

/// A line for each process.
fn summary(tool: &mut Tool<'_>) -> Result<u64, Failed> {
    let heads = [
        "PID", "CHARGED", "MAPPED", "OPEN", "GUARDED", "RING", "DEVICE", "<NAME",
    ];
    let mut table = Table::new(&heads);
    let mut total = 0u64;
    for usage in all(tool.system()?) {
        // What a process is charged for includes what those that it made use.
        if usage.parent == 0 {
            total = total.saturating_add(usage.memory);
        }
        // It may have ended meanwhile.
        let Ok(process) = open(tool.system()?, usage.number) else {
            continue;
        };
        let areas = areas(&process);
        let mapped: u64 = areas.iter().map(|entry| entry.len).sum();
        // An area that is mapped twice has its pages once.
        let committed = |kind: u64| {
            let of_kind = areas.iter().filter(|entry| entry.kind == kind);
            let once: BTreeMap<u64, u64> = of_kind
                .map(|entry| (entry.object, entry.committed))
                .collect();
            bytes(once.values().sum())
        };
        table.row([
            &usage.number,
            &bytes(usage.memory),
            &bytes(mapped),
            &committed(area::OPEN),
            &committed(area::GUARDED),
            &committed(area::RING),
            &committed(area::FIXED),
            &name(&usage),
        ]);
    }
    tool.out.lines(table.lines())?;
    tool.out
        .line(&format!("\n{} in all processes", bytes(total)))?;
    Ok(0)
}

fn handles(tool: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    if given.arguments.is_empty() {
        return Err("the number of a process is missing".into());
    }
    for text in &given.arguments {
        let process = match open(tool.system()?, number(text)?) {
            Ok(process) => process,
            Err(error) => {
                tool.complain(&error);
                continue;
            }
        };
        let mut table = Table::new(&["SLOT", "<HANDLE", "<TYPE", "OBJECT", "<RIGHTS"]);
        let mut from = 0;
        while let Ok(entry) = sys::call::process_next_handle(process.handle(), from) {
            from = entry.index + 1;
            table.row([
                &entry.index,
                &format!("{:#x}", entry.handle),
                &type_name(entry.kind),
                &entry.object,
                &rights(entry.rights),
            ]);
        }
        tool.out.lines(table.lines())?;
    }
    Ok(tool.status)
}

fn type_name(number: u64) -> String {
    let mut all = ObjectType::ALL.iter();
    match all.find(|one| one.number() == number) {
        Some(one) => format!("{one:?}"),
        None => number.to_string(),
    }
}

fn rights(bits: u64) -> String {
    let has = |rights: Rights| bits & u64::from(rights.0) != 0;
    let all = abi::handle::RIGHTS.iter().filter(|right| has(right.rights));
    let names: Vec<&str> = all.map(|right| right.name).collect();
    names.join(" ")
}
