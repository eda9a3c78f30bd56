use std::collections::BTreeMap;

use ktrace::{Event, Kind, MAGIC};
use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, proptest};
use serde_json::{Value, json};

use super::check::check;
use super::recording::Recording;
use super::{document, svg};

/// A trace as the machine sends it: for each processor how many events were lost, and the others.
fn bytes_of(processors: &[(u64, Vec<Event>)]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    let mut put = |event: &Event| ktrace::encode(event, |byte| bytes.push(byte));
    let mut end_ns = 0;
    for (index, (lost, events)) in processors.iter().enumerate() {
        put(&Event::new(0, Kind::Processor, index as u16, 0, [*lost]));
        for event in events {
            put(event);
            end_ns = end_ns.max(event.time_ns);
        }
    }
    put(&Event::new(end_ns, Kind::End, 0, 0, []));
    bytes
}

/// Events of any kind but those that frame a trace, with small numbers, so that they have to do with each other.
fn events() -> impl Strategy<Value = Vec<Event>> {
    let kind = 1..Kind::Processor as u8;
    let event = (
        0_u64..50,
        kind,
        0_u16..20,
        0_u64..5,
        prop::array::uniform6(0_u64..5),
    );
    prop::collection::vec(event, 0..40).prop_map(|mut events| {
        events.sort_by_key(|event| event.0);
        let whole = |(time_ns, kind, detail, thread, words)| Event {
            time_ns,
            kind: Kind::from_number(kind).expect("a kind"),
            detail,
            thread,
            words,
        };
        events.into_iter().map(whole).collect()
    })
}

/// What `check` says of a document whose processors may run one thread at a time, as events at random have it.
fn is_well_formed(document: &Value) -> Result<(), String> {
    match check(document) {
        Err(wrong) if wrong.contains("already") => Ok(()),
        other => other.map(drop),
    }
}

proptest! {
    #[test]
    fn whatever_is_recorded_the_document_is_well_formed(
        processors in prop::collection::vec((0_u64..2, events()), 0..4)
    ) {
        let recording = Recording::read(&bytes_of(&processors)).unwrap();
        let document = super::chrome::document(&super::timeline::Timeline::new(&recording));
        prop_assert_eq!(is_well_formed(&document), Ok(()));
        if let Ok(picture) = svg::draw(&document, svg::Window::default()) {
            prop_assert!(picture.ends_with("</svg>\n"));
        }
    }

    #[test]
    fn any_bytes_are_a_trace_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut whole = MAGIC.to_vec();
        whole.extend(bytes);
        let _ = document(&whole);
    }

    #[test]
    fn lines_of_a_console_are_the_same_trace(events in events(), noise in "[ -z]{0,20}") {
        let bytes = bytes_of(&[(0, events)]);
        let mut text = String::new();
        for piece in bytes.chunks(7) {
            let digits: String = piece.iter().map(|byte| format!("{byte:02x}")).collect();
            text.push_str(&format!("{noise}{{{{{{trace:{digits}}}}}}}\r\n{noise}\n"));
        }
        let read = |bytes: &[u8]| Recording::read(bytes).map(|recording| format!("{recording:?}"));
        prop_assert_eq!(read(text.as_bytes()), read(&bytes));
    }
}

/// A trace of two processors that a kernel recorded (`hello` at two processors, `trace-events=40`), as lines of its console.
const FIXTURE: &str = include_str!("fixture.txt");

#[test]
fn a_recorded_trace_has_what_it_must_have() {
    let document = document(FIXTURE.as_bytes()).unwrap();
    let summary = check(&document).unwrap();
    assert_eq!(summary.processors.len(), 2);
    assert!(
        summary.processors.values().all(|&slices| slices > 0),
        "{summary:?}"
    );
    assert!(summary.lost > 0);
    assert!(
        summary.slices.contains_key("system_log_write"),
        "{summary:?}"
    );
    let picture = svg::draw(&document, svg::Window::default()).unwrap();
    assert!(
        picture.contains("processor 1") && picture.contains("hello/"),
        "{picture}"
    );
    assert!(picture.len() < 100_000);
}

#[test]
fn a_log_without_a_trace_is_an_error_and_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trace.json");
    assert!(super::write(&path, b"hello\n").is_err());
    assert!(!path.exists());
    let damaged = FIXTURE.replacen("{{{trace:0", "{{{trace:x", 1);
    assert!(super::write(&path, damaged.as_bytes()).is_err());
    assert!(!path.exists());
}

/// A call from thread 7 to thread 8 on one processor, and its answer.
fn round_trip() -> Vec<Event> {
    let name = |event: Event, name: &str| event.with_name(name);
    vec![
        name(Event::new(0, Kind::Running, 0, 7, [7, 3]), "client"),
        Event::new(10, Kind::Call, 48, 7, [1, 2, 3]),
        Event::new(20, Kind::Deliver, 0, 7, [7, 8, 1, 2]),
        name(Event::new(20, Kind::Switch, 1 | 16, 7, [8, 4]), "server"),
        Event::new(30, Kind::Reply, 0, 8, [7, 1]),
        name(Event::new(30, Kind::Switch, 1 | 16, 8, [7, 3]), "client"),
        Event::new(40, Kind::Return, 48, 7, [0, 5]),
    ]
}

#[test]
fn a_call_and_its_answer_are_two_flows_and_nested_slices() {
    let document = document(&bytes_of(&[(0, round_trip())])).unwrap();
    let summary = check(&document).unwrap();
    let flows = BTreeMap::from([("call".to_owned(), 1), ("reply".to_owned(), 1)]);
    assert_eq!(summary.flows, flows);
    assert_eq!(summary.processors, BTreeMap::from([(1, 3)]));
    // Running, in the call again, and after it; the server waits in the end.
    assert_eq!(summary.slices["running"], 5);
    assert_eq!(summary.slices["waiting"], 2);
    let ends = document["traceEvents"].as_array().unwrap().iter();
    let mut ends = ends.filter(|event| event["ph"] == "E" && event["args"]["result"] == "0x5");
    assert_eq!(ends.next().unwrap()["ts"], 0.04);
}

/// What makes a sound document unsound, and how.
type Fault = (&'static str, fn(&mut Vec<Value>));

/// Each of these makes a sound document unsound.
#[test]
fn what_cannot_be_is_found() {
    let sound = document(&bytes_of(&[(0, round_trip()), (0, vec![])])).unwrap();
    let faults: [Fault; 7] = [
        ("an end is missing", |events| remove(events, "E")),
        ("a begin is missing", |events| remove(events, "B")),
        ("a flow has no end", |events| remove(events, "f")),
        ("a flow has no begin", |events| remove(events, "s")),
        ("times go back", |events| {
            events.last_mut().unwrap()["ts"] = json!(0.001)
        }),
        ("a thread is on two processors", |events| {
            let mut other = find(events, "B").clone();
            other["tid"] = json!(2);
            let at = events.iter().position(|event| event["ph"] == "B").unwrap();
            let mut end = other.clone();
            end["ph"] = json!("E");
            events.splice(at + 1..at + 1, [other, end]);
        }),
        ("slices of a processor overlap", |events| {
            let at = events.iter().position(|event| event["ph"] == "B").unwrap();
            let mut other = events[at].clone();
            other["args"]["thread"] = json!("99");
            let mut end = other.clone();
            end["ph"] = json!("E");
            events.splice(at + 1..at + 1, [other, end]);
        }),
    ];
    assert!(check(&sound).is_ok());
    for (name, fault) in faults {
        let mut broken = sound.clone();
        fault(broken["traceEvents"].as_array_mut().unwrap());
        assert!(check(&broken).is_err(), "not found: {name}");
    }
}

fn find<'a>(events: &'a [Value], phase: &str) -> &'a Value {
    events.iter().find(|event| event["ph"] == phase).unwrap()
}

fn remove(events: &mut Vec<Value>, phase: &str) {
    let at = events.iter().position(|event| event["ph"] == phase);
    events.remove(at.unwrap());
}
