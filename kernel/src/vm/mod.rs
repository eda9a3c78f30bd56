//! Virtual memory of processes: areas that own pages, address spaces that show them, accounts that limit them.
//!
//! A page belongs to its area ([`VmArea`]) and is freed with it; a mapping is a view of an area in an [`AddressSpace`].
//! `kmem::vma` decides what an access to an area needs, `kmem::aspace` where mappings lie, `kmem::pt` how tables change; here
//! is the glue: locks, frames, and what the processors must forget.
//!
//! # Locks
//! In this order: the mappings of a space (`AddressSpace::map`), an area (`VmArea::inner`), the tables of a space
//! (`View`'s), then frames and heap. An area knows all its mappings (`Inner::shown`), so that a change of its pages
//! reaches every space that shows them with the area's lock alone. Two areas, or the tables of two spaces, are never
//! locked at the same time. User memory is not touched with one of these locks held: a fault takes them. The list of areas
//! with large pages (`pressure`) comes after the areas: whoever finds an area there lets go of the list before it locks the area.
//!
//! The list of those who wait for words of an area ([`futex`]) has a lock of its own, which is taken with none of these held.
//!
//! Processors are made to forget with the locks held, and pages are freed afterwards: see `arch::shootdown`.

mod account;
mod area;
pub mod futex;
mod pages;
mod pressure;
mod read;
mod space;
mod view;

pub use account::Account;
pub use area::{AreaError, NewArea, VmArea};
pub use kmem::aspace::{Rights, SpaceError};
pub use kmem::vma::Access;
pub use space::{AddressSpace, FaultError, MappingError};
