//! A worker: a process that makes one random call after the other.

use core::sync::atomic::{AtomicU64, Ordering};

use sys::abi::call::Output;
use sys::abi::{CALLS, Error, Sysno};
use sys::call;
use sys::random::Random;

use crate::arguments::{Pool, arguments};

/// The handles that a worker is given.
pub const GIVEN: usize = 10;

/// What a worker and the crew share: a page.
#[repr(C)]
pub struct Desk {
    /// Calls that were begun.
    pub calls: AtomicU64,
    /// How many to make.
    pub quota: AtomicU64,
    pub seed: AtomicU64,
    /// Calls that succeeded.
    pub succeeded: AtomicU64,
    /// The call that was begun last: its number and its arguments.
    pub last: [AtomicU64; 7],
    pub given: [AtomicU64; GIVEN],
}

/// The status of a worker that has made all its calls.
pub const DONE: u64 = 77;

/// Where a worker begins; the argument is the address of its desk.
pub extern "C" fn work(desk: u64) -> ! {
    // SAFETY: the crew has mapped it there before it started this thread; all of it is atomic.
    let desk = unsafe { &*(desk as *const Desk) };
    let mut random = Random::new(desk.seed.load(Ordering::Relaxed));
    let mut pool = Pool::new(&desk.given);
    let quota = desk.quota.load(Ordering::Relaxed);
    for count in 0..quota {
        let (number, registers) = choose(&mut random, &pool);
        desk.last[0].store(number, Ordering::Relaxed);
        for (place, word) in desk.last[1..].iter().zip(registers) {
            place.store(word, Ordering::Relaxed);
        }
        desk.calls.store(count + 1, Ordering::Relaxed);
        let result = raw(number, registers, random.any());
        if let Ok(value) = result {
            desk.succeeded.fetch_add(1, Ordering::Relaxed);
            let call = Sysno::try_from(number).map(Sysno::call);
            if call.is_ok_and(|call| matches!(call.output, Output::Handle)) {
                pool.learn(&mut random, value);
            }
        }
    }
    call::process_exit(DONE)
}

/// The number of a call and its arguments.
fn choose(random: &mut Random, pool: &Pool) -> (u64, [u64; 6]) {
    if random.one_in(200) {
        // No call, or one that a later version may have.
        let number = random.one_of(&[random.clone().any(), 0xff, 0x1000, u64::MAX, 1 << 32]);
        return (number, [(); 6].map(|()| random.any()));
    }
    loop {
        let call = &CALLS[random.below(CALLS.len() as u64) as usize];
        // Whatever handles a worker comes by: nobody would be left to tell.
        if matches!(call.number, Sysno::SystemPower | Sysno::SystemSetConsole) {
            continue;
        }
        let is_end = matches!(call.output, Output::Never);
        // Calls that end the worker are made, but seldom.
        if !is_end || random.one_in(100) {
            return (call.number as u64, arguments(random, pool, call));
        }
    }
}

/// Makes a call whose message, if it has one, is noise.
fn raw(number: u64, [a, b, c, d, e, f]: [u64; 6], noise: u64) -> Result<u64, Error> {
    let (error, value): (u64, u64);
    // SAFETY: the instruction enters the kernel, which changes the registers that are named here. It writes to memory where an argument
    // says so: that may be this worker's own, which then ends in some way; nobody else depends on it.
    #[cfg(target_os = "none")]
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") number => error,
            inlateout("rdi") a => _,
            inlateout("rsi") b => _,
            inlateout("rdx") c => value,
            inlateout("r10") d => _,
            inlateout("r8") e => _,
            inlateout("r9") f => _,
            inlateout("r12") noise => _,
            inlateout("r13") noise => _,
            inlateout("r14") noise => _,
            inlateout("r15") noise >> 20 => _,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    #[cfg(not(target_os = "none"))]
    {
        let _ = (number, a, b, c, d, e, f, noise);
        (error, value) = (Error::UnknownCall.number(), 0);
    }
    match Error::from_number(error) {
        None if error == 0 => Ok(value),
        None => Err(Error::InvalidArgument),
        Some(error) => Err(error),
    }
}
