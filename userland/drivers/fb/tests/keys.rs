//! What is typed: nothing is lost but the keys for the screen, wherever the bytes are cut.

use fb::{Keys, Scroll};
use proptest::collection::vec;
use proptest::prelude::{any, prop_assert_eq, proptest};
use proptest::sample::{Index, select};

const KEYS: &[&[u8]] = &[
    b"a",
    b"\x1b",
    b"\x1b[A",
    b"\x1b[B",
    b"\x1b[H",
    b"\x1b[5~",
    b"\x1b[5;5~",
    b"\x1b[1;2A",
    b"[x",
    "é".as_bytes(),
    b"\r",
    b"\x1bx",
    b"\x1bOP",
];
const UP: &[u8] = b"\x1b[5;2~";

fn run(bytes: &[u8], cuts: &[Index], is_application: bool) -> (Vec<u8>, usize) {
    let (mut keys, mut out, mut scrolls) = (Keys::default(), Vec::new(), 0);
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.sort_unstable();
    places.push(bytes.len());
    let mut from = 0;
    for place in places {
        // One byte after the other, as the last scroll only is told.
        for byte in &bytes[from..place] {
            scrolls +=
                usize::from(keys.feed(&[*byte], is_application, &mut out) == Some(Scroll::Up));
        }
        from = place;
    }
    keys.flush(&mut out);
    (out, scrolls)
}

proptest! {
    #[test]
    fn keys_for_the_program_reach_it(keys in vec(select(KEYS), 0..12), cuts in vec(any::<Index>(), 0..4)) {
        let bytes = keys.concat();
        prop_assert_eq!(run(&bytes, &cuts, false), (bytes, 0));
    }

    #[test]
    fn keys_for_the_screen_do_not(keys in vec(select(KEYS), 0..12), at in any::<Index>()) {
        let at = at.index(keys.len() + 1);
        // A key of its own does not begin what follows.
        let (before, after) = (keys[..at].concat(), keys[at..].concat());
        let bytes = [&before, UP, &after].concat();
        prop_assert_eq!(run(&bytes, &[], false), ([before, after].concat(), 1));
    }

    #[test]
    fn any_bytes_are_kept(bytes in vec(any::<u8>(), 0..40), is_application in any::<bool>()) {
        let whole = run(&bytes, &[], is_application).0;
        let mut keys = Keys::default();
        let mut out = Vec::new();
        keys.feed(&bytes, is_application, &mut out);
        keys.flush(&mut out);
        prop_assert_eq!(whole, out);
    }
}

#[test]
fn arrows_are_sent_as_the_program_wants_them() {
    let sent = |bytes: &[u8], is_application| run(bytes, &[], is_application).0;
    assert_eq!(sent(b"\x1b[A\x1b[1;5Cx", true), b"\x1bOA\x1b[1;5Cx");
    assert_eq!(sent(b"\x1b[A", false), b"\x1b[A");
}

#[test]
fn what_is_typed_brings_the_present_back() {
    let mut keys = Keys::default();
    let mut out = Vec::new();
    assert_eq!(keys.feed(b"\x1b[6;2~", false, &mut out), Some(Scroll::Down));
    assert_eq!(keys.feed(b"x", false, &mut out), Some(Scroll::End));
    assert_eq!(keys.feed(b"\x1b", false, &mut out), None);
    assert_eq!(keys.flush(&mut out), Some(Scroll::End));
    assert_eq!(out, b"x\x1b");
}
