//! A piece of a trace as a picture: processors above, threads below, time from left to right.
//!
//! Drawn from the JSON document, which has been checked. What is narrower than a pixel's part is left out, so that the picture
//! of a long piece stays small.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use super::chrome::PROCESSORS;

/// Which piece is drawn.
#[derive(Debug, Default, Clone, Copy)]
pub struct Window {
    /// Where it begins, in microseconds; if not given, shortly before the first message from thread to thread.
    pub start_us: Option<f64>,
    /// How long it is, in microseconds; if not given, as long as about [`SLICES`] slices of processors.
    pub len_us: Option<f64>,
}

/// How many slices of processors a piece has whose length is not given.
const SLICES: usize = 60;
/// What is narrower is left out.
const NARROW: f64 = 0.3;
/// The most threads that are drawn, those that ran most in the piece.
const THREADS: usize = 12;

const WIDTH: f64 = 1200.0;
const LEFT: f64 = 130.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 34.0;
const LANE: f64 = 24.0;
const BAR: f64 = 18.0;
/// A character of a label is about this wide.
const CHARACTER: f64 = 5.6;

/// Fill colours of what is drawn by name.
const RUNNING: &str = "#4c9f70";
const RUNNABLE: &str = "#e0a030";
const WAITING: &str = "#d5d9de";
/// Those of threads on processors, by turns.
const PALETTE: [&str; 8] = [
    "#6a8fd8", "#d8836a", "#5fae9c", "#b980c9", "#c9b045", "#7fa650", "#d07fa0", "#8a8fa8",
];

type Place = (u64, u64);

struct Slice {
    place: Place,
    name: String,
    start_us: f64,
    end_us: f64,
    depth: usize,
}

struct Arrow {
    kind: String,
    from: (Place, f64),
    to: (Place, f64),
}

#[derive(Default)]
struct Scene {
    names: BTreeMap<Place, String>,
    slices: Vec<Slice>,
    arrows: Vec<Arrow>,
    /// Instants: where, when, kind.
    instants: Vec<(Place, f64, String)>,
}

impl Scene {
    fn read(document: &Value) -> Self {
        let mut scene = Self::default();
        let mut open: BTreeMap<Place, Vec<(String, f64)>> = BTreeMap::new();
        let mut started: BTreeMap<u64, (Place, f64)> = BTreeMap::new();
        for event in document["traceEvents"].as_array().into_iter().flatten() {
            let number = |key: &str| event[key].as_u64().unwrap_or(0);
            let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
            let place = (number("pid"), number("tid"));
            let us = event["ts"].as_f64().unwrap_or(0.0);
            match event["ph"].as_str() {
                Some("M") if event["name"] == "thread_name" => {
                    scene.names.insert(place, text(&event["args"]["name"]));
                }
                Some("B") => open
                    .entry(place)
                    .or_default()
                    .push((text(&event["name"]), us)),
                Some("E") => {
                    let open = open.entry(place).or_default();
                    if let Some((name, start_us)) = open.pop() {
                        let depth = open.len();
                        scene.slices.push(Slice {
                            place,
                            name,
                            start_us,
                            end_us: us,
                            depth,
                        });
                    }
                }
                Some("i") => scene.instants.push((place, us, text(&event["cat"]))),
                Some("s") => {
                    started.insert(number("id"), (place, us));
                }
                Some("f") => {
                    if let Some(from) = started.remove(&number("id")) {
                        let kind = text(&event["cat"]);
                        scene.arrows.push(Arrow {
                            kind,
                            from,
                            to: (place, us),
                        });
                    }
                }
                _ => {}
            }
        }
        scene
    }

    /// Begin and end of the piece.
    fn window(&self, window: Window) -> Option<(f64, f64)> {
        let of_processors = self
            .slices
            .iter()
            .filter(|slice| slice.place.0 == PROCESSORS);
        let first_call = self.arrows.iter().filter(|arrow| arrow.kind == "call");
        let first_call = first_call.map(|arrow| arrow.from.1).reduce(f64::min);
        let begin = of_processors
            .clone()
            .map(|slice| slice.start_us)
            .reduce(f64::min)?;
        let start = window
            .start_us
            .or(first_call.map(|us| us - 10.0))
            .unwrap_or(begin);
        let mut ends: Vec<f64> = of_processors
            .map(|slice| slice.end_us)
            .filter(|&us| us > start)
            .collect();
        ends.sort_by(f64::total_cmp);
        let end = ends.get(SLICES).or(ends.last()).copied()?;
        let end = window.len_us.map_or(end, |len_us| start + len_us);
        (end > start).then_some((start, end))
    }

    /// The tracks to draw, from top to bottom.
    fn lanes(&self, (start, end): (f64, f64)) -> Vec<Place> {
        let mut ran: BTreeMap<Place, f64> = BTreeMap::new();
        for slice in &self.slices {
            let len = slice.end_us.min(end) - slice.start_us.max(start);
            if len > 0.0 && slice.name == "running" {
                *ran.entry(slice.place).or_default() += len;
            }
        }
        let mut threads: Vec<(Place, f64)> = ran.into_iter().collect();
        threads.sort_by(|a, b| b.1.total_cmp(&a.1));
        threads.truncate(THREADS);
        let mut threads: Vec<Place> = threads.into_iter().map(|(place, _)| place).collect();
        threads.sort_unstable();
        let processors = self
            .names
            .keys()
            .filter(|place| place.0 == PROCESSORS && place.1 != 0);
        processors.copied().chain(threads).collect()
    }
}

/// Draws a piece of a checked document.
///
/// # Errors
/// A sentence: there is nothing to draw there.
pub fn draw(document: &Value, window: Window) -> Result<String, String> {
    let scene = Scene::read(document);
    let (start, end) = scene
        .window(window)
        .ok_or("there is nothing to draw in this trace")?;
    let lanes = scene.lanes((start, end));
    let x =
        |us: f64| LEFT + (us.clamp(start, end) - start) / (end - start) * (WIDTH - LEFT - RIGHT);
    let is_shown = |from: f64, to: f64| to >= start && from <= end;
    let lane = |place: Place| lanes.iter().position(|&lane| lane == place);
    let y = |at: usize| TOP + at as f64 * LANE;
    let height = y(lanes.len()) + 40.0;
    let mut out = String::new();
    let mut put = |line: String| {
        out.push_str(&line);
        out.push('\n');
    };
    put(format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="10">"#
    ));
    put(format!(
        r##"<rect width="{WIDTH}" height="{height}" fill="#fff"/>"##
    ));
    for tick in 0..=10 {
        let us = start + (end - start) * f64::from(tick) / 10.0;
        let (at, bottom) = (x(us), y(lanes.len()));
        put(format!(
            r##"<path d="M{at:.1} {TOP}V{bottom}" stroke="#eee"/>"##
        ));
        put(format!(
            r##"<text x="{at:.1}" y="22" text-anchor="middle" fill="#555">{:.0} µs</text>"##,
            us - start
        ));
    }
    for (at, place) in lanes.iter().enumerate() {
        let name = scene.names.get(place).map_or("", String::as_str);
        put(format!(
            r#"<text x="4" y="{:.1}">{}</text>"#,
            y(at) + 13.0,
            escape(name)
        ));
    }
    for slice in scene
        .slices
        .iter()
        .filter(|slice| is_shown(slice.start_us, slice.end_us))
    {
        let Some(at) = lane(slice.place) else {
            continue;
        };
        let (left, right) = (x(slice.start_us), x(slice.end_us));
        let width = right - left;
        if width < NARROW {
            continue;
        }
        let is_processor = slice.place.0 == PROCESSORS;
        let is_call = slice.depth == 0 && !is_processor && state_colour(&slice.name).is_none();
        let (fill, top, bar) = match state_colour(&slice.name) {
            _ if is_processor && slice.name == "idle" => ("#f1f3f5", 0.0, BAR),
            _ if is_processor => (colour_of(&slice.name), 0.0, BAR),
            // A state, below the line of its system call.
            Some(colour) => (colour, 6.0, BAR - 6.0),
            None => ("#3b5b92", 0.0, 5.0),
        };
        put(format!(
            r##"<rect x="{left:.1}" y="{:.1}" width="{width:.1}" height="{bar}" fill="{fill}"><title>{} {:.1} µs</title></rect>"##,
            y(at) + top,
            escape(&slice.name),
            slice.end_us - slice.start_us,
        ));
        if !is_call && slice.name.len() as f64 * CHARACTER < width - 4.0 {
            let (x, y, name) = (left + 3.0, y(at) + 15.0, escape(&slice.name));
            put(format!(
                r##"<text x="{x:.1}" y="{y:.1}" font-size="9" fill="#222">{name}</text>"##
            ));
        }
    }
    for (place, us, kind) in scene
        .instants
        .iter()
        .filter(|(_, us, _)| is_shown(*us, *us))
    {
        let Some(at) = lane(*place) else { continue };
        let colour = if kind == "fault" {
            "#c0392b"
        } else {
            "#7f8c8d"
        };
        put(format!(
            r#"<path d="M{:.1} {:.1}v{BAR}" stroke="{colour}"/>"#,
            x(*us),
            y(at)
        ));
    }
    for arrow in scene
        .arrows
        .iter()
        .filter(|arrow| is_shown(arrow.from.1, arrow.to.1))
    {
        let (Some(from), Some(to)) = (lane(arrow.from.0), lane(arrow.to.0)) else {
            continue;
        };
        let colour = match arrow.kind.as_str() {
            "call" => "#2255cc",
            "reply" => "#118844",
            "refusal" => "#c0392b",
            _ => "#999999",
        };
        let (x1, y1) = (x(arrow.from.1), y(from) + BAR / 2.0);
        let (x2, y2) = (x(arrow.to.1), y(to) + BAR / 2.0);
        put(format!(
            r#"<path d="M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}" stroke="{colour}"/><circle cx="{x2:.1}" cy="{y2:.1}" r="2" fill="{colour}"/>"#
        ));
    }
    put(legend(y(lanes.len()) + 12.0));
    out.push_str("</svg>\n");
    Ok(out)
}

fn legend(top: f64) -> String {
    let entries = [
        (RUNNING, "running"),
        (RUNNABLE, "runnable"),
        (WAITING, "waiting"),
        ("#3b5b92", "in a system call"),
        ("#2255cc", "message"),
        ("#118844", "answer"),
        ("#999999", "wake-up, interrupt"),
        ("#c0392b", "fault"),
    ];
    let mut out = String::new();
    for (at, (colour, name)) in entries.into_iter().enumerate() {
        let x = LEFT + at as f64 * 125.0;
        // Writing to a string never fails.
        let _ = write!(
            out,
            r##"<rect x="{x}" y="{top}" width="10" height="10" fill="{colour}"/><text x="{}" y="{}" fill="#333">{name}</text>"##,
            x + 14.0,
            top + 9.0
        );
    }
    out
}

fn state_colour(name: &str) -> Option<&'static str> {
    match name {
        "running" => Some(RUNNING),
        "runnable" => Some(RUNNABLE),
        "waiting" => Some(WAITING),
        _ => None,
    }
}

/// The colour of a thread on processors: always the same for the same name.
fn colour_of(name: &str) -> &'static str {
    let sum = name.bytes().fold(0_usize, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    });
    PALETTE.get(sum % PALETTE.len()).copied().unwrap_or(RUNNING)
}

fn escape(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            character if character.is_control() => out.push('?'),
            character => out.push(character),
        }
    }
    out
}
