//! What one thread asks of another: to end, to wait, to move, to be more or less urgent.

use ksched::{Decision, Priority, Removed};
use x86_64::instructions::interrupts;

use super::thread::{Affinity, Attention, Thread};
use super::{Ready, Woken, cpu, poke, run, wake};
use crate::arch::current::{percpu, time};

/// Makes a thread look after something before it goes back to user mode: it is interrupted if it runs.
fn interrupt(thread: &Thread, what: Attention) {
    let index = thread.add_attention(what);
    if let Some(area) = percpu::get(index as usize) {
        interrupts::without_interrupts(|| {
            if area.index != percpu::current().index {
                poke(area);
            }
        });
    }
}

/// Makes a thread end instead of going back to user mode: it is woken if it blocks, and interrupted if it runs.
pub fn make_leave(thread: &Thread) {
    // Before it is woken, so that it finds this then; it may be put on another CPU by that, which is to be interrupted after.
    thread.add_attention(Attention::END);
    wake(thread);
    interrupt(thread, Attention::END);
}

/// Gives a thread another priority.
pub fn set_priority(thread: &Thread, priority: Priority) {
    thread.set_base_priority(priority);
    reprioritise(thread);
}

/// Brings the queue that a thread is in up to date with its priority.
pub fn reprioritise(thread: &Thread) {
    // The priority was stored before: a queue that the thread comes to from now on reads it.
    interrupts::without_interrupts(|| {
        let told = cpu::with_queue_of(thread, |queue, area| {
            // SAFETY: used with the lock of the queue held, which it needs to end if it is in there.
            let ready = unsafe { Ready::of(thread) };
            let decision = queue.set_priority(ready, thread.priority(), time::tsc());
            (decision == Decision::Switch).then_some(area)
        });
        if let Some(Some(area)) = told {
            poke(area);
        }
    });
}

/// The running thread, whose priority was `before`, may have another one now, by a call that it took or answered: its queue is told.
#[inline]
pub fn follow_priority(thread: &Thread, before: Priority) {
    if thread.priority() != before {
        reprioritise(thread);
    }
}

/// Says where a thread may run from now on. If it runs elsewhere at the moment, it goes on there until it next enters the kernel,
/// which it is made to do at once.
pub fn set_affinity(thread: &Thread, affinity: Affinity) {
    thread.set_affinity(affinity);
    interrupts::without_interrupts(|| {
        let moved = cpu::with_queue_of(thread, |queue, area| {
            // SAFETY: used with the lock of the queue held; and by us alone afterwards, if it waited there.
            let ready = unsafe { Ready::of(thread) };
            let is_left = !thread.is_on_cpu() && queue.current() != Some(ready);
            let is_out = is_left
                && !thread.allows(area.index)
                && queue.remove(ready, time::tsc()) == Removed::Waiting;
            is_out.then(|| Woken::new(ready))
        });
        match moved {
            Some(Some(woken)) => run(woken),
            // It runs, or waits to be woken, or was, and somebody who has asked before where it may run is about to put it there: it sees
            // to it itself, when it is on its way to user mode.
            Some(None) | None => interrupt(thread, Attention::MOVE),
        }
    });
}

/// Stops a thread before it next goes back to user mode, until it is resumed.
pub fn suspend(thread: &Thread) {
    interrupt(thread, Attention::SUSPEND);
}

/// Lets a suspended thread go on.
pub fn resume(thread: &Thread) {
    thread.remove_attention(Attention::SUSPEND);
    wake(thread);
}
