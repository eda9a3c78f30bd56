//! Tables whose columns are aligned.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use unicode_width::UnicodeWidthStr;

/// How a column is aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Texts.
    Left,
    /// Numbers.
    Right,
}

/// Rows of cells.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with a row of heads; `<` before one aligns its column to the left, anything else to the right.
    pub fn new(heads: &[&str]) -> Self {
        let align = |head: &&str| match head.starts_with('<') {
            true => Align::Left,
            false => Align::Right,
        };
        let names = heads.iter().map(|head| head.trim_start_matches('<').into());
        Self {
            columns: heads.iter().map(align).collect(),
            rows: Vec::from([names.collect()]),
        }
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [&dyn ToString; N]) {
        self.rows
            .push(cells.iter().map(|cell| cell.to_string()).collect());
    }

    /// Whether there is nothing but the heads.
    pub fn is_empty(&self) -> bool {
        self.rows.len() <= 1
    }

    /// The lines.
    pub fn lines(&self) -> Vec<String> {
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells.map(|cell| cell.width()).max().unwrap_or(0)
            })
            .collect();
        let line = |row: &Vec<String>| {
            let mut line = String::new();
            for ((cell, width), align) in row.iter().zip(&widths).zip(&self.columns) {
                if !line.is_empty() {
                    line.push_str("  ");
                }
                let blanks = width - cell.width();
                let blanks = core::iter::repeat_n(' ', blanks);
                match align {
                    Align::Left => {
                        line.push_str(cell);
                        line.extend(blanks);
                    }
                    Align::Right => {
                        line.extend(blanks);
                        line.push_str(cell);
                    }
                }
            }
            line.truncate(line.trim_end().len());
            line
        };
        self.rows.iter().map(line).collect()
    }
}

/// Names in columns, as many as fit in a width, filled from top to bottom.
pub fn columns(names: &[String], width: usize) -> Vec<String> {
    let widest = names.iter().map(|name| name.width()).max().unwrap_or(0) + 2;
    let count = ((width + 2) / widest).max(1);
    let rows = names.len().div_ceil(count);
    (0..rows)
        .map(|row| {
            let mut line = String::new();
            for name in names.iter().skip(row).step_by(rows) {
                let taken = line.width();
                let blanks = taken.div_ceil(widest) * widest - taken;
                line.extend(core::iter::repeat_n(' ', blanks));
                line.push_str(name);
                line.push_str("  ");
            }
            line.truncate(line.trim_end().len());
            line
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&["PID", "<NAME", "<STATE"]);
        table.row([&1, &"srv.init", &"runs"]);
        table.row([&1234, &"ä", &""]);
        assert_eq!(
            table.lines(),
            [" PID  NAME      STATE", "   1  srv.init  runs", "1234  ä"]
        );
        let names: Vec<String> = ["a", "bb", "ccc", "d", "e"].map(String::from).into();
        assert_eq!(columns(&names, 8), ["a    d", "bb   e", "ccc"]);
        assert_eq!(columns(&[], 8), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn all_names_are_shown(names in vec("[a-zä日]{1,12}", 0..40), width in 0..100usize) {
            let lines = columns(&names, width);
            let mut shown: Vec<&str> = lines.iter().flat_map(|line| line.split_whitespace()).collect();
            let mut all: Vec<&str> = names.iter().map(String::as_str).collect();
            shown.sort_unstable();
            all.sort_unstable();
            prop_assert_eq!(shown, all);
            let widest = names.iter().map(|name| name.width()).max().unwrap_or(0);
            prop_assert!(lines.iter().all(|line| line.width() <= width.max(widest)));
        }
    }
}
