//! Writers and readers of the log ring under all interleavings.
//!
//! `ktestkit::models` says how these run.

use klog::{Completeness, Header, ReadError, Ring, Written};
use ktestkit::models::{Arc, model, thread};
use log::Level;

/// A header whose parts all depend on `n`, so that a mixture shows.
fn header(n: u64) -> Header<'static> {
    Header {
        time_ns: n,
        process: n << 32,
        cpu: n as u32,
        level: Level::Info,
        target: "",
    }
}

/// Reads and checks that the parts belong together.
fn check<const SLOTS: usize>(ring: &Ring<SLOTS, 4>, sequence: u64) -> Result<u64, ReadError> {
    let mut buffer = [0; 8];
    let record = ring.read(sequence, &mut buffer)?;
    let n = record.header.time_ns;
    assert_eq!(u64::from(record.header.cpu), n, "a torn record");
    assert_eq!(record.header.process, n << 32, "a torn record");
    assert_eq!(record.text, format!("{n:8}"), "a torn record");
    assert_eq!(record.completeness, Completeness::Whole);
    assert_eq!(record.sequence, sequence);
    Ok(n)
}

#[test]
fn loom_a_reader_never_sees_a_torn_record() {
    model(|| {
        let ring = Arc::new(Ring::<1, 4>::new());
        assert_eq!(
            ring.write(&header(1), format_args!("{:8}", 1)),
            Written::Stored(0)
        );
        let writer = Arc::clone(&ring);
        let writer = thread::spawn(move || writer.write(&header(2), format_args!("{:8}", 2)));
        match check(&ring, 0) {
            Ok(n) => assert_eq!(n, 1),
            Err(error) => assert_eq!(error, ReadError::Missed { next: 1 }),
        }
        match check(&ring, 1) {
            Ok(n) => assert_eq!(n, 2),
            Err(error) => assert!(matches!(
                error,
                ReadError::NotYet | ReadError::Unfinished { next: 2 }
            )),
        }
        assert_eq!(writer.join().unwrap(), Written::Stored(1));
        assert_eq!(check(&ring, 1), Ok(2));
        assert_eq!(check(&ring, 0), Err(ReadError::Missed { next: 1 }));
    });
}

#[test]
fn loom_two_writers_never_share_a_slot() {
    model(|| {
        let ring = Arc::new(Ring::<1, 4>::new());
        let other = Arc::clone(&ring);
        let other = thread::spawn(move || other.write(&header(1), format_args!("{:8}", 1)));
        let mine = ring.write(&header(2), format_args!("{:8}", 2));
        let theirs = other.join().unwrap();
        // The later number is what can be read, unless its writer met the other one at work.
        let stored = [(mine, 2), (theirs, 1)];
        let dropped = stored
            .iter()
            .filter(|(written, _)| *written == Written::Dropped)
            .count();
        assert_eq!(ring.dropped(), dropped as u64);
        assert!(dropped <= 1, "at least one finds its place");
        let last = stored.iter().filter_map(|(written, n)| match written {
            Written::Stored(sequence) => Some((*sequence, *n)),
            Written::Dropped => None,
        });
        let (sequence, n) = last.max().unwrap();
        assert_eq!(check(&ring, sequence), Ok(n));
    });
}

#[test]
fn loom_writers_of_different_slots_do_not_disturb_each_other() {
    model(|| {
        let ring = Arc::new(Ring::<2, 4>::new());
        let other = Arc::clone(&ring);
        let other = thread::spawn(move || other.write(&header(1), format_args!("{:8}", 1)));
        let mine = ring.write(&header(2), format_args!("{:8}", 2));
        let theirs = other.join().unwrap();
        for (written, n) in [(mine, 2), (theirs, 1)] {
            let Written::Stored(sequence) = written else {
                panic!("dropped")
            };
            assert_eq!(check(&ring, sequence), Ok(n));
        }
        assert_eq!((ring.head(), ring.oldest(), ring.dropped()), (2, 0, 0));
    });
}
