//! Equal threads have equal shares of the processors, also where these do not divide evenly.

use core::sync::atomic::{AtomicBool, Ordering};

use sys::abi::process::ANY_CPU;

use super::worker::{Body, Worker};
use super::{MS, rest};
use crate::check;
use crate::harness::{Env, Must, Outcome};

/// The most threads.
const MOST: usize = 9;
/// The window of docs/scheduler.md.
const WINDOW_NS: u64 = 2_000 * MS;
/// How many windows are looked at: others may use the host at any moment, and a timer that is late makes turns longer. It is enough
/// to be right once. Threads that stay where they are never are.
const WINDOWS: usize = 20;

/// One thread more than processors: each gets between 4/5 and 5/4 of its share of the time that all of them had.
pub fn one_more_than_processors(env: &Env<'_>) -> Outcome {
    let count = (env.statistics().processors as usize + 1).min(MOST);
    let is_over = AtomicBool::new(false);
    let body = Body::new(|| {
        while !is_over.load(Ordering::Relaxed) {
            core::hint::spin_loop();
        }
        Ok(0)
    });
    let mut workers = [const { None }; MOST];
    for place in &mut workers[..count] {
        let worker = Worker::start(env.own, ANY_CPU, &body).must(env, "start")?;
        *place = Some(worker);
    }
    let ran = || {
        let ran = |worker: &Worker<'_>| worker.info().ran;
        workers
            .each_ref()
            .map(|place| place.as_ref().map_or(0, ran))
    };
    let mut shares = [0; MOST];
    let mut is_fair = false;
    for _ in 0..WINDOWS {
        let before = ran();
        rest(WINDOW_NS).must(env, "rest")?;
        let mut used = ran();
        for (used, before) in used.iter_mut().zip(before) {
            *used -= before;
        }
        let all = used.iter().sum::<u64>().max(1);
        // In hundredths of an equal share.
        shares = used.map(|used| used * 100 * count as u64 / all);
        is_fair = shares[..count]
            .iter()
            .all(|share| (80..=125).contains(share));
        if is_fair {
            break;
        }
    }
    is_over.store(true, Ordering::Relaxed);
    for worker in workers.iter().flatten() {
        worker.join().must(env, "join")?;
    }
    let shares = &shares[..count];
    check!(env, is_fair, "hundredths of equal shares: {shares:?}");
    Ok(())
}
