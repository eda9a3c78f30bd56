//! Calls on futexes.

use abi::Error;

use super::dispatch::{Caller, Futexes};
use crate::vm::futex::Word;

impl Futexes for Caller<'_> {
    fn futex_wait(self, address: u64, expected: u64, until: u64) -> Result<(), Error> {
        // It is below 2^32.
        Word::at(self.0, address)?.wait(address, expected as u32, until)
    }

    fn futex_wake(self, address: u64, most: u64) -> Result<u64, Error> {
        Ok(Word::at(self.0, address)?.wake(most))
    }

    fn futex_requeue(
        self,
        address: u64,
        wake_most: u64,
        move_most: u64,
        other: u64,
    ) -> Result<u64, Error> {
        let (from, to) = (Word::at(self.0, address)?, Word::at(self.0, other)?);
        Ok(from.requeue(&to, wake_most, move_most))
    }
}
