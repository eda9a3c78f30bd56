//! What the grammar does not say: names that have to be there, or to be different; circles.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use protocols::{NAME_MAX, services};
use toml::Spanned;

use super::raw::{self, Console, Permission, Ready, When};
use super::{ManifestError, May, Mode, SERVICES_MAX, Service};
use crate::archive;
use crate::supervise::{Restart, Rules};

/// The name of the archive in the directory.
pub const FILES_BOOT: &str = "files.boot";
/// The names that init itself provides.
const OWN: [&str; 2] = [services::NAME, FILES_BOOT];

/// The services for this way of running.
pub fn services(
    text: &str,
    raw: &[raw::Service],
    mode: Mode,
) -> Result<Vec<Service>, ManifestError> {
    let wrong = |place: &Range<usize>, reason: String| ManifestError::at(text, place, reason);
    if let Some(service) = raw.get(SERVICES_MAX) {
        let reason = format!("there are more than {SERVICES_MAX} services");
        return Err(wrong(&service.name.span(), reason));
    }
    for (place, service) in raw.iter().enumerate() {
        let earlier = raw.get(..place).unwrap_or_default();
        names(service, earlier).map_err(|(place, reason)| wrong(&place, reason))?;
        for after in &service.after {
            if !raw
                .iter()
                .any(|other| other.name.get_ref() == after.get_ref())
            {
                let reason = format!("there is no service {}", after.get_ref());
                return Err(wrong(&after.span(), reason));
            }
        }
    }
    circles(raw).map_err(|(place, reason)| wrong(&place, reason))?;
    let kept: Vec<&raw::Service> = raw.iter().filter(|raw| fits(raw.when, mode)).collect();
    let mut all = Vec::new();
    for raw in &kept {
        let after = raw.after.iter().filter_map(|after| {
            kept.iter()
                .position(|other| other.name.get_ref() == after.get_ref())
        });
        let service = service(raw, after.collect());
        all.push(service.map_err(|(place, reason)| wrong(&place, reason))?);
    }
    Ok(all)
}

type Wrong = (Range<usize>, String);

fn fits(when: When, mode: Mode) -> bool {
    match when {
        When::Always => true,
        When::Interactive => mode == Mode::Interactive,
        When::Command => mode == Mode::Command,
    }
}

/// Whether both can be there at once.
fn meet(one: When, other: When) -> bool {
    one == When::Always || other == When::Always || one == other
}

fn names(service: &raw::Service, earlier: &[raw::Service]) -> Result<(), Wrong> {
    let name = service.name.get_ref();
    if !is_name(name) {
        return Err((service.name.span(), not_a_name(name)));
    }
    if earlier.iter().any(|other| other.name.get_ref() == name) {
        let reason = format!("there is a service {name} already");
        return Err((service.name.span(), reason));
    }
    let program = service.program.get_ref();
    if archive::check(program).is_err() || program == "/" {
        let reason = format!("{program:?} is no path in the archive, as /srv/srv.logger is");
        return Err((service.program.span(), reason));
    }
    for provided in &service.provides {
        let name = provided.get_ref();
        let taken = earlier.iter().any(|other| {
            let mut others = other.provides.iter();
            meet(other.when, service.when) && others.any(|other| other.get_ref() == name)
        });
        if !is_name(name) {
            return Err((provided.span(), not_a_name(name)));
        }
        if taken || OWN.contains(&name.as_str()) {
            let reason = format!("{name} is provided by another service already");
            return Err((provided.span(), reason));
        }
    }
    for used in &service.uses {
        let name = used.get_ref();
        let stem = name.strip_suffix('*').unwrap_or(name);
        if !is_name(stem) && name != "*" && !(stem.ends_with('.') && is_name(&format!("{stem}x"))) {
            return Err((used.span(), not_a_name(name)));
        }
    }
    for (key, value) in &service.environment {
        if key.is_empty() || key.contains(['=', '\0']) || value.get_ref().contains('\0') {
            let reason = format!("{key:?} cannot be a variable of the environment");
            return Err((value.span(), reason));
        }
    }
    Ok(())
}

/// Names are words with dots between them.
fn is_name(name: &str) -> bool {
    let is_word = |word: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !word.is_empty() && word.bytes().all(fits)
    };
    name.len() <= NAME_MAX && name.split('.').all(is_word)
}

fn not_a_name(name: &str) -> String {
    format!("{name:?} is no name: words of letters, digits, - and _ with dots between them")
}

/// Whether services wait for each other.
fn circles(raw: &[raw::Service]) -> Result<(), Wrong> {
    // Takes away what waits for nothing that is left, until nothing is left.
    let mut left = vec![true; raw.len()];
    loop {
        let mut changed = false;
        let mut stuck = None;
        for (place, service) in raw.iter().enumerate() {
            if !left.get(place).copied().unwrap_or(false) {
                continue;
            }
            let waits = service.after.iter().find(|after| {
                raw.iter()
                    .zip(&left)
                    .any(|(other, left)| *left && other.name.get_ref() == after.get_ref())
            });
            match waits {
                Some(after) => stuck = stuck.or(Some((service, after))),
                None => {
                    if let Some(left) = left.get_mut(place) {
                        *left = false;
                        changed = true;
                    }
                }
            }
        }
        match stuck {
            None => return Ok(()),
            Some((service, after)) if !changed => {
                let (name, after_name) = (service.name.get_ref(), after.get_ref());
                let reason =
                    format!("{name} would wait for {after_name}, which waits for it: a circle");
                return Err((after.span(), reason));
            }
            Some(_) => {}
        }
    }
}

fn service(raw: &raw::Service, after: Vec<usize>) -> Result<Service, Wrong> {
    let ready = match &raw.ready {
        Some(ready) if raw.provides.is_empty() && *ready.get_ref() == Ready::Registered => {
            let reason = "it provides nothing that could be registered".into();
            return Err((ready.span(), reason));
        }
        Some(ready) => *ready.get_ref(),
        None if raw.provides.is_empty() => Ready::Started,
        None => Ready::Registered,
    };
    let usual = Restart::default();
    let restart = Restart {
        policy: raw.restart.policy.map_or(usual.policy, |word| word.0),
        delay: raw.restart.delay.map_or(usual.delay, |time| time.0),
        delay_max: raw.restart.delay_max.map_or(usual.delay_max, |time| time.0),
        limit: raw.restart.limit.unwrap_or(usual.limit),
        window: raw.restart.window.map_or(usual.window, |time| time.0),
        steady: raw.restart.steady.map_or(usual.steady, |time| time.0),
    };
    let rules = Rules::default();
    let strings =
        |list: &[Spanned<String>]| list.iter().map(|name| name.get_ref().clone()).collect();
    Ok(Service {
        name: raw.name.get_ref().clone(),
        program: raw.program.get_ref().clone(),
        arguments: raw.arguments.clone(),
        environment: raw
            .environment
            .iter()
            .map(|(key, value)| (key.clone(), value.get_ref().clone()))
            .collect(),
        grants: raw.grants.clone(),
        provides: strings(&raw.provides),
        uses: strings(&raw.uses),
        may: May {
            control: raw.may.contains(&Permission::Restart),
            stop_all: raw.may.contains(&Permission::Stop),
        },
        memory_limit: raw.memory_limit.as_ref().map(|size| size.get_ref().0),
        console: match raw.console {
            Some(Console::Serial) => abi::console::SERIAL,
            Some(Console::Screen) => abi::console::SCREEN,
            None => 0,
        },
        tells_ready: ready == Ready::Told,
        rules: Rules {
            after,
            restart,
            is_ready_at_start: ready == Ready::Started,
            ready_timeout: raw.ready_timeout.map_or(rules.ready_timeout, |time| time.0),
            stop_timeout: raw.stop_timeout.map_or(rules.stop_timeout, |time| time.0),
            ends_system: raw.ends_system,
        },
    })
}
