//! What each kind of event says about processors and threads.

use ktrace::{Event, Kind, Left};

use super::{State, Timeline, Track, What, thread_of};

impl Timeline {
    /// Takes the next event, which a processor recorded.
    pub(super) fn event(&mut self, index: u32, event: &Event) {
        let words = event.words;
        let running = event.thread;
        let processor = Track::Processor(index);
        match event.kind {
            Kind::Switch => self.switch(index, event),
            Kind::Wake => {
                let woken = thread_of(words[0]);
                self.flow("wake", index, running, woken);
                if !matches!(self.state(woken), Some(State::Running(_))) {
                    self.set_state(woken, Some(State::Runnable));
                }
            }
            Kind::Migrate => {
                let moved = thread_of(words[0]);
                let more = vec![("from", words[1].to_string()), ("to", words[2].to_string())];
                let label = format!("{} to processor {}", self.label(moved), words[2]);
                self.instant(processor, "migrate", label, more);
            }
            Kind::Call => self.call(running, event),
            Kind::Return => self.returned(running, event),
            Kind::Fault => {
                let more = vec![
                    ("address", format!("{:#x}", words[0])),
                    ("error code", format!("{:#x}", words[1])),
                    ("instruction", format!("{:#x}", words[2])),
                    (
                        "outcome",
                        if words[3] == 0 {
                            "resolved".into()
                        } else {
                            format!("reason {}", words[3] - 1)
                        },
                    ),
                ];
                let name = if event.detail == 14 {
                    "page fault".into()
                } else {
                    format!("exception {}", event.detail)
                };
                let place = self.place(index, running);
                self.instant(place, "fault", name, more);
            }
            Kind::Interrupt => {
                self.instant(
                    processor,
                    "interrupt",
                    format!("interrupt {:#x}", event.detail),
                    Vec::new(),
                );
            }
            Kind::Ipi => {
                let more = vec![("vector", format!("{:#x}", event.detail))];
                self.instant(
                    processor,
                    "ipi",
                    format!("IPI to processor {}", words[0]),
                    more,
                );
            }
            Kind::Queue => {
                let place = self.place(index, running);
                if self.runs.contains_key(&index) {
                    self.flows += 1;
                    self.put(place, What::FlowStart("call", self.flows));
                    self.queued.insert(running, self.flows);
                }
            }
            Kind::Deliver => {
                let (caller, server) = (thread_of(words[0]), thread_of(words[1]));
                match self.queued.remove(&caller) {
                    Some(number) => self.arrive("call", number, server),
                    None if caller == running => self.flow("call", index, caller, server),
                    None => {}
                }
            }
            Kind::Reply => {
                let caller = thread_of(words[0]);
                self.flow(
                    if event.detail == 0 {
                        "reply"
                    } else {
                        "refusal"
                    },
                    index,
                    running,
                    caller,
                );
            }
            Kind::Running | Kind::Processor | Kind::End => {}
        }
    }

    fn switch(&mut self, index: u32, event: &Event) {
        let (from, to) = (event.thread, thread_of(event.words[0]));
        if self.runs.remove(&index).is_some() {
            self.put(Track::Processor(index), What::End(Vec::new()));
        }
        match Left::from_detail(event.detail) {
            Left::Runnable => self.set_state(from, Some(State::Runnable)),
            Left::Blocked => self.set_state(from, Some(State::Waiting)),
            Left::Ended => {
                self.set_state(from, None);
                self.leave_call(from, Vec::new());
            }
        }
        self.run(index, to);
    }

    /// The slice of the system call that a thread is in ends, if there is one; its state must have ended before.
    pub(super) fn leave_call(&mut self, thread: u64, more: Vec<(&'static str, String)>) {
        let call = self
            .threads
            .get_mut(&thread)
            .and_then(|thread| thread.call.take());
        if call.is_some() {
            self.put(Track::Thread(thread), What::End(more));
        }
    }

    fn call(&mut self, thread: u64, event: &Event) {
        let Some(state) = self.state(thread) else {
            return;
        };
        self.set_state(thread, None);
        self.leave_call(thread, Vec::new());
        let number = u64::from(event.detail);
        let text = abi::format_call(number, event.words).to_string();
        let name = text.split('(').next().unwrap_or_default().to_owned();
        let begin = What::Begin(name, vec![("call", text)]);
        self.put(Track::Thread(thread), begin);
        if let Some(known) = self.threads.get_mut(&thread) {
            known.call = Some(event.detail);
        }
        self.set_state(thread, Some(state));
    }

    fn returned(&mut self, thread: u64, event: &Event) {
        let in_call = self.threads.get(&thread).and_then(|thread| thread.call);
        if in_call != Some(event.detail) {
            return;
        }
        let state = self.state(thread);
        self.set_state(thread, None);
        let result = match event.words[0] {
            0 => format!("{:#x}", event.words[1]),
            number => abi::Error::from_number(number)
                .map_or_else(|| format!("error {number}"), |error| error.to_string()),
        };
        self.leave_call(thread, vec![("result", result)]);
        self.set_state(thread, state);
    }
}
