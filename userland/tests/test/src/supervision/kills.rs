//! Who kills.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use protocols::services::{Service, State};
use sys::object::System;
use sys::random::Random;
use sys::time::{MILLISECOND, SECOND};

use super::services::{PATIENCE, Services};

/// The status of what was killed, as shells have it.
const KILLED: u64 = 137;
/// Who has run for so long is in good health: its end does not count as one of many (`steady` in the manifest).
const STEADY: u64 = SECOND + 50 * MILLISECOND;
/// One in so many is killed before that.
const EARLY: u64 = 8;
/// The longest time between two kills.
const PAUSE: u64 = 60 * MILLISECOND;
/// How long to wait until one is old enough.
const LOOK: u64 = 5 * MILLISECOND;

/// What was done to a service.
#[derive(Default)]
struct Victim {
    kills: u64,
    /// The process that was killed last, and when; none when it is back.
    last: Option<(u64, u64)>,
}

/// Who kills services at random.
pub struct Killer {
    random: Random,
    victims: BTreeMap<String, Victim>,
}

impl Killer {
    /// The same seed makes the same choices, as far as the same services can be chosen.
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            victims: BTreeMap::new(),
        }
    }

    /// Forgets what was done to those that may be killed.
    pub fn reset(&mut self, victims: &[String]) {
        let victims = victims.iter().cloned();
        self.victims = victims.map(|name| (name, Victim::default())).collect();
    }

    /// How often each was killed; some not at all, if there were few kills.
    pub fn counts(&self) -> impl Iterator<Item = (&str, u64)> {
        let all = self.victims.iter();
        all.map(|(name, victim)| (name.as_str(), victim.kills))
    }

    /// Kills so many, and waits until all of them are back.
    pub fn kill(
        &mut self,
        system: &System,
        services: &mut Services,
        kills: u64,
    ) -> Result<(), String> {
        for done in 1..=kills {
            self.kill_one(system, services)?;
            if done % 20 == 0 {
                sys::println!("supervision: {done} of {kills}");
            }
            sys::time::sleep(self.random.below(PAUSE));
        }
        services.wait()?;
        self.look_back(&services.look()?)
    }

    fn kill_one(&mut self, system: &System, services: &mut Services) -> Result<(), String> {
        let age = if self.random.one_in(EARLY) { 0 } else { STEADY };
        let until = sys::time::after(PATIENCE);
        loop {
            let all = services.look()?;
            self.look_back(&all)?;
            let now = sys::time::now();
            let fits = |service: &&Service| {
                service.state == State::Running && now.saturating_sub(service.since) >= age
            };
            let count = all.iter().filter(fits).count() as u64;
            let choice = self.random.below(count.max(1)) as usize;
            if let Some(service) = all.iter().filter(fits).nth(choice)
                && self.kill_it(system, service)?
            {
                return Ok(());
            }
            if now > until {
                return Err("no service can be killed: none has run for long enough".into());
            }
            sys::time::sleep(LOOK);
        }
    }

    /// Kills a service; not if it has ended meanwhile.
    fn kill_it(&mut self, system: &System, service: &Service) -> Result<bool, String> {
        let Ok(process) = system.open_process(service.process) else {
            return Ok(false);
        };
        let name = &service.name;
        process
            .kill(KILLED)
            .map_err(|error| format!("{name} cannot be killed: {error}"))?;
        let victim = self.victims.entry(name.clone()).or_default();
        victim.kills += 1;
        victim.last = Some((service.process, sys::time::now()));
        Ok(true)
    }

    /// Each one that was killed runs again, in another process, or will soon.
    fn look_back(&mut self, all: &[Service]) -> Result<(), String> {
        for service in all {
            let Some(victim) = self.victims.get_mut(&service.name) else {
                continue;
            };
            let Some((process, at)) = victim.last else {
                continue;
            };
            if service.state == State::Running && service.process != process {
                victim.last = None;
            } else if sys::time::now().saturating_sub(at) > PATIENCE {
                return Err(format!("{} does not come back", service.name));
            }
        }
        Ok(())
    }
}
