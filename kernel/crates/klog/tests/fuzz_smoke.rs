//! The fuzz targets of this crate, over their corpus and fixed mutations of it.
#![cfg(not(loom))]

#[path = "../../../fuzz/src/klog_entries.rs"]
mod klog_entries;
#[path = "../../../fuzz/src/smoke.rs"]
mod smoke;

use std::path::Path;

fn run(target: &str, entry: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    smoke::run(&corpus, entry);
}

#[test]
fn markup() {
    run("markup", klog_entries::markup);
}

#[test]
fn log_filter() {
    run("log_filter", klog_entries::log_filter);
}
