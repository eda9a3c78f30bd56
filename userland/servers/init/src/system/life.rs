//! Processes of services: how they begin, how they end, what is said about it.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use abi::Rights;
use protocols::Fault;
use protocols::services::State;
use spawn::report::{Crash, Symbols};
use spawn::{Builder, Child};
use sys::object::{Event as SysEvent, Owned};
use sys::time;

use super::{Init, POWER_TIME, badge, requests};
use crate::manifest::{LINE, Service};
use crate::supervise::{Action, Event, Note};

/// The status of a service that was killed.
const KILLED: u64 = 137;

/// The process of a service.
pub struct Running {
    child: Child,
    /// Its number.
    pub number: u64,
    /// How it wants to be told to stop.
    pub on_stop: Option<(SysEvent, u64)>,
}

/// Why a service was not started.
struct NotStarted {
    reason: String,
    /// It will never be.
    for_good: bool,
}

impl NotStarted {
    fn for_good(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            for_good: true,
        }
    }
}

impl From<String> for NotStarted {
    fn from(reason: String) -> Self {
        Self {
            reason,
            for_good: false,
        }
    }
}

impl Init {
    /// Does what the supervisor says.
    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Spawn(index) => {
                let event = match self.spawn(index) {
                    Ok(running) => {
                        log::debug!("{}: process {}", self.name(index), running.number);
                        if let Some(place) = self.running.get_mut(index) {
                            *place = Some(running);
                        }
                        Event::Started(index)
                    }
                    Err(failed) => {
                        log::error!("{} was not started: {}", self.name(index), failed.reason);
                        self.forget(index);
                        match failed.for_good {
                            true => Event::Impossible(index),
                            false => Event::NotStarted(index),
                        }
                    }
                };
                self.events.push_back(event);
            }
            Action::AskToStop(index) => {
                let running = self.running.get(index).and_then(Option::as_ref);
                if let Some((event, bits)) = running.and_then(|running| running.on_stop.as_ref()) {
                    // If it cannot be told, it is killed in time.
                    let _ = event.signal(*bits);
                }
            }
            Action::Kill(index) => {
                if let Some(Some(running)) = self.running.get(index)
                    && let Err(error) = running.child.kill(KILLED)
                {
                    log::error!("{} was not killed: {error}", self.name(index));
                }
            }
            Action::Answer(token, result) => {
                // Who had all stopped may switch the machine off at once.
                if result.is_ok() {
                    self.all_stopped_for(token.0);
                }
                if let Some(incoming) = self.requests.remove(&token.0) {
                    requests::answer_services(incoming, result);
                }
            }
            Action::Note(index, note) => self.note(index, note),
            Action::Over(status) => self.over = Some(status),
        }
    }

    /// Before the answer to who had all others stopped: the machine is to be switched off by who asked.
    fn all_stopped_for(&mut self, token: u64) {
        if let Some((asked, except)) = self.stopper
            && asked == token
        {
            self.give_consoles_back();
            self.power = Some((time::after(POWER_TIME), except));
        }
    }

    fn note(&self, index: usize, note: Note) {
        let name = self.name(index);
        match note {
            Note::Again(delay) => {
                log::warn!(
                    "{name} is started again in {} ms",
                    delay / time::MILLISECOND
                );
            }
            Note::TooOften => log::error!("{name} has ended too often and is not started again"),
            Note::Stubborn => log::warn!("{name} does not stop and is killed"),
            Note::Late => log::warn!("{name} does not say that it is ready: others wait no longer"),
        }
    }

    /// The name of a service.
    pub(super) fn name(&self, index: usize) -> &str {
        self.services
            .get(index)
            .map_or("?", |service| service.name.as_str())
    }

    fn spawn(&mut self, index: usize) -> Result<Running, NotStarted> {
        let service = self.services.get(index);
        let service = service.ok_or_else(|| NotStarted::for_good("there is no such service"))?;
        let program = service.program.as_str();
        let file = self.archive.read(program);
        let file =
            file.map_err(|fault| NotStarted::for_good(alloc::format!("{program}: {fault}")))?;
        let given = self.machine.grant(&service.grants)?;
        if self.consoles & service.console != 0 {
            self.consoles &= !service.console;
            self.machine.set_consoles(self.consoles);
        }
        let client = self.directory.begin(index, &service.uses);
        let text = |error: abi::Error| NotStarted::from(error.to_string());
        let way_in = self
            .inbox
            .mailbox()
            .badge(badge::new(badge::Kind::Directory, client))
            .map_err(text)?;
        let event = SysEvent::from(self.children.waiter().map_err(text)?.event);
        let bits = self.children.mask();
        let arguments = arguments(service, self.line.as_deref());
        let name = program.rsplit('/').next().unwrap_or(program);
        let mut builder = Builder::new(name, file)
            .arguments(arguments.iter().map(String::as_str))
            .handle("directory", way_in)
            .on_exception(&event, bits)
            .on_exit(&event, bits);
        for (key, value) in &service.environment {
            builder = builder.env(key, value);
        }
        if let Some(limit) = service.memory_limit {
            builder = builder.memory_limit(limit);
        }
        let (names, handles): (Vec<String>, Vec<Owned>) = given.into_iter().unzip();
        for (name, handle) in names.iter().zip(handles) {
            builder = builder.handle(name, handle);
        }
        let child = builder.spawn();
        let child = child.map_err(|error| NotStarted::from(error.to_string()))?;
        let usage = child.process().usage().map_err(text)?;
        Ok(Running {
            child,
            number: usage.number,
            on_stop: None,
        })
    }

    /// What a service that has no process any more leaves behind in the directory.
    fn forget(&mut self, index: usize) {
        // Those that waited were of the process that is gone.
        drop(self.directory.end(index));
    }

    /// A service will not run any more by itself.
    pub(super) fn give_up(&mut self, index: usize) {
        for who in self.directory.give_up(index) {
            requests::refuse_lookup(who, Fault::Failed);
        }
        let console = self
            .services
            .get(index)
            .map_or(0, |service| service.console);
        let failed = matches!(self.supervisor.state(index), Some((State::Failed(_), ..)));
        if failed && self.consoles & console != console {
            self.consoles |= console;
            self.machine.set_consoles(self.consoles);
        }
    }

    /// The kernel shows the rest of the log itself.
    pub(super) fn give_consoles_back(&mut self) {
        let all = abi::console::SERIAL | abi::console::SCREEN;
        if self.consoles != all {
            self.consoles = all;
            self.machine.set_consoles(all);
        }
    }

    /// Looks which services have crashed or ended.
    pub(super) fn look_at_children(&mut self) {
        for index in 0..self.running.len() {
            let Some(Some(running)) = self.running.get(index) else {
                continue;
            };
            self.report_crashes(index, running);
            match running.child.exit() {
                Ok(None) => {}
                Ok(Some(exit)) => {
                    if exit.is_success() {
                        log::debug!("{} {exit}", self.name(index));
                    } else {
                        log::warn!("{} {exit}", self.name(index));
                    }
                    self.end(index, exit.code());
                }
                Err(error) => {
                    log::error!("nothing is known of {}: {error}", self.name(index));
                    self.end(index, KILLED);
                }
            }
        }
    }

    fn end(&mut self, index: usize, status: u64) {
        if let Some(place) = self.running.get_mut(index) {
            *place = None;
        }
        self.forget(index);
        self.events.push_back(Event::Ended(index, status));
    }

    fn report_crashes(&self, index: usize, running: &Running) {
        let (process, bias) = (running.child.process(), running.child.bias());
        while let Ok(crash) = Crash::read(process, bias) {
            let program = self.services.get(index).map(|service| &service.program);
            let file = program.and_then(|program| self.archive.read(program).ok());
            let symbols = file.and_then(Symbols::new);
            let report = crash.with(symbols.as_ref()).to_string();
            for line in report.lines() {
                log::error!("{line}");
            }
            if let Err(error) = crash.end(process) {
                log::error!("{} could not be ended: {error}", self.name(index));
                return;
            }
        }
    }
}

/// The arguments of a service, with the line of `shell=` where it belongs.
fn arguments(service: &Service, line: Option<&str>) -> Vec<String> {
    let replace = |argument: &String| argument.replace(LINE, line.unwrap_or_default());
    service.arguments.iter().map(replace).collect()
}

/// The rights on a mailbox with which clients get it.
pub const CLIENT: Rights = Rights::CALL
    .union(Rights::DUPLICATE)
    .union(Rights::TRANSFER);
