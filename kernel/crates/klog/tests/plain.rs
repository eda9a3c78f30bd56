//! The ring, the line layout and the filter, one thread at a time.
#![cfg(not(loom))]

use klog::{Completeness, Filter, FilterError, Formatter, Header, ReadError, Ring, Written};
use log::{Level, LevelFilter};
use proptest::prelude::*;

fn header(target: &str) -> Header<'_> {
    Header {
        time_ns: 1_234_567,
        process: 9,
        cpu: 2,
        level: Level::Warn,
        target,
    }
}

fn levels() -> impl Strategy<Value = Level> {
    prop::sample::select(vec![
        Level::Error,
        Level::Warn,
        Level::Info,
        Level::Debug,
        Level::Trace,
    ])
}

proptest! {
    #[test]
    fn what_is_written_is_read_until_it_is_overwritten(
        records in proptest::collection::vec((any::<u64>(), any::<u32>(), levels(), "\\PC{0,60}", "\\PC{0,120}"), 1..16),
    ) {
        let ring = Ring::<8, 24>::new();
        let mut buffer = [0; Ring::<8, 24>::CAPACITY];
        for (sequence, (time_ns, cpu, level, target, text)) in records.iter().enumerate() {
            let process = time_ns.rotate_left(32);
            let header = Header { time_ns: *time_ns, process, cpu: *cpu, level: *level, target };
            prop_assert_eq!(ring.write(&header, format_args!("{text}")), Written::Stored(sequence as u64));
        }
        let oldest = records.len().saturating_sub(8);
        prop_assert_eq!(ring.oldest(), oldest as u64);
        for (sequence, (time_ns, cpu, level, target, text)) in records.iter().enumerate() {
            let read = ring.read(sequence as u64, &mut buffer);
            if sequence < oldest {
                prop_assert_eq!(read, Err(ReadError::Missed { next: oldest as u64 }));
                continue;
            }
            let record = read.unwrap();
            let Header { time_ns: time, process, cpu: by, level: at, .. } = record.header;
            prop_assert_eq!(process, time_ns.rotate_left(32));
            prop_assert_eq!((time, by, at), (*time_ns, *cpu, *level));
            let kept = record.header.target;
            prop_assert!(target.starts_with(kept));
            prop_assert!(kept == target || (target.len() > 48 && kept.len() > 44));
            match record.completeness {
                Completeness::Whole => prop_assert_eq!(record.text, text),
                Completeness::Truncated => {
                    prop_assert!(text.starts_with(record.text.strip_suffix('…').unwrap()));
                    prop_assert!(text.len() + record.header.target.len() > buffer.len());
                }
            }
        }
        prop_assert_eq!(ring.read(records.len() as u64, &mut buffer), Err(ReadError::NotYet));
    }

    #[test]
    fn a_short_buffer_cuts_but_never_fails(text in "\\PC{0,100}", size in 0usize..100) {
        let ring = Ring::<2, 24>::new();
        ring.write(&header("kmem"), format_args!("{text}"));
        let mut buffer = vec![0; size];
        let record = ring.read(0, &mut buffer).unwrap();
        prop_assert!("kmem".starts_with(record.header.target));
        prop_assert!(text.starts_with(record.text) || record.completeness == Completeness::Truncated);
    }

    #[test]
    fn every_line_of_a_text_is_there(lines in proptest::collection::vec("[a-z ]{1,10}", 1..5)) {
        let text = lines.join("\n");
        let out = Formatter::new(header("t"), format_args!("{text}")).to_string();
        let written: Vec<_> = out.lines().collect();
        prop_assert_eq!(written.len(), lines.len());
        for (line, written) in lines.iter().zip(&written) {
            prop_assert!(written.ends_with(line.as_str()));
        }
        prop_assert!(out.ends_with('\n'));
    }

    #[test]
    fn any_filter_is_survived(text in "[a-z:=, ]{0,60}", target in "[a-z:]{0,10}") {
        let (filter, _) = Filter::parse(&text, LevelFilter::Info);
        prop_assert!(filter.level(&target) <= filter.max_level());
    }
}

#[test]
fn a_ring_in_a_static_needs_no_set_up() {
    static RING: Ring = Ring::new();
    assert_eq!(
        RING.write(&header("kernel"), format_args!("{} of {}", 1, 4)),
        Written::Stored(0)
    );
    let mut buffer = [0; 256];
    let record = RING.read(0, &mut buffer).unwrap();
    assert_eq!((record.text, record.header), ("1 of 4", header("kernel")));
    let mut out = String::new();
    Formatter::write_record(&record, &mut out).unwrap();
    assert_eq!(out, "[    0.001234] cpu2 WARN  kernel: 1 of 4\n");
}

#[test]
fn a_text_that_does_not_fit_is_marked() {
    let ring = Ring::<1, 5>::new();
    ring.write(&header(""), format_args!("{}{}", "0123456789", "abcdéfgh"));
    let mut buffer = [0; 16];
    let record = ring.read(0, &mut buffer).unwrap();
    assert_eq!(
        (record.text, record.completeness),
        ("0123456789abc…", Completeness::Truncated)
    );
    ring.write(&header(""), format_args!("{}", "0123456789abcdef"));
    assert_eq!(
        ring.read(1, &mut buffer).unwrap().completeness,
        Completeness::Whole
    );
}

/// Logs to the same ring while it is being formatted.
struct Nested<'a>(&'a Ring<4, 8>);

impl std::fmt::Display for Nested<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.write(&header("inner"), format_args!("inner"));
        f.write_str("outer")
    }
}

#[test]
fn a_text_may_log_while_it_is_made() {
    let ring = Ring::<4, 8>::new();
    ring.write(&header("outer"), format_args!("{}", Nested(&ring)));
    let mut buffer = [0; 48];
    assert_eq!(ring.read(0, &mut buffer).unwrap().text, "inner");
    assert_eq!(ring.read(1, &mut buffer).unwrap().text, "outer");
    assert_eq!(ring.dropped(), 0);
}

#[test]
fn further_lines_are_indented_and_none_is_added() {
    let out = Formatter::new(header("t"), format_args!("a\n{}\n", "b\n\nc")).to_string();
    let indent = " ".repeat(17);
    assert_eq!(
        out,
        format!("[    0.001234] cpu2 WARN  t: a\n{indent}b\n{indent}\n{indent}c\n")
    );
}

#[test]
fn the_longest_target_decides() {
    let (filter, error) = Filter::parse(
        "info,sched=debug,sched::timer=off,kmem=trace",
        LevelFilter::Warn,
    );
    assert_eq!(error, None);
    assert_eq!(filter.level("boot"), LevelFilter::Info);
    assert_eq!(filter.level("sched"), LevelFilter::Debug);
    assert_eq!(filter.level("sched::balance"), LevelFilter::Debug);
    assert_eq!(filter.level("scheduler"), LevelFilter::Info);
    assert_eq!(filter.level("sched::timer::heap"), LevelFilter::Off);
    assert!(filter.enabled("kmem", Level::Trace) && !filter.enabled("boot", Level::Debug));
    assert_eq!(filter.max_level(), LevelFilter::Trace);
}

#[test]
fn what_makes_no_sense_is_named_and_the_rest_holds() {
    let (filter, error) = Filter::parse("loud,debug,=info", LevelFilter::Warn);
    assert_eq!(error, Some(FilterError::UnknownLevel("loud")));
    assert_eq!(filter.level("x"), LevelFilter::Debug);
    assert_eq!(
        Filter::parse("=info", LevelFilter::Warn).1,
        Some(FilterError::NoTarget("=info"))
    );
    let many: Vec<_> = (0..17).map(|n| format!("t{n}=info")).collect();
    assert_eq!(
        Filter::parse(&many.join(","), LevelFilter::Warn).1,
        Some(FilterError::TooMany("t16=info"))
    );
    assert_eq!(
        Filter::parse("", LevelFilter::Warn),
        (Filter::all(LevelFilter::Warn), None)
    );
}
