//! What becomes of the services: a state machine that is told what happened and answers what is to be done.
//!
//! It knows no clock and no process: [`Supervisor::decide`] takes an event and the time, and gives back [`Action`]s. The rules:
//!
//! - A service is started when each service in its `after` is running, or will not run any more.
//! - A service that ends is started again if its policy says so: after a delay that doubles with each end that comes soon, and at most
//!   `limit` times in `window`. After that it has failed, and stays so until somebody starts it. Who has run for `steady` begins anew.
//! - All are stopped in the reverse order: a service when those that are after it have ended. It is asked, if it said how, and killed
//!   if it has not ended after a while.
//! - A service that is never ready holds the others up for a while only.

mod rules;
mod service;

#[cfg(test)]
mod tests;

use alloc::vec::Vec;

use protocols::Fault;
use protocols::services::State;

pub use rules::{Policy, Restart, Rules};
use service::{Phase, Service, Then};

/// The most requests that can wait for something to happen.
pub const WAITING_MAX: usize = 64;

/// A request that is answered later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token(pub u64);

/// What happened. Services are named by their places in the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The system begins.
    Begin,
    /// A service was started as [`Action::Spawn`] said.
    Started(usize),
    /// It could not be.
    NotStarted(usize),
    /// It never can be: its program is not there.
    Impossible(usize),
    /// A service said how it wants to be told to stop.
    Polite(usize),
    /// A service does what it is for.
    Ready(usize),
    /// The process of a service has ended, with this status.
    Ended(usize, u64),
    /// Time has passed.
    Time,
    /// Somebody wants something.
    Asked(Token, Ask),
}

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// That a service is started.
    Start(usize),
    /// That it ends.
    Stop(usize),
    /// That it ends and is started again.
    Restart(usize),
    /// That all end, but for one that asks.
    StopAll {
        /// The one.
        except: Option<usize>,
    },
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start the process of a service; then tell [`Event::Started`], [`Event::NotStarted`] or [`Event::Impossible`].
    Spawn(usize),
    /// Tell it to stop, as it wanted to be told.
    AskToStop(usize),
    /// End its process.
    Kill(usize),
    /// Answer a request.
    Answer(Token, Result<(), Fault>),
    /// Say something in the log.
    Note(usize, Note),
    /// All have ended, after one whose end is the system's: its status.
    Over(u64),
}

/// What the log should say of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// It is started again after so many nanoseconds.
    Again(u64),
    /// It has ended too often in its window.
    TooOften,
    /// It did not stop in time.
    Stubborn,
    /// It did not say that it is ready, and others do not wait any longer.
    Late,
}

/// A request that waits.
#[derive(Clone, Copy, Debug)]
struct Waiter {
    token: Token,
    service: Option<usize>,
    wants: Wants,
}

/// What it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wants {
    Running,
    Ended,
}

/// All services and what is to become of them.
#[derive(Debug)]
pub struct Supervisor {
    services: Vec<Service>,
    waiters: Vec<Waiter>,
    /// All are being stopped, but for this one.
    stopping: Option<Option<usize>>,
    /// What becomes of the system.
    end: End,
}

/// Whether the system ends, which it does once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Nobody whose end is the system's has ended.
    Open,
    /// One has, with this status: it is told when all have ended.
    Wanted(u64),
    /// It was told.
    Told,
}

impl Supervisor {
    /// For services with these rules; `after` of each names others by place, without a circle.
    pub fn new(rules: Vec<Rules>) -> Self {
        Self {
            services: rules.into_iter().map(Service::new).collect(),
            waiters: Vec::new(),
            stopping: None,
            end: End::Open,
        }
    }

    /// What a service does, how often it was started again, and when it was started last.
    pub fn state(&self, index: usize) -> Option<(State, u32, u64)> {
        let service = self.services.get(index)?;
        Some((service.state(), service.restarts(), service.since()))
    }

    /// Whether all are being stopped.
    pub fn is_stopping(&self) -> bool {
        self.stopping.is_some()
    }

    /// When [`Event::Time`] is to be told next.
    pub fn next_time(&self) -> Option<u64> {
        self.services.iter().filter_map(Service::next_time).min()
    }

    /// Takes an event and says what to do.
    #[must_use]
    pub fn decide(&mut self, event: Event, now: u64) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Begin | Event::Time => {}
            Event::Started(index) => self.with(index, |service| service.started(now)),
            Event::Polite(index) => self.with(index, Service::polite),
            Event::Ready(index) => self.with(index, Service::ready),
            Event::NotStarted(index) => self.ended(index, NOT_STARTED, now, &mut actions),
            Event::Impossible(index) => {
                self.with(index, |service| service.lose_hope(NOT_STARTED));
                self.ended(index, NOT_STARTED, now, &mut actions);
            }
            Event::Ended(index, status) => self.ended(index, status, now, &mut actions),
            Event::Asked(token, ask) => self.asked(token, ask, now, &mut actions),
        }
        // Who waits for an end is told before it is started again.
        self.answer(&mut actions);
        self.time(now, &mut actions);
        self.start(now, &mut actions);
        self.stop(now, &mut actions);
        self.answer(&mut actions);
        actions
    }

    fn with(&mut self, index: usize, act: impl FnOnce(&mut Service)) {
        if let Some(service) = self.services.get_mut(index) {
            act(service);
        }
    }

    fn ended(&mut self, index: usize, status: u64, now: u64, actions: &mut Vec<Action>) {
        let stopping = self.stopping.is_some();
        let Some(service) = self.services.get_mut(index) else {
            return;
        };
        if let Some(note) = service.ended(status, now, stopping) {
            actions.push(Action::Note(index, note));
        }
        // Who had all others stopped says how the system ends.
        let has_say = !matches!(self.stopping, Some(Some(_)));
        let is_over = has_say && service.rules().ends_system && service.is_at_rest();
        if is_over && self.end == End::Open {
            self.end = End::Wanted(status);
            self.stopping.get_or_insert(None);
        }
    }

    fn asked(&mut self, token: Token, ask: Ask, now: u64, actions: &mut Vec<Action>) {
        let refuse = |fault| Action::Answer(token, Err(fault));
        if self.waiters.len() >= WAITING_MAX {
            actions.push(refuse(Fault::NoRoom));
            return;
        }
        let (index, wants) = match ask {
            Ask::StopAll { except } => {
                self.stopping.get_or_insert(except);
                (None, Wants::Ended)
            }
            Ask::Stop(index) => (Some(index), Wants::Ended),
            Ask::Start(index) | Ask::Restart(index) => (Some(index), Wants::Running),
        };
        if let Some(index) = index {
            let Some(service) = self.services.get_mut(index) else {
                actions.push(refuse(Fault::NotFound));
                return;
            };
            if self.stopping.is_some() && wants == Wants::Running {
                actions.push(refuse(Fault::Busy));
                return;
            }
            match ask {
                Ask::Start(_) => service.want(),
                Ask::Stop(_) => service.stop(Then::Stay, now),
                _ => service.stop(Then::Start, now),
            }
        }
        self.waiters.push(Waiter {
            token,
            service: index,
            wants,
        });
    }

    /// What is due.
    fn time(&mut self, now: u64, actions: &mut Vec<Action>) {
        for (index, service) in self.services.iter_mut().enumerate() {
            if let Some(note) = service.time(now) {
                actions.push(Action::Note(index, note));
            }
        }
    }

    /// Starts what can be started.
    fn start(&mut self, now: u64, actions: &mut Vec<Action>) {
        if self.stopping.is_some() {
            return;
        }
        for index in 0..self.services.len() {
            let Some(service) = self.services.get(index) else {
                continue;
            };
            let is_free = |after: &usize| {
                let other = self.services.get(*after);
                other.is_none_or(|other| other.lets_others_start())
            };
            if service.waits() && service.rules().after.iter().all(is_free) {
                actions.push(Action::Spawn(index));
                self.with(index, |service| service.starting(now));
            }
        }
    }

    /// Stops what is to be stopped, those first that others are not after.
    fn stop(&mut self, now: u64, actions: &mut Vec<Action>) {
        if let Some(except) = self.stopping {
            for index in 0..self.services.len() {
                let held = self.services.iter().enumerate().any(|(other, service)| {
                    Some(other) != except
                        && service.rules().after.contains(&index)
                        && service.has_process()
                });
                if Some(index) != except && !held {
                    self.with(index, |service| service.stop(Then::Stay, now));
                }
            }
        }
        for (index, service) in self.services.iter_mut().enumerate() {
            if let Some(action) = service.stop_action(index) {
                actions.push(action);
            }
        }
    }

    /// Answers those whose wish is fulfilled, or cannot be.
    fn answer(&mut self, actions: &mut Vec<Action>) {
        let stopping = self.stopping;
        let services = &self.services;
        let all_ended = stopping.is_some_and(|except| {
            let mut others = services.iter().enumerate();
            others.all(|(index, service)| Some(index) == except || service.is_at_rest())
        });
        self.waiters.retain(|waiter| {
            let service = waiter.service.and_then(|index| services.get(index));
            let result = match (service, waiter.wants) {
                (None, _) => all_ended.then_some(Ok(())),
                (Some(service), Wants::Ended) => {
                    service.phase_is_without_process().then_some(Ok(()))
                }
                (Some(service), Wants::Running) => match service.phase() {
                    Phase::Running => Some(Ok(())),
                    Phase::BackOff { .. } | Phase::Failed(_) => Some(Err(Fault::Failed)),
                    // It has done what it was for, or somebody else stopped it.
                    Phase::Stopped(0) if stopping.is_none() => Some(Ok(())),
                    Phase::Stopped(_) => Some(Err(Fault::Failed)),
                    _ if stopping.is_some() => Some(Err(Fault::Busy)),
                    _ => None,
                },
            };
            if let Some(result) = result {
                actions.push(Action::Answer(waiter.token, result));
            }
            result.is_none()
        });
        if all_ended && let End::Wanted(status) = self.end {
            self.end = End::Told;
            actions.push(Action::Over(status));
        }
    }
}

/// The status of a service that could not be started, as shells have it.
pub const NOT_STARTED: u64 = 127;
