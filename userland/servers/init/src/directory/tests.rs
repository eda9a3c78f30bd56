//! The directory against what everybody was promised.

use std::collections::{BTreeMap, BTreeSet};
use std::string::ToString;
use std::vec;

use proptest::prelude::{
    Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};

use super::*;

/// What is done, by services or with them. Names and clients are places in lists.
#[derive(Clone, Debug)]
enum Step {
    Begin(usize),
    End(usize),
    GiveUp(usize),
    Lookup(prop::sample::Index, usize, u64),
    Register(prop::sample::Index, usize),
    Narrow(prop::sample::Index, usize),
    Time(u64),
}

const NAMES: [&str; 4] = ["a", "b.x", "b.y", "c"];
/// Who may register each.
const OWNERS: [usize; 4] = [0, 1, 1, 2];
const USES: [&[&str]; 3] = [&["b.*"], &["a", "c"], &["*"]];
const NARROWED: [&[&str]; 3] = [&["b.x"], &["a"], &["*"]];

fn step() -> impl Strategy<Value = Step> {
    let service = 0..3_usize;
    let client = any::<prop::sample::Index>;
    let name = 0..NAMES.len();
    prop_oneof![
        2 => service.clone().prop_map(Step::Begin),
        1 => service.clone().prop_map(Step::End),
        1 => service.prop_map(Step::GiveUp),
        6 => (client(), name.clone(), prop_oneof![Just(0), 1..60_u64, Just(u64::MAX)])
            .prop_map(|(client, name, wait)| Step::Lookup(client, name, wait)),
        3 => (client(), name).prop_map(|(client, name)| Step::Register(client, name)),
        1 => (client(), 0..3_usize).prop_map(|(client, names)| Step::Narrow(client, names)),
        1 => (0..20_u64).prop_map(Step::Time),
    ]
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

/// What the test knows of a client.
#[derive(Clone, Debug)]
struct Known {
    number: u64,
    service: usize,
    own: bool,
    may: BTreeSet<&'static str>,
    gone: bool,
}

proptest! {
    #[test]
    fn everybody_gets_what_is_theirs_and_one_answer(steps in prop::collection::vec(step(), 0..120)) {
        let mut directory: Directory<(usize, usize), usize> = Directory::new(3);
        for (name, owner) in NAMES.iter().zip(OWNERS) {
            directory.let_offer(owner, name);
        }
        let mut clients: Vec<Known> = Vec::new();
        let mut runs = [false; 3];
        let mut offered: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        // Those that wait: who, for which service's client, name, until.
        let mut open: BTreeMap<usize, (usize, &str, u64)> = BTreeMap::new();
        let mut now = 1;
        for (tick, step) in steps.into_iter().enumerate() {
            match step {
                Step::Begin(service) if !runs[service] => {
                    runs[service] = true;
                    let number = directory.begin(service, &names(USES[service]));
                    prop_assert!(clients.iter().all(|client| client.number != number));
                    let may = NAMES.into_iter().filter(|name| USES[service].iter().any(|pattern| matches(pattern, name))).collect();
                    clients.push(Known { number, service, own: true, may, gone: false });
                }
                Step::End(service) if runs[service] => {
                    runs[service] = false;
                    for who in directory.end(service) {
                        let waited = open.remove(&who);
                        prop_assert_eq!(waited.map(|(of, ..)| of), Some(service));
                    }
                    prop_assert!(open.values().all(|(of, ..)| *of != service));
                    offered.retain(|_, (owner, _)| *owner != service);
                    for client in clients.iter_mut().filter(|client| client.service == service) {
                        client.gone = true;
                    }
                }
                Step::GiveUp(service) if !runs[service] => {
                    for who in directory.give_up(service) {
                        let (_, name, _) = open.remove(&who).unwrap();
                        let place = NAMES.iter().position(|other| *other == name).unwrap();
                        prop_assert_eq!(OWNERS[place], service);
                    }
                }
                Step::Begin(_) | Step::End(_) | Step::GiveUp(_) => {}
                Step::Lookup(client, name, wait) => {
                    let Some(client) = (!clients.is_empty()).then(|| client.get(&clients).clone()) else { continue };
                    let name = NAMES[name];
                    let may = !client.gone && client.may.contains(name);
                    let until = if wait == 0 { 0 } else { wait.saturating_add(now) };
                    match directory.lookup(client.number, name, until, now, tick) {
                        Lookup::Found(who, mailbox) => {
                            prop_assert!(may);
                            prop_assert_eq!((who, Some(mailbox)), (tick, offered.get(name)));
                        }
                        Lookup::Refused(_, fault) => {
                            prop_assert_eq!(fault == Fault::AccessDenied, !may);
                            prop_assert!(!may || !offered.contains_key(name));
                        }
                        Lookup::Waits => {
                            prop_assert!(may && !offered.contains_key(name) && wait > 0);
                            open.insert(tick, (client.service, name, until));
                        }
                    }
                }
                Step::Register(client, place) => {
                    let Some(client) = (!clients.is_empty()).then(|| client.get(&clients).clone()) else { continue };
                    let name = NAMES[place];
                    let may = !client.gone && client.own && OWNERS[place] == client.service;
                    match directory.register(client.number, name, (client.service, tick)) {
                        Ok(found) => {
                            prop_assert!(may);
                            offered.insert(name, (client.service, tick));
                            for (_, who) in found {
                                prop_assert_eq!(open.remove(&who).map(|(_, waited, _)| waited), Some(name));
                            }
                            prop_assert!(open.values().all(|(_, waited, _)| *waited != name));
                        }
                        Err(fault) => prop_assert!(!may && fault == Fault::AccessDenied),
                    }
                }
                Step::Narrow(client, list) => {
                    let Some(client) = (!clients.is_empty()).then(|| client.get(&clients).clone()) else { continue };
                    match directory.narrow(client.number, names(NARROWED[list])) {
                        Ok(number) => {
                            prop_assert!(!client.gone);
                            if clients.iter().any(|known| known.number == number) {
                                continue;
                            }
                            let fits = |name: &&str| NARROWED[list].iter().any(|pattern| matches(pattern, name));
                            let may = client.may.iter().copied().filter(fits).collect();
                            clients.push(Known { number, service: client.service, own: false, may, gone: false });
                        }
                        Err(fault) => prop_assert!(fault == Fault::NoRoom || client.gone),
                    }
                }
                Step::Time(time) => {
                    now += time;
                    for who in directory.expired(now) {
                        let (.., until) = open.remove(&who).unwrap();
                        prop_assert!(until <= now);
                    }
                    prop_assert!(open.values().all(|(.., until)| *until > now));
                }
            }
            for client in clients.iter().filter(|client| !client.gone) {
                let listed: Vec<&str> = directory.list(client.number, "").collect();
                let expected: Vec<&str> = offered.keys().copied().filter(|name| client.may.contains(name)).collect();
                prop_assert_eq!(listed, expected);
            }
        }
    }
}

#[test]
fn who_asks_too_much_is_refused_and_others_are_not() {
    let mut directory: Directory<(), usize> = Directory::new(3);
    directory.let_offer(0, "a");
    let (greedy, other) = (
        directory.begin(1, &names(&["*"])),
        directory.begin(2, &names(&["a"])),
    );
    for turn in 0..1000 {
        let found = directory.lookup(greedy, "a", u64::MAX, 1, turn);
        assert_eq!(found == Lookup::Waits, turn < WAITING_MAX, "{turn}");
    }
    // The same through other ways in.
    for turn in 0..1000 {
        match directory.narrow(greedy, vec![std::format!("x{turn}"), "a".into()]) {
            Ok(narrowed) => {
                let found = directory.lookup(narrowed, "a", u64::MAX, 1, turn);
                assert_eq!(found, Lookup::Refused(turn, Fault::NoRoom));
            }
            Err(fault) => assert_eq!(fault, Fault::NoRoom),
        }
    }
    assert!(directory.clients.len() <= NARROWED_MAX + 2);
    assert_eq!(directory.lookup(other, "a", u64::MAX, 1, 0), Lookup::Waits);
    let mut deep = other;
    while let Ok(next) = directory.narrow(deep, names(&["a"])) {
        assert_ne!(next, deep);
        deep = next;
    }
    assert!(directory.depth(deep) <= DEPTH_MAX);
    assert_eq!(directory.end(1).len(), WAITING_MAX);
}
