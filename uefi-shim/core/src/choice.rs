//! Which loader boots the kernel.

use crate::config::Loader;

/// Limine 8 sets 64 MiB below 4 GiB aside for the firmware and stops if it cannot; with less than
/// this much free memory there, it is not started unless the configuration demands it.
pub const LIMINE_NEEDS: u64 = 96 << 20;

/// What boots the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Limine.
    Limine,
    /// The shim itself.
    Own,
    /// The shim itself, although Limine is there: the memory is too small for it.
    OwnForLackOfMemory,
    /// Limine is demanded and not there.
    LimineMissing,
}

/// Whether Limine is on the volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limine {
    /// It is.
    Found,
    /// It is not.
    Missing,
}

/// Chooses, by the configuration, by what is on the volume, and by the free memory below 4 GiB.
pub fn choose(wish: Loader, limine: Limine, free_low: u64) -> Choice {
    match (wish, limine) {
        (Loader::Shim, _) | (Loader::Auto, Limine::Missing) => Choice::Own,
        (Loader::Auto, Limine::Found) if free_low < LIMINE_NEEDS => Choice::OwnForLackOfMemory,
        (Loader::Limine, Limine::Missing) => Choice::LimineMissing,
        (Loader::Auto | Loader::Limine, Limine::Found) => Choice::Limine,
    }
}

#[cfg(test)]
mod tests {
    use super::{Choice, LIMINE_NEEDS, Limine, choose};
    use crate::config::Loader;
    use proptest::prelude::proptest;

    proptest! {
        #[test]
        fn limine_is_only_started_where_it_is_and_fits(free in 0..LIMINE_NEEDS * 2) {
            assert_eq!(choose(Loader::Shim, Limine::Found, free), Choice::Own);
            assert_eq!(choose(Loader::Auto, Limine::Missing, free), Choice::Own);
            assert_eq!(choose(Loader::Limine, Limine::Missing, free), Choice::LimineMissing);
            assert_eq!(choose(Loader::Limine, Limine::Found, free), Choice::Limine);
            let expected = if free < LIMINE_NEEDS { Choice::OwnForLackOfMemory } else { Choice::Limine };
            assert_eq!(choose(Loader::Auto, Limine::Found, free), expected);
        }
    }
}
