//! Which records are made: the `log=` option of the kernel command line.
//!
//! `log=debug` sets the level for all; `log=info,sched=debug,kmem=off` also sets it for some
//! targets and what is below them (`sched` covers `sched::timer`). The longest match decides.

use core::fmt;
use log::{Level, LevelFilter};

/// The most targets with a level of their own.
const MAX_RULES: usize = 16;

/// A part of the option that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilterError<'a> {
    /// It is no level.
    UnknownLevel(&'a str),
    /// It has a level but no target.
    NoTarget(&'a str),
    /// There are more than 16 targets.
    TooMany(&'a str),
}

impl fmt::Display for FilterError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownLevel(part) => write!(
                f,
                "log option '{part}' names no level; use off, error, warn, info, debug or trace"
            ),
            Self::NoTarget(part) => {
                write!(
                    f,
                    "log option '{part}' names no target; write target=level, or the level alone"
                )
            }
            Self::TooMany(part) => write!(
                f,
                "log option '{part}' is one too many; give at most {MAX_RULES} targets"
            ),
        }
    }
}

impl core::error::Error for FilterError<'_> {}

/// The levels that are wanted, by target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter<'a> {
    default: LevelFilter,
    rules: [(&'a str, LevelFilter); MAX_RULES],
    count: usize,
}

impl<'a> Filter<'a> {
    /// One level for all targets.
    pub const fn all(default: LevelFilter) -> Self {
        Self {
            default,
            rules: [("", LevelFilter::Off); MAX_RULES],
            count: 0,
        }
    }

    /// Reads the value of the option; what it does not say stays as in `base`. The parts that make
    /// sense are in the result even when others do not; of those, the first is returned.
    pub fn parse(text: &'a str, base: LevelFilter) -> (Self, Option<FilterError<'a>>) {
        let mut filter = Self::all(base);
        let mut error = None;
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            if let Err(reason) = filter.add(part) {
                error = error.or(Some(reason));
            }
        }
        (filter, error)
    }

    fn add(&mut self, part: &'a str) -> Result<(), FilterError<'a>> {
        let level = |name: &str| {
            name.trim()
                .parse()
                .map_err(|_| FilterError::UnknownLevel(part))
        };
        let Some((target, name)) = part.split_once('=') else {
            self.default = level(part)?;
            return Ok(());
        };
        let (target, level) = (target.trim(), level(name)?);
        if target.is_empty() {
            return Err(FilterError::NoTarget(part));
        }
        let known = self
            .rules
            .iter()
            .take(self.count)
            .position(|rule| rule.0 == target);
        let index = known.unwrap_or(self.count);
        let rule = self
            .rules
            .get_mut(index)
            .ok_or(FilterError::TooMany(part))?;
        *rule = (target, level);
        self.count = self.count.max(index.saturating_add(1));
        Ok(())
    }

    /// The level for `target`.
    pub fn level(&self, target: &str) -> LevelFilter {
        let covers = |rule: &str| {
            target
                .strip_prefix(rule)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        self.rules
            .iter()
            .take(self.count)
            .filter(|(rule, _)| covers(rule))
            .max_by_key(|(rule, _)| rule.len())
            .map_or(self.default, |(_, level)| *level)
    }

    /// Whether a record is wanted.
    pub fn enabled(&self, target: &str, level: Level) -> bool {
        level <= self.level(target)
    }

    /// The highest level that any target has, for `log::set_max_level`.
    pub fn max_level(&self) -> LevelFilter {
        let rules = self.rules.iter().take(self.count).map(|(_, level)| *level);
        rules.fold(self.default, Ord::max)
    }
}
