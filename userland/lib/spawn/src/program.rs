//! Programs that are started more than once: their processes share what none of them changes.

use alloc::vec::Vec;

use abi::area;

use crate::builder::{Builder, fill};
use crate::error::Reason;
use crate::layout::{Piece, Plan};
use crate::memory::Parcel;

/// A program that is started more than once. All its processes share the pages of its code and constants, which are filled once; each has
/// its own of everything else.
#[derive(Debug)]
pub struct Program<F> {
    file: F,
    shared: Vec<Shared>,
}

/// A piece that is the same in all processes of a program.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Which one of the pieces of a plan.
    pub index: usize,
    pub parcel: Parcel,
}

impl<F: AsRef<[u8]>> Program<F> {
    /// Reads an ELF file, and fills what can be shared.
    ///
    /// # Errors
    /// When the file is no program, or memory is short.
    pub fn new(file: F) -> Result<Self, Reason> {
        let mut shared = Vec::new();
        // Where it lies does not matter for what is shared.
        let plan = Plan::new(file.as_ref(), 0)?;
        shared.try_reserve_exact(plan.pieces().len())?;
        for (index, piece) in plan.pieces().iter().enumerate() {
            if is_same_everywhere(&plan, piece) {
                let parcel = Parcel::open(piece.pages.end - piece.pages.start)?;
                fill(&parcel, &plan, piece)?;
                shared.push(Shared { index, parcel });
            }
        }
        drop(plan);
        Ok(Self { file, shared })
    }

    /// The file: for the symbols of a report.
    pub fn file(&self) -> &[u8] {
        self.file.as_ref()
    }

    /// A process of the program.
    pub fn builder<'a>(&'a self, name: &'a str) -> Builder<'a> {
        Builder::sharing(name, self.file.as_ref(), &self.shared)
    }
}

/// Whether nobody writes to a piece, and its bytes do not depend on where it lies.
fn is_same_everywhere(plan: &Plan<'_>, piece: &Piece) -> bool {
    piece.access & area::WRITE == 0 && !plan.is_relocated(piece)
}
