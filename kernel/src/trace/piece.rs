//! The trace for a program that has started it: the same bytes as [`super::dump`] writes, a piece at a time.
//!
//! A place in them is the number of a processor and that of a step: its head, then its events, then the one that runs. Nothing is recorded
//! meanwhile, so that a place stays what it is.

use core::sync::atomic::Ordering;

use abi::Error;
use abi::trace::END;
use ktrace::{Event, Kind, MAGIC, MAX_BYTES, Ring};

use super::is_recording;
use crate::arch::current::percpu::{self, PerCpu};
use crate::arch::current::time;

/// Bits of the number of a step.
const STEP_BITS: u32 = 40;
/// Bytes of the word that says where to read on.
const WORD: usize = 8;
/// The least room.
const ROOM_MIN: usize = WORD + MAGIC.len() + MAX_BYTES;
/// The most that is written at a time: interrupts are off meanwhile.
const ROOM_MAX: usize = 16 * 1024;

/// The ring of a processor, if it has one.
fn ring(area: &PerCpu) -> Option<&Ring> {
    // SAFETY: null, or a ring that is there for ever (`super::begin`).
    unsafe { area.trace.load(Ordering::Acquire).as_ref() }
}

/// The event of a step, if there is one, and whether it is the last step of the processor.
fn step(area: &PerCpu, step: u64) -> (Option<Event>, bool) {
    let Some(ring) = ring(area) else {
        return (None, true);
    };
    let kept = ring.kept();
    if step == 0 {
        let index = area.index as u16;
        let head = Event::new(time::now_ns(), Kind::Processor, index, 0, [ring.lost()]);
        return (Some(head), false);
    }
    match kept.start.checked_add(step - 1) {
        Some(number) if kept.contains(&number) => (ring.read(number), false),
        _ => {
            let last = ring.pinned().map(|last| Event {
                kind: Kind::Running,
                ..last
            });
            (last, true)
        }
    }
}

/// Writes the trace from a place on to `put`, with the offset of each piece; returns how many bytes, the word with the next place, which
/// comes first, included.
///
/// # Errors
/// `NotReady` while it records, or when it never did; `InvalidArgument` for what is no place, and for too little room; those of `put`.
pub fn read(
    from: u64,
    room: usize,
    mut put: impl FnMut(usize, &[u8]) -> Result<(), Error>,
) -> Result<usize, Error> {
    if is_recording() || !percpu::all().any(|area| ring(area).is_some()) {
        return Err(Error::NotReady);
    }
    if room < ROOM_MIN {
        return Err(Error::InvalidArgument);
    }
    let room = room.min(ROOM_MAX);
    let mut used = WORD;
    let mut place = from;
    if place == abi::trace::BEGIN {
        put(used, MAGIC)?;
        used += MAGIC.len();
    }
    while place != END && used + MAX_BYTES <= room {
        let (cpu, number) = (place >> STEP_BITS, place & ((1 << STEP_BITS) - 1));
        let area = usize::try_from(cpu).ok().and_then(percpu::get);
        let event = match area {
            Some(area) => {
                let (event, is_last) = step(area, number);
                place = if is_last {
                    (cpu + 1) << STEP_BITS
                } else {
                    place + 1
                };
                event
            }
            None if cpu == percpu::count() as u64 && number == 0 => {
                place = END;
                Some(Event::new(time::now_ns(), Kind::End, 0, 0, []))
            }
            None => return Err(Error::InvalidArgument),
        };
        if let Some(event) = event {
            let mut bytes = [0; MAX_BYTES];
            let mut len = 0;
            ktrace::encode(&event, |byte| {
                if let Some(place) = bytes.get_mut(len) {
                    *place = byte;
                    len += 1;
                }
            });
            put(used, bytes.get(..len).unwrap_or_default())?;
            used += len;
        }
    }
    put(0, &place.to_le_bytes())?;
    Ok(used)
}
