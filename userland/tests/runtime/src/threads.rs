//! Threads and locks.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use sys::object::{Event, Process};
use sys::sync::{Condvar, Mutex, Once, OnceLock, RwLock};
use sys::time::{MILLISECOND, SECOND};
use sys::{Context, Error, NEVER, thread, time};

use crate::checks::Outcome;
use crate::{check, same};

pub fn threads_return(_: &Context) -> Outcome {
    let mut all = Vec::new();
    for index in 0..20u64 {
        let builder = thread::Builder::new().stack(32 * 1024).priority(4);
        all.push(builder.spawn(move || index * index)?);
    }
    for (index, thread) in all.into_iter().enumerate() {
        same!(thread.join(), Ok((index * index) as u64));
    }
    let go = Arc::new(Event::new()?);
    let slow = thread::spawn({
        let go = Arc::clone(&go);
        move || go.wait(1, NEVER)
    })?;
    check!(!slow.is_finished(), "it waits");
    same!(
        slow.join_until(time::after(MILLISECOND)),
        Err(Error::TimedOut)
    );
    go.signal(1)?;
    let refused = thread::Builder::new().priority(99).spawn(|| ());
    same!(refused.map(drop).err(), Some(Error::InvalidArgument));
    Ok(())
}

/// Memory and mappings are as before, whether somebody waits for the thread or not.
pub fn threads_leave_nothing(_: &Context) -> Outcome {
    let round = || {
        for index in 0..50 {
            let thread = thread::spawn(|| core::hint::black_box([1u8; 20_000]).len())?;
            if index % 2 == 0 {
                thread.join()?;
            }
        }
        // Those that nobody waits for.
        let own = Process::own();
        while own.info()?.threads > 1 {
            thread::yield_now();
        }
        own.info()
    };
    let first = round()?;
    let second = round()?;
    same!(second.mappings, first.mappings);
    same!(second.handles, first.handles);
    check!(
        second.memory <= first.memory + 65536,
        "{} bytes more",
        second.memory - first.memory
    );
    Ok(())
}

pub fn thread_that_is_killed(_: &Context) -> Outcome {
    let thread = thread::spawn(|| {
        time::sleep(100 * SECOND);
        1
    })?;
    if let Some(thread) = thread.thread() {
        thread.kill()?;
        same!(thread.info()?.priority, 4);
    }
    same!(thread.join(), Err(Error::Ended));
    Ok(())
}

pub fn mutex_counts(_: &Context) -> Outcome {
    let count = Arc::new(Mutex::new(0u64));
    let mut threads = Vec::new();
    for _ in 0..4 {
        let count = Arc::clone(&count);
        let add = move || {
            for _ in 0..20_000 {
                *count.lock() += 1;
            }
        };
        threads.push(thread::spawn(add)?);
    }
    for thread in threads {
        thread.join()?;
    }
    same!(*count.lock(), 80_000);
    let taken = count.lock();
    check!(count.try_lock().is_none(), "it is taken");
    drop(taken);
    check!(count.try_lock().is_some(), "it is free");
    Ok(())
}

/// Several threads put numbers into a short queue, several take them out: each comes out once.
pub fn condvar_queue(_: &Context) -> Outcome {
    struct Queue {
        items: Mutex<VecDeque<u64>>,
        filled: Condvar,
        emptied: Condvar,
    }
    const EACH: u64 = 3000;
    let queue = Arc::new(Queue {
        items: Mutex::new(VecDeque::new()),
        filled: Condvar::new(),
        emptied: Condvar::new(),
    });
    let mut makers = Vec::new();
    let mut takers = Vec::new();
    for maker in 0..3 {
        let other = Arc::clone(&queue);
        makers.push(thread::spawn(move || {
            for item in 0..EACH {
                let items = other.items.lock();
                let mut items = other.emptied.wait_while(items, |items| items.len() >= 4);
                items.push_back(maker * EACH + item);
                drop(items);
                other.filled.notify_one();
            }
        })?);
        let other = Arc::clone(&queue);
        takers.push(thread::spawn(move || {
            let mut sum = 0;
            for _ in 0..EACH {
                let items = other.items.lock();
                let mut items = other.filled.wait_while(items, |items| items.is_empty());
                sum += items.pop_front().unwrap_or(u64::MAX / 100_000);
                drop(items);
                other.emptied.notify_one();
            }
            sum
        })?);
    }
    for maker in makers {
        maker.join()?;
    }
    let mut sum = 0;
    for taker in takers {
        sum += taker.join()?;
    }
    same!(sum, (0..3 * EACH).sum());
    let items = queue.items.lock();
    let (items, waited) = queue.filled.wait_until(items, time::after(2 * MILLISECOND));
    same!(waited, Err(Error::TimedOut));
    same!(items.len(), 0);
    Ok(())
}

pub fn rwlock_is_one_or_many(_: &Context) -> Outcome {
    let pair = Arc::new(RwLock::new((0u64, 0u64)));
    let mut threads = Vec::new();
    for index in 0..4 {
        let pair = Arc::clone(&pair);
        threads.push(thread::spawn(move || {
            for _ in 0..2000 {
                if index == 0 {
                    let mut pair = pair.write();
                    pair.0 += 1;
                    pair.1 += 1;
                } else {
                    let pair = pair.read();
                    if pair.0 != pair.1 {
                        return false;
                    }
                }
            }
            true
        })?);
    }
    for thread in threads {
        same!(thread.join(), Ok(true));
    }
    same!(*pair.read(), (2000, 2000));
    Ok(())
}

pub fn once_is_once(_: &Context) -> Outcome {
    static ONCE: Once = Once::new();
    static VALUE: OnceLock<u64> = OnceLock::new();
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let mut threads = Vec::new();
    for index in 0..6 {
        threads.push(thread::spawn(move || {
            ONCE.call_once(|| {
                time::sleep(5 * MILLISECOND);
                CALLS.fetch_add(1, Ordering::Relaxed);
            });
            assert!(ONCE.is_completed());
            *VALUE.get_or_init(|| index)
        })?);
    }
    let mut values = Vec::new();
    for thread in threads {
        values.push(thread.join_until(NEVER)?);
    }
    same!(CALLS.load(Ordering::Relaxed), 1);
    check!(
        values.iter().all(|value| VALUE.get() == Some(value)),
        "{values:?}"
    );
    same!(VALUE.set(99), Err(99));
    Ok(())
}
