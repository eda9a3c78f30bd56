//! A value behind a key: found by its key or not at all, by one at a time, and dropped once.

#[cfg(not(loom))]
use std::rc::Rc;

use ksync::atomic::{AtomicU32, Ordering};
use ksync::{Key, Keyed};
use ktestkit::models::{Arc, model, thread};

#[cfg(not(loom))]
use proptest::prelude::*;

/// Two words that belong together, and are written one after the other.
struct Pair {
    first: u32,
    second: u32,
    drops: Arc<AtomicU32>,
}

impl Pair {
    fn new(number: u32, drops: &Arc<AtomicU32>) -> Self {
        Self {
            first: number,
            second: number,
            drops: drops.clone(),
        }
    }

    fn number(&self) -> u32 {
        assert_eq!(self.first, self.second, "seen while it is changed");
        self.first
    }

    fn change(&mut self) -> u32 {
        let number = self.number() + 10;
        self.first = number;
        self.second = number;
        number
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::Relaxed);
    }
}

const ONE: Key = Key::masked(1 << 32);
const TWO: Key = Key::masked(2 << 32);

/// A place with a first value, and where drops are counted.
fn place() -> (Arc<Keyed<Pair>>, Arc<AtomicU32>) {
    let drops = Arc::new(AtomicU32::new(0));
    let place = Arc::new(Keyed::new(ONE));
    assert!(place.put(Pair::new(1, &drops)).is_ok());
    (place, drops)
}

#[test]
fn loom_a_value_is_reached_by_one_at_a_time() {
    model(|| {
        let (place, drops) = place();
        let other = {
            let place = place.clone();
            thread::spawn(move || place.reach(ONE).map(|mut pair| pair.change()))
        };
        let own = place.reach(ONE).map(|mut pair| pair.change());
        let other = other.join().unwrap();
        assert!([(Some(11), Some(21)), (Some(21), Some(11))].contains(&(own, other)));
        drop(place);
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn loom_a_key_finds_its_own_value_or_none() {
    model(|| {
        let (place, drops) = place();
        let other = {
            let place = place.clone();
            thread::spawn(move || {
                let first = place.reach(ONE).map(|pair| pair.number());
                assert!(matches!(first, None | Some(1)));
                let second = place.reach(TWO).map(|pair| pair.number());
                assert!(matches!(second, None | Some(2)));
                first.is_some()
            })
        };
        assert_eq!(take(&place, TWO).map(|pair| pair.number()), Some(1));
        assert!(place.reach(ONE).is_none());
        assert_eq!(place.put(Pair::new(2, &drops)).ok(), Some(TWO));
        other.join().unwrap();
        assert_eq!(place.reach(TWO).map(|pair| pair.number()), Some(2));
        drop(place);
        assert_eq!(drops.load(Ordering::Relaxed), 2);
    });
}

fn take(place: &Keyed<Pair>, next: Key) -> Option<Pair> {
    place.reach(ONE).map(|pair| pair.take(next))
}

fn put(place: &Keyed<Pair>, drops: &Arc<AtomicU32>) -> bool {
    place.put(Pair::new(3, drops)).is_ok()
}

#[test]
fn loom_a_value_is_taken_by_one_and_put_by_one() {
    model(|| {
        let (place, drops) = place();
        let take = |place: &Keyed<Pair>| take(place, ONE).is_some();
        let other = {
            let (place, drops) = (place.clone(), drops.clone());
            thread::spawn(move || (take(&place), put(&place, &drops)))
        };
        let own = (take(&place), put(&place, &drops));
        let other = other.join().unwrap();
        let count = |all: [bool; 2]| all.into_iter().filter(|is_so| *is_so).count();
        let (taken, put) = (count([own.0, other.0]), count([own.1, other.1]));
        // It begins and ends with a value in the place.
        assert!(taken >= 1 && put == taken);
        drop(place);
        // Each was dropped: the first one, and two that were made.
        assert_eq!(drops.load(Ordering::Relaxed), 3);
    });
}

#[cfg(not(loom))]
#[derive(Clone, Copy, Debug)]
enum Op {
    Reach(Key),
    Change(Key),
    Take(Key, Key),
    Put,
    Renew(Key, Key),
}

#[cfg(not(loom))]
fn op() -> impl Strategy<Value = Op> {
    // A few keys, so that they are often right.
    let key = || (0u64..3, 0u64..2).prop_map(|(high, low)| Key::masked(high << 32 | low));
    prop_oneof![
        key().prop_map(Op::Reach),
        key().prop_map(Op::Change),
        (key(), key()).prop_map(|(key, next)| Op::Take(key, next)),
        Just(Op::Put),
        Just(Op::Put),
        (key(), key()).prop_map(|(key, next)| Op::Renew(key, next)),
    ]
}

#[cfg(not(loom))]
#[test]
fn a_word_with_flags_is_no_key() {
    for bit in 0..64 {
        let is_flag = bit == 30 || bit == 31;
        assert_eq!(Key::new(1 << bit).is_none(), is_flag);
        let word = if is_flag { 0 } else { 1 << bit };
        assert_eq!(Key::masked(1 << bit).word(), word);
    }
    assert_eq!(ONE.next(), Some(TWO));
    assert_eq!(
        Key::masked(0xffff_fffe << 32).next(),
        Key::new(0xffff_ffff << 32)
    );
    assert_eq!(Key::masked(0xffff_ffff << 32 | 7).next(), None);
}

#[cfg(not(loom))]
proptest! {
    /// Against a key and an `Option`.
    #[test]
    fn a_place_does_what_a_plain_one_does(ops in prop::collection::vec(op(), 1..200)) {
        let (place, mut key, mut value) = (Keyed::new(ONE), ONE, None);
        let all: Vec<_> = (0..ops.len()).map(Rc::new).collect();
        for (op, number) in ops.into_iter().zip(&all) {
            match op {
                Op::Reach(wanted) => {
                    let found = place.reach(wanted).map(|value| Rc::clone(&value));
                    prop_assert_eq!(found, value.clone().filter(|_| wanted == key));
                }
                Op::Change(wanted) => {
                    if let Some(mut there) = place.reach(wanted) {
                        *there = number.clone();
                        value = Some(number.clone());
                    }
                }
                Op::Take(wanted, next) => {
                    let is_right = wanted == key && value.is_some();
                    let taken = place.reach(wanted).map(|value| value.take(next));
                    prop_assert_eq!(taken, value.clone().filter(|_| is_right));
                    if is_right {
                        (key, value) = (next, None);
                    }
                }
                Op::Put => {
                    let put = place.put(number.clone());
                    prop_assert_eq!(put.is_ok(), value.is_none());
                    if let Ok(new) = put {
                        prop_assert_eq!(new, key);
                        value = Some(number.clone());
                    }
                }
                Op::Renew(now, next) => {
                    let is_right = now == key && value.is_none();
                    prop_assert_eq!(place.renew(now, next), is_right);
                    if is_right {
                        key = next;
                    }
                }
            }
            prop_assert_eq!(place.key(), key);
        }
        drop((place, value));
        for number in all {
            prop_assert_eq!(Rc::strong_count(&number), 1);
        }
    }
}
