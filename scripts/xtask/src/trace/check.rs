//! Whether a trace can be true: what each reader of the format relies on, and what no machine could do.
//!
//! Works on the JSON alone, so that it says something about the file and not about the code that wrote it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::chrome::PROCESSORS;

/// A track: process and thread number.
type Place = (u64, u64);

/// What a trace holds.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Slices of each processor.
    pub processors: BTreeMap<u64, usize>,
    /// Slices of threads, by name.
    pub slices: BTreeMap<String, usize>,
    /// Flows by kind.
    pub flows: BTreeMap<String, usize>,
    /// Instants by kind.
    pub instants: BTreeMap<String, usize>,
    /// Events that the rings of the processors did not hold.
    pub lost: u64,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |map: &BTreeMap<String, usize>| map.values().sum::<usize>();
        write!(
            f,
            "trace of {} processors: {} slices of them, {} of threads, {} flows, {} instants",
            self.processors.len(),
            self.processors.values().sum::<usize>(),
            sum(&self.slices),
            sum(&self.flows),
            sum(&self.instants)
        )?;
        if self.lost != 0 {
            write!(f, "; {} older events were overwritten", self.lost)?;
        }
        Ok(())
    }
}

#[derive(Default)]
struct Checker {
    summary: Summary,
    open: BTreeMap<Place, Vec<String>>,
    /// What each processor runs, by the thread's number.
    runs: BTreeMap<u64, String>,
    started: BTreeMap<(String, u64), ()>,
    ended: BTreeSet<(String, u64)>,
    last_us: f64,
}

/// Checks a document; what it holds.
///
/// # Errors
/// A sentence that names the first event that is wrong.
pub fn check(document: &Value) -> Result<Summary, String> {
    let events = document["traceEvents"]
        .as_array()
        .ok_or("it has no list of events")?;
    let mut checker = Checker::default();
    for (at, event) in events.iter().enumerate() {
        checker
            .event(event)
            .map_err(|wrong| format!("event {at}: {wrong}: {event}"))?;
    }
    if let Some((place, _)) = checker.open.iter().find(|(_, open)| !open.is_empty()) {
        return Err(format!("a slice of track {place:?} does not end"));
    }
    if checker.started.len() != checker.ended.len() {
        return Err("a flow does not end".into());
    }
    checker.summary.lost = document["otherData"]["lost events"].as_u64().unwrap_or(0);
    Ok(checker.summary)
}

fn number(event: &Value, key: &str) -> Result<u64, String> {
    event[key]
        .as_u64()
        .ok_or_else(|| format!("'{key}' is no number"))
}

fn text(event: &Value, key: &str) -> Result<String, String> {
    let text = event[key].as_str().filter(|text| !text.is_empty());
    text.map(str::to_owned)
        .ok_or_else(|| format!("'{key}' is no text"))
}

impl Checker {
    fn event(&mut self, event: &Value) -> Result<(), String> {
        let place = (number(event, "pid")?, number(event, "tid")?);
        let phase = text(event, "ph")?;
        if phase == "M" {
            let name = text(&event["args"], "name")?;
            if text(event, "name")? == "thread_name" && place.0 == PROCESSORS {
                self.summary.processors.insert(place.1, 0);
                drop(name);
            }
            return Ok(());
        }
        let us = event["ts"].as_f64().ok_or("it has no time")?;
        if us < self.last_us {
            return Err(format!("it comes after one at {} us", self.last_us));
        }
        self.last_us = us;
        match phase.as_str() {
            "B" => self.begin(place, event),
            "E" => self.end(place),
            "i" => {
                text(event, "name")?;
                let scope = text(event, "s")?;
                if scope != "t" {
                    return Err("an instant of no track".into());
                }
                *self
                    .summary
                    .instants
                    .entry(text(event, "cat")?)
                    .or_default() += 1;
                Ok(())
            }
            "s" | "f" => self.flow(place, event, phase == "s"),
            _ => Err("a phase that is not written here".into()),
        }
    }

    fn begin(&mut self, place: Place, event: &Value) -> Result<(), String> {
        let name = text(event, "name")?;
        let open = self.open.entry(place).or_default();
        if place.0 == PROCESSORS {
            if let Some(other) = open.last() {
                return Err(format!("the processor runs '{other}' at the same time"));
            }
            let thread = text(&event["args"], "thread")?;
            if let Some((other, _)) = self.runs.iter().find(|(_, runs)| **runs == thread) {
                return Err(format!(
                    "thread {thread} runs on processor {} already",
                    other - 1
                ));
            }
            self.runs.insert(place.1, thread);
            let count = self.summary.processors.get_mut(&place.1);
            *count.ok_or("a processor without a name")? += 1;
        } else {
            *self.summary.slices.entry(name.clone()).or_default() += 1;
        }
        open.push(name);
        Ok(())
    }

    fn end(&mut self, place: Place) -> Result<(), String> {
        if place.0 == PROCESSORS {
            self.runs.remove(&place.1);
        }
        let closed = self.open.get_mut(&place).and_then(Vec::pop);
        closed.map(drop).ok_or_else(|| "no slice is open".into())
    }

    fn flow(&mut self, place: Place, event: &Value, is_start: bool) -> Result<(), String> {
        if self.open.get(&place).is_none_or(Vec::is_empty) {
            return Err("a flow outside of any slice".into());
        }
        let kind = text(event, "cat")?;
        let key = (kind.clone(), number(event, "id")?);
        if is_start {
            *self.summary.flows.entry(kind).or_default() += 1;
            return match self.started.insert(key, ()) {
                None => Ok(()),
                Some(()) => Err("the flow began before".into()),
            };
        }
        if text(event, "bp")? != "e" {
            return Err("the flow ends in the next slice".into());
        }
        if !self.started.contains_key(&key) {
            return Err("the flow did not begin".into());
        }
        if !self.ended.insert(key) {
            return Err("the flow ended before".into());
        }
        Ok(())
    }
}
