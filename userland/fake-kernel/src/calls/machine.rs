//! Resources, interrupts, and the machine itself.

use abi::log::{HEAD_SIZE, Head, Level};
use abi::power::Action;
use abi::{Error, Sysno, interrupt, resource};

use super::{Done, Outcome};
use crate::decode::Arguments;
use crate::state::{Caller, Interrupt, Object, Record, State};

pub fn call(
    state: &mut State,
    caller: Caller,
    number: Sysno,
    arguments: &Arguments,
    now: u64,
) -> Outcome {
    let words = arguments.words;
    match number.call().group {
        "Resources" => resource_call(state, caller, number, arguments),
        "Interrupts" => interrupt_call(state, caller, number, arguments),
        _ => match number {
            Sysno::SystemStatistics => {
                let statistics = abi::statistics::Statistics {
                    processors: 1,
                    total: 65536,
                    free: 32768,
                    ..Default::default()
                };
                Ok(Done::Words(statistics.to_words().to_vec()))
            }
            Sysno::SystemLogWrite => {
                let level = Level::from_number(words[1]).ok_or(Error::InvalidArgument)?;
                let text = arguments.bytes.first().cloned().unwrap_or_default();
                write(state, caller, level, &String::from_utf8_lossy(&text), now);
                Ok(Done::Nothing)
            }
            Sysno::SystemFramebuffer => {
                let framebuffer = state.framebuffer.ok_or(Error::NotSupported)?;
                Ok(Done::Words(framebuffer.to_words().to_vec()))
            }
            Sysno::SystemLogRead => read(state, words[1], arguments.place.1),
            Sysno::SystemLogOnRecord => {
                state.on_record = arguments.binding()?;
                if state.log.len() as u64 > state.log_read {
                    state.signal(state.on_record);
                }
                Ok(Done::Nothing)
            }
            Sysno::SystemSetConsole => {
                state.consoles = words[1];
                Ok(Done::Nothing)
            }
            Sysno::SystemPower => {
                let action = Action::from_number(words[1]).ok_or(Error::InvalidArgument)?;
                state.power = Some((action, words[2]));
                // The machine is off: nobody runs any more.
                let all: Vec<_> = state.processes.keys().copied().collect();
                for process in all {
                    state.end_process(process, abi::process::EXITED, words[2]);
                }
                Ok(Done::Nothing)
            }
            Sysno::SystemDevice => {
                let device = state
                    .devices
                    .get(words[1] as usize)
                    .ok_or(Error::NotReady)?;
                Ok(Done::Words(device.to_words().to_vec()))
            }
            _ => Err(Error::NotSupported),
        },
    }
}

fn write(state: &mut State, caller: Caller, level: Level, text: &str, time: u64) {
    let process = state
        .processes
        .get(&caller.process)
        .map(|process| process.name.clone());
    for line in text.lines().filter(|line| !line.is_empty()) {
        state.log.push(Record {
            time,
            level,
            process: process.clone().unwrap_or_default(),
            number: caller.process,
            text: line.to_string(),
        });
    }
    state.signal(state.on_record);
}

/// Records as the kernel writes them, as many as there is room for.
fn read(state: &mut State, from: u64, room: u64) -> Outcome {
    let mut bytes = Vec::new();
    for (sequence, record) in state.log.iter().enumerate().skip(from as usize) {
        let text_len = record
            .text
            .len()
            .min(abi::log::RECORD_MAX - HEAD_SIZE - record.process.len());
        let text = record.text.as_bytes().get(..text_len).unwrap_or_default();
        let head = Head {
            sequence: sequence as u64,
            time_ns: record.time,
            process: record.number,
            cpu: 0,
            level: record.level,
            flags: if text_len < record.text.len() {
                abi::log::CUT
            } else {
                0
            },
            target_len: record.process.len() as u16,
            text_len: text_len as u16,
        };
        if bytes.len() + head.record_size() > room as usize {
            if bytes.is_empty() {
                return Err(Error::InvalidArgument);
            }
            break;
        }
        let end = bytes.len() + head.record_size();
        bytes.extend(head.to_bytes());
        bytes.extend_from_slice(record.process.as_bytes());
        bytes.extend_from_slice(text);
        bytes.resize(end, 0);
        state.log_read = state.log_read.max(sequence as u64 + 1);
    }
    Ok(Done::Bytes(bytes))
}

fn range(state: &State, object: u64) -> Result<(u64, u64, u64), Error> {
    match state.object(object) {
        Some(Object::Resource { kind, start, len }) => Ok((*kind, *start, *len)),
        _ => Err(Error::WrongType),
    }
}

fn resource_call(
    state: &mut State,
    caller: Caller,
    number: Sysno,
    arguments: &Arguments,
) -> Outcome {
    let words = arguments.words;
    let entry = arguments.handle(0);
    let (kind, start, len) = range(state, entry.object)?;
    match number {
        Sysno::ResourceNarrow => {
            let end = words[1].checked_add(words[2]);
            if words[2] == 0 || end.is_none_or(|end| end > len) {
                return Err(Error::InvalidArgument);
            }
            let part = state.new_object(Object::Resource {
                kind,
                start: start + words[1],
                len: words[2],
            });
            state
                .insert(caller.process, part, entry.rights, 0, entry.node)
                .map(Done::from)
        }
        Sysno::ResourceInfo => {
            let info = resource::Info { kind, start, len };
            Ok(Done::Words(info.to_words().to_vec()))
        }
        Sysno::ResourceGrantPorts if kind == resource::PORTS => Ok(Done::Nothing),
        Sysno::ResourceIsaLine if kind == resource::LINES => {
            let line = words[1].checked_sub(start).filter(|line| *line < len);
            line.map(Done::from).ok_or(Error::NotSupported)
        }
        _ => Err(Error::NotSupported),
    }
}

fn interrupt_call(
    state: &mut State,
    caller: Caller,
    number: Sysno,
    arguments: &Arguments,
) -> Outcome {
    let words = arguments.words;
    let object = arguments.handle(0).object;
    if number == Sysno::InterruptCreate {
        let (kind, start, len) = range(state, object)?;
        if kind != resource::LINES {
            return Err(Error::NotSupported);
        }
        if words[1] >= len {
            return Err(Error::InvalidArgument);
        }
        let line = start + words[1];
        let is_taken = state.objects.values().any(
            |(object, _)| matches!(object, Object::Interrupt(interrupt) if interrupt.line == line),
        );
        if is_taken {
            return Err(Error::Occupied);
        }
        let mode = match words[2] {
            interrupt::AS_WIRED => interrupt::EDGE_HIGH,
            mode => mode,
        };
        let new = Interrupt {
            line,
            mode,
            ..Interrupt::default()
        };
        return state
            .insert_new(caller.process, Object::Interrupt(new))
            .map(Done::from);
    }
    let Some(Object::Interrupt(interrupt)) = state.object_mut(object) else {
        return Err(Error::WrongType);
    };
    match number {
        Sysno::InterruptOnFire => {
            interrupt.on_fire = arguments.binding()?;
            let binding = interrupt.on_fire.filter(|_| interrupt.unacknowledged != 0);
            interrupt.is_told = binding.is_some();
            state.signal(binding);
            Ok(Done::Nothing)
        }
        Sysno::InterruptAcknowledge => {
            let count = std::mem::take(&mut interrupt.unacknowledged);
            interrupt.is_told = false;
            match count {
                0 => Err(Error::NotReady),
                count => Ok(Done::Value(count)),
            }
        }
        Sysno::InterruptInfo => {
            let info = interrupt::Info {
                line: interrupt.line,
                mode: interrupt.mode,
                processor: 0,
                fired: interrupt.fired,
                unacknowledged: interrupt.unacknowledged,
            };
            Ok(Done::Words(info.to_words().to_vec()))
        }
        _ => Err(Error::NotSupported),
    }
}

/// A line fires.
pub fn fire(state: &mut State, line: u64) -> bool {
    for (object, _) in state.objects.values_mut() {
        if let Object::Interrupt(interrupt) = object
            && interrupt.line == line
        {
            interrupt.fired += 1;
            interrupt.unacknowledged += 1;
            let is_new = !std::mem::replace(&mut interrupt.is_told, interrupt.on_fire.is_some());
            let binding = interrupt.on_fire.filter(|_| is_new);
            state.signal(binding);
            return true;
        }
    }
    false
}
