//! What the machine sent, decoded: the events of each processor, in their order.

use std::collections::BTreeMap;

use ktrace::{Event, Kind, MAGIC};

/// How a line of the console begins that holds a piece of a trace.
pub const OPEN: &str = "{{{trace:";
const CLOSE: &str = "}}}";

/// The events of one processor, the oldest first.
#[derive(Debug, Default)]
pub struct Processor {
    /// How many older events were overwritten.
    pub lost: u64,
    /// The others.
    pub events: Vec<Event>,
    /// What it was given last, which may be older than all of them.
    pub last: Option<Event>,
}

/// A decoded trace: the processors by their index.
#[derive(Debug, Default)]
pub struct Recording {
    /// By their index.
    pub processors: BTreeMap<u32, Processor>,
    /// When it was written.
    pub end_ns: u64,
}

impl Recording {
    /// Decodes the bytes of the port or the text of a console.
    ///
    /// # Errors
    /// A sentence: there is no trace, or it is damaged.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let bytes = from_lines(bytes)?.unwrap_or_else(|| bytes.to_vec());
        let start = bytes
            .windows(MAGIC.len())
            .position(|window| window == MAGIC)
            .ok_or("this kernel sent no trace")?;
        let mut rest = bytes.get(start + MAGIC.len()..).unwrap_or_default();
        let mut recording = Self::default();
        let mut current = None;
        loop {
            let at = bytes.len() - rest.len();
            let event = ktrace::decode(&mut rest)
                .map_err(|damage| format!("the trace is damaged at byte {at}: {damage}"))?;
            match (event.kind, current.as_mut()) {
                (Kind::End, _) => break recording.end_ns = event.time_ns,
                (Kind::Processor, _) => {
                    let index = u32::from(event.detail);
                    let fresh = Processor {
                        lost: event.words[0],
                        ..Processor::default()
                    };
                    recording.processors.insert(index, fresh);
                    current = Some(index);
                }
                (_, Some(index)) => {
                    let Some(processor) = recording.processors.get_mut(index) else {
                        continue;
                    };
                    // The first of all is one of these, too.
                    if event.kind == Kind::Running && !processor.events.is_empty() {
                        processor.last = Some(event);
                    } else {
                        processor.events.push(event);
                    }
                }
                (_, None) => return Err("the trace has events of no processor".into()),
            }
        }
        Ok(recording)
    }
}

/// The bytes in the lines of a console's text; none if there are no such lines.
fn from_lines(text: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let text = String::from_utf8_lossy(text);
    let mut bytes = None;
    for line in text.lines() {
        let Some((_, rest)) = line.split_once(OPEN) else {
            continue;
        };
        let digits = rest
            .split_once(CLOSE)
            .and_then(|(digits, _)| from_hex(digits));
        let more = digits.ok_or_else(|| format!("a line of the trace is damaged: {line}"))?;
        bytes.get_or_insert_with(Vec::new).extend(more);
    }
    Ok(bytes)
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            let pair = std::str::from_utf8(pair)
                .ok()
                .filter(|pair| pair.len() == 2)?;
            u8::from_str_radix(pair, 16).ok()
        })
        .collect()
}
