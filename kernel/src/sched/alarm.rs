//! Deadlines: what is to happen on a CPU at a time.

use ksched::SchedError;
use ksched::timer::{TimerId, TimerQueue};
use x86_64::instructions::interrupts;

use super::cpu::{CpuQueue, Ready};
use super::thread::OutOfMemory;
use crate::arch::current::{IrqGuard, IrqOff, percpu, time};
use crate::object::Event;

/// A deadline that never comes.
pub const NEVER: u64 = u64::MAX;

/// Places that a CPU's first alarm makes.
const PLACES: usize = 16;

/// How many alarms one interrupt serves; those that are left fire the timer again at once.
const AT_ONCE: usize = 64;

/// What is to happen. An alarm is taken out before what it names goes, so that the pointers in a queue are good while its lock
/// is held.
#[derive(Clone, Copy)]
pub enum Alarm {
    /// A thread is woken.
    Wake(Ready),
    /// Bits of an event are set.
    Signal(*const Event, u64),
}

// SAFETY: the pointers are ones to `Sync` types.
unsafe impl Send for Alarm {}

impl Alarm {
    /// Sets bits of an event.
    pub fn signal(event: &Event, bits: u64) -> Self {
        Self::Signal(event, bits)
    }

    fn fire(self) {
        match self {
            Self::Wake(ready) => super::wake_ready(ready),
            // SAFETY: the event cancels the alarm before it goes, and waits for the lock that the caller holds to do so.
            Self::Signal(event, bits) => unsafe { (*event).signal(bits) },
        }
    }
}

/// The alarms of one CPU.
pub struct Alarms(TimerQueue<Alarm>);

impl Alarms {
    /// None.
    pub const fn new() -> Self {
        Self(TimerQueue::new())
    }

    /// Bytes of the heap that the places take, which are kept.
    pub(super) fn room_bytes(&self) -> usize {
        self.0.room_bytes()
    }

    fn add(&mut self, at_ns: u64, alarm: Alarm) -> Result<TimerId, OutOfMemory> {
        if self.0.len() == self.0.capacity() {
            let places = PLACES.max(self.0.capacity().saturating_mul(2));
            self.0.reserve(places).map_err(|_| OutOfMemory)?;
        }
        let added = self.0.insert(at_ns, alarm);
        added.map_err(|_: SchedError| OutOfMemory)
    }
}

/// Sets an alarm on this CPU for a time on the monotonic clock. Returns the CPU and the alarm's name there.
///
/// # Errors
/// When memory is short.
///
/// # Safety
/// What the alarm names stays until the alarm has been cancelled.
pub unsafe fn set(at_ns: u64, alarm: Alarm) -> Result<(u32, TimerId), OutOfMemory> {
    interrupts::without_interrupts(|| {
        let area = percpu::current();
        let id = area.queue.alarms.lock().add(at_ns, alarm)?;
        area.queue.arm_for(Some(at_ns));
        Ok((area.index, id))
    })
}

/// Takes an alarm back. When this returns it has fired or never will.
pub fn cancel(cpu: u32, id: TimerId) {
    if let Some(area) = percpu::get(cpu as usize) {
        area.queue.alarms.lock().0.remove(id);
    }
}

/// Blocks the running thread until it is woken, at the latest until a time on the monotonic clock. May return early, as
/// [`super::block`].
///
/// # Errors
/// When memory is short; the thread has not blocked then.
#[inline(always)]
pub fn block_until(at_ns: u64) -> Result<(), OutOfMemory> {
    block_until_within(at_ns, IrqGuard::new().off())
}

/// As [`block_until`], where interrupts are off.
///
/// # Errors
/// As [`block_until`].
#[inline(always)]
pub fn block_until_within(at_ns: u64, off: IrqOff<'_>) -> Result<(), OutOfMemory> {
    if at_ns != NEVER {
        return block_with_alarm(at_ns);
    }
    super::block_within(off);
    Ok(())
}

#[inline(never)]
fn block_with_alarm(at_ns: u64) -> Result<(), OutOfMemory> {
    // SAFETY: the thread runs, and cancels the alarm before it does anything else.
    let (cpu, id) = unsafe { set(at_ns, Alarm::Wake(Ready::of(super::current_ref()))) }?;
    super::block();
    cancel(cpu, id);
    Ok(())
}

impl CpuQueue {
    /// Does what is due, and sets the timer for what comes next.
    pub(super) fn expire_alarms(&self) {
        let next = {
            let mut alarms = self.alarms.lock();
            let now = time::now_ns();
            for _ in 0..AT_ONCE {
                let Some(expired) = alarms.0.pop_expired(now) else {
                    break;
                };
                // With the lock held, so that what the alarm names is there.
                expired.payload.fire();
            }
            alarms.0.next_deadline()
        };
        self.arm_for(next);
    }
}
