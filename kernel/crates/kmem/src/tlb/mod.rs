//! How processors keep and forget translations: what a processor that is asked to forget has to do, and which
//! process-context identifier (PCID, Intel SDM vol. 3A, 4.10.1) an address space gets on it.
//!
//! A processor that loads other tables may keep the translations of the space that it leaves, under the space's PCID,
//! and find them again when it comes back. [`Slots`] is one processor's table of what lies under which PCID. Each change
//! of a space's tables has a number, the space's *generation* ([`ksync::Residency`]), and each slot knows up to which one
//! its processor has followed. A change falls on a processor in one of three ways:
//!
//! - The space is *active* there: its tables are loaded. The processor is asked ([`Request`]), and forgets.
//! - It is only *cached*: a slot has its translations, the tables are not loaded. Nobody asks; the slot is behind by one
//!   generation, so that the next load forgets them. Until then nothing can use them, as a processor uses translations of
//!   the current PCID only.
//! - It is *unknown*: there is nothing to forget.
//!
//! Translations of the kernel's half are global, and used and forgotten under any PCID; but what a processor keeps of the
//! *tables* on the way to them belongs to one PCID. Where tables of the kernel's half are given back, all slots but the
//! loaded one lose their meaning ([`Request::Kernel`]).
//!
//! Without PCIDs ([`Slots::new`] with none) there is a single slot, which every load empties.
//!
//! Decisions only; the kernel's `arch::x86_64::shootdown` carries them out. It must do so before anything else happens on
//! the processor: the table takes for granted that each decision was followed.

mod request;
mod slots;

pub use request::{Extent, PAGES_ONE_BY_ONE, Pages, Request};
pub use slots::{Action, Load, SLOTS, Slots};

use core::num::NonZeroU64;

/// Names an address space; never used for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpaceId(NonZeroU64);

impl SpaceId {
    /// The name with this number, if it is not zero.
    pub const fn new(number: u64) -> Option<Self> {
        match NonZeroU64::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}
