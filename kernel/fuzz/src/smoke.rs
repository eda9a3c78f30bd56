//! Runs an entry point over its corpus and fixed mutations of it, for ordinary tests.

use std::path::Path;

/// How many mutations of each file are tried.
const ROUNDS: usize = 1500;

/// Runs `entry` over the files of `corpus` and their mutations, the same ones each time.
pub fn run(corpus: &Path, entry: fn(&[u8])) {
    let mut paths: Vec<_> = std::fs::read_dir(corpus)
        .expect("the corpus is committed")
        .map(|file| file.expect("the corpus can be listed").path())
        .collect();
    paths.sort();
    let files: Vec<_> = paths
        .iter()
        .map(|path| std::fs::read(path).expect("a corpus file"))
        .collect();
    assert!(
        !files.is_empty(),
        "the corpus in {} is empty",
        corpus.display()
    );
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    entry(&[]);
    for file in &files {
        entry(file);
        for _ in 0..ROUNDS {
            let mut bytes = file.clone();
            for _ in 0..random.below(4) + 1 {
                mutate(&mut bytes, &files, &mut random);
            }
            entry(&bytes);
        }
    }
}

/// One change, of a kind that parsers tend to trip over.
fn mutate(bytes: &mut Vec<u8>, files: &[Vec<u8>], random: &mut Random) {
    const EDGES: [u64; 10] = [
        0,
        1,
        2,
        0x7f,
        0x80,
        0xff,
        0x7fff_ffff,
        0xffff_ffff,
        i64::MAX as u64,
        u64::MAX,
    ];
    if bytes.is_empty() {
        bytes.push(0);
    }
    let at = random.below(bytes.len());
    match random.below(7) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = random.below(256) as u8,
        2 => bytes.truncate(at),
        3 => {
            let edge = EDGES[random.below(EDGES.len())].to_le_bytes();
            let size = [1, 2, 4, 8][random.below(4)];
            for (place, byte) in bytes[at..].iter_mut().zip(&edge[..size]) {
                *place = *byte;
            }
        }
        4 => {
            let end = (at + 1 + random.below(16)).min(bytes.len());
            let copy = bytes[at..end].to_vec();
            bytes.splice(at..at, copy);
        }
        5 => {
            let end = (at + 1 + random.below(16)).min(bytes.len());
            bytes.drain(at..end);
        }
        _ => {
            let other = &files[random.below(files.len())];
            let from = random.below(other.len() + 1);
            bytes.truncate(at);
            bytes.extend(&other[from..]);
        }
    }
}

/// A xorshift generator: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}
