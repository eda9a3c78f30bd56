//! Messages: who asks what, and what is answered.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use abi::{ObjectType, Rights};
use ipc::Incoming;
use protocols::directory::{Answer, Directory, Request};
use protocols::files::{Files, OpenFile};
use protocols::services::{self, Services};
use protocols::{Fault, NAME_MAX};
use sys::object::{Event as SysEvent, Mailbox, Owned};
use sys::time;

use super::life::CLIENT;
use super::{Init, Offered, badge};
use crate::directory::Lookup;
use crate::supervise::{Ask, Event};

/// Bytes of a page of names, as they are encoded.
const PAGE: usize = 440;
/// The most that a service takes in a page, beside its name.
const SERVICE: usize = 48;

impl Init {
    /// Answers a message, now or later.
    pub(super) fn message(&mut self, incoming: Incoming) {
        match badge::parse(incoming.badge) {
            Some((badge::Kind::Directory, client)) => self.ask_directory(client, incoming),
            Some((badge::Kind::Services, client)) => self.ask_services(client, incoming),
            Some((badge::Kind::Files, _)) => {
                let outcome = incoming
                    .request::<Files>()
                    .and_then(|request| self.ask_files(&request));
                // Who does not wait any more need not be told; here and below.
                let _ = incoming.answer::<Files>(outcome);
            }
            Some((badge::Kind::OpenFile, number)) => {
                let outcome = incoming
                    .request::<OpenFile>()
                    .and_then(|request| self.ask_file(number, &request));
                let _ = incoming.answer::<OpenFile>(outcome);
            }
            // Nobody was given such a handle.
            None => drop(incoming),
        }
    }

    fn ask_directory(&mut self, client: u64, mut incoming: Incoming) {
        let request = match incoming.request::<Directory>() {
            Ok(Request::Lookup { name, until }) => {
                self.look_up(client, &name, until, incoming);
                return;
            }
            request => request,
        };
        let handles = core::mem::take(&mut incoming.handles);
        let outcome = request.and_then(|request| self.directory_answer(client, request, handles));
        let _ = incoming.answer::<Directory>(outcome);
    }

    fn look_up(&mut self, client: u64, name: &str, until: u64, incoming: Incoming) {
        let mailbox = self.inbox.mailbox();
        let found = self
            .directory
            .lookup(client, name, until, time::now(), incoming);
        match found {
            Lookup::Found(who, offered) => {
                let handle = match offered {
                    Offered::Mailbox(mailbox) => for_client(mailbox, client),
                    Offered::Own(kind) => mailbox.badge(badge::new(*kind, client)),
                };
                answer_lookup(who, handle);
            }
            Lookup::Refused(who, fault) => refuse_lookup(who, fault),
            Lookup::Waits => {}
        }
    }

    fn directory_answer(
        &mut self,
        client: u64,
        request: Request,
        handles: Vec<Owned>,
    ) -> Result<(Answer, Vec<Owned>), Fault> {
        let done = Ok((Answer::Done, Vec::new()));
        match request {
            // It was answered elsewhere.
            Request::Lookup { .. } => Err(Fault::Failed),
            Request::Register { name } => {
                let mailbox = the_one(handles, ObjectType::Mailbox, CLIENT)?;
                let mailbox = Mailbox::from(mailbox);
                self.register(client, &name, mailbox)?;
                done
            }
            Request::Narrow { names } => {
                let narrowed = self.directory.narrow(client, names)?;
                let badge = badge::new(badge::Kind::Directory, narrowed);
                let way_in = self.inbox.mailbox().badge(badge).map_err(fault)?;
                Ok((Answer::Done, vec![way_in.into()]))
            }
            Request::List { after } => {
                let mut names: Vec<String> = Vec::new();
                let mut room = PAGE;
                for name in self.directory.list(client, &after) {
                    let Some(left) = room.checked_sub(name.len() + 1) else {
                        break;
                    };
                    room = left;
                    names.push(name.into());
                }
                Ok((Answer::Names(names), Vec::new()))
            }
            Request::OnStop { bits } => {
                let index = self.itself(client)?;
                let event = the_one(handles, ObjectType::Event, Rights::SIGNAL)?;
                let running = self.running.get_mut(index).and_then(Option::as_mut);
                let running = running.ok_or(Fault::Failed)?;
                running.on_stop = Some((SysEvent::from(event), bits));
                self.events.push_back(Event::Polite(index));
                done
            }
            Request::Ready => {
                let index = self.itself(client)?;
                self.events.push_back(Event::Ready(index));
                done
            }
        }
    }

    /// The service that a client is, if it is no narrowed way in.
    fn itself(&self, client: u64) -> Result<usize, Fault> {
        match self.directory.service_of(client) {
            Some((index, true)) => Ok(index),
            _ => Err(Fault::AccessDenied),
        }
    }

    fn register(&mut self, client: u64, name: &str, mailbox: Mailbox) -> Result<(), Fault> {
        let waiting = self
            .directory
            .register(client, name, Offered::Mailbox(mailbox))?;
        for (waiter, who) in waiting {
            if let Some(Offered::Mailbox(mailbox)) = self.directory.mailbox(name) {
                answer_lookup(who, for_client(mailbox, waiter));
            }
        }
        if let Some((index, _)) = self.directory.service_of(client) {
            let tells = self
                .services
                .get(index)
                .is_some_and(|service| service.tells_ready);
            if !tells && self.directory.has_all(index) {
                self.events.push_back(Event::Ready(index));
            }
        }
        Ok(())
    }

    fn ask_services(&mut self, client: u64, incoming: Incoming) {
        let outcome = match incoming.request::<Services>() {
            Ok(services::Request::List { after }) => Ok(self.list_services(&after)),
            Ok(request) => match self.wish(client, &request) {
                Ok(ask) => {
                    let token = self.keep(incoming);
                    if let Ask::StopAll {
                        except: Some(except),
                    } = ask
                    {
                        self.stopper = Some((token.0, except));
                    }
                    self.events.push_back(Event::Asked(token, ask));
                    return;
                }
                Err(fault) => Err(fault),
            },
            Err(fault) => Err(fault),
        };
        let outcome = outcome.map(|answer| (answer, Vec::new()));
        let _ = incoming.answer::<Services>(outcome);
    }

    /// What a client wants of the services, if it may.
    fn wish(&self, client: u64, request: &services::Request) -> Result<Ask, Fault> {
        let (own, _) = self
            .directory
            .service_of(client)
            .ok_or(Fault::AccessDenied)?;
        let may = self.services.get(own).map(|service| service.may);
        let may = may.unwrap_or_default();
        let of = |name: &str| {
            if !may.control {
                return Err(Fault::AccessDenied);
            }
            let mut all = self.services.iter();
            let place = all.position(|service| service.name == name);
            place.ok_or(Fault::NotFound)
        };
        match request {
            services::Request::List { .. } => Err(Fault::Failed),
            services::Request::Restart { name } => of(name).map(Ask::Restart),
            services::Request::Stop { name } => of(name).map(Ask::Stop),
            services::Request::Start { name } => of(name).map(Ask::Start),
            services::Request::StopAll if may.stop_all => Ok(Ask::StopAll { except: Some(own) }),
            services::Request::StopAll => Err(Fault::AccessDenied),
        }
    }

    fn list_services(&self, after: &str) -> services::Answer {
        let known = self
            .services
            .iter()
            .position(|service| service.name == after);
        let first = known.map_or(0, |place| place + 1);
        let mut page = Vec::new();
        let mut room = PAGE;
        // A name that there is not ends the list, unless it is none.
        let all = (known.is_some() || after.is_empty()).then_some(&self.services);
        for (index, service) in all.into_iter().flatten().enumerate().skip(first) {
            let Some((state, restarts, since)) = self.supervisor.state(index) else {
                break;
            };
            let Some(left) = room.checked_sub(service.name.len().min(NAME_MAX) + SERVICE) else {
                break;
            };
            room = left;
            let running = self.running.get(index).and_then(Option::as_ref);
            page.push(services::Service {
                name: service.name.clone(),
                state,
                process: running.map_or(0, |running| running.number),
                restarts,
                since,
            });
        }
        services::Answer::Services(page)
    }
}

/// The one handle of a request, if it is of this type and has these rights.
fn the_one(handles: Vec<Owned>, object: ObjectType, rights: Rights) -> Result<Owned, Fault> {
    let [handle] = <[Owned; 1]>::try_from(handles).map_err(|_| Fault::InvalidArgument)?;
    let info = handle.info().map_err(|_| Fault::InvalidArgument)?;
    let has = u32::try_from(info.rights).map_or(Rights::NONE, Rights);
    if info.kind != object.number() || !has.contains(rights) {
        return Err(Fault::InvalidArgument);
    }
    Ok(handle)
}

/// A service's mailbox for a client. If the service lets init do so, its number is the badge: the service learns who asks.
fn for_client(mailbox: &Mailbox, client: u64) -> Result<Mailbox, abi::Error> {
    match mailbox.badge(client) {
        Err(abi::Error::AccessDenied) => mailbox.duplicate(CLIENT),
        badged => badged,
    }
}

/// What a client is told of an error of the kernel's.
pub fn fault(error: abi::Error) -> Fault {
    match error {
        abi::Error::OutOfMemory => Fault::OutOfMemory,
        abi::Error::TooMany | abi::Error::OverLimit => Fault::NoRoom,
        _ => Fault::Failed,
    }
}

/// Answers a lookup.
fn answer_lookup(incoming: Incoming, handle: Result<Mailbox, abi::Error>) {
    let outcome = match handle {
        Ok(mailbox) => Ok((Answer::Done, vec![mailbox.into()])),
        Err(error) => Err(fault(error)),
    };
    let _ = incoming.answer::<Directory>(outcome);
}

/// Answers a lookup that leads to nothing.
pub fn refuse_lookup(incoming: Incoming, fault: Fault) {
    let _ = incoming.answer::<Directory>(Err(fault));
}

/// Answers a wish about services.
pub fn answer_services(incoming: Incoming, result: Result<(), Fault>) {
    let outcome = result.map(|()| (services::Answer::Done, Vec::new()));
    let _ = incoming.answer::<Services>(outcome);
}
