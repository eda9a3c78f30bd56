//! The services as init tells about them, and what is wanted of them.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use ipc::{Directory, Failure, Link};
use protocols::services::{self, Answer, Request, Service, Services as Protocol, State};
use sys::time::{MILLISECOND, SECOND};

use super::names;

/// How long anything may take that init does: the longest delay of a restart, and then some on a busy machine.
pub const PATIENCE: u64 = 60 * SECOND;
/// How long to wait between two looks.
const PAUSE: u64 = 5 * MILLISECOND;

/// The way to init.
pub struct Services {
    link: Link<Protocol>,
    victims: Vec<String>,
}

/// Whether a service may be killed: not the shell that this runs in, nor another one.
fn is_victim(service: &Service) -> bool {
    let name = service.name.as_str();
    name != "command" && !name.starts_with("shell.")
}

impl Services {
    /// Those that run now, or soon will.
    pub fn new(directory: &Directory) -> Result<Self, String> {
        let text = |failure: Failure| format!("services: {failure}");
        let directory = directory.duplicate().map_err(text)?;
        let mut new = Self {
            link: Link::new(directory, services::NAME),
            victims: Vec::new(),
        };
        let until = sys::time::after(PATIENCE);
        let all = loop {
            let all = new.list()?;
            let is_coming =
                |service: &Service| matches!(service.state, State::Waiting | State::Starting);
            if !all
                .iter()
                .any(|service| is_victim(service) && is_coming(service))
            {
                break all;
            }
            if sys::time::now() > until {
                return Err("the services do not start".into());
            }
            sys::time::sleep(PAUSE);
        };
        let runs = |service: &Service| is_victim(service) && service.state == State::Running;
        let victims = all.into_iter().filter(runs).map(|service| service.name);
        new.victims = victims.collect();
        if new.victims.is_empty() {
            return Err("there is no service that could be killed".into());
        }
        Ok(new)
    }

    /// The names of those that are killed.
    pub fn victims(&self) -> &[String] {
        &self.victims
    }

    /// All services.
    fn list(&mut self) -> Result<Vec<Service>, String> {
        let mut all: Vec<Service> = Vec::new();
        loop {
            let after = all.last().map(|last| last.name.clone()).unwrap_or_default();
            match self.ask(&Request::List { after })? {
                Answer::Services(more) if more.is_empty() => return Ok(all),
                Answer::Services(more) => all.extend(more),
                Answer::Done => return Err("there was no list of services".into()),
            }
        }
    }

    /// Those that are killed, as they are now.
    pub fn look(&mut self) -> Result<Vec<Service>, String> {
        let mut all = self.list()?;
        all.retain(|service| self.victims.contains(&service.name));
        let failed = |service: &&Service| matches!(service.state, State::Failed(_));
        match all.iter().find(failed) {
            Some(service) => Err(format!("{} was given up", service.name)),
            None => Ok(all),
        }
    }

    fn ask(&mut self, request: &Request) -> Result<Answer, String> {
        let until = sys::time::after(PATIENCE);
        let answer = self.link.call(request, Vec::new(), until);
        let (answer, _) = answer.map_err(|failure| format!("{request:?}: {failure}"))?;
        Ok(answer)
    }

    /// Waits until all of them run.
    pub fn wait(&mut self) -> Result<(), String> {
        let until = sys::time::after(PATIENCE);
        loop {
            let all = self.look()?;
            let rests = all.iter().filter(|service| service.state != State::Running);
            let rests: Vec<String> = rests.map(|service| service.name.clone()).collect();
            if rests.is_empty() {
                return Ok(());
            }
            if sys::time::now() > until {
                return Err(format!("not started again in time: {}", names(&rests)));
            }
            sys::time::sleep(PAUSE);
        }
    }

    /// Stops all of them, the last one first.
    pub fn stop(&mut self) -> Result<(), String> {
        self.wait()?;
        for name in self.victims.clone().iter().rev() {
            let name = name.to_string();
            self.ask(&Request::Stop { name })?;
        }
        Ok(())
    }

    /// Starts all of them.
    pub fn start(&mut self) -> Result<(), String> {
        for name in self.victims.clone() {
            self.ask(&Request::Start { name })?;
        }
        self.wait()
    }
}
