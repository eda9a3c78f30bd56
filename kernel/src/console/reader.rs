//! The log for a program that keeps it: its records, and word of new ones.
//!
//! A record may be written anywhere, with any lock held. So who listens is told by an interrupt that the processor sends to itself, which
//! comes when no lock is held any more.

use core::sync::atomic::{AtomicBool, Ordering};

use abi::Error;
use abi::log::{CUT, HEAD_SIZE, Head, Level, RECORD_MAX};
use klog::{Completeness, ReadError, Record, Ring};

use super::RING;
use crate::arch::current::{IrqLock, apic, percpu};
use crate::locks;
use crate::object::Binding;
use crate::process::Process;

/// Bytes of target and text of a record, at the most.
const TEXT_MAX: usize = <Ring>::CAPACITY;

const _: () = assert!(RECORD_MAX == HEAD_SIZE + TEXT_MAX);

/// How often a record is looked at that is being written, in one call. It takes another processor less than a microsecond.
const PATIENCE: u32 = 1000;

/// Who listens.
struct Listener {
    binding: Binding,
    /// The number of its process: what others read is not read by it.
    process: u64,
    /// The first record that it has not read.
    next: u64,
}

static LISTENER: IrqLock<Option<Listener>, locks::LogListener> = IrqLock::new(None);
/// Somebody listens, and was not told of a record since it read.
static IS_AWAITED: AtomicBool = AtomicBool::new(false);

/// A record was written.
#[inline]
pub(super) fn written() {
    if IS_AWAITED.load(Ordering::Relaxed) && IS_AWAITED.swap(false, Ordering::Relaxed) {
        let own = percpu::current().apic_id.load(Ordering::Relaxed);
        apic::send(own, apic::VECTOR_LOG);
    }
}

/// Tells who listens that there is something to read. By an interrupt: no lock is held.
pub fn tell() {
    if let Some(listener) = &*LISTENER.lock() {
        listener.binding.signal();
    }
}

/// Tells at once if there is something to read, else when there is.
fn arm(listener: &Listener) {
    IS_AWAITED.store(true, Ordering::SeqCst);
    // After that: a record that comes now either finds somebody waiting, or is seen here.
    if RING.head() > listener.next && IS_AWAITED.swap(false, Ordering::Relaxed) {
        listener.binding.signal();
    }
}

/// Sets what happens when there is a record that the process has not read.
pub fn on_record(process: &Process, binding: Option<Binding>) {
    let old = {
        let mut place = LISTENER.lock();
        let process = process.id();
        let before = place.as_ref().filter(|before| before.process == process);
        let next = before.map_or(0, |before| before.next);
        let new = binding.map(|binding| Listener {
            binding,
            process,
            next,
        });
        IS_AWAITED.store(false, Ordering::Relaxed);
        let old = core::mem::replace(&mut *place, new);
        if let Some(listener) = &*place {
            arm(listener);
        }
        old
    };
    drop(old);
}

/// Hands the bytes of records with the number `from` or more to `put`, with their place, as many as fit in `room` bytes; returns how many
/// bytes that are.
///
/// # Errors
/// `InvalidArgument` if the first one does not fit; those of `put`.
pub fn read(
    process: &Process,
    from: u64,
    room: usize,
    mut put: impl FnMut(usize, &[u8]) -> Result<(), Error>,
) -> Result<usize, Error> {
    let mut next = from;
    let mut patience = PATIENCE;
    let mut used = 0;
    let mut text = [0; TEXT_MAX];
    loop {
        match RING.read(next, &mut text) {
            Ok(record) => {
                let mut bytes = [0; RECORD_MAX];
                let bytes = encode(&record, &mut bytes);
                if used + bytes.len() > room {
                    if used == 0 {
                        return Err(Error::InvalidArgument);
                    }
                    break;
                }
                put(used, bytes)?;
                used += bytes.len();
                next += 1;
            }
            Err(ReadError::NotYet) => break,
            Err(ReadError::Unfinished { .. }) if patience != 0 => {
                patience -= 1;
                core::hint::spin_loop();
            }
            // It found no place, or its writer was stopped: there is a gap.
            Err(ReadError::Unfinished { next: behind } | ReadError::Missed { next: behind }) => {
                next = behind;
            }
        }
    }
    if let Some(listener) = &mut *LISTENER.lock()
        && listener.process == process.id()
    {
        listener.next = next.min(RING.head());
        arm(listener);
    }
    Ok(used)
}

/// A record as programs read it.
fn encode<'a>(record: &Record<'_>, into: &'a mut [u8; RECORD_MAX]) -> &'a [u8] {
    let (target, text) = (record.header.target.as_bytes(), record.text.as_bytes());
    let head = Head {
        sequence: record.sequence,
        time_ns: record.header.time_ns,
        process: record.header.process,
        cpu: record.header.cpu,
        level: match record.header.level {
            log::Level::Error => Level::Error,
            log::Level::Warn => Level::Warn,
            log::Level::Info => Level::Info,
            log::Level::Debug => Level::Debug,
            log::Level::Trace => Level::Trace,
        },
        flags: match record.completeness {
            Completeness::Whole => 0,
            Completeness::Truncated => CUT,
        },
        // Together no more than a slot has room for.
        target_len: target.len() as u16,
        text_len: text.len() as u16,
    };
    let (place, rest) = into.split_at_mut(HEAD_SIZE);
    place.copy_from_slice(&head.to_bytes());
    for (place, byte) in rest.iter_mut().zip(target.iter().chain(text)) {
        *place = *byte;
    }
    into.get(..head.record_size()).unwrap_or_default()
}
