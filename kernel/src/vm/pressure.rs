//! Memory is short: large pages give back what they hold without use, and what failed is tried again, once.
//!
//! An area is listed from its first large page until all its large pages were found in use, or it goes. When an account is
//! full, areas help that are charged to it or to one below it; when frames run out, all do. `kmem::vma` decides what a large page
//! can give back. It is done with the lock of that area alone, one large page at a time: whoever failed has let go of all locks.

use kmem::sorted::SortedMap;
use kmem::vma::{AreaError, LARGE_PAGES, ProvideError};
use ksync::{Arc, IrqGuard};

use super::area::Inner;
use super::{Account, FaultError, VmArea};
use crate::arch::current::{Irq, IrqLock, shootdown};
use crate::locks;
use crate::mm::{frames, inject};

/// Areas with large pages, by address.
static LIST: IrqLock<SortedMap<u64, Place>, locks::Pressure> = IrqLock::new(SortedMap::new());

/// Where an area is; this does not keep it alive.
#[derive(Clone, Copy)]
pub struct Place(*const VmArea);

// SAFETY: areas are shared between processors.
unsafe impl Send for Place {}

impl Place {
    /// That of an area that is still being made.
    pub const NONE: Self = Self(core::ptr::null());

    /// That of an area.
    pub fn of(area: &Arc<VmArea>) -> Self {
        Self(area.as_ptr())
    }
}

/// What there was too little of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// Room in an account.
    Limit,
    /// Frames.
    Frames,
}

/// An error that may be for want of memory.
pub trait Lacking {
    /// What there was too little of, if that is the reason.
    fn lack(&self) -> Option<Lack>;
}

impl Lacking for Lack {
    fn lack(&self) -> Option<Lack> {
        Some(*self)
    }
}

impl Lacking for AreaError {
    fn lack(&self) -> Option<Lack> {
        match self {
            Self::OverLimit => Some(Lack::Limit),
            Self::OutOfMemory => Some(Lack::Frames),
            Self::OutOfRange | Self::NotSupported => None,
        }
    }
}

impl Lacking for ProvideError {
    fn lack(&self) -> Option<Lack> {
        match self {
            Self::OverLimit => Some(Lack::Limit),
            Self::OutOfMemory => Some(Lack::Frames),
            Self::Guard | Self::Beyond => None,
        }
    }
}

impl Lacking for FaultError {
    fn lack(&self) -> Option<Lack> {
        match self {
            Self::OverLimit => Some(Lack::Limit),
            Self::OutOfMemory => Some(Lack::Frames),
            Self::NotMapped | Self::Protection | Self::Guard | Self::Beyond => None,
        }
    }
}

/// Does something that takes no lock of the caller's, and once more if it lacked memory and `relieve` says that there may be
/// some now.
///
/// # Errors
/// That of the last time.
#[inline]
pub fn twice<T, E: Lacking>(
    mut attempt: impl FnMut() -> Result<T, E>,
    relieve: impl FnOnce(Lack) -> bool,
) -> Result<T, E> {
    let result = attempt();
    match &result {
        Err(error) if error.lack().is_some_and(relieve) => attempt(),
        _ => result,
    }
}

/// Splits large pages until an account, or memory, has room for so many pages more. Whether to try again: something was given
/// back, here or by somebody else meanwhile. With no lock held.
#[cold]
pub fn relieve(lack: Lack, account: &Account, pages: u64) -> bool {
    let mut from = 0;
    let mut given = 0;
    loop {
        let full = match lack {
            Lack::Limit => match account.full_for(pages) {
                // It was full a moment ago.
                None => return true,
                Some(full) if !full.can_help => return given != 0,
                Some(full) => Some(full.account),
            },
            Lack::Frames => match frames::room() {
                // An allocation that was made to fail is to be heard of.
                (free, _) if free >= pages => return given != 0 || !inject::has_refused(),
                (_, most) if most < pages => return given != 0,
                _ => None,
            },
        };
        let Some((place, area)) = next(from) else {
            return given != 0;
        };
        match area.shed(full) {
            Some(pages) => given += pages,
            None => from = place + 1,
        }
        // It can take long until there is room: others need not wait for their answers.
        let _irq = IrqGuard::<Irq>::new();
        shootdown::serve();
    }
}

impl VmArea {
    /// Looks into one large page, and splits it if it holds something without use; returns how many pages were given back.
    /// `None` when there is nothing to look into, or it does not count for the account that is full. Such an area is taken off
    /// the list.
    fn shed(&self, full: Option<&Account>) -> Option<u64> {
        let mut inner = self.inner.lock();
        if full.is_some_and(|full| !inner.supply.0.is_within(full)) {
            return None;
        }
        let Inner { area, supply, .. } = &mut *inner;
        let Some(first) = area.idle_large() else {
            leave(inner.place);
            inner.is_listed = false;
            return None;
        };
        // One that is in use is not taken away from those who use it.
        if area.is_in_use(first, supply) {
            return Some(0);
        }
        inner.hide(first, first + LARGE_PAGES);
        let Inner { area, supply, .. } = &mut *inner;
        let given = area.shed(first, supply).ok()?;
        if let Some(full) = full {
            supply.0.trim(full);
        }
        Some(given)
    }
}

/// The first area from an address on.
fn next(from: u64) -> Option<(u64, Arc<VmArea>)> {
    let list = LIST.lock();
    let mut areas = list.range(from..);
    areas.find_map(|(place, area)| {
        // SAFETY: an area that is listed is there, or waits in its drop for the lock that is held here (invariant 12).
        let area = unsafe { Arc::upgrade(area.0) };
        area.map(|area| (place, area))
    })
}

/// Enters an area, which is locked. Without memory for that it is not entered, and keeps its large pages as they are.
#[cold]
pub fn enter(area: Place) -> bool {
    LIST.lock().insert(area.0 as u64, area).is_ok()
}

/// Takes an area, which is locked, off the list.
#[cold]
pub fn leave(area: Place) {
    LIST.lock().remove(area.0 as u64);
}
