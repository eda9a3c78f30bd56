//! Handles that somebody knows at a time.

use sys::abi::Handle;
use sys::call;
use sys::random::Random;

/// How many.
const PLACES: usize = 40;

/// Handles, each of which may name nothing any more.
pub struct Pool {
    handles: [Option<Handle>; PLACES],
}

impl Pool {
    /// None.
    pub const fn new() -> Self {
        Self {
            handles: [None; PLACES],
        }
    }

    /// Keeps a handle, in place of another, which is closed.
    pub fn keep(&mut self, random: &mut Random, handle: Handle) {
        let place = random.below(PLACES as u64) as usize;
        if let Some(old) = self.handles[place].replace(handle) {
            close(old);
        }
    }

    /// One of them, which stays.
    pub fn any(&self, random: &mut Random) -> Option<Handle> {
        let first = random.below(PLACES as u64) as usize;
        let turned = self.handles[first..].iter().chain(&self.handles[..first]);
        turned.copied().flatten().next()
    }

    /// One of them, which does not stay.
    pub fn take(&mut self, random: &mut Random) -> Option<Handle> {
        let handle = self.any(random)?;
        self.forget(handle);
        Some(handle)
    }

    /// It is somebody else's now.
    pub fn forget(&mut self, handle: Handle) {
        for place in &mut self.handles {
            if *place == Some(handle) {
                *place = None;
            }
        }
    }

    /// Closes all.
    pub fn clear(&mut self) {
        for place in &mut self.handles {
            if let Some(handle) = place.take() {
                close(handle);
            }
        }
    }
}

/// Closes a handle, if it names something still: it may have been revoked.
pub fn close(handle: Handle) {
    let _ = call::handle_close(handle);
}
