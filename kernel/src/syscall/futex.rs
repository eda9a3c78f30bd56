//! Calls on futexes.

use abi::Error;

use super::dispatch::{Caller, Futexes};
use crate::arch::current::IrqOff;
use crate::vm::futex::Word;

/// As in every system call.
const OFF: IrqOff<'static> = IrqOff::known();

impl Futexes for Caller<'_> {
    #[inline(always)]
    fn futex_wait(self, address: u64, expected: u64, until: u64) -> Result<(), Error> {
        // It is below 2^32.
        Word::at(self.0, address, OFF)?.wait(address, expected as u32, until, OFF)
    }

    #[inline(always)]
    fn futex_wake(self, address: u64, most: u64) -> Result<u64, Error> {
        Ok(Word::at(self.0, address, OFF)?.wake(most, OFF))
    }

    fn futex_requeue(
        self,
        address: u64,
        wake_most: u64,
        move_most: u64,
        other: u64,
    ) -> Result<u64, Error> {
        let (from, to) = (
            Word::at(self.0, address, OFF)?,
            Word::at(self.0, other, OFF)?,
        );
        Ok(from.requeue(&to, wake_most, move_most))
    }
}
