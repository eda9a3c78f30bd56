//! `scripts/run --trace`: the kernel's trace lines as a JSON file for Perfetto or `chrome://tracing`.
//!
//! A trace line holds `{{{trace:<cpu>:<time_ns>:<phase>:<name>}}}`; phase is `B` for the begin of a
//! span, `E` for its end and `i` for an instant. The kernel is asked for them with `trace=1`.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::error::{Error, Result};

const OPEN: &str = "{{{trace:";
const CLOSE: &str = "}}}";

/// Writes the trace in `log` to `path`; an error if there is none.
pub fn write(path: &Path, log: &str) -> Result<usize> {
    let events: Vec<Value> = log.lines().filter_map(event).collect();
    if events.is_empty() {
        return Err(Error::Input(format!(
            "no trace written to {}: this kernel sends no trace lines",
            path.display()
        )));
    }
    let document = json!({"traceEvents": events, "displayTimeUnit": "ns"});
    fs::write(path, document.to_string()).map_err(Error::io("write", path))?;
    Ok(events.len())
}

fn event(line: &str) -> Option<Value> {
    let (_, rest) = line.split_once(OPEN)?;
    let (body, _) = rest.split_once(CLOSE)?;
    let mut parts = body.splitn(4, ':');
    let cpu: u32 = parts.next()?.parse().ok()?;
    let time_ns: u64 = parts.next()?.parse().ok()?;
    let phase = parts
        .next()
        .filter(|phase| ["B", "E", "i"].contains(phase))?;
    let name = parts.next()?;
    // Chrome's format counts in microseconds; a CPU is a thread of the one process.
    let mut event = json!({
        "name": name, "ph": phase, "ts": time_ns as f64 / 1000.0, "pid": 0, "tid": cpu,
    });
    if phase == "i" {
        event["s"] = json!("t");
    }
    Some(event)
}

#[cfg(test)]
mod tests {
    use super::{event, write};
    use proptest::prelude::{any, prop_assert_eq, proptest};

    proptest! {
        #[test]
        fn a_line_becomes_an_event(cpu in any::<u32>(), time_us in 0_u64..1 << 40, name in "[a-z:_ ]{1,12}") {
            let line = format!("noise {{{{{{trace:{cpu}:{}:B:{name}}}}}}}", time_us * 1000);
            let event = event(&line).unwrap();
            prop_assert_eq!(&event["name"], &name);
            prop_assert_eq!(&event["tid"], cpu);
            prop_assert_eq!(event["ts"].as_f64(), Some(time_us as f64));
        }

        #[test]
        fn other_lines_are_none(line in "[ -~]{0,60}") {
            prop_assert_eq!(event(&line), None);
        }
    }

    #[test]
    fn a_log_without_a_trace_is_an_error_and_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace.json");
        assert!(write(&path, "hello\n").is_err());
        assert!(!path.exists());
    }
}
