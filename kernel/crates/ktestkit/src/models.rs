//! One text for a model of loom and for a test on plain threads.
//!
//! With `RUSTFLAGS="--cfg loom"`, loom runs a [`model`] in every order of its steps that matters. Without it the same code runs on plain threads many
//! times, which meet in many orders by chance. What a model shares is made of `ksync::atomic`, and held by the [`Arc`] of this module.

#[cfg(loom)]
pub use loom::{cell, model, sync::Arc, thread};
#[cfg(not(loom))]
pub use std::{cell, sync::Arc, thread};

/// How often plain threads run a model.
#[cfg(not(loom))]
const ROUNDS: u32 = 500;

/// Stands for loom's driver of this name.
#[cfg(not(loom))]
pub fn model(run: impl Fn() + Sync + Send + 'static) {
    for _ in 0..ROUNDS {
        run();
    }
}
