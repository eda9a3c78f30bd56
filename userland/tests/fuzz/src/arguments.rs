//! What the arguments of a call may be: right ones more often than not, so that calls get far.

use core::sync::atomic::{AtomicU64, Ordering};

use sys::abi::call::{Kind, Output};
use sys::abi::{Call, PAGE_SIZE, USER_END, area};
use sys::call;
use sys::random::Random;

/// Handles that a worker knows at a time.
const KNOWN: usize = 48;

/// The handles of a worker: those that it was given, and those that calls have returned.
pub struct Pool {
    handles: [u64; KNOWN],
    given: usize,
}

/// Memory for structures and texts.
static SCRATCH: [AtomicU64; 512] = [const { AtomicU64::new(0x0041_4141_4141_4141) }; 512];

extern "C" fn leave(_: u64) -> ! {
    call::thread_exit()
}

impl Pool {
    pub fn new(given: &[AtomicU64]) -> Self {
        let mut handles = [0; KNOWN];
        let mut count = 0;
        for (place, handle) in handles.iter_mut().zip(given) {
            *place = handle.load(Ordering::Relaxed);
            count += usize::from(*place != 0);
        }
        Self {
            handles,
            given: count,
        }
    }

    /// Remembers a new handle in place of another, which is closed half of the time.
    pub fn learn(&mut self, random: &mut Random, handle: u64) {
        let places = self.handles.get_mut(self.given..).unwrap_or_default();
        let place = random.below(places.len().max(1) as u64) as usize;
        if let Some(place) = places.get_mut(place) {
            let old = core::mem::replace(place, handle);
            if old != 0 && random.one_in(2) {
                let _ = call::handle_close(sys::abi::Handle(old));
            }
        }
    }

    fn handle(&self, random: &mut Random) -> u64 {
        let known = random.one_of(&self.handles);
        match random.below(40) {
            // Another slot, another generation, none at all.
            0 => known ^ 1 << random.below(64),
            1 => random.any(),
            2 => 0,
            _ => known,
        }
    }
}

/// Arguments for a call.
pub fn arguments(random: &mut Random, pool: &Pool, call: &Call) -> [u64; 6] {
    let mut registers = [(); 6].map(|()| random.any());
    let mut index = 0;
    for argument in call.arguments {
        let words = match argument.kind {
            Kind::Handle { .. }
            | Kind::OptionalHandle { .. }
            | Kind::HandleAndRights { .. }
            | Kind::AnyHandle { .. }
            | Kind::Consumed => [pool.handle(random), 0],
            Kind::Bytes { .. } | Kind::Text { .. } | Kind::Room { .. } => {
                [address(random), len(random)]
            }
            Kind::Page | Kind::Address => [address(random), 0],
            Kind::Size => [size(random), 0],
            Kind::Bits { bits } => [
                bits.iter().fold(0, |set, (_, bit)| set | bit) & random.any(),
                0,
            ],
            Kind::Below(limit) => [random.below(limit + 1 + limit / 8), 0],
            Kind::Choice { first, end } => [first + random.below(end - first + 1), 0],
            Kind::Tag => [tag(random), 0],
            Kind::Rights => [
                random.one_of(&[u64::from(u32::MAX), random.clone().any() >> 32]),
                0,
            ],
            Kind::Value => [value(random), 0],
        };
        let count = argument.kind.registers();
        for (place, word) in registers.iter_mut().skip(index).zip(words).take(count) {
            *place = word;
        }
        index += count;
    }
    // The first word of a message may be a handle.
    if matches!(call.arguments.last(), Some(last) if last.kind == Kind::Tag)
        && let Some(place) = registers.get_mut(index)
    {
        *place = pool.handle(random);
    }
    if matches!(call.output, Output::Structure(_))
        && let Some(place) = registers.get_mut(index)
    {
        *place = address(random);
    }
    // A mutation: one bit, anywhere.
    if random.one_in(10) {
        let place = random.below(6) as usize;
        registers[place] ^= 1 << random.below(64);
    }
    registers
}

/// Short messages, such with a handle, long ones, and some that cannot be.
fn tag(random: &mut Random) -> u64 {
    let (handles, words) = match random.below(8) {
        0 => (1, 1 + random.below(8)),
        1 => (random.below(10), random.below(66)),
        2 => (0, random.below(66)),
        _ => (0, random.below(10)),
    };
    random.any() << 12 | handles << 8 | words
}

fn address(random: &mut Random) -> u64 {
    let scratch = SCRATCH.as_ptr() as u64;
    match random.below(16) {
        0 => random.any(),
        1 => (random.any() % USER_END) & !(PAGE_SIZE - 1),
        2 => random.one_of(&[
            0,
            8,
            USER_END,
            USER_END - PAGE_SIZE,
            1 << 47,
            !0,
            !7,
            0xffff_8000_0000_0000,
        ]),
        3 => scratch + random.below(4096),
        4 => leave as extern "C" fn(u64) -> ! as usize as u64,
        5..=8 => 0x1000_0000 + random.below(64) * PAGE_SIZE,
        _ => scratch + random.below(256) * 8,
    }
}

fn size(random: &mut Random) -> u64 {
    match random.below(16) {
        0 => random.any(),
        1 => random.below(1 << 20),
        2 => random.one_of(&[
            0,
            1 << 21,
            1 << 30,
            1 << 40,
            1 << 47,
            !0,
            !(PAGE_SIZE - 1),
            1 << 63,
        ]),
        _ => random.below(20) * PAGE_SIZE,
    }
}

fn len(random: &mut Random) -> u64 {
    match random.below(16) {
        0 => random.any(),
        _ => random.below(40),
    }
}

fn value(random: &mut Random) -> u64 {
    match random.below(16) {
        0 => random.any(),
        1 => u64::MAX,
        2 => call::clock_read() + random.below(2_000_000),
        3 => area::READ | area::WRITE | area::AT_ADDRESS,
        4 => 1 << random.below(64),
        5 => leave as extern "C" fn(u64) -> ! as usize as u64,
        _ => random.below(8),
    }
}
