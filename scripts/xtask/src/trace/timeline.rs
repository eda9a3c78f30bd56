//! What processors and threads did when, told from the events of all processors in the order of their times.
//!
//! Nothing is taken for true that the events do not say: a processor has a slice from the first event on that says what it runs, a thread
//! from the first that says whether it runs, can run or waits. Where a ring has lost its older events, all begin when the last of
//! them begins. No input makes a slice that is not closed, or a flow without its end.

mod events;

use std::collections::{BTreeMap, BTreeSet};

use ktrace::{Event, Kind};

use super::recording::Recording;

/// Who does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Track {
    /// A processor: what it runs.
    Processor(u32),
    /// A thread: its states, and in them its system calls.
    Thread(u64),
}

/// What somebody does, at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A slice begins: its name, and more about it.
    Begin(String, Vec<(&'static str, String)>),
    /// The innermost slice ends; more about it.
    End(Vec<(&'static str, String)>),
    /// It happens at once: kind, name, more.
    Instant(&'static str, String, Vec<(&'static str, String)>),
    /// A flow begins in the innermost slice: its kind and number.
    FlowStart(&'static str, usize),
    /// It ends in the innermost slice.
    FlowEnd(&'static str, usize),
}

/// One entry of the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// On the kernel's clock, in nanoseconds.
    pub time_ns: u64,
    /// Who.
    pub track: Track,
    /// What.
    pub what: What,
}

/// What is known of a thread by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The number of its process; 0: the kernel.
    pub process: u64,
    /// Its name.
    pub name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running(u32),
    Runnable,
    Waiting,
}

#[derive(Debug, Default)]
struct Thread {
    state: Option<State>,
    /// The system call that it is in.
    call: Option<u16>,
    /// Flows that end when it next runs.
    flows: Vec<(&'static str, usize)>,
}

/// What is next.
enum Entry<'a> {
    /// From here on it is known that the processor runs this thread.
    Opens(u64),
    Event(&'a Event),
}

/// The whole.
#[derive(Debug, Default)]
pub struct Timeline {
    /// In the order of their times, and so that slices of a track are nested.
    pub items: Vec<Item>,
    /// The processors.
    pub processors: BTreeSet<u32>,
    /// The threads that ran.
    pub known: BTreeMap<u64, Known>,
    /// Events that were overwritten before they could be written.
    pub lost: u64,
    now_ns: u64,
    /// What each processor runs.
    runs: BTreeMap<u32, u64>,
    threads: BTreeMap<u64, Thread>,
    flows: usize,
    /// The calls that wait for a server, by caller.
    queued: BTreeMap<u64, usize>,
}

impl Timeline {
    /// Tells it from what was recorded.
    pub fn new(recording: &Recording) -> Self {
        let mut timeline = Self {
            lost: recording
                .processors
                .values()
                .map(|processor| processor.lost)
                .sum(),
            ..Self::default()
        };
        let lossy = recording
            .processors
            .values()
            .filter(|processor| processor.lost != 0);
        let starts = lossy.filter_map(|processor| Some(processor.events.first()?.time_ns));
        let start_ns = starts.max().unwrap_or(0);
        let mut entries: Vec<(u64, u32, Entry<'_>)> = Vec::new();
        for (&index, processor) in &recording.processors {
            timeline.processors.insert(index);
            // What it was given last is older than all others, or one of them.
            let first_ns = processor
                .events
                .first()
                .map_or(u64::MAX, |event| event.time_ns);
            let last = processor.last.iter().filter(|last| last.time_ns < first_ns);
            let all = last.chain(&processor.events);
            timeline.know(all.clone());
            let (before, after): (Vec<&Event>, Vec<&Event>) =
                all.partition(|event| event.time_ns < start_ns);
            if let Some(thread) = runs_first(&before, &after) {
                let first = before.is_empty().then(|| after.first()).flatten();
                let since = first.map_or(start_ns, |first| first.time_ns);
                entries.push((since, index, Entry::Opens(thread)));
            }
            let after = after.into_iter();
            entries.extend(after.map(|event| (event.time_ns, index, Entry::Event(event))));
        }
        // Stable: the events of a processor stay in their order.
        entries.sort_by_key(|(time_ns, ..)| *time_ns);
        for (time_ns, index, entry) in entries {
            timeline.now_ns = time_ns;
            match entry {
                Entry::Opens(thread) => timeline.run(index, thread),
                Entry::Event(event) => timeline.event(index, event),
            }
        }
        timeline.close(recording.end_ns.max(timeline.now_ns));
        timeline.drop_loose_ends();
        timeline
    }

    /// Notes names, and who belongs to which process.
    fn know<'a>(&mut self, events: impl Iterator<Item = &'a Event>) {
        for event in events {
            if matches!(event.kind, Kind::Switch | Kind::Running) {
                let name: Vec<u8> = event.name().collect();
                let known = Known {
                    process: event.words[1],
                    name: String::from_utf8_lossy(&name).into_owned(),
                };
                self.known.insert(thread_of(event.words[0]), known);
            }
        }
    }

    /// Forgets flows that came to nobody.
    fn drop_loose_ends(&mut self) {
        let ended: BTreeSet<usize> = self
            .items
            .iter()
            .filter_map(|item| match item.what {
                What::FlowEnd(_, number) => Some(number),
                _ => None,
            })
            .collect();
        self.items.retain(|item| match item.what {
            What::FlowStart(_, number) => ended.contains(&number),
            _ => true,
        });
    }

    fn put(&mut self, track: Track, what: What) {
        self.items.push(Item {
            time_ns: self.now_ns,
            track,
            what,
        });
    }

    fn instant(
        &mut self,
        track: Track,
        kind: &'static str,
        name: String,
        more: Vec<(&'static str, String)>,
    ) {
        self.put(track, What::Instant(kind, name, more));
    }

    /// Whether it is the thread that a processor runs when it has nothing to do: what it does is on the processor's track alone.
    fn is_idle(&self, thread: u64) -> bool {
        let known = self.known.get(&thread);
        known.is_some_and(|known| known.process == 0 && known.name == "idle")
    }

    /// How a thread is called.
    pub fn label(&self, thread: u64) -> String {
        match self.known.get(&thread) {
            Some(known) if known.process != 0 => format!("{}/{thread}", known.name),
            Some(known) if !known.name.is_empty() => known.name.clone(),
            _ => format!("thread {thread}"),
        }
    }

    /// A processor begins to run a thread.
    fn run(&mut self, index: u32, thread: u64) {
        self.runs.insert(index, thread);
        let more = vec![("thread", thread.to_string())];
        let label = self.label(thread);
        self.put(Track::Processor(index), What::Begin(label, more));
        self.set_state(thread, Some(State::Running(index)));
        let flows = self
            .threads
            .get_mut(&thread)
            .map(|thread| std::mem::take(&mut thread.flows));
        for (kind, number) in flows.unwrap_or_default() {
            self.put(Track::Thread(thread), What::FlowEnd(kind, number));
        }
    }

    fn set_state(&mut self, thread: u64, state: Option<State>) {
        if self.is_idle(thread) {
            return;
        }
        let track = Track::Thread(thread);
        let known = self.threads.entry(thread).or_default();
        let old = std::mem::replace(&mut known.state, state);
        if old == state {
            return;
        }
        if old.is_some() {
            self.put(track, What::End(Vec::new()));
        }
        if let Some(state) = state {
            let (name, more) = match state {
                State::Running(index) => ("running", vec![("processor", index.to_string())]),
                State::Runnable => ("runnable", Vec::new()),
                State::Waiting => ("waiting", Vec::new()),
            };
            self.put(track, What::Begin(name.into(), more));
        }
    }

    fn state(&self, thread: u64) -> Option<State> {
        self.threads.get(&thread)?.state
    }

    /// The innermost slice on whose track something of the thread that runs on a processor is to be shown.
    fn place(&self, index: u32, thread: u64) -> Track {
        match self.state(thread) {
            Some(_) => Track::Thread(thread),
            None => Track::Processor(index),
        }
    }

    /// Something goes from the thread that runs on a processor to another thread, which sees it when it next runs.
    fn flow(&mut self, kind: &'static str, index: u32, from: u64, to: u64) {
        let place = self.place(index, from);
        let is_open = match place {
            Track::Thread(_) => true,
            Track::Processor(index) => self.runs.contains_key(&index),
        };
        if is_open && !self.is_idle(to) {
            self.flows += 1;
            self.put(place, What::FlowStart(kind, self.flows));
            self.arrive(kind, self.flows, to);
        }
    }

    fn arrive(&mut self, kind: &'static str, number: usize, to: u64) {
        if matches!(self.state(to), Some(State::Running(_))) {
            self.put(Track::Thread(to), What::FlowEnd(kind, number));
        } else {
            self.threads
                .entry(to)
                .or_default()
                .flows
                .push((kind, number));
        }
    }

    /// Ends what has not ended.
    fn close(&mut self, end_ns: u64) {
        self.now_ns = end_ns;
        for (index, _) in std::mem::take(&mut self.runs) {
            self.put(Track::Processor(index), What::End(Vec::new()));
        }
        let threads: Vec<u64> = self.threads.keys().copied().collect();
        for thread in threads {
            self.set_state(thread, None);
            self.leave_call(thread, Vec::new());
        }
    }
}

/// The number of a thread as far as events keep it.
fn thread_of(word: u64) -> u64 {
    word & Event::THREAD_MAX
}

/// What a processor runs at the begin of its events: what it was given last before, or what the first of them says.
fn runs_first(before: &[&Event], after: &[&Event]) -> Option<u64> {
    let is_given = |event: &&&Event| matches!(event.kind, Kind::Switch | Kind::Running);
    let given = before
        .iter()
        .filter(is_given)
        .max_by_key(|event| event.time_ns);
    match (given, after.first()) {
        (Some(event), _) => Some(thread_of(event.words[0])),
        (None, Some(event)) if event.kind == Kind::Running => Some(thread_of(event.words[0])),
        (None, Some(event)) => Some(event.thread),
        (None, None) => None,
    }
}
