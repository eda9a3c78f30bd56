//! The service directory: who offers what, who may find it, and who waits for it.
//!
//! It is told what clients ask and what becomes of services, and says whom to answer with what. `M` is the mailbox of a service, `W` somebody
//! who waits for an answer; both mean nothing here. Clients are known by numbers that are never used twice. All that clients can make
//! it keep is bounded.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use protocols::{Fault, NAME_MAX};

/// The most lookups that wait for one service's clients.
pub const WAITING_MAX: usize = 64;
/// The most narrowed ways in of a service.
pub const NARROWED_MAX: usize = 64;
/// The most names of a narrowed way in.
pub const NAMES_MAX: usize = 16;
/// How often a way in can be narrowed, one after the other.
const DEPTH_MAX: usize = 8;

/// The owner of what is offered for good: no service.
const NOBODY: usize = usize::MAX;

/// Who asks.
#[derive(Debug)]
struct Client {
    /// The service that it belongs to.
    service: usize,
    /// The client that it was narrowed from.
    parent: Option<u64>,
    /// The names that it may find.
    uses: Vec<String>,
}

/// A name that a service may register.
#[derive(Debug)]
struct Offer<M> {
    service: usize,
    mailbox: Option<M>,
}

/// A lookup that waits.
#[derive(Debug)]
struct Waiting<W> {
    client: u64,
    service: usize,
    name: String,
    until: u64,
    who: W,
}

/// What a lookup leads to.
#[derive(Debug, PartialEq, Eq)]
pub enum Lookup<'a, M, W> {
    /// This mailbox; who asked is to be answered.
    Found(W, &'a M),
    /// Nothing; who asked is to be told why.
    Refused(W, Fault),
    /// It waits.
    Waits,
}

/// The directory.
#[derive(Debug)]
pub struct Directory<M, W> {
    offers: BTreeMap<String, Offer<M>>,
    clients: BTreeMap<u64, Client>,
    waiting: Vec<Waiting<W>>,
    last: u64,
    /// Services that will not run any more by themselves.
    hopeless: Vec<bool>,
}

impl<M, W> Directory<M, W> {
    /// Of so many services.
    pub fn new(services: usize) -> Self {
        Self {
            offers: BTreeMap::new(),
            clients: BTreeMap::new(),
            waiting: Vec::new(),
            last: 0,
            hopeless: alloc::vec![false; services],
        }
    }

    /// Lets a service offer a name.
    pub fn let_offer(&mut self, service: usize, name: &str) {
        let mailbox = None;
        self.offers.insert(name.into(), Offer { service, mailbox });
    }

    /// Offers a name for good, on behalf of nobody.
    pub fn offer(&mut self, name: &str, mailbox: M) {
        let offer = Offer {
            service: NOBODY,
            mailbox: Some(mailbox),
        };
        self.offers.insert(name.into(), offer);
    }

    /// A new client: the process of a service that begins.
    pub fn begin(&mut self, service: usize, uses: &[String]) -> u64 {
        if let Some(hopeless) = self.hopeless.get_mut(service) {
            *hopeless = false;
        }
        self.add(Client {
            service,
            parent: None,
            uses: uses.to_vec(),
        })
    }

    fn add(&mut self, client: Client) -> u64 {
        self.last += 1;
        self.clients.insert(self.last, client);
        self.last
    }

    /// The process of a service has ended: what it offered and its clients are gone. Those who waited for its clients wait no more.
    #[must_use]
    pub fn end(&mut self, service: usize) -> Vec<W> {
        for offer in self.offers.values_mut() {
            if offer.service == service {
                offer.mailbox = None;
            }
        }
        self.clients.retain(|_, client| client.service != service);
        let gone: Vec<_> = self
            .waiting
            .extract_if(.., |waiting| waiting.service == service)
            .collect();
        gone.into_iter().map(|waiting| waiting.who).collect()
    }

    /// A service will not run any more by itself: nobody waits for it. Those who did.
    #[must_use]
    pub fn give_up(&mut self, service: usize) -> Vec<W> {
        if let Some(hopeless) = self.hopeless.get_mut(service) {
            *hopeless = true;
        }
        let offers = &self.offers;
        let of_service = |name: &String| {
            offers
                .get(name)
                .is_some_and(|offer| offer.service == service)
        };
        let gone: Vec<_> = self
            .waiting
            .extract_if(.., |waiting| of_service(&waiting.name))
            .collect();
        gone.into_iter().map(|waiting| waiting.who).collect()
    }

    /// The service of a client, and whether it is the service's own way in.
    pub fn service_of(&self, client: u64) -> Option<(usize, bool)> {
        let client = self.clients.get(&client)?;
        Some((client.service, client.parent.is_none()))
    }

    /// Whether a client may find a name.
    pub fn may_find(&self, client: u64, name: &str) -> bool {
        let mut next = Some(client);
        while let Some(number) = next {
            let Some(client) = self.clients.get(&number) else {
                return false;
            };
            if !client.uses.iter().any(|pattern| matches(pattern, name)) {
                return false;
            }
            next = client.parent;
        }
        true
    }

    /// A client looks for a service, and waits until a time.
    pub fn lookup(
        &mut self,
        client: u64,
        name: &str,
        until: u64,
        now: u64,
        who: W,
    ) -> Lookup<'_, M, W> {
        let Some(service) = self.clients.get(&client).map(|client| client.service) else {
            return Lookup::Refused(who, Fault::AccessDenied);
        };
        if !self.may_find(client, name) {
            return Lookup::Refused(who, Fault::AccessDenied);
        }
        // Who may find it, may know that nobody offers it.
        let Some(offer) = self.offers.get(name) else {
            return Lookup::Refused(who, Fault::NotFound);
        };
        if let Some(mailbox) = &offer.mailbox {
            return Lookup::Found(who, mailbox);
        }
        if self.hopeless.get(offer.service).copied().unwrap_or(false) {
            return Lookup::Refused(who, Fault::Failed);
        }
        if until <= now {
            let fault = if until == 0 {
                Fault::NotFound
            } else {
                Fault::TimedOut
            };
            return Lookup::Refused(who, fault);
        }
        let of_service = |waiting: &&Waiting<W>| waiting.service == service;
        if self.waiting.iter().filter(of_service).count() >= WAITING_MAX
            || self.waiting.try_reserve(1).is_err()
        {
            return Lookup::Refused(who, Fault::NoRoom);
        }
        self.waiting.push(Waiting {
            client,
            service,
            name: name.into(),
            until,
            who,
        });
        Lookup::Waits
    }

    /// A client offers a service. Those who waited for it, of whom the clients are returned too, are to be answered with its mailbox.
    ///
    /// # Errors
    /// `AccessDenied` for a name that its service may not register, and for narrowed ways in.
    pub fn register(
        &mut self,
        client: u64,
        name: &str,
        mailbox: M,
    ) -> Result<Vec<(u64, W)>, Fault> {
        let Some((service, true)) = self.service_of(client) else {
            return Err(Fault::AccessDenied);
        };
        let offer = self.offers.get_mut(name);
        let offer = offer
            .filter(|offer| offer.service == service)
            .ok_or(Fault::AccessDenied)?;
        offer.mailbox = Some(mailbox);
        let found: Vec<_> = self
            .waiting
            .extract_if(.., |waiting| waiting.name == name)
            .collect();
        let found = found.into_iter();
        Ok(found.map(|waiting| (waiting.client, waiting.who)).collect())
    }

    /// The mailbox of a name that somebody offers.
    pub fn mailbox(&self, name: &str) -> Option<&M> {
        self.offers.get(name)?.mailbox.as_ref()
    }

    /// Whether a service has registered all that it may.
    pub fn has_all(&self, service: usize) -> bool {
        let mut own = self
            .offers
            .values()
            .filter(|offer| offer.service == service);
        own.all(|offer| offer.mailbox.is_some())
    }

    /// A way in that finds only some of what a client finds. The same one for the same names.
    ///
    /// # Errors
    /// `InvalidArgument` for too many names, or too long ones; `NoRoom` for too many ways in; `AccessDenied` for a client that is gone.
    pub fn narrow(&mut self, client: u64, names: Vec<String>) -> Result<u64, Fault> {
        if names.len() > NAMES_MAX || names.iter().any(|name| name.len() > NAME_MAX) {
            return Err(Fault::InvalidArgument);
        }
        let (service, _) = self.service_of(client).ok_or(Fault::AccessDenied)?;
        let same = self
            .clients
            .iter()
            .find(|(_, other)| other.parent == Some(client) && other.uses == names);
        if let Some((number, _)) = same {
            return Ok(*number);
        }
        let narrowed = |other: &&Client| other.service == service && other.parent.is_some();
        if self.clients.values().filter(narrowed).count() >= NARROWED_MAX
            || self.depth(client) >= DEPTH_MAX
        {
            return Err(Fault::NoRoom);
        }
        Ok(self.add(Client {
            service,
            parent: Some(client),
            uses: names,
        }))
    }

    fn depth(&self, client: u64) -> usize {
        let parent = |number: &u64| self.clients.get(number)?.parent;
        core::iter::successors(Some(client), parent).count()
    }

    /// The names behind `after` that are offered and that a client may find, in order.
    pub fn list<'a>(&'a self, client: u64, after: &'a str) -> impl Iterator<Item = &'a str> {
        let names = self.offers.iter().filter(move |(name, offer)| {
            name.as_str() > after && offer.mailbox.is_some() && self.may_find(client, name)
        });
        names.map(|(name, _)| name.as_str())
    }

    /// When a lookup ends that waits.
    pub fn next_time(&self) -> Option<u64> {
        let times = self.waiting.iter().map(|waiting| waiting.until);
        times.min().filter(|until| *until != u64::MAX)
    }

    /// Those whose time is over.
    #[must_use]
    pub fn expired(&mut self, now: u64) -> Vec<W> {
        let over: Vec<_> = self
            .waiting
            .extract_if(.., |waiting| waiting.until <= now)
            .collect();
        over.into_iter().map(|waiting| waiting.who).collect()
    }

    /// How many lookups wait for a client.
    pub fn waiting_of(&self, client: u64) -> usize {
        let of_client = |waiting: &&Waiting<W>| waiting.client == client;
        self.waiting.iter().filter(of_client).count()
    }
}

/// Whether a name is one of a pattern's.
pub fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(stem) => name.starts_with(stem),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests;
