//! What is measured, and what it may cost: a new figure, or a new group of them, is data here.
//!
//! Budgets and goals are those of the design; what Linux 6.1 and seL4 take for the same was measured in the same way, on one
//! processor without mitigations. docs/performance.md says how.

use std::collections::BTreeMap;

use crate::cli::Benchmark;

/// The measurements of one program in one kind of boot.
#[derive(Debug)]
pub struct Group {
    /// What selects it.
    pub benchmark: Benchmark,
    /// Its name in the tables.
    pub name: &'static str,
    /// The command that measures, and prints the figures.
    pub command: &'static str,
    /// How many processors the boots have, one after the other.
    pub cpus: &'static [u32],
    /// Memory of the machine.
    pub memory_mib: u32,
    /// What is told of it.
    pub rows: &'static [Row],
}

/// A figure with its budget.
#[derive(Debug)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    /// How it comes from what was printed.
    pub source: Source,
    /// Above this a check fails, unless it is explained.
    pub budget: Option<u64>,
    /// Up to this much docs/performance.md explains, with a count of where the instructions go.
    pub explained: Option<u64>,
    /// What we want to reach.
    pub goal: Option<u64>,
    /// What Linux takes.
    pub linux: Option<u64>,
    /// What seL4 takes.
    pub sel4: Option<u64>,
}

/// How a figure stands to its budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Not above it, or there is none.
    Within,
    /// Above it, and not above what is explained.
    Explained,
    /// Above both.
    Over,
}

/// How a figure comes from what was printed.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// As printed with one processor.
    Printed(&'static str),
    /// What each processor adds to a printed figure, from so many processors to so many.
    Added(&'static str, u32, u32),
    /// A printed figure in percent of another one, rounded up, of boots with so many processors.
    Percent(&'static str, &'static str, u32),
}

/// A figure as printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// The least of its rounds.
    pub least: u64,
    /// The median.
    pub median: u64,
    /// The 99th percentile.
    pub late: u64,
}

/// What was printed in boots with so many processors, by name.
pub type Samples = BTreeMap<u32, BTreeMap<String, Sample>>;

impl Row {
    /// The figure, if the boots that it needs were made. Something that gets cheaper with more processors adds nothing.
    pub fn figure(&self, samples: &Samples) -> Option<u64> {
        let least = |cpus: u32, name: &str| Some(samples.get(&cpus)?.get(name)?.least);
        match self.source {
            Source::Printed(name) => least(1, name),
            Source::Added(name, from, to) => {
                let added = least(to, name)?.saturating_sub(least(from, name)?);
                added.checked_div(u64::from(to.checked_sub(from)?))
            }
            Source::Percent(figure, of, cpus) => {
                let (part, whole) = (least(cpus, figure)?, least(cpus, of)?);
                (whole != 0).then(|| part.saturating_mul(100).div_ceil(whole))
            }
        }
    }

    /// The printed figure that it comes from, and the boots.
    pub fn needs(&self) -> (&'static str, Vec<u32>) {
        match self.source {
            Source::Printed(name) => (name, vec![1]),
            Source::Added(name, from, to) => (name, vec![from, to]),
            Source::Percent(figure, _, cpus) => (figure, vec![cpus]),
        }
    }

    /// How a figure stands to the budget.
    pub fn standing(&self, figure: u64) -> Standing {
        if self.budget.is_none_or(|budget| figure <= budget) {
            Standing::Within
        } else if self.explained.is_some_and(|most| figure <= most) {
            Standing::Explained
        } else {
            Standing::Over
        }
    }
}

/// A row without peers.
pub(super) const ROW: Row = Row {
    name: "",
    what: "",
    source: Source::Printed(""),
    budget: None,
    explained: None,
    goal: None,
    linux: None,
    sel4: None,
};

/// All groups.
pub const GROUPS: &[Group] = &[
    Group {
        benchmark: Benchmark::Boot,
        name: "boot",
        command: "hello",
        cpus: &[1],
        memory_mib: 256,
        rows: &[Row {
            name: "boot",
            what: "kernel entry to the first user instruction, 256 MiB",
            source: Source::Printed("boot"),
            budget: Some(60_000_000),
            goal: Some(20_000_000),
            ..ROW
        }],
    },
    Group {
        benchmark: Benchmark::Ipc,
        name: "ipc",
        command: "bench ipc",
        cpus: &[1],
        memory_mib: 256,
        rows: &[
            Row {
                name: "call-1",
                what: "call and answer, two processes, a word each way",
                source: Source::Printed("call-1"),
                budget: Some(600),
                explained: Some(700),
                goal: Some(380),
                linux: Some(8_533),
                sel4: Some(395),
            },
            Row {
                name: "call-8",
                what: "call and answer, two processes, 64 bytes each way",
                source: Source::Printed("call-8"),
                budget: Some(1_000),
                goal: Some(700),
                linux: Some(17_258),
                sel4: Some(1_572),
                ..ROW
            },
            Row {
                name: "call-64",
                what: "call and answer, two processes, 512 bytes each way",
                source: Source::Printed("call-64"),
                ..ROW
            },
            Row {
                name: "call-handle",
                what: "call and answer, two processes, a handle moved each way",
                source: Source::Printed("call-handle"),
                budget: Some(1_600),
                goal: Some(1_200),
                linux: Some(7_468),
                ..ROW
            },
            Row {
                name: "call-thread",
                what: "call and answer, two threads of a process, a word each way",
                source: Source::Printed("call-thread"),
                ..ROW
            },
            Row {
                name: "event",
                what: "event signal + take, same thread",
                source: Source::Printed("event"),
                budget: Some(300),
                goal: Some(220),
                linux: Some(1_503),
                ..ROW
            },
            Row {
                name: "futex-thread",
                what: "futex round trip, two threads",
                source: Source::Printed("futex-thread"),
                budget: Some(1_100),
                explained: Some(1_330),
                goal: Some(800),
                linux: Some(7_074),
                ..ROW
            },
            Row {
                name: "event-thread",
                what: "event round trip, two threads",
                source: Source::Printed("event-thread"),
                budget: Some(1_100),
                explained: Some(1_150),
                goal: Some(800),
                linux: Some(7_074),
                ..ROW
            },
        ],
    },
    Group {
        benchmark: Benchmark::Sched,
        name: "sched",
        command: "bench sched",
        cpus: &[1],
        memory_mib: 256,
        rows: &[
            Row {
                name: "yield",
                what: "switch to another thread by yielding",
                source: Source::Printed("yield"),
                budget: Some(400),
                goal: Some(300),
                linux: Some(1_626),
                ..ROW
            },
            Row {
                name: "thread",
                what: "thread create + exit + join",
                source: Source::Printed("thread"),
                budget: Some(7_000),
                goal: Some(4_500),
                linux: Some(37_161),
                ..ROW
            },
            Row {
                name: "tick",
                what: "timer tick",
                source: Source::Printed("tick"),
                budget: Some(800),
                goal: Some(500),
                linux: Some(2_599),
                ..ROW
            },
            Row {
                name: "interrupt",
                what: "interrupt to a driver in user space and back",
                source: Source::Printed("interrupt"),
                budget: Some(1_500),
                goal: Some(1_000),
                ..ROW
            },
        ],
    },
    Group {
        benchmark: Benchmark::Objects,
        name: "objects",
        command: "bench objects",
        cpus: &[1],
        memory_mib: 256,
        rows: &[
            Row {
                name: "null",
                what: "null system call",
                source: Source::Printed("null"),
                budget: Some(100),
                goal: Some(80),
                linux: Some(323),
                sel4: Some(89),
                ..ROW
            },
            Row {
                name: "duplicate-close",
                what: "handle duplicate + close",
                source: Source::Printed("duplicate-close"),
                budget: Some(300),
                explained: Some(345),
                goal: Some(200),
                linux: Some(924),
                ..ROW
            },
            Row {
                name: "process",
                what: "process create + start + exit + reap, of a ready image",
                source: Source::Printed("process"),
                budget: Some(45_000),
                goal: Some(28_000),
                linux: Some(119_883),
                ..ROW
            },
        ],
    },
    Group {
        benchmark: Benchmark::Vm,
        name: "vm",
        command: "bench vm",
        cpus: &[1, 2, 4],
        memory_mib: 256,
        rows: &[
            Row {
                name: "fault",
                what: "first-touch page fault (513 of it is the clear)",
                source: Source::Printed("fault"),
                budget: Some(1_400),
                goal: Some(1_050),
                linux: Some(2_778),
                sel4: Some(1_303),
                ..ROW
            },
            Row {
                name: "fault-sequential",
                what: "a page of a run of first touches (513 of it is the clear)",
                source: Source::Printed("fault-sequential"),
                ..ROW
            },
            Row {
                name: "fault-present",
                what: "fault on a page that the area has already",
                source: Source::Printed("fault-present"),
                ..ROW
            },
            Row {
                name: "fault-copy",
                what: "write to a page shared with a snapshot (512 of it is the copy)",
                source: Source::Printed("fault-copy"),
                ..ROW
            },
            Row {
                name: "map-1",
                what: "map + touch + unmap, 1 page of an area",
                source: Source::Printed("map-1"),
                budget: Some(4_000),
                goal: Some(2_800),
                linux: Some(18_373),
                ..ROW
            },
            Row {
                name: "map-256",
                what: "map + touch + unmap, 256 pages of an area",
                source: Source::Printed("map-256"),
                budget: Some(300_000),
                goal: Some(220_000),
                linux: Some(1_072_061),
                ..ROW
            },
            Row {
                name: "map-new-1",
                what: "map + first touch + unmap, 1 page",
                source: Source::Printed("map-new-1"),
                budget: Some(4_000),
                goal: Some(2_800),
                linux: Some(18_373),
                ..ROW
            },
            Row {
                name: "map-new-256",
                what: "map + first touch + unmap, 256 pages",
                source: Source::Printed("map-new-256"),
                budget: Some(300_000),
                goal: Some(220_000),
                linux: Some(1_072_061),
                ..ROW
            },
            Row {
                name: "life-1",
                what: "make + map + touch + unmap + close, 1 page (Linux's is this)",
                source: Source::Printed("life-1"),
                linux: Some(18_373),
                ..ROW
            },
            Row {
                name: "life-256",
                what: "make + map + touch + unmap + close, 256 pages (Linux's is this)",
                source: Source::Printed("life-256"),
                budget: Some(300_000),
                goal: Some(220_000),
                linux: Some(1_072_061),
                ..ROW
            },
            Row {
                name: "unmap",
                what: "unmap of a touched page",
                source: Source::Printed("unmap"),
                ..ROW
            },
            Row {
                name: "shootdown-first",
                what: "TLB shootdown: added by the first other CPU",
                source: Source::Added("unmap", 1, 2),
                budget: Some(700),
                goal: Some(500),
                linux: Some(878),
                ..ROW
            },
            Row {
                name: "shootdown-further",
                what: "TLB shootdown: added by each further CPU",
                source: Source::Added("unmap", 2, 4),
                budget: Some(400),
                goal: Some(250),
                linux: Some(530),
                ..ROW
            },
        ],
    },
    super::scale::GROUP,
];

#[cfg(test)]
mod tests {
    use super::{GROUPS, ROW, Row, Sample, Samples, Source, Standing};
    use proptest::prelude::{any, prop_assert_eq, proptest};

    #[test]
    fn each_row_can_be_had_from_the_boots_of_its_group() {
        for group in GROUPS {
            for row in group.rows {
                let (_, boots) = row.needs();
                assert!(
                    boots.iter().all(|cpus| group.cpus.contains(cpus)),
                    "{} {}",
                    group.name,
                    row.name
                );
                let is_below = row.budget.is_none_or(|budget| row.goal <= Some(budget));
                assert!(is_below, "{}", row.name);
                let is_above = row.explained.is_none_or(|most| Some(most) > row.budget);
                assert!(
                    is_above && (row.explained.is_none() || row.budget.is_some()),
                    "{}",
                    row.name
                );
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_added_is_what_each_processor_adds(base in 0u64..1 << 40, each in 0u64..1 << 20, to in 2u32..64) {
            let sample = |least| [("x".to_owned(), Sample { least, median: u64::MAX, late: u64::MAX })].into();
            let samples: Samples = [(1, sample(base)), (to, sample(base + each * u64::from(to - 1)))].into();
            let row = Row { source: Source::Added("x", 1, to), budget: Some(each), ..ROW };
            prop_assert_eq!(row.figure(&samples), Some(each));
            prop_assert_eq!(row.standing(each), Standing::Within);
            prop_assert_eq!(row.standing(each + 1), Standing::Over);
            let row = Row { explained: Some(each + 1), ..row };
            prop_assert_eq!(row.standing(each), Standing::Within);
            prop_assert_eq!(row.standing(each + 1), Standing::Explained);
            prop_assert_eq!(row.standing(each + 2), Standing::Over);
            let none = Row { source: Source::Added("x", to, to), ..ROW };
            prop_assert_eq!(none.figure(&samples), None);
        }

        #[test]
        fn without_its_boot_there_is_no_figure(cpus in 2u32..64, least in any::<u64>()) {
            let samples: Samples = [(cpus, [("x".to_owned(), Sample { least, median: least, late: least })].into())].into();
            let row = Row { source: Source::Printed("x"), ..ROW };
            prop_assert_eq!(row.figure(&samples), None);
        }
    }
}
