//! The decisions of this crate, carried out: processes, handles, messages.
//!
//! One thread waits for messages, for the ends and exceptions of services, and for the time; each becomes an event of the
//! [`Supervisor`] or a question to the [`Directory`], and what they say is done.

mod badge;
mod boot;
mod grants;
mod life;
mod requests;
mod serve_files;
#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use ipc::Incoming;
use protocols::services::State;
use sys::exec::{Either, Executor, Inbox, Signal, race};
use sys::object::Mailbox;
use sys::{Context, time};

use crate::archive::Archive;
use crate::directory::Directory;
use crate::manifest::{self, Service};
use crate::options::Options;
use crate::supervise::{Event, Supervisor, Token};

use serve_files::Areas;

use boot::BootError;
use grants::Machine;
use life::Running;

/// The status of a system that could not begin.
const NOT_BEGUN: u64 = 1;
/// How long somebody who sits there can read why.
const READING_TIME: u64 = 30 * time::SECOND;
/// How long the service that had all others stopped may take to switch the machine off.
const POWER_TIME: u64 = 10 * time::SECOND;

/// Something that can be looked up.
#[derive(Debug)]
enum Offered {
    /// A service's mailbox.
    Mailbox(Mailbox),
    /// Something of init's own, by the kind of its badge.
    Own(badge::Kind),
}

/// Everything that init holds.
struct Init {
    machine: Machine,
    archive: Archive,
    line: Option<alloc::string::String>,
    services: Vec<Service>,
    supervisor: Supervisor,
    directory: Directory<Offered, Incoming>,
    /// The processes of the services.
    running: Vec<Option<Running>>,
    /// Requests that are answered later.
    requests: BTreeMap<u64, Incoming>,
    last_request: u64,
    /// What happened and was not told yet.
    events: VecDeque<Event>,
    /// Areas of files that somebody has mapped.
    areas: Areas,
    inbox: Inbox,
    children: Signal,
    /// The kernel's consoles that it still writes to.
    consoles: u64,
    /// The request to stop all but one, and which that is.
    stopper: Option<(u64, usize)>,
    /// All have ended but for one, which is to switch the machine off: until when, and which.
    power: Option<(u64, usize)>,
    /// The status that the system ends with.
    over: Option<u64>,
}

/// Runs the system. Returns only if the machine cannot be switched off from here, with the status to end with.
pub fn run(context: &Context) -> u64 {
    let options = Options::new(context.arguments().skip(1));
    let machine = Machine::of(context);
    let exec = match Executor::new() {
        Ok(exec) => exec,
        Err(error) => {
            log::error!("cannot begin: {error}");
            return NOT_BEGUN;
        }
    };
    let status = match Init::new(context, &exec, machine, &options) {
        Ok(init) => init.run(&exec),
        Err((machine, error)) => {
            log::error!("the system cannot begin: {error}");
            if options.line.is_none() {
                time::sleep(READING_TIME);
            }
            machine.power_off(NOT_BEGUN);
            NOT_BEGUN
        }
    };
    drop(exec);
    status
}

impl Init {
    fn new(
        context: &Context,
        exec: &Executor,
        machine: Machine,
        options: &Options,
    ) -> Result<Self, (Machine, BootError)> {
        let loaded = boot::archive(context).and_then(|archive| {
            let text = boot::manifest(&archive)?;
            let services = manifest::parse(text, options.mode()).map_err(BootError::Manifest)?;
            let mailbox = Mailbox::new().map_err(BootError::Kernel)?;
            let inbox = exec.mailbox(mailbox).map_err(BootError::Kernel)?;
            let children = exec.signal().map_err(BootError::Kernel)?;
            Ok((archive, services, inbox, children))
        });
        let (archive, services, inbox, children) = match loaded {
            Ok(loaded) => loaded,
            Err(error) => return Err((machine, error)),
        };
        let mut directory = Directory::new(services.len());
        directory.offer(
            protocols::services::NAME,
            Offered::Own(badge::Kind::Services),
        );
        directory.offer(manifest::FILES_BOOT, Offered::Own(badge::Kind::Files));
        for (index, service) in services.iter().enumerate() {
            for name in &service.provides {
                directory.let_offer(index, name);
            }
        }
        let rules = services.iter().map(|service| service.rules.clone());
        Ok(Self {
            supervisor: Supervisor::new(rules.collect()),
            directory,
            running: services.iter().map(|_| None).collect(),
            requests: BTreeMap::new(),
            last_request: 0,
            events: VecDeque::from([Event::Begin]),
            areas: Areas::default(),
            inbox,
            children,
            consoles: abi::console::SERIAL | abi::console::SCREEN,
            stopper: None,
            power: None,
            over: None,
            line: options.line.clone(),
            services,
            archive,
            machine,
        })
    }

    /// Until the system ends; its status.
    fn run(mut self, exec: &Executor) -> u64 {
        log::debug!("{} services", self.services.len());
        let result = exec.run_until(async {
            loop {
                self.turn();
                if let Some(status) = self.over {
                    return status;
                }
                let until = self.next_time();
                // Messages come last: whoever sends many keeps nothing else from being done.
                let happened = {
                    let child = self.children.wait();
                    let timer = exec.sleep_until(until);
                    race(race(child, timer), self.inbox.receive()).await
                };
                match happened {
                    Either::First(Either::First(())) => self.look_at_children(),
                    Either::First(Either::Second(())) => self.events.push_back(Event::Time),
                    Either::Second(Ok(call)) => self.message(call.into()),
                    Either::Second(Err(error)) => {
                        // Memory is short, or the like: the next one may be received.
                        log::error!("a message was not received: {error}");
                        exec.sleep(time::MILLISECOND).await;
                    }
                }
            }
        });
        let status = result.unwrap_or_else(|error| {
            log::error!("init cannot wait any more: {error}");
            NOT_BEGUN
        });
        self.give_consoles_back();
        log::info!("the system ends with status {status}");
        self.machine.power_off(status);
        status
    }

    /// Does all that follows from what has happened.
    fn turn(&mut self) {
        let now = time::now();
        for who in self.directory.expired(now) {
            requests::refuse_lookup(who, protocols::Fault::TimedOut);
        }
        while let Some(event) = self.events.pop_front() {
            for action in self.supervisor.decide(event, time::now()) {
                self.act(action);
            }
        }
        for index in 0..self.services.len() {
            let state = self.supervisor.state(index).map(|(state, ..)| state);
            if let Some(State::Failed(_) | State::Stopped(_)) = state {
                self.give_up(index);
            }
        }
        if let Some((until, except)) = self.power {
            let is_gone = self.running.get(except).is_none_or(Option::is_none);
            if is_gone || until <= now {
                log::error!(
                    "the service that had all others stopped did not switch the machine off"
                );
                self.over = Some(NOT_BEGUN);
            }
        }
    }

    fn next_time(&self) -> u64 {
        let power = self.power.map(|(until, _)| until);
        let times = [
            self.supervisor.next_time(),
            self.directory.next_time(),
            power,
        ];
        times.into_iter().flatten().min().unwrap_or(abi::NEVER)
    }

    /// Keeps a request for later.
    fn keep(&mut self, incoming: Incoming) -> Token {
        self.last_request += 1;
        self.requests.insert(self.last_request, incoming);
        Token(self.last_request)
    }
}
