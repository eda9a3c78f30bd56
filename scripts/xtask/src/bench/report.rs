//! Reads figures out of a console, and writes them as tables or as JSON.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use super::figures::{Group, Sample, Samples, Standing};

/// Behind this the program's lines have a figure: its name, the least, the median, the 99th percentile.
const BENCH_LINE: &str = "bench: ";
/// Behind this the kernel's line about its boot has the figure.
const BOOT_LINE: &str = "boot cost ";

/// All figures that a console shows, by name.
pub fn read(log: &str) -> BTreeMap<String, Sample> {
    log.lines().filter_map(figure).collect()
}

fn figure(line: &str) -> Option<(String, Sample)> {
    if let Some((_, rest)) = line.split_once(BOOT_LINE) {
        let cost = rest.split_whitespace().next()?.parse().ok()?;
        let sample = Sample {
            least: cost,
            median: cost,
            late: cost,
        };
        return Some(("boot".into(), sample));
    }
    let (_, rest) = line.split_once(BENCH_LINE)?;
    let words: Vec<&str> = rest.split_whitespace().collect();
    let &[name, least, median, late] = words.as_slice() else {
        return None;
    };
    let sample = Sample {
        least: least.parse().ok()?,
        median: median.parse().ok()?,
        late: late.parse().ok()?,
    };
    Some((name.to_owned(), sample))
}

/// A group with what was measured of it.
#[derive(Debug)]
pub struct Measured {
    /// What was to be measured.
    pub group: &'static Group,
    /// What was printed.
    pub samples: Samples,
}

impl Measured {
    /// The names of the figures above their budgets that are not explained, with a sentence about each.
    pub fn failures(&self) -> Vec<String> {
        let rows = self.group.rows.iter();
        rows.filter_map(|row| {
            let figure = row.figure(&self.samples)?;
            (row.standing(figure) == Standing::Over).then(|| {
                let budget = row.budget.unwrap_or_default();
                format!("{} is {figure}, above its budget of {budget}", row.name)
            })
        })
        .collect()
    }

    /// For people: the figures beside budgets and peers, then all that was printed.
    pub fn table(&self) -> String {
        let mut lines = vec![
            [
                "",
                "figure",
                "budget",
                "goal",
                "Linux",
                "seL4",
                "instructions for",
            ]
            .map(str::to_owned),
        ];
        for row in self.group.rows {
            let measured = row.figure(&self.samples);
            let standing = match measured.map(|figure| row.standing(figure)) {
                Some(Standing::Explained) => " (over, explained)",
                Some(Standing::Over) => " (OVER)",
                Some(Standing::Within) | None => "",
            };
            lines.push([
                row.name.to_owned(),
                measured.map_or("not measured".into(), thousands),
                number(row.budget),
                number(row.goal),
                number(row.linux),
                number(row.sel4),
                format!("{}{standing}", row.what),
            ]);
        }
        let mut text = aligned(&lines);
        text.push('\n');
        let mut lines = vec![["as printed", "CPUs", "least", "median", "99 %"].map(str::to_owned)];
        for (cpus, samples) in &self.samples {
            for (name, sample) in samples {
                lines.push([
                    name.clone(),
                    cpus.to_string(),
                    thousands(sample.least),
                    thousands(sample.median),
                    thousands(sample.late),
                ]);
            }
        }
        text.push_str(&aligned(&lines));
        text
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let rows = self.group.rows.iter().filter_map(|row| {
            let figure = row.figure(&self.samples)?;
            Some(json!({
                "name": row.name, "what": row.what, "figure": figure, "budget": row.budget, "goal": row.goal,
                "linux": row.linux, "sel4": row.sel4, "fits": row.standing(figure) == Standing::Within,
                "explained": row.standing(figure) == Standing::Explained,
            }))
        });
        let printed = self.samples.iter().flat_map(|(cpus, samples)| {
            samples.iter().map(move |(name, sample)| {
                json!({"name": name, "cpus": cpus, "least": sample.least, "median": sample.median, "p99": sample.late})
            })
        });
        json!({
            "group": self.group.name,
            "figures": rows.collect::<Vec<_>>(),
            "printed": printed.collect::<Vec<_>>(),
        })
    }
}

fn number(value: Option<u64>) -> String {
    value.map_or("-".into(), thousands)
}

/// A number with commas.
fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index != 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Columns: the first, and the last of a wide table, to the left, numbers to the right.
fn aligned<const N: usize>(lines: &[[String; N]]) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max();
    let mut text = String::new();
    for line in lines {
        for (column, cell) in line.iter().enumerate() {
            let width = width(column).unwrap_or(0);
            // Writing to a string cannot fail.
            let _ = match column {
                0 => write!(text, "{cell:width$}"),
                6 => write!(text, "  {cell}"),
                _ => write!(text, "  {cell:>width$}"),
            };
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Measured, read, thousands};
    use crate::bench::figures::{GROUPS, Sample};
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    proptest! {
        #[test]
        fn figures_are_read_from_among_other_lines(
            boot in any::<u64>(), least in any::<u64>(), median in any::<u64>(), late in any::<u64>(), noise in "[a-z0-9 \n]{0,40}"
        ) {
            let log = format!(
                "{noise}\n[ 0.1] cpu0 INFO  power: boot cost {boot} ticks from kernel entry\n{noise}\n\
                 [    0.089] cpu1 INFO  bench: map-1 {least} {median} {late}\n{noise}\n[ 0.2] cpu0 INFO  bench: map-1 is not a figure"
            );
            let figures = read(&log);
            prop_assert_eq!(figures.get("boot"), Some(&Sample { least: boot, median: boot, late: boot }));
            prop_assert_eq!(figures.get("map-1"), Some(&Sample { least, median, late }));
            prop_assert_eq!(figures.len(), 2);
            prop_assert!(read(&noise).is_empty());
        }

        #[test]
        fn commas_change_no_number(value in any::<u64>()) {
            let text = thousands(value);
            prop_assert_eq!(text.replace(',', ""), value.to_string());
            prop_assert!(text.split(',').skip(1).all(|group| group.len() == 3));
        }
    }

    #[test]
    fn a_figure_above_its_budget_is_a_failure_and_one_that_lacks_is_not() {
        let group = GROUPS.iter().find(|group| group.name == "vm").unwrap();
        let at = |fault: u64| Measured {
            group,
            samples: [(1, read(&format!("bench: fault {fault} 9999 99999")))].into(),
        };
        let budget = group.rows[0].budget.unwrap();
        assert_eq!(at(budget).failures(), [""; 0]);
        let above = at(budget + 1);
        assert_eq!(above.failures().len(), 1);
        assert!(above.failures()[0].starts_with("fault is "));
        assert!(above.table().contains("not measured"));
        let json = above.json();
        assert_eq!(json["figures"][0]["figure"], budget + 1);
        assert_eq!(json["figures"][0]["fits"], false);
        assert_eq!(json["printed"][0]["median"], 9999);
        assert_eq!(json["printed"][0]["p99"], 99999);
    }
}
