//! What this process was told, read from its initial stack without the runtime's help.

use core::ffi::CStr;

use abi::{Handle, auxv};
use sys::Context;

/// The initial stack of this process.
pub struct Told {
    stack: *const u64,
}

impl Told {
    /// That of this process.
    pub fn read(context: &Context) -> Self {
        Self {
            stack: context.initial_stack(),
        }
    }

    /// The stack pointer at the first instruction.
    pub fn pointer(&self) -> u64 {
        self.stack as u64
    }

    fn word(&self, index: usize) -> u64 {
        // SAFETY: callers count no further than what a zero ends.
        unsafe { *self.stack.add(index) }
    }

    /// How many arguments there are.
    pub fn argument_count(&self) -> usize {
        self.word(0) as usize
    }

    /// An argument.
    pub fn argument(&self, index: usize) -> &str {
        text(self.word(1 + index))
    }

    /// The word after the last address of an argument.
    pub fn ends_with_zero(&self) -> bool {
        self.word(1 + self.argument_count()) == 0
    }

    /// A variable, as it is written down.
    pub fn variable(&self, index: usize) -> Option<&str> {
        let address = self.word(2 + self.argument_count() + index);
        (address != 0).then(|| text(address))
    }

    /// A value of the auxiliary vector, if it is there once.
    pub fn value(&self, tag: u64) -> Option<u64> {
        let mut at = 2 + self.argument_count();
        while self.word(at) != 0 {
            at += 1;
        }
        at += 1;
        let mut found = None;
        while self.word(at) != auxv::NULL {
            if self.word(at) == tag {
                if found.is_some() {
                    return None;
                }
                found = Some(self.word(at + 1));
            }
            at += 2;
        }
        found
    }

    /// The load bias.
    pub fn bias(&self) -> u64 {
        self.value(auxv::BASE).unwrap_or(0)
    }

    /// The handles and their names.
    pub fn handles(&self) -> impl Iterator<Item = (&str, Handle)> {
        let first = self.value(auxv::HANDLES).unwrap_or(0) as *const u64;
        let count = self.value(auxv::HANDLE_COUNT).unwrap_or(0) as usize;
        (0..count).map(move |index| {
            // SAFETY: as many pairs are there as the vector says.
            let (name, handle) = unsafe { (*first.add(2 * index), *first.add(2 * index + 1)) };
            (text(name), Handle(handle))
        })
    }
}

/// A text that ends with a zero byte.
fn text<'a>(address: u64) -> &'a str {
    // SAFETY: the addresses that a program finds on its stack are those of such texts, and stay.
    let text = unsafe { CStr::from_ptr(address as *const core::ffi::c_char) };
    text.to_str().unwrap_or("?")
}
