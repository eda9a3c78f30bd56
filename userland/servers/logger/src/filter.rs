//! Which records are kept, and which are shown.

use alloc::string::String;
use alloc::vec::Vec;

use abi::log::Record;
use protocols::Fault;
use protocols::logger::{Level, Select};

/// The most areas with a level of their own. With areas as long as they may be, all of them fit in an answer.
pub const AREAS_MAX: usize = 8;
/// The longest name of an area, in bytes: that of a target.
pub const AREA_MAX: usize = 48;

/// The protocol's word for a level.
pub fn level(level: abi::log::Level) -> Level {
    match level {
        abi::log::Level::Error => Level::Error,
        abi::log::Level::Warn => Level::Warn,
        abi::log::Level::Info => Level::Info,
        abi::log::Level::Debug => Level::Debug,
        abi::log::Level::Trace => Level::Trace,
    }
}

/// Whether a record is among those that somebody wants to see. What tells of lost records always is.
pub fn is_selected(select: &Select, record: &Record<'_>) -> bool {
    let is_lost = record.head.flags & crate::store::LOST != 0;
    is_lost
        || level(record.head.level) <= select.level
            && record.target.starts_with(select.area.as_bytes())
}

/// The levels that are kept, by the begin of the area's name; the longest one counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    others: Level,
    areas: Vec<(String, Level)>,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            others: Level::Trace,
            areas: Vec::new(),
        }
    }
}

impl Filter {
    /// From now on keeps this level, and more important ones, of areas that begin so.
    ///
    /// # Errors
    /// `InvalidArgument` for a name that no area has; `NoRoom` when there are too many.
    pub fn set(&mut self, select: &Select) -> Result<(), Fault> {
        if select.area.is_empty() {
            self.others = select.level;
            return Ok(());
        }
        if select.area.len() > AREA_MAX {
            return Err(Fault::InvalidArgument);
        }
        if let Some(known) = self.areas.iter_mut().find(|(area, _)| *area == select.area) {
            known.1 = select.level;
            return Ok(());
        }
        if self.areas.len() >= AREAS_MAX {
            return Err(Fault::NoRoom);
        }
        self.areas.try_reserve(1).map_err(|_| Fault::OutOfMemory)?;
        let mut area = String::new();
        area.try_reserve_exact(select.area.len())
            .map_err(|_| Fault::OutOfMemory)?;
        area.push_str(&select.area);
        self.areas.push((area, select.level));
        Ok(())
    }

    /// Whether a record is kept.
    pub fn keeps(&self, record: &Record<'_>) -> bool {
        let covering = self
            .areas
            .iter()
            .filter(|(area, _)| record.target.starts_with(area.as_bytes()));
        let longest = covering.max_by_key(|(area, _)| area.len());
        level(record.head.level) <= longest.map_or(self.others, |(_, level)| *level)
    }

    /// All of it: the level of all others first, with an empty name.
    pub fn list(&self) -> Vec<(String, Level)> {
        let mut list = Vec::with_capacity(self.areas.len().saturating_add(1));
        list.push((String::new(), self.others));
        list.extend(self.areas.iter().cloned());
        list
    }
}
