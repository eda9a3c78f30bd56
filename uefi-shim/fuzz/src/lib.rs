//! What the fuzz targets run, and what holds of every input.
//!
//! `cargo fuzz run TARGET` explores; the committed corpus is where it begins. The same entry points
//! run over the corpus and fixed mutations of it in the ordinary host tests of `shim-core`, which
//! include them by path, so that nothing here goes stale unseen. `kernel/fuzz/src/lib.rs` tells how
//! to run a target with a stable compiler.

pub mod entries;
