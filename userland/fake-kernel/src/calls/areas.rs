//! Memory that can be mapped, and mappings.

use std::sync::Arc;

use abi::area::{self, Info};
use abi::{Error, PAGE_SIZE, Rights, Sysno};

use super::{Done, Outcome};
use crate::decode::Arguments;
use crate::memory::{self, Memory};
use crate::state::{Area, Caller, Id, Mapped, Object, State};

/// Where the mappings of other processes begin, when the kernel is to choose.
const FIRST: u64 = 0x1000_0000_0000;
/// The largest area.
const SIZE_MAX: u64 = 1 << 40;

pub fn call(state: &mut State, caller: Caller, number: Sysno, arguments: &Arguments) -> Outcome {
    let words = arguments.words;
    let id = arguments.handle(0).object;
    match number {
        Sysno::VmAreaCreate => create(state, caller, words),
        Sysno::VmAreaCreateFixed => create_fixed(state, caller, id, words),
        Sysno::VmAreaInfo => {
            let area = state.area(id)?;
            let info = Info {
                kind: area.kind,
                size: area.size,
                committed: area.size,
                mappings: area.mappings,
                ..Info::default()
            };
            Ok(Done::Words(info.to_words().to_vec()))
        }
        Sysno::VmAreaResize => {
            let area = state.area(id)?;
            if area.kind != area::OPEN {
                return Err(Error::NotSupported);
            }
            if words[1] == 0 || words[1] > SIZE_MAX {
                return Err(Error::InvalidArgument);
            }
            area.memory.resize(words[1])?;
            area.size = words[1];
            Ok(Done::Nothing)
        }
        Sysno::VmAreaCommit | Sysno::VmAreaDecommit => {
            let area = state.area(id)?;
            let end = words[1].checked_add(words[2]);
            if words[2] == 0 || end.is_none_or(|end| end > area.size) {
                return Err(Error::InvalidArgument);
            }
            if number == Sysno::VmAreaDecommit {
                if area.kind == area::FIXED {
                    return Err(Error::NotSupported);
                }
                area.memory.clear(words[1], words[2])?;
            }
            Ok(Done::Nothing)
        }
        Sysno::VmAreaSnapshot => {
            let area = state.area(id)?;
            if area.kind == area::FIXED {
                return Err(Error::NotSupported);
            }
            let copy = copy(area)?;
            state
                .insert_new(caller.process, Object::Area(copy))
                .map(Done::from)
        }
        _ => Err(Error::NotSupported),
    }
}

fn create(state: &mut State, caller: Caller, [kind, size, sections, ..]: [u64; 6]) -> Outcome {
    let is_guarded = kind == area::GUARDED;
    if size == 0 || size > SIZE_MAX || is_guarded != (sections != 0) || sections > 1 << 20 {
        return Err(Error::InvalidArgument);
    }
    let (shown, stored) = match kind {
        area::GUARDED => ((size + PAGE_SIZE) * sections, (size + PAGE_SIZE) * sections),
        area::RING => (2 * size, size),
        _ => (size, size),
    };
    let new = Area {
        kind,
        size: shown,
        section: size,
        memory: Arc::new(Memory::new(stored)?),
        mappings: 0,
    };
    state
        .insert_new(caller.process, Object::Area(new))
        .map(Done::from)
}

fn create_fixed(state: &mut State, caller: Caller, resource: Id, words: [u64; 6]) -> Outcome {
    let Some(Object::Resource { kind, start, len }) = state.object(resource) else {
        return Err(Error::WrongType);
    };
    if *kind != abi::resource::MEMORY {
        return Err(Error::NotSupported);
    }
    let (offset, size) = (words[1], words[2]);
    if size == 0 || size > SIZE_MAX || offset.checked_add(size).is_none_or(|end| end > *len) {
        return Err(Error::InvalidArgument);
    }
    // The memory of a device is the same for all who map it.
    let place = start + offset;
    let memory = match state.device_memory.get(&place) {
        Some(memory) => Arc::clone(memory),
        None => {
            let memory = Arc::new(Memory::new(size)?);
            state.device_memory.insert(place, Arc::clone(&memory));
            memory
        }
    };
    let new = Area {
        kind: area::FIXED,
        size,
        section: size,
        memory,
        mappings: 0,
    };
    state
        .insert_new(caller.process, Object::Area(new))
        .map(Done::from)
}

fn copy(area: &Area) -> Result<Area, Error> {
    let stored = match area.kind {
        area::RING => area.size / 2,
        _ => area.size,
    };
    let memory = Memory::new(stored)?;
    let mut piece = vec![0; 64 * 1024];
    let mut at = 0;
    loop {
        let count = area.memory.read(at, &mut piece);
        let bytes = piece.get(..count).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        memory.write(at, bytes);
        at += count as u64;
    }
    Ok(Area {
        kind: area.kind,
        size: area.size,
        section: area.section,
        memory: Arc::new(memory),
        mappings: 0,
    })
}

/// Where the pages of a part of an area lie: `(place, offset, len)`, without what is a guard.
fn pieces(area: &Area, offset: u64, len: u64) -> Vec<(u64, u64, u64)> {
    let end = offset + len;
    let mut pieces = Vec::new();
    let mut at = offset;
    while at < end {
        let (begin, stored, until) = match area.kind {
            area::RING => {
                let half = area.size / 2;
                (at, at % half, (at / half + 1) * half)
            }
            area::GUARDED => {
                let whole = area.section + PAGE_SIZE;
                let first = at / whole * whole + PAGE_SIZE;
                let begin = at.max(first);
                (begin, begin, at / whole * whole + whole)
            }
            _ => (at, at, end),
        };
        let until = until.min(end);
        if begin < until {
            pieces.push((begin - offset, stored, until - begin));
        }
        at = until;
    }
    pieces
}

/// `process_map`.
pub fn map(state: &mut State, caller: Caller, arguments: &Arguments) -> Outcome {
    let [.., address, offset, len, access] = arguments.words;
    let (process, area) = (arguments.handle(0).object, arguments.handle(1));
    let needed = [
        (area::READ, Rights::MAP_READ),
        (area::WRITE, Rights::MAP_WRITE),
        (area::EXECUTE, Rights::MAP_EXECUTE),
    ];
    for (bit, right) in needed {
        if access & bit != 0 && !area.rights.contains(right) {
            return Err(Error::AccessDenied);
        }
    }
    let rights = access & (area::READ | area::WRITE | area::EXECUTE);
    let is_both = rights & area::WRITE != 0 && rights & area::EXECUTE != 0;
    let shown = state.area(area.object)?.size;
    let is_inside = len != 0 && offset.checked_add(len).is_some_and(|end| end <= shown);
    if is_both || rights == 0 || !is_inside {
        return Err(Error::InvalidArgument);
    }
    let is_own = match state.object(process) {
        Some(Object::Process(id)) => *id == caller.process,
        _ => return Err(Error::WrongType),
    };
    if state.process_of(process)?.end.is_some() {
        return Err(Error::Ended);
    }
    let at = access & area::AT_ADDRESS != 0;
    let address = match (is_own, at) {
        // The host's address space is the test's, too.
        (true, true) => return Err(Error::Occupied),
        (true, false) => {
            let area = state.area(area.object)?;
            area.memory.map(len, &pieces(area, offset, len), rights)?
        }
        (false, true) => {
            let end = address.checked_add(len).filter(|end| *end <= abi::USER_END);
            let end = end.ok_or(Error::InvalidArgument)?;
            let mappings = &state.process_of(process)?.mappings;
            let before = mappings.range(..end).next_back();
            if before.is_some_and(|(start, mapped)| start + mapped.len > address) {
                return Err(Error::Occupied);
            }
            address
        }
        (false, false) => {
            let mappings = &state.process_of(process)?.mappings;
            let last = mappings.iter().map(|(start, mapped)| start + mapped.len);
            last.filter(|end| *end >= FIRST).max().unwrap_or(FIRST)
        }
    };
    let mapped = Mapped {
        len,
        object: area.object,
        offset,
        access: rights,
        is_real: is_own,
    };
    state.process_of(process)?.mappings.insert(address, mapped);
    state.area(area.object)?.mappings += 1;
    Ok(Done::Value(address))
}

/// `process_unmap` and `process_protect`: those mappings, or parts of them, that lie in a range.
pub fn change(state: &mut State, arguments: &Arguments, access: Option<u64>) -> Outcome {
    let [_, address, len, ..] = arguments.words;
    let end = address
        .checked_add(len)
        .filter(|_| len != 0)
        .ok_or(Error::InvalidArgument)?;
    let process = arguments.handle(0).object;
    let mappings = &state.process_of(process)?.mappings;
    let hit: Vec<(u64, Mapped)> = mappings
        .range(..end)
        .filter(|(start, mapped)| *start + mapped.len > address)
        .map(|(start, mapped)| (*start, *mapped))
        .collect();
    if access.is_some() && hit.is_empty() {
        return Err(Error::NotMapped);
    }
    for (start, mapped) in hit {
        let (from, to) = (start.max(address), (start + mapped.len).min(end));
        if let Some(access) = access.filter(|_| mapped.is_real) {
            memory::protect(from, to - from, access);
        }
        let mappings = &mut state.process_of(process)?.mappings;
        mappings.remove(&start);
        let parts = [(start, from), (from, to), (to, start + mapped.len)];
        let mut left = 0;
        for (part, (begin, until)) in parts.into_iter().enumerate() {
            if begin == until || (part == 1 && access.is_none()) {
                continue;
            }
            let piece = Mapped {
                len: until - begin,
                offset: mapped.offset + (begin - start),
                access: access.filter(|_| part == 1).unwrap_or(mapped.access),
                ..mapped
            };
            mappings.insert(begin, piece);
            left += 1;
        }
        state.area(mapped.object)?.mappings += left;
        match access {
            // The one that was there before has gone; its pages have not.
            Some(_) => state.area(mapped.object)?.mappings -= 1,
            None => state.unmapped(
                from,
                Mapped {
                    len: to - from,
                    ..mapped
                },
            ),
        }
    }
    Ok(Done::Nothing)
}

/// `process_read`.
pub fn read(state: &mut State, arguments: &Arguments) -> Outcome {
    let process = arguments.handle(0).object;
    let (mut at, room) = (arguments.words[1], arguments.place.1);
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < room {
        let mappings = &state.process_of(process)?.mappings;
        let before = mappings.range(..=at).next_back();
        let Some((start, mapped)) = before.filter(|(start, mapped)| *start + mapped.len > at)
        else {
            break;
        };
        let inside = at - start;
        let (offset, left) = (mapped.offset + inside, mapped.len - inside);
        let object = mapped.object;
        let area = state.area(object)?;
        if area.kind == area::FIXED {
            return Err(Error::NotSupported);
        }
        let stored = if area.kind == area::RING {
            offset % (area.size / 2)
        } else {
            offset
        };
        let mut piece = vec![0; left.min(room - bytes.len() as u64).min(PAGE_SIZE) as usize];
        let count = area.memory.read(stored, &mut piece);
        if count == 0 {
            break;
        }
        bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
        at += count as u64;
    }
    match bytes.is_empty() && room != 0 {
        true => Err(Error::NotMapped),
        false => Ok(Done::Bytes(bytes)),
    }
}
