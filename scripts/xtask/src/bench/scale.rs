//! The group `scale`: whether an operation gets dearer when others, which share nothing with it, are done at the same time.

use super::figures::{Group, ROW, Row, Source};
use crate::cli::Benchmark;

/// The most that an operation of four workers may take, in percent of that of one.
const BUDGET: u64 = 110;

/// A row of an operation, by the names of its figures for one and for four workers.
const fn row(name: &'static str, what: &'static str, one: &'static str, four: &'static str) -> Row {
    Row {
        name,
        what,
        source: Source::Percent(four, one, 4),
        budget: Some(BUDGET),
        ..ROW
    }
}

/// The group.
pub const GROUP: Group = Group {
    benchmark: Benchmark::Scale,
    name: "scale",
    command: "bench scale",
    cpus: &[4],
    memory_mib: 256,
    rows: &[
        row(
            "null",
            "% of one worker's, by four: null system call",
            "null-1",
            "null-4",
        ),
        row(
            "handle",
            "%: handle duplicate + close",
            "handle-1",
            "handle-4",
        ),
        row("event", "%: event signal + take", "event-1", "event-4"),
        row(
            "futex",
            "%: futex wake of nobody + wait for a changed word",
            "futex-1",
            "futex-4",
        ),
        row(
            "call",
            "%: call and answer, two processes, a word each way",
            "call-1",
            "call-4",
        ),
        row(
            "map",
            "%: map + touch + unmap, 1 page of an area",
            "map-1",
            "map-4",
        ),
        row(
            "life",
            "%: make + map + touch + unmap + close, 1 page",
            "life-1",
            "life-4",
        ),
    ],
};

#[cfg(test)]
mod tests {
    use super::{BUDGET, GROUP};
    use crate::bench::figures::{Sample, Samples, Standing};
    use proptest::prelude::{prop_assert_eq, proptest};

    proptest! {
        #[test]
        fn what_is_more_than_a_tenth_dearer_is_over(one in 1u64..1 << 40, four in 0u64..1 << 40) {
            let sample = |least| Sample { least, median: u64::MAX, late: u64::MAX };
            let printed = [("null-1".to_owned(), sample(one)), ("null-4".to_owned(), sample(four))];
            let samples: Samples = [(4, printed.into())].into();
            let row = &GROUP.rows[0];
            let figure = row.figure(&samples).unwrap();
            let is_over = u128::from(four) * 100 > u128::from(one) * u128::from(BUDGET);
            prop_assert_eq!(row.standing(figure) == Standing::Over, is_over);
        }
    }
}
