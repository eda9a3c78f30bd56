//! The ring against a plain list: order, wrap-around, and what was overwritten; and a reader beside the writer in all interleavings.
//!
//! `ktestkit::models` says how these run.

use ktestkit::models::{Arc, model, thread};
use ktrace::{Event, Kind, MIN_LEN, Ring};
use proptest::prelude::{any, prop, prop_assert_eq, proptest};

/// An event whose parts all depend on `n`, so that a mixture shows.
fn event(n: u64) -> Event {
    Event {
        time_ns: n,
        kind: Kind::Wake,
        detail: n as u16,
        thread: n,
        words: [n; 6],
    }
}

proptest! {
    #[test]
    #[cfg_attr(loom, ignore = "atomics of loom exist in models only")]
    fn the_newest_are_kept_in_order_and_the_rest_is_counted(
        len in 0_usize..20, values in prop::collection::vec(any::<u64>(), 0..100)
    ) {
        let ring = Ring::try_new(len).unwrap();
        let len = len.max(MIN_LEN);
        let events = values.iter().map(|&n| event(n & Event::THREAD_MAX));
        let events: Vec<Event> = events.map(|e| Event { detail: 3, ..e }).collect();
        let mut pinned = None;
        for event in &events {
            if event.thread % 3 == 0 {
                ring.pin(event);
                pinned = Some(*event);
            } else {
                ring.push(event);
            }
        }
        prop_assert_eq!(ring.pinned(), pinned);
        let lost = events.len().saturating_sub(len);
        prop_assert_eq!(ring.kept(), lost as u64..events.len() as u64);
        let read: Vec<Event> = ring.kept().filter_map(|number| ring.read(number)).collect();
        prop_assert_eq!(read.as_slice(), &events[lost..]);
        for number in (0..lost as u64).chain(events.len() as u64..events.len() as u64 + 3) {
            prop_assert_eq!(ring.read(number), None);
        }
    }
}

#[test]
fn loom_a_reader_sees_whole_events_in_order() {
    model(|| {
        let ring = Arc::new(Ring::try_new(2).unwrap());
        ring.push(&event(1));
        let writer = {
            let ring = Arc::clone(&ring);
            thread::spawn(move || {
                // The third one goes over the first.
                ring.push(&event(2));
                ring.pin(&event(3));
            })
        };
        for number in ring.kept() {
            if let Some(found) = ring.read(number) {
                assert_eq!(found, event(number + 1), "a torn event");
            }
        }
        if let Some(pinned) = ring.pinned() {
            assert_eq!(pinned, event(3), "a torn event");
        }
        writer.join().unwrap();
        assert_eq!(ring.pinned(), Some(event(3)));
        let left: Vec<u64> = ring
            .kept()
            .filter_map(|number| ring.read(number))
            .map(|event| event.thread)
            .collect();
        assert_eq!(left, [2, 3]);
    });
}

proptest! {
    #[test]
    #[cfg_attr(loom, ignore = "atomics of loom exist in models only")]
    fn what_was_forgotten_is_neither_kept_nor_lost(
        len in 2_usize..20, before in 0_u64..60, after in 0_u64..60
    ) {
        let ring = Ring::try_new(len).unwrap();
        for n in 0..before {
            ring.pin(&event(n));
        }
        ring.forget();
        prop_assert_eq!((ring.kept().count(), ring.lost(), ring.pinned()), (0, 0, None));
        for n in 0..after {
            ring.push(&event(n));
        }
        let read: Vec<Event> = ring.kept().filter_map(|number| ring.read(number)).collect();
        let lost = after.saturating_sub(len as u64);
        let wanted: Vec<Event> = (lost..after).map(event).collect();
        prop_assert_eq!(read, wanted);
        prop_assert_eq!(ring.lost(), lost);
    }
}
