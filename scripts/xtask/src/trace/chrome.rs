//! The timeline as JSON, in the format of Chrome's trace viewer, which Perfetto reads too.
//!
//! Source: "Trace Event Format", the document of the Chromium project that defines it. Times are microseconds; a track is a pair of
//! process and thread numbers, for which the processors stand as threads of a process of their own.

use serde_json::{Map, Value, json};

use super::timeline::{Item, Timeline, Track, What};

/// The process whose threads the processors are.
pub const PROCESSORS: u64 = 1;
/// The process of the kernel's own threads.
const KERNEL: u64 = 2;
/// What is added to the number of a process, and to that of a thread, lest they be those of others.
const OFFSET: u64 = 1000;

/// Writes the timeline down.
pub fn document(timeline: &Timeline) -> Value {
    let mut events = names(timeline);
    events.extend(timeline.items.iter().map(|item| event(timeline, item)));
    json!({
        "displayTimeUnit": "ns",
        "otherData": {"system": "jsix", "lost events": timeline.lost},
        "traceEvents": events,
    })
}

/// Process and thread number of a track.
fn numbers(timeline: &Timeline, track: Track) -> (u64, u64) {
    match track {
        Track::Processor(index) => (PROCESSORS, u64::from(index) + 1),
        Track::Thread(thread) => {
            let known = timeline.known.get(&thread);
            let process = match known.map_or(0, |known| known.process) {
                0 => KERNEL,
                process => OFFSET + process,
            };
            (process, OFFSET + thread)
        }
    }
}

/// The events that name the tracks.
fn names(timeline: &Timeline) -> Vec<Value> {
    let name = |kind: &str, (process, thread): (u64, u64), name: &str| json!({"ph": "M", "name": kind, "pid": process, "tid": thread, "args": {"name": name}});
    let mut events = vec![
        name("process_name", (PROCESSORS, 0), "processors"),
        name("process_name", (KERNEL, 0), "kernel"),
    ];
    for &index in &timeline.processors {
        let place = numbers(timeline, Track::Processor(index));
        events.push(name("thread_name", place, &format!("processor {index}")));
    }
    for (&thread, known) in &timeline.known {
        let place = numbers(timeline, Track::Thread(thread));
        if known.process != 0 {
            let label = format!("{} (process {})", known.name, known.process);
            events.push(name("process_name", (place.0, 0), &label));
        }
        events.push(name("thread_name", place, &timeline.label(thread)));
    }
    events
}

fn event(timeline: &Timeline, item: &Item) -> Value {
    let (process, thread) = numbers(timeline, item.track);
    let mut event = json!({"pid": process, "tid": thread, "ts": item.time_ns as f64 / 1000.0});
    let mut set = |key: &str, value: Value| event[key] = value;
    match &item.what {
        What::Begin(name, more) => {
            set("ph", "B".into());
            set("name", name.as_str().into());
            set("args", arguments(more));
        }
        What::End(more) => {
            set("ph", "E".into());
            set("args", arguments(more));
        }
        What::Instant(kind, name, more) => {
            set("ph", "i".into());
            // The mark is as high as the track.
            set("s", "t".into());
            set("cat", (*kind).into());
            set("name", name.as_str().into());
            set("args", arguments(more));
        }
        What::FlowStart(kind, number) | What::FlowEnd(kind, number) => {
            set("ph", "s".into());
            set("cat", (*kind).into());
            set("name", (*kind).into());
            set("id", (*number).into());
            if matches!(item.what, What::FlowEnd(..)) {
                set("ph", "f".into());
                // It ends in the slice around it, not in the next one.
                set("bp", "e".into());
            }
        }
    }
    event
}

fn arguments(more: &[(&'static str, String)]) -> Value {
    let pairs = more
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.as_str().into()));
    Value::Object(pairs.collect::<Map<String, Value>>())
}
