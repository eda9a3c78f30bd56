//! Frames of broken stacks, names of functions, and the text of a report.

use std::collections::BTreeMap;

use abi::process::{self, Exception};
use proptest::prelude::*;
use spawn::report::{Crash, FRAMES_MAX, Symbols, walk};

fn walk_words(instruction: u64, frame: u64, words: &BTreeMap<u64, u64>) -> Vec<u64> {
    walk(instruction, frame, |address| words.get(&address).copied())
}

#[test]
fn a_chain_is_followed_to_its_end() {
    // A frame: that of the caller, and where the call goes back to. The entry point has none, but a return address.
    let words = [
        (0x1000, 0x1040),
        (0x1008, 0xa),
        (0x1040, 0x1100),
        (0x1048, 0xb),
        (0x1100, 0),
        (0x1108, 0xc),
    ];
    let words = words.into_iter().collect();
    assert_eq!(walk_words(1, 0x1000, &words), [1, 0xa, 0xb, 0xc]);
    assert_eq!(walk_words(1, 0, &words), [1]);
    assert_eq!(walk_words(1, 0x1004, &words), [1]);
    assert_eq!(walk_words(1, !7, &words), [1]);
}

#[test]
fn a_chain_that_does_not_rise_ends() {
    let words = [(0x1000, 0x1000), (0x1008, 0xa)].into_iter().collect();
    assert_eq!(walk_words(1, 0x1000, &words), [1, 0xa]);
    let rising = walk(1, 8, |address| Some(address + 8));
    assert_eq!(rising.len(), FRAMES_MAX);
}

/// A function to look for.
#[inline(never)]
extern "C" fn to_be_found(number: u64) -> u64 {
    std::hint::black_box(number) + 1
}

/// Where this program was loaded.
fn bias() -> u64 {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let own = std::env::current_exe().unwrap();
    let own = own.to_str().unwrap();
    let line = maps.lines().find(|line| line.ends_with(own)).unwrap();
    u64::from_str_radix(line.split('-').next().unwrap(), 16).unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn functions_are_found_by_their_addresses() {
    let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let symbols = Symbols::new(&file).unwrap();
    let address = to_be_found as *const () as u64 - bias();
    let place = symbols.place(address + 3).unwrap();
    assert_eq!(place.to_string(), "report::to_be_found+0x3");
    assert_eq!(symbols.place(0), None);
    assert_eq!(symbols.place(u64::MAX), None);
    assert_eq!(to_be_found(1), 2);
}

#[test]
#[cfg(target_os = "linux")]
fn a_report_says_all_that_is_known() {
    let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let symbols = Symbols::new(&file).unwrap();
    let bias = 0x100_0000_0000;
    let address = to_be_found as *const () as u64 - self::bias() + bias;
    let mut name = [0; abi::NAME_MAX];
    name[..5].copy_from_slice(b"guest");
    let crash = Crash {
        name,
        process: 12,
        bias,
        exception: Exception {
            thread: 34,
            vector: 14,
            address: 0x8,
            access: process::WRITE,
            reason: process::NOT_MAPPED,
            instruction: address,
            error_code: 6,
        },
        registers: None,
        frames: vec![address, address + 1, 5],
    };
    let text = crash.with(Some(&symbols)).to_string();
    let expected = format!(
        "guest (process 12) crashed: page fault of thread 34, writing 0x8: nothing is mapped there\n  \
         loaded at 0x10000000000\n  \
         #0 {address:#x} report::to_be_found+0x0\n  \
         #1 {:#x} report::to_be_found+0x1\n  \
         #2 0x5",
        address + 1
    );
    assert_eq!(text, expected);
    assert!(crash.with(None).to_string().contains("#1"));
}

proptest! {
    #[test]
    fn any_stack_can_be_walked(
        instruction in any::<u64>(),
        start in 0u64..64,
        words in prop::collection::vec(prop_oneof![0u64..512, any::<u64>()], 64),
    ) {
        let read = |address: u64| {
            prop_assert!(address.is_multiple_of(8));
            Ok(words.get((address / 8) as usize).copied())
        };
        let mut bad = None;
        let frames = walk(instruction, start * 8, |address| match read(address) {
            Ok(word) => word,
            Err(error) => { bad = Some(error); None }
        });
        prop_assert!(bad.is_none());
        prop_assert!((1..=FRAMES_MAX).contains(&frames.len()));
        prop_assert_eq!(frames[0], instruction);
    }

    #[test]
    fn garbage_has_no_symbols(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Symbols::new(&bytes).is_none());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    #[cfg(target_os = "linux")]
    fn damaged_files_are_read_as_far_as_they_go(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..40),
        header in prop::collection::vec((0usize..64, any::<u8>()), 0..2),
        cut in prop::option::of(any::<prop::sample::Index>()),
        address in any::<u64>(),
    ) {
        // The tables are at the file's end.
        let mut file = std::fs::read("/proc/self/exe").unwrap();
        let end = file.len();
        for (at, value) in edits {
            let at = end - 1 - at.index(4096);
            file[at] = value;
        }
        for (at, value) in header {
            file[at] = value;
        }
        if let Some(cut) = cut {
            file.truncate(cut.index(end));
        }
        if let Some(symbols) = Symbols::new(&file) {
            for address in [address, address % (1 << 22), address % (1 << 16)] {
                let _ = symbols.place(address).map(|place| place.to_string());
            }
        }
    }
}
