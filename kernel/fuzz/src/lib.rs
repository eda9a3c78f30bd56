//! What the fuzz targets run, and what holds of every input.
//!
//! `cargo fuzz run TARGET` explores; the committed corpus is where it begins. The same entry points
//! run over the corpus and fixed mutations of it in the ordinary host tests of `kboot` and `klog`,
//! which include these files by path, so that nothing here goes stale unseen.
//!
//! Without `cargo fuzz` and its nightly compiler, a stable one does too; only the address sanitizer
//! is missing, which code without `unsafe` has little use for:
//!
//! ```text
//! cd kernel/fuzz
//! RUSTFLAGS="-C debug-assertions -C codegen-units=1 -C passes=sancov-module \
//!   -C llvm-args=-sanitizer-coverage-level=4 -C llvm-args=-sanitizer-coverage-trace-compares \
//!   -C llvm-args=-sanitizer-coverage-inline-8bit-counters -C llvm-args=-sanitizer-coverage-pc-table" \
//!   cargo run --release --target x86_64-unknown-linux-gnu --bin elf -- -max_total_time=60 corpus/elf
//! ```

pub mod kboot_entries;
pub mod klog_entries;
