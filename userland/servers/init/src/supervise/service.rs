//! One service: where it is in its life.

use alloc::collections::VecDeque;

use protocols::services::State;

use super::rules::{Policy, Rules};
use super::{Action, Note};

/// What comes after a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Nothing.
    Stay,
    /// A start.
    Start,
}

/// Where a service is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It waits for others.
    Waiting,
    /// It is being started, or has not said that it is ready; others wait for it until then.
    Starting { until: u64 },
    /// It runs.
    Running,
    /// It will be started again at this time.
    BackOff { at: u64, status: u64 },
    /// It is to end.
    Stopping { stop: Stop, then: Then },
    /// It has ended, and that is well.
    Stopped(u64),
    /// It has ended, and that is not.
    Failed(u64),
}

/// How far a stop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Nothing was done.
    Wanted { now: u64 },
    /// It was asked, and is killed at this time.
    Asked { until: u64 },
    /// It is to be killed.
    Kill,
    /// It was killed.
    Killed,
}

/// A service.
#[derive(Debug)]
pub struct Service {
    rules: Rules,
    phase: Phase,
    /// The process is there: it was started and has not ended.
    alive: bool,
    polite: bool,
    /// When it was started last.
    since: u64,
    /// When it was started again, as far as that is within the window.
    starts: VecDeque<u64>,
    /// How often it has ended soon, one time after the other.
    early: u32,
    restarts: u32,
    /// The next start is one after an end that nobody asked for.
    again: bool,
}

impl Service {
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            phase: Phase::Waiting,
            alive: false,
            polite: false,
            since: 0,
            starts: VecDeque::new(),
            early: 0,
            restarts: 0,
            again: false,
        }
    }

    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    pub fn phase(&self) -> Phase {
        self.phase
    }

    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    pub fn since(&self) -> u64 {
        self.since
    }

    /// As the protocol has it.
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Waiting => State::Waiting,
            Phase::Starting { .. } => State::Starting,
            Phase::Running => State::Running,
            Phase::BackOff { .. } => State::BackOff,
            Phase::Stopping { .. } => State::Stopping,
            Phase::Stopped(status) => State::Stopped(status),
            Phase::Failed(status) => State::Failed(status),
        }
    }

    /// Whether it can be started, as far as it is concerned.
    pub fn waits(&self) -> bool {
        self.phase == Phase::Waiting && !self.alive
    }

    /// Whether those after it need not wait.
    pub fn lets_others_start(&self) -> bool {
        matches!(
            self.phase,
            Phase::Running | Phase::Stopped(_) | Phase::Failed(_)
        )
    }

    /// Whether there is a process, or will be one in a moment.
    pub fn has_process(&self) -> bool {
        self.alive
    }

    /// Whether it has ended and will not be started by itself.
    pub fn is_at_rest(&self) -> bool {
        matches!(self.phase, Phase::Stopped(_) | Phase::Failed(_)) && !self.alive
    }

    /// Whether a stop has reached its end.
    pub fn phase_is_without_process(&self) -> bool {
        !self.alive && !matches!(self.phase, Phase::Stopping { .. })
    }

    /// When something is due.
    pub fn next_time(&self) -> Option<u64> {
        match self.phase {
            Phase::Starting { until } => Some(until),
            Phase::BackOff { at, .. } => Some(at),
            Phase::Stopping {
                stop: Stop::Asked { until },
                ..
            } => Some(until),
            _ => None,
        }
    }

    /// It is started now.
    pub fn starting(&mut self, now: u64) {
        self.alive = true;
        self.polite = false;
        self.since = now;
        if self.again {
            self.again = false;
            self.starts.push_back(now);
            self.restarts = self.restarts.saturating_add(1);
        }
        self.phase = Phase::Starting {
            until: now.saturating_add(self.rules.ready_timeout),
        };
    }

    /// Its process is there.
    pub fn started(&mut self, now: u64) {
        self.since = now;
        if self.rules.is_ready_at_start {
            self.ready();
        }
    }

    pub fn polite(&mut self) {
        self.polite = self.alive;
    }

    pub fn ready(&mut self) {
        if matches!(self.phase, Phase::Starting { .. }) {
            self.phase = Phase::Running;
        }
    }

    /// Somebody wants it to run.
    pub fn want(&mut self) {
        match &mut self.phase {
            Phase::Stopping { then, .. } => *then = Then::Start,
            Phase::BackOff { .. } | Phase::Stopped(_) | Phase::Failed(_) => self.begin_anew(),
            Phase::Waiting | Phase::Starting { .. } | Phase::Running => {}
        }
    }

    /// Somebody wants it to end.
    pub fn stop(&mut self, next: Then, now: u64) {
        match &mut self.phase {
            // The last word counts.
            Phase::Stopping { then, .. } => *then = next,
            Phase::Starting { .. } | Phase::Running => {
                self.phase = Phase::Stopping {
                    stop: Stop::Wanted { now },
                    then: next,
                };
            }
            Phase::Waiting | Phase::BackOff { .. } | Phase::Stopped(_) | Phase::Failed(_) => {
                match (next, self.phase) {
                    (Then::Start, _) => self.begin_anew(),
                    (Then::Stay, Phase::BackOff { status, .. }) => {
                        self.phase = Phase::Stopped(status);
                    }
                    (Then::Stay, Phase::Waiting) => self.phase = Phase::Stopped(0),
                    (Then::Stay, _) => {}
                }
            }
        }
    }

    /// What a stop asks for now.
    pub fn stop_action(&mut self, index: usize) -> Option<Action> {
        let polite = self.polite;
        let timeout = self.rules.stop_timeout;
        let Phase::Stopping { stop, .. } = &mut self.phase else {
            return None;
        };
        match *stop {
            Stop::Wanted { now } if polite => {
                *stop = Stop::Asked {
                    until: now.saturating_add(timeout),
                };
                Some(Action::AskToStop(index))
            }
            Stop::Wanted { .. } | Stop::Kill => {
                *stop = Stop::Killed;
                Some(Action::Kill(index))
            }
            Stop::Asked { .. } | Stop::Killed => None,
        }
    }

    /// Does what is due.
    pub fn time(&mut self, now: u64) -> Option<Note> {
        match self.phase {
            Phase::Starting { until } if until <= now => {
                self.phase = Phase::Running;
                Some(Note::Late)
            }
            Phase::BackOff { at, .. } if at <= now => {
                self.phase = Phase::Waiting;
                None
            }
            Phase::Stopping {
                stop: Stop::Asked { until },
                then,
            } if until <= now => {
                let stop = Stop::Kill;
                self.phase = Phase::Stopping { stop, then };
                Some(Note::Stubborn)
            }
            _ => None,
        }
    }

    /// Its process has ended, or could not be started.
    pub fn ended(&mut self, status: u64, now: u64, stopping: bool) -> Option<Note> {
        if !self.alive {
            return None;
        }
        self.alive = false;
        self.polite = false;
        match self.phase {
            Phase::Stopping {
                then: Then::Start, ..
            } if !stopping => {
                self.begin_anew();
                return None;
            }
            Phase::Stopping { .. } => {
                self.phase = Phase::Stopped(status);
                return None;
            }
            _ => {}
        }
        let again = match self.rules.restart.policy {
            Policy::Always => true,
            Policy::OnFailure => status != 0,
            Policy::Never => false,
        };
        if stopping || !again {
            self.phase = match status {
                0 => Phase::Stopped(0),
                _ if stopping => Phase::Stopped(status),
                _ => Phase::Failed(status),
            };
            return None;
        }
        Some(self.back_off(status, now))
    }

    /// It cannot be started, now or later.
    pub fn lose_hope(&mut self, status: u64) {
        self.alive = false;
        self.phase = Phase::Failed(status);
    }

    /// Another start after a while, if it has not had too many.
    fn back_off(&mut self, status: u64, now: u64) -> Note {
        let restart = self.rules.restart;
        if now.saturating_sub(self.since) >= restart.steady {
            // What was before has nothing to do with this.
            self.early = 0;
            self.starts.clear();
        }
        while self
            .starts
            .front()
            .is_some_and(|start| start.saturating_add(restart.window) <= now)
        {
            self.starts.pop_front();
        }
        if self.starts.len() >= restart.limit as usize {
            self.phase = Phase::Failed(status);
            return Note::TooOften;
        }
        let delay = restart.delay_after(self.early);
        self.early = self.early.saturating_add(1);
        self.again = true;
        let at = now.saturating_add(delay);
        self.phase = Phase::BackOff { at, status };
        Note::Again(delay)
    }

    /// A start that somebody asked for: what was before is forgotten.
    fn begin_anew(&mut self) {
        self.phase = Phase::Waiting;
        self.starts.clear();
        self.again = false;
        self.early = 0;
    }
}
