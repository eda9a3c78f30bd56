//! Processes, and threads of those without code.

use abi::process::{EXITED, Info, RUNNING, Usage};
use abi::thread::{self, ENDED, RUNNABLE, Registers, SUSPENDED};
use abi::{Error, Handle, Rights, Sysno};

use super::areas;
use super::{Done, Outcome};
use crate::decode::Arguments;
use crate::state::{Caller, Id, Object, Process, State, Thread};

pub fn call(
    state: &mut State,
    caller: Caller,
    number: Sysno,
    arguments: &Arguments,
    now: u64,
) -> Outcome {
    let words = arguments.words;
    let object = arguments.handle(0).object;
    match number {
        Sysno::ProcessCreate => create(state, caller, arguments),
        Sysno::ProcessKill => {
            let id = number_of(state, object)?;
            state.end_process(id, EXITED, words[1]);
            Ok(Done::Nothing)
        }
        Sysno::ProcessInfo => info(state, object),
        Sysno::ProcessUsage => {
            let id = number_of(state, object)?;
            Ok(Done::Words(usage(state, id).to_words().to_vec()))
        }
        Sysno::ProcessNext => {
            let live = |process: &Process| process.end.is_none();
            let mut all = state
                .processes
                .range(words[1]..)
                .filter(|(_, process)| live(process));
            let next = all.next().map(|(id, _)| *id).ok_or(Error::NotReady)?;
            Ok(Done::Words(usage(state, next).to_words().to_vec()))
        }
        Sysno::ProcessMap => areas::map(state, caller, arguments),
        Sysno::ProcessUnmap => areas::change(state, arguments, None),
        Sysno::ProcessProtect => areas::change(state, arguments, Some(words[3])),
        Sysno::ProcessRead => areas::read(state, arguments),
        Sysno::ProcessSetLimit => {
            state.process_of(object)?.limit = words[1];
            Ok(Done::Nothing)
        }
        Sysno::ProcessOnExit => {
            let binding = arguments.binding()?;
            let process = state.process_of(object)?;
            process.on_exit = binding;
            if process.end.is_some() {
                state.signal(binding);
            }
            Ok(Done::Nothing)
        }
        Sysno::ProcessOnException => {
            state.process_of(object)?.on_exception = arguments.binding()?;
            Ok(Done::Nothing)
        }
        // Threads of the host do not fault.
        Sysno::ExceptionRead | Sysno::ExceptionResume => Err(Error::NotReady),
        Sysno::ProcessOpen => {
            let process = state
                .processes
                .get(&words[1])
                .filter(|process| process.end.is_none());
            let object = process.ok_or(Error::NotReady)?.object;
            let rights = [
                Rights::INSPECT,
                Rights::KILL,
                Rights::DEBUG,
                Rights::DUPLICATE,
            ];
            let rights = rights.into_iter().fold(Rights::TRANSFER, Rights::union);
            state
                .insert(caller.process, object, rights, 0, 0)
                .map(Done::from)
        }
        Sysno::ProcessNextThread => {
            let id = number_of(state, object)?;
            let threads = state
                .objects
                .iter()
                .filter_map(|(number, (object, _))| match object {
                    Object::Thread(thread) if thread.process == id && *number >= words[1] => {
                        Some(*number)
                    }
                    _ => None,
                });
            let next = threads.min().ok_or(Error::NotReady)?;
            thread_info(state, next)
        }
        Sysno::ProcessThread => {
            let id = number_of(state, object)?;
            match state.object(words[1]) {
                Some(Object::Thread(thread)) if thread.process == id => {}
                _ => return Err(Error::NotReady),
            }
            let rights = Rights::of(abi::ObjectType::Thread);
            state
                .insert(caller.process, words[1], rights, 0, 0)
                .map(Done::from)
        }
        Sysno::ProcessNextHandle => {
            let id = number_of(state, object)?;
            let next = state
                .handles(id)
                .into_iter()
                .find(|handle| u64::from(handle.index()) >= words[1]);
            let handle = next.ok_or(Error::NotReady)?;
            let entry = state.entry(id, handle)?;
            let kind = state
                .object(entry.object)
                .map_or(0, |object| object.kind().number());
            let entry = abi::handle::Entry {
                index: u64::from(handle.index()),
                handle: handle.0,
                kind,
                rights: u64::from(entry.rights.0),
                object: entry.object,
            };
            Ok(Done::Words(entry.to_words().to_vec()))
        }
        Sysno::ProcessNextArea => next_area(state, object, words[1]),
        Sysno::ProcessorUsage => {
            let figures = abi::statistics::Processor {
                now,
                ..Default::default()
            };
            match words[1] {
                0 => Ok(Done::Words(figures.to_words().to_vec())),
                _ => Err(Error::InvalidArgument),
            }
        }
        _ => Err(Error::NotSupported),
    }
}

fn number_of(state: &State, object: Id) -> Result<Id, Error> {
    match state.object(object) {
        Some(Object::Process(id)) => Ok(*id),
        _ => Err(Error::WrongType),
    }
}

fn create(state: &mut State, caller: Caller, arguments: &Arguments) -> Outcome {
    let name = arguments.bytes.first().cloned().unwrap_or_default();
    let name = String::from_utf8(name).map_err(|_| Error::InvalidArgument)?;
    if name.chars().any(char::is_control) {
        return Err(Error::InvalidArgument);
    }
    let process = state.new_process(&name, caller.process);
    let object = state
        .processes
        .get(&process)
        .map_or(0, |process| process.object);
    let rights = Rights::of(abi::ObjectType::Process);
    state
        .insert(caller.process, object, rights, 0, 0)
        .map(Done::from)
}

fn info(state: &mut State, object: Id) -> Outcome {
    let id = number_of(state, object)?;
    let handles = state.handles(id).len() as u64;
    let process = state.process_of(object)?;
    let (state, status) = process.end.unwrap_or((RUNNING, 0));
    let memory = process.mappings.values().map(|mapped| mapped.len).sum();
    let info = Info {
        state,
        status,
        memory,
        limit: process.limit,
        threads: process.threads as u64,
        mappings: process.mappings.len() as u64,
        handles,
        faults: 0,
    };
    Ok(Done::Words(info.to_words().to_vec()))
}

fn usage(state: &State, id: Id) -> Usage {
    let Some(process) = state.processes.get(&id) else {
        return Usage::default();
    };
    let [name_0, name_1, name_2, name_3] = Usage::name_words(&process.name);
    Usage {
        number: id,
        parent: process.parent,
        name_0,
        name_1,
        name_2,
        name_3,
        threads: process.threads as u64,
        memory: process.mappings.values().map(|mapped| mapped.len).sum(),
        ..Usage::default()
    }
}

fn next_area(state: &mut State, object: Id, from: u64) -> Outcome {
    let mappings = &state.process_of(object)?.mappings;
    let next = mappings
        .iter()
        .find(|(start, mapped)| *start + mapped.len > from);
    let (address, mapped) = next.ok_or(Error::NotReady)?;
    let (address, mapped) = (*address, *mapped);
    let area = state.area(mapped.object)?;
    let entry = abi::area::Entry {
        address,
        len: mapped.len,
        access: mapped.access,
        kind: area.kind,
        offset: mapped.offset,
        committed: area.size,
        size: area.size,
        object: mapped.object,
    };
    Ok(Done::Words(entry.to_words().to_vec()))
}

fn thread_info(state: &State, id: Id) -> Outcome {
    let Some(Object::Thread(thread)) = state.object(id) else {
        return Err(Error::WrongType);
    };
    let info = thread::Info {
        number: id,
        state: thread.state,
        priority: thread.priority,
        effective_priority: thread.priority,
        processor: abi::process::ANY_CPU,
        ran: 0,
        switches: 0,
    };
    Ok(Done::Words(info.to_words().to_vec()))
}

pub fn thread_call(
    state: &mut State,
    caller: Caller,
    number: Sysno,
    arguments: &Arguments,
) -> Outcome {
    let words = arguments.words;
    let id = arguments.handle(0).object;
    if number == Sysno::ThreadCreate {
        return thread_create(state, caller, id, words).map(Done::from);
    }
    if number == Sysno::ThreadInfo {
        return thread_info(state, id);
    }
    let Some(Object::Thread(thread)) = state.object_mut(id) else {
        return Err(Error::WrongType);
    };
    let is_ended = thread.state == ENDED;
    match number {
        Sysno::ThreadKill => {
            thread.state = ENDED;
            let (process, on_exit) = (thread.process, thread.on_exit.take());
            state.signal(on_exit);
            let is_last = !state.objects.values().any(|(object, _)| {
                matches!(object, Object::Thread(thread) if thread.process == process && thread.state != ENDED)
            });
            if is_last {
                state.end_process(process, EXITED, 0);
            }
        }
        Sysno::ThreadSuspend if !is_ended => thread.state = SUSPENDED,
        Sysno::ThreadResume if !is_ended => thread.state = RUNNABLE,
        Sysno::ThreadSuspend | Sysno::ThreadResume | Sysno::ThreadSetAffinity => {}
        Sysno::ThreadSetPriority => thread.priority = words[1],
        Sysno::ThreadOnExit => {
            let binding = arguments.binding()?;
            thread.on_exit = binding;
            if is_ended {
                state.signal(binding);
            }
        }
        Sysno::ThreadReadRegisters => {
            return match thread.state {
                ENDED => Err(Error::Ended),
                SUSPENDED => Ok(Done::Words(thread.registers.to_words().to_vec())),
                _ => Err(Error::NotReady),
            };
        }
        Sysno::ThreadWriteRegisters => {
            let bytes = arguments
                .bytes
                .first()
                .and_then(|bytes| bytes.as_slice().try_into().ok());
            let registers = Registers::from_bytes(bytes.ok_or(Error::InvalidArgument)?);
            match thread.state {
                ENDED => return Err(Error::Ended),
                SUSPENDED => thread.registers = registers,
                _ => return Err(Error::NotReady),
            }
        }
        _ => return Err(Error::NotSupported),
    }
    Ok(Done::Nothing)
}

/// A thread of a process without code: it never runs, but it can be looked at.
fn thread_create(
    state: &mut State,
    caller: Caller,
    object: Id,
    words: [u64; 6],
) -> Result<Handle, Error> {
    let process = number_of(state, object)?;
    if process == caller.process {
        return Err(Error::NotSupported);
    }
    if state.process_of(object)?.end.is_some() {
        return Err(Error::Ended);
    }
    let registers = Registers {
        rip: words[1],
        rsp: words[2],
        rdi: words[3],
        ..Registers::default()
    };
    let is_suspended = words[5] & thread::SUSPEND != 0;
    let new = Thread {
        process,
        state: if is_suspended { SUSPENDED } else { RUNNABLE },
        priority: thread::NORMAL_PRIORITY,
        registers,
        on_exit: None,
    };
    state.insert_new(caller.process, Object::Thread(new))
}
