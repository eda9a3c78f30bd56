//! The fuzz targets of this crate, over their corpus and fixed mutations of it.

use std::path::Path;

use shim_core::image::{ImagePlan, Kaslr};
use shim_core::requests::Requests;

#[path = "../../fuzz/src/entries.rs"]
mod entries;
#[path = "../../../kernel/fuzz/src/smoke.rs"]
mod smoke;

fn check(name: &str, entry: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(name);
    smoke::run(&corpus, entry);
}

#[test]
fn config() {
    check("config", entries::config);
}

#[test]
fn path() {
    check("path", entries::path);
}

#[test]
fn image() {
    check("image", entries::image);
}

/// A corpus that is refused at once would test nothing.
#[test]
fn the_kernels_of_the_corpus_are_accepted() {
    for name in ["static", "pie"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../fuzz/corpus/image")
            .join(name);
        let bytes = std::fs::read(file).expect("a corpus file");
        let plan = ImagePlan::new(&bytes, Kaslr::Off).expect("a kernel");
        let mut memory = vec![0; usize::try_from(plan.size).expect("a small kernel")];
        plan.load(&mut memory).expect("a kernel that fits");
        let requests = Requests::scan(&memory, plan.file_backed().into_iter()).expect("requests");
        assert_eq!(requests.base_revision.requested, 3);
        assert_eq!(requests.list.len(), 2);
    }
}

#[test]
fn requests() {
    check("requests", entries::requests);
}

#[test]
fn memory_map() {
    check("memory_map", entries::memory_map);
}

#[test]
fn video() {
    check("video", entries::video);
}

#[test]
fn console() {
    check("console", entries::console);
}
