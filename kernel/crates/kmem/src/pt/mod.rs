//! Page tables with four or five levels: building, editing and reading them.
//!
//! A [`PageTable`] is a root frame and a number of levels; [`PageTable::edit`] binds it to the
//! [`TableMemory`] through which tables are read and written and to the [`FrameSource`] that gives
//! frames for them. Every edit first checks and takes all the frames that it needs, then commits:
//! when it fails, nothing has changed, and no processor can have seen a part of it.
//!
//! Invariants:
//! - No mapping is writable and executable ([`MapError::WriteExecute`]).
//! - User mappings are in the lower half, global ones in the upper half.
//! - A table's parent entry holds, in bits that the processor ignores, how many of the table's
//!   entries are in use; so an unmapping knows without a search which tables became empty.
//! - Tables right below the root in the upper half are never freed, and never counted, as address
//!   spaces share them ([`PageTable::new_sharing`]).
//! - Frames of tables that became empty leave with the [`Flush`], and return to the source only in
//!   [`Flush::finish`]: a processor may hold pointers to them until it has flushed.
//!
//! The caller sees to it that one address space is edited by one processor at a time. The
//! processors' own writes (accessed and dirty bits) may come between: they are kept where an entry
//! stays, except those of the instant in which a protection changes.

mod change;
mod edit;
pub mod entry;
mod error;
mod flush;
mod map;
mod protection;
mod reach;
mod reserve;
mod table;

pub use edit::{Edit, Unmapped};
pub use error::MapError;
pub use flush::Flush;
pub use kaddr::PageSize;
pub use protection::{CacheMode, Flags, Protection};
pub use table::{FrameSource, Levels, PageTable, TableMemory, Translation};
