//! System calls that threads of another process make as told: see `child_order` in `child`.

use sys::abi::process::ANY_CPU;
use sys::abi::{Error, NEVER, Sysno};

use crate::area::{Area, Mapping, Owned, RW, load, store};
use crate::child::{CODE, Child, Code};
use crate::harness::Env;

/// Words of an order.
const WORDS: u64 = 32;
/// The first word of the registers that the call has left.
const RESULT: u64 = 16;
/// Word of an order: the call has returned.
const DONE: u64 = 31;
/// Where the page of orders is in the child.
const PLACE: u64 = CODE + (1 << 20);

/// A page of up to 16 orders, mapped here and in a child.
pub struct Orders<'a> {
    child: &'a Child,
    view: Mapping,
}

impl<'a> Orders<'a> {
    pub fn new(env: &Env<'_>, child: &'a Child) -> Result<Self, Error> {
        let area = Area::open(1)?;
        let view = area.map(env.own, 0, 1, RW)?;
        area.map_at(child.handle(), PLACE, 0, 1, RW)?.keep();
        Ok(Self { child, view })
    }

    /// Starts a thread that makes a call. `registers`: RDI, RSI, RDX, R10, R8, R9, R12, R13, R14, R15; those left out are 0.
    pub fn give(
        &self,
        slot: u64,
        call: Sysno,
        registers: &[u64],
        cpu: u64,
    ) -> Result<Owned, Error> {
        let word = |index| self.view.at(0, slot * WORDS + index);
        for index in 0..WORDS {
            store(word(index), 0);
        }
        store(word(0), call as u64);
        for (index, value) in (1..).zip(registers) {
            store(word(index), *value);
        }
        self.child.spawn(Code::Order, PLACE + slot * WORDS * 8, cpu)
    }

    /// Starts a thread that sleeps for ever, in the slot 14: the child does not end with the last of its orders.
    pub fn keep_alive(&self) -> Result<(), Error> {
        self.give(14, Sysno::ThreadSleep, &[NEVER], ANY_CPU)
            .map(drop)
    }

    /// Whether the call of a slot has returned.
    pub fn is_done(&self, slot: u64) -> bool {
        load(self.view.at(0, slot * WORDS + DONE)) != 0
    }

    /// A register after the call; number 0 is RAX, the others are numbered as in [`Self::give`].
    pub fn result(&self, slot: u64, register: u64) -> u64 {
        load(self.view.at(0, slot * WORDS + RESULT + register))
    }

    /// A word at the end of the slot 15, which no order is to use then; its address in the child.
    pub fn counter(&self) -> (u64, u64) {
        let offset = 15 * WORDS;
        (self.view.at(0, offset), PLACE + offset * 8)
    }
}
