//! The store, queries and followers against plain lists.

#![allow(missing_docs, reason = "a test")]

use abi::log::{CUT, Head, Level, Record};
use logger::filter::{AREA_MAX, AREAS_MAX, Filter, is_selected};
use logger::format::write_record;
use logger::intake::Intake;
use logger::query::{Follower, plan, write};
use logger::store::{Next, Store};
use proptest::prelude::{
    ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use protocols::Fault;
use protocols::logger::{self as protocol, Select};

const LEVELS: [Level; 5] = [
    Level::Error,
    Level::Warn,
    Level::Info,
    Level::Debug,
    Level::Trace,
];

/// A record that owns its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    /// How many are missing before it.
    gap: u64,
    level: Level,
    target: String,
    text: Vec<u8>,
}

fn entry() -> impl Strategy<Value = Entry> {
    let text = prop_oneof![
        4 => prop::collection::vec(b' '..b'~', 0..150),
        1 => prop::collection::vec(any::<u8>(), 0..150),
    ];
    let gap = prop_oneof![8 => 0u64..1, 1 => 1u64..1000];
    let level = prop::sample::select(&LEVELS[..]);
    (gap, level, "(srv|drv|kernel)(\\.uart|::mm|)", text).prop_map(|(gap, level, target, text)| {
        Entry {
            gap,
            level,
            target,
            text,
        }
    })
}

fn select() -> impl Strategy<Value = Select> {
    (level(), "(srv|drv\\.|kernel::mm|)").prop_map(|(level, area)| Select { level, area })
}

fn level() -> impl Strategy<Value = protocol::Level> {
    prop::sample::select(vec![
        protocol::Level::Error,
        protocol::Level::Warn,
        protocol::Level::Info,
        protocol::Level::Debug,
        protocol::Level::Trace,
    ])
}

fn record(entry: &Entry, sequence: u64) -> Record<'_> {
    Record {
        head: Head {
            sequence,
            time_ns: sequence * 1_001_000,
            process: sequence % 7,
            cpu: 1,
            level: entry.level,
            flags: CUT,
            target_len: entry.target.len() as u16,
            text_len: entry.text.len() as u16,
        },
        target: entry.target.as_bytes(),
        text: &entry.text,
    }
}

fn bytes(record: &Record<'_>) -> Vec<u8> {
    let mut bytes = record.head.to_bytes().to_vec();
    bytes.extend_from_slice(record.target);
    bytes.extend_from_slice(record.text);
    bytes.resize(record.head.record_size(), 0);
    bytes
}

/// What the kernel would give, in pieces, and the numbers of the records.
fn batches(entries: &[Entry], batch: usize) -> (Vec<Vec<u8>>, Vec<u64>) {
    let (mut batches, mut numbers, mut next) = (Vec::new(), Vec::new(), 0);
    for entries in entries.chunks(batch) {
        let mut bytes_of_all = Vec::new();
        for entry in entries {
            let sequence = next + entry.gap;
            numbers.push(sequence);
            bytes_of_all.extend(bytes(&record(entry, sequence)));
            next = sequence + 1;
        }
        batches.push(bytes_of_all);
    }
    (batches, numbers)
}

fn text_of<'a>(records: impl Iterator<Item = Record<'a>>) -> String {
    let mut text = String::new();
    for record in records {
        write_record(&record, &mut text).expect("a string takes all");
    }
    text
}

proptest! {
    // Enough records to fill the store several times are slow to make.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_slow_reader_is_told_of_every_record(
        entries in prop::collection::vec(entry(), 0..600), batch in 1usize..100,
        reads in prop::collection::vec(0usize..60, 1..20)
    ) {
        let (mut store, mut intake) = (Store::new(0), Intake::default());
        let mut cursor = store.start();
        let mut told = 0;
        let (batches, numbers) = batches(&entries, batch);
        let reads = reads.iter().cycle().copied();
        let mut read = |store: &Store, most: usize| {
            for _ in 0..most {
                told += match store.next(&mut cursor) {
                    Next::Record(record) if record.target == b"logger" => {
                        let text = core::str::from_utf8(record.text).expect("made here");
                        let count = text.strip_suffix(" records lost").expect("this text");
                        count.parse().expect("a number")
                    }
                    Next::Record(_) => 1,
                    Next::Skipped(count) => count,
                    Next::End => break,
                };
            }
            told
        };
        for (batch, most) in batches.iter().zip(reads) {
            intake.take(batch, &Filter::default(), &mut store);
            read(&store, most);
        }
        let all = numbers.last().map_or(0, |last| last + 1);
        prop_assert_eq!(read(&store, usize::MAX), all);
    }

    #[test]
    fn what_comes_is_kept_and_what_is_missing_is_told(
        entries in prop::collection::vec(entry(), 0..600), batch in 1usize..100,
        filters in prop::collection::vec(select(), 0..4)
    ) {
        let mut filter = Filter::default();
        for select in &filters {
            prop_assert_eq!(filter.set(select), Ok(()));
        }
        let (mut store, mut intake) = (Store::new(0), Intake::default());
        let (batches, numbers) = batches(&entries, batch);
        for batch in &batches {
            prop_assert!(intake.take(batch, &filter, &mut store));
            // The same once more is nothing new.
            prop_assert!(!intake.take(batch, &filter, &mut store));
        }
        let expected = |entry: &Entry| {
            let longest = filters.iter().filter(|select| entry.target.starts_with(&select.area));
            let longest = longest.max_by_key(|select| select.area.len()).map(|select| select.level);
            let number = LEVELS.iter().position(|level| *level == entry.level).expect("one of them");
            longest.is_none_or(|level| number <= level as usize)
        };
        // Those that are there are the last ones, and each is as it was.
        let mut there = store.iter().collect::<Vec<_>>();
        there.reverse();
        let mut there = there.into_iter();
        let mut lost = 0;
        'all: for (entry, sequence) in entries.iter().zip(&numbers).rev() {
            if expected(entry) {
                let Some(found) = there.next() else { break 'all };
                prop_assert_eq!(found, record(entry, *sequence));
            }
            if entry.gap != 0 {
                let Some(found) = there.next() else { break 'all };
                prop_assert_eq!(found.head.sequence + entry.gap, *sequence);
                let text = format!("{} records lost", entry.gap);
                prop_assert_eq!(found.text, text.as_bytes());
            }
        }
        prop_assert!(there.next().is_none());
        for entry in &entries {
            lost += entry.gap;
        }
        let counts = intake.counts();
        prop_assert_eq!(counts.lost, lost);
        prop_assert_eq!(counts.received, entries.len() as u64);
        prop_assert_eq!(counts.filtered, entries.iter().filter(|entry| !expected(entry)).count() as u64);
        prop_assert_eq!(store.len(), store.iter().count() as u64);
        // 16 KiB at least are always there, if so many came.
        let size = |record: Record<'_>| record.head.record_size();
        let kept: usize = store.iter().map(size).sum();
        prop_assert!(kept <= 32 * 1024);
        prop_assert!(kept > 15 * 1024 || store.iter().next().is_none_or(|first| first.head.sequence == numbers[0] - entries[0].gap
            || !expected(&entries[0])));
    }

    #[test]
    fn a_query_gives_the_last_lines(
        entries in prop::collection::vec(entry(), 0..400), select in select(), last in 0u32..40
    ) {
        let (mut store, mut intake) = (Store::new(0), Intake::default());
        for batch in batches(&entries, 50).0 {
            intake.take(&batch, &Filter::default(), &mut store);
        }
        let selected: Vec<_> = store.iter().filter(|record| is_selected(&select, record)).collect();
        let skip = if last == 0 { 0 } else { selected.len().saturating_sub(last as usize) };
        let expected = text_of(selected.into_iter().skip(skip));
        let plan = plan(&store, &select, last);
        let mut text = String::new();
        write(&store, &select, &plan, &mut text).expect("a string takes all");
        prop_assert_eq!(plan.bytes, text.len() as u64);
        prop_assert!(plan.records <= u64::from(last) || last == 0);
        prop_assert_eq!(text, expected);
    }

    /// A follower gets each line once, in order, and is told how many it did not get.
    #[test]
    fn a_follower_misses_nothing_silently(
        entries in prop::collection::vec(entry(), 0..600), first in 0usize..50, batch in 1usize..200,
        reads in prop::collection::vec(0usize..20_000, 0..20)
    ) {
        let (mut store, mut intake) = (Store::new(0), Intake::default());
        let filter = Filter::default();
        let before = first.min(entries.len());
        for batch in batches(&entries[..before], 50).0 {
            intake.take(&batch, &filter, &mut store);
        }
        let begin = intake.next();
        let select = Select { level: protocol::Level::Trace, area: String::new() };
        let mut follower = Follower::new(&store, select);
        let mut text = String::new();
        let mut reads = reads.into_iter();
        let mut all = Vec::new();
        for batch in batches(&entries, batch).0 {
            // Those from before are not taken again.
            intake.take(&batch, &filter, &mut store);
            follower.lines(&store, &mut text, reads.next().unwrap_or(0));
            all.append(&mut text.split_inclusive('\n').map(String::from).collect());
            text.clear();
        }
        follower.lines(&store, &mut text, usize::MAX);
        all.append(&mut text.split_inclusive('\n').map(String::from).collect());
        let mut skipped = 0u64;
        let mut records = 0u64;
        for line in &all {
            if let Some(rest) = line.strip_prefix('[').filter(|line| line.contains("records skipped")) {
                skipped += rest.split(' ').next().expect("a number").parse::<u64>().expect("a number");
            } else if let Some((_, rest)) = line.split_once("logger: ") {
                let count = rest.trim_end().strip_suffix(" records lost").expect("this text");
                records += count.parse::<u64>().expect("a number");
            } else if line.starts_with('[') {
                records += 1;
            }
        }
        prop_assert_eq!(records + skipped, intake.next() - begin);
    }

    #[test]
    fn what_is_shown_is_only_text(target in prop::collection::vec(any::<u8>(), 0..20), text in prop::collection::vec(any::<u8>(), 0..60)) {
        let head = Head {
            sequence: 0, time_ns: u64::MAX, process: 0, cpu: u32::MAX, level: Level::Info, flags: 0,
            target_len: target.len() as u16, text_len: text.len() as u16,
        };
        let mut shown = String::new();
        write_record(&Record { head, target: &target, text: &text }, &mut shown).expect("a string takes all");
        prop_assert!(shown.chars().all(|char| !char.is_control() || char == '\n' || char == '\t'));
        prop_assert!(shown.ends_with('\n'));
        let lines = text.strip_suffix(b"\n").unwrap_or(&text).iter().filter(|byte| **byte == b'\n').count();
        prop_assert_eq!(shown.matches('\n').count(), lines + 1);
    }
}

#[test]
fn it_looks_as_on_the_kernels_consoles() {
    let entry = Entry {
        gap: 0,
        level: Level::Warn,
        target: "drv.uart".into(),
        text: b"two\nlines\x1b[2J\n".to_vec(),
    };
    let expected = "[    1.201200] cpu1 WARN  drv.uart: two\n                 lines\u{fffd}[2J\n";
    assert_eq!(text_of(std::iter::once(record(&entry, 1200))), expected);
}

#[test]
fn the_filter_has_bounds() {
    let mut filter = Filter::default();
    let of = |area: String| Select {
        level: protocol::Level::Info,
        area,
    };
    for index in 0..AREAS_MAX {
        assert_eq!(filter.set(&of(format!("{index:0>AREA_MAX$}"))), Ok(()));
    }
    assert_eq!(filter.set(&of("one more".into())), Err(Fault::NoRoom));
    assert_eq!(
        filter.set(&of("x".repeat(AREA_MAX + 1))),
        Err(Fault::InvalidArgument)
    );
    assert_eq!(filter.set(&of(String::new())), Ok(()));
    let status = protocol::Status {
        received: u64::MAX,
        lost: u64::MAX,
        filtered: u64::MAX,
        kept: u64::MAX,
        filter: filter.list(),
    };
    let answer: Result<protocol::Answer, Fault> = Ok(protocol::Answer::Status(status));
    assert!(protocols::encode(&answer, &mut [0; protocols::BYTES_MAX]).is_ok());
}

#[test]
fn a_cursor_at_the_end_sees_what_comes() {
    let mut store = Store::new(0);
    let mut cursor = store.end();
    assert_eq!(store.next(&mut cursor), Next::End);
    let entry = Entry {
        gap: 0,
        level: Level::Info,
        target: "a".into(),
        text: b"b".to_vec(),
    };
    assert!(store.push(&record(&entry, 5)));
    assert_eq!(store.next(&mut cursor), Next::Record(record(&entry, 5)));
    assert_eq!(store.next(&mut cursor), Next::End);
}
