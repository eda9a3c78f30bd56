//! What a mapping allows.

use bitflags::bitflags;

use super::SpaceError;

bitflags! {
    /// What a program may do with the pages of a mapping.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Rights: u8 {
        /// Load.
        const READ = 1 << 0;
        /// Store; not together with `EXECUTE`. The processor then allows loads, too.
        const WRITE = 1 << 1;
        /// Fetch instructions. The processor then allows loads, too.
        const EXECUTE = 1 << 2;
    }
}

impl Rights {
    /// Whether a mapping may allow this, within a limit.
    pub(super) fn check(self, limit: Self) -> Result<(), SpaceError> {
        if self.contains(Self::WRITE | Self::EXECUTE) {
            return Err(SpaceError::WriteExecute);
        }
        if !limit.contains(self) {
            return Err(SpaceError::AccessDenied);
        }
        Ok(())
    }
}
