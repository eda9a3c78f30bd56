//! Events as bytes: there and back, and never a panic on other bytes.

use ktrace::{Damaged, Event, Kind, MAX_BYTES, WORDS, decode, encode};
use proptest::prelude::{
    Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};

fn event() -> impl Strategy<Value = Event> {
    let word = prop_oneof![Just(0), 0_u64..300, any::<u64>()];
    let words = prop::array::uniform6(word.clone());
    let parts = (0..Kind::ALL.len(), any::<u16>(), word.clone(), word, words);
    parts.prop_map(|(kind, detail, thread, time_ns, words)| Event {
        time_ns,
        kind: Kind::ALL[kind],
        detail,
        thread: thread & Event::THREAD_MAX,
        words,
    })
}

fn bytes_of(events: &[Event]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for event in events {
        let before = bytes.len();
        encode(event, |byte| bytes.push(byte));
        assert!(bytes.len() - before <= MAX_BYTES);
    }
    bytes
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(events in prop::collection::vec(event(), 0..20)) {
        let bytes = bytes_of(&events);
        let mut rest = bytes.as_slice();
        for event in &events {
            prop_assert_eq!(decode(&mut rest), Ok(*event));
        }
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn what_is_cut_off_is_refused(event in event(), cut in any::<prop::sample::Index>()) {
        let bytes = bytes_of(&[event]);
        let mut short = &bytes[..cut.index(bytes.len())];
        prop_assert_eq!(decode(&mut short), Err(Damaged::Short));
    }

    #[test]
    fn any_bytes_come_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut rest = bytes.as_slice();
        while !rest.is_empty() && decode(&mut rest).is_ok() {}
    }

    #[test]
    fn a_name_comes_back_as_far_as_there_is_room(name in "[a-z0-9 ]{0,40}", first in any::<u64>()) {
        let event = Event::new(1, Kind::Switch, 0, 7, [first, 8]).with_name(&name);
        let back: Vec<u8> = event.name().collect();
        prop_assert_eq!(back, &name.as_bytes()[..name.len().min(ktrace::NAME)]);
        prop_assert_eq!(&event.words[..2], &[first, 8]);
    }
}

#[test]
fn kinds_have_the_numbers_that_they_are_found_by() {
    for &kind in Kind::ALL {
        assert_eq!(Kind::from_number(kind as u8), Some(kind));
    }
    assert_eq!(Kind::from_number(0), None);
    let mut bytes = [200, 0, 0, 0, 0].as_slice();
    assert_eq!(decode(&mut bytes), Err(Damaged::Kind(200)));
    let mut too_many = [1, WORDS as u8 + 1, 0, 0, 0].as_slice();
    assert_eq!(decode(&mut too_many), Err(Damaged::Number));
}
