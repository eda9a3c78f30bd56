//! The kinds of areas, and where their pages are kept.

use kaddr::Frame;

/// What kind of area it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Demand-allocated, resizable.
    Open,
    /// As open, in sections with a guard page before each.
    Guarded {
        /// Pages from one guard page to the next.
        stride: u64,
    },
    /// A buffer seen twice.
    Ring {
        /// Pages of the buffer.
        buffer_pages: u64,
    },
    /// Given physical memory, which is never given back: registers of devices, modules of the boot loader.
    Fixed {
        /// Its first frame.
        first: Frame,
    },
}

/// What a page of an area stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// The page that is kept under this number.
    Page(u64),
    /// A frame of physical memory that the area does not own.
    Frame(Frame),
    /// A guard page.
    Guard,
    /// Nothing: the area ends before it.
    Beyond,
}

impl Kind {
    /// What a page of an area of so many pages stands for.
    pub(super) fn locate(self, page: u64, pages: u64) -> Location {
        if page >= pages {
            return Location::Beyond;
        }
        match self {
            Self::Open => Location::Page(page),
            Self::Guarded { stride } if page.is_multiple_of(stride) => Location::Guard,
            Self::Guarded { .. } => Location::Page(page),
            Self::Ring { buffer_pages } => Location::Page(page % buffer_pages),
            Self::Fixed { first } => first
                .checked_add(page)
                .map_or(Location::Beyond, Location::Frame),
        }
    }

    /// How many pages from a page on, itself included, are kept under numbers that follow each other. The page is neither a
    /// guard page nor beyond the area.
    pub(super) fn in_row(self, page: u64, pages: u64) -> u64 {
        match self {
            Self::Open => pages - page,
            Self::Guarded { stride } => stride - page % stride,
            Self::Ring { buffer_pages } => buffer_pages - page % buffer_pages,
            Self::Fixed { .. } => 0,
        }
    }

    /// Where else in the area a page is seen; none but in rings.
    pub fn alias(self, page: u64) -> Option<u64> {
        match self {
            Self::Ring { buffer_pages } if page < buffer_pages => Some(page + buffer_pages),
            Self::Ring { buffer_pages } => Some(page - buffer_pages),
            Self::Open | Self::Guarded { .. } | Self::Fixed { .. } => None,
        }
    }

    /// Whether pages of this kind may be large.
    pub(super) fn has_large(self) -> bool {
        self == Self::Open
    }
}
