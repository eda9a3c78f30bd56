//! The supervisor against a world of processes that do what they want.

use std::collections::BTreeMap;
use std::vec;

use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_oneof, proptest};

use super::*;

/// What processes and people do next.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A process ends by itself.
    End(usize, u64),
    Ready(usize),
    Polite(usize),
    /// Time passes.
    Wait(u64),
    /// As much of it as until something is due.
    Due,
    Ask(Ask),
}

#[derive(Clone, Copy, Debug, Default)]
struct Process {
    alive: bool,
    polite: bool,
    /// It was asked or killed, and whether it listens.
    told: bool,
    killed: bool,
}

struct World {
    supervisor: Supervisor,
    rules: Vec<Rules>,
    processes: Vec<Process>,
    now: u64,
    open: BTreeMap<u64, Ask>,
    next_token: u64,
    /// The last start that was asked for, or of a life that was long enough, and those behind it, of each service.
    starts: Vec<Vec<u64>>,
    over: Option<u64>,
    except: Option<usize>,
    can_start: bool,
}

impl World {
    fn new(rules: &[Rules], can_start: bool) -> Self {
        let mut world = Self {
            supervisor: Supervisor::new(rules.to_vec()),
            rules: rules.to_vec(),
            processes: vec![Process::default(); rules.len()],
            now: 1,
            open: BTreeMap::new(),
            next_token: 0,
            starts: vec![Vec::new(); rules.len()],
            over: None,
            except: None,
            can_start,
        };
        world.tell(Event::Begin);
        world
    }

    fn tell(&mut self, event: Event) {
        let actions = self.supervisor.decide(event, self.now);
        let mut more = Vec::new();
        for action in actions {
            match action {
                Action::Spawn(index) => {
                    assert!(!self.processes[index].alive, "{index} runs twice");
                    assert!(
                        !self.supervisor.is_stopping(),
                        "{index} started in a shutdown"
                    );
                    for &after in &self.rules[index].after {
                        let state = self.supervisor.state(after).unwrap().0;
                        let fits =
                            matches!(state, State::Running | State::Stopped(_) | State::Failed(_));
                        assert!(fits, "{index} was started while {after} is {state:?}");
                    }
                    self.starts[index].push(self.now);
                    self.processes[index] = Process {
                        alive: self.can_start,
                        ..Process::default()
                    };
                    more.push(match (self.can_start, index % 2) {
                        (true, _) => Event::Started(index),
                        (false, 0) => Event::NotStarted(index),
                        (false, _) => Event::Impossible(index),
                    });
                }
                Action::AskToStop(index) | Action::Kill(index) => {
                    let is_kill = action == Action::Kill(index);
                    let process = &mut self.processes[index];
                    let is_gone = !process.alive && self.can_start;
                    assert!(!is_gone, "{index} is gone already");
                    assert!(is_kill || process.polite, "{index} cannot be asked");
                    process.told = true;
                    process.killed |= is_kill;
                    if self.supervisor.is_stopping() && self.over.is_none() {
                        self.nobody_needs(index);
                    }
                }
                Action::Answer(token, _) => {
                    assert!(
                        self.open.remove(&token.0).is_some(),
                        "{token:?} was answered twice"
                    );
                }
                Action::Over(status) => {
                    assert!(self.over.is_none());
                    self.over = Some(status);
                    let except = self.except;
                    let mut others = self.processes.iter().enumerate();
                    assert!(others.all(|(index, process)| Some(index) == except || !process.alive));
                }
                Action::Note(..) => {}
            }
        }
        for event in more {
            self.tell(event);
        }
    }

    /// In a shutdown nothing is stopped before those that are after it, but for stops that were asked for before.
    fn nobody_needs(&self, index: usize) {
        for (other, rules) in self.rules.iter().enumerate() {
            if rules.after.contains(&index) && Some(other) != self.except {
                let asked = matches!(self.supervisor.state(index), Some((State::Stopping, ..)));
                assert!(
                    !self.processes[other].alive || asked,
                    "{index} stops before {other}"
                );
            }
        }
    }

    fn step(&mut self, step: Step) {
        let len = self.processes.len();
        match step {
            Step::End(index, status) => self.end(index % len, status),
            Step::Ready(index) if self.processes[index % len].alive => {
                self.tell(Event::Ready(index % len));
            }
            Step::Polite(index) if self.processes[index % len].alive => {
                self.processes[index % len].polite = true;
                self.tell(Event::Polite(index % len));
            }
            Step::Ready(_) | Step::Polite(_) => {}
            Step::Wait(time) => {
                self.now += time;
                self.tell(Event::Time);
            }
            Step::Due => {
                if let Some(at) = self.supervisor.next_time() {
                    self.now = self.now.max(at);
                    self.tell(Event::Time);
                }
            }
            Step::Ask(ask) => self.ask(ask),
        }
    }

    fn end(&mut self, index: usize, status: u64) {
        if std::mem::take(&mut self.processes[index].alive) {
            if let Some(&last) = self.starts[index].last()
                && self.now - last >= self.rules[index].restart.steady
            {
                self.starts[index] = vec![last];
            }
            self.tell(Event::Ended(index, status));
        }
    }

    fn ask(&mut self, ask: Ask) {
        let len = self.processes.len();
        let ask = match ask {
            Ask::Start(index) => Ask::Start(index % len),
            Ask::Stop(index) => Ask::Stop(index % len),
            Ask::Restart(index) => Ask::Restart(index % len),
            Ask::StopAll { except } => {
                let except = except.map(|index| index % len);
                if !self.supervisor.is_stopping() {
                    self.except = except;
                }
                Ask::StopAll { except }
            }
        };
        if let Ask::Start(index) | Ask::Restart(index) = ask {
            // What a person wants is no restart that counts.
            self.starts[index].clear();
        }
        let token = self.next_token;
        self.next_token += 1;
        self.open.insert(token, ask);
        self.tell(Event::Asked(Token(token), ask));
    }

    /// Lets the world come to rest: who is told to end does so if it is polite enough, time passes.
    fn settle(&mut self, listens: bool) {
        for _ in 0..1000 {
            let told = |process: &Process| process.alive && process.told;
            let ends = |process: &Process| told(process) && (listens || process.killed);
            if let Some(index) = self.processes.iter().position(ends) {
                self.end(index, 0);
            } else if self.supervisor.next_time().is_some() {
                self.step(Step::Due);
            } else if !self.processes.iter().any(told) {
                return;
            }
        }
        panic!("no rest");
    }
}

const SECOND: u64 = 1_000_000_000;

fn rules(count: usize) -> impl Strategy<Value = Vec<Rules>> {
    let policy = prop_oneof![
        Just(Policy::Always),
        Just(Policy::OnFailure),
        Just(Policy::Never)
    ];
    let one = (
        prop::collection::vec(any::<prop::sample::Index>(), 0..3),
        policy,
        0..4_u32,
        any::<bool>(),
        prop::bool::weighted(0.1),
    );
    prop::collection::vec(one, 1..=count).prop_map(|all| {
        let each = all.into_iter().enumerate();
        each.map(|(place, (after, policy, limit, at_start, ends_system))| {
            // Those after earlier ones only: no circles.
            let after = after.into_iter().filter(|_| place > 0);
            Rules {
                after: after.map(|index| index.index(place)).collect(),
                restart: Restart {
                    policy,
                    limit,
                    ..Restart::default()
                },
                is_ready_at_start: at_start,
                ends_system,
                ..Rules::default()
            }
        })
        .collect()
    })
}

fn ask() -> impl Strategy<Value = Ask> {
    let index = 0..8_usize;
    prop_oneof![
        index.clone().prop_map(Ask::Start),
        index.clone().prop_map(Ask::Stop),
        index.prop_map(Ask::Restart),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let index = 0..8_usize;
    prop_oneof![
        4 => (index.clone(), 0..3_u64).prop_map(|(index, status)| Step::End(index, status)),
        3 => index.clone().prop_map(Step::Ready),
        1 => index.prop_map(Step::Polite),
        1 => (0..30 * SECOND).prop_map(Step::Wait),
        2 => Just(Step::Due),
    ]
}

proptest! {
    #[test]
    fn order_is_kept_and_every_request_is_answered_once(
        rules in rules(6), can_start in prop::bool::weighted(0.9), listens in any::<bool>(),
        steps in prop::collection::vec(prop_oneof![3 => step(), 1 => ask().prop_map(Step::Ask)], 0..80),
        except in prop::option::of(0..8_usize),
    ) {
        let mut world = World::new(&rules, can_start);
        for step in steps {
            world.step(step);
        }
        world.ask(Ask::StopAll { except });
        world.settle(listens);
        prop_assert!(world.open.is_empty(), "{:?}", world.open);
        for (index, process) in world.processes.iter().enumerate() {
            prop_assert!(!process.alive || Some(index) == world.except, "{} lives on", index);
        }
    }

    #[test]
    fn no_service_is_restarted_more_often_than_it_may(
        rules in rules(4), steps in prop::collection::vec(step(), 0..150),
    ) {
        let mut world = World::new(&rules, true);
        for step in steps {
            world.step(step);
        }
        for (rules, starts) in rules.iter().zip(&world.starts) {
            let again = starts.get(1..).unwrap_or_default();
            for (place, start) in again.iter().enumerate() {
                let in_window = again[..=place].iter().filter(|other| **other + rules.restart.window > *start);
                prop_assert!(in_window.count() <= rules.restart.limit as usize, "{:?} in {:?}", start, starts);
            }
        }
    }

    #[test]
    fn no_service_is_lost(rules in rules(6), steps in prop::collection::vec(step(), 0..60)) {
        let mut world = World::new(&rules, true);
        for step in steps {
            world.step(step);
        }
        if world.supervisor.is_stopping() {
            return Ok(());
        }
        world.settle(true);
        // At rest each one runs, or has ended for a reason: nothing waits for what does not come.
        for (index, process) in world.processes.iter().enumerate() {
            let state = world.supervisor.state(index).unwrap().0;
            let fits = match state {
                State::Running => process.alive,
                State::Stopped(_) | State::Failed(_) => !process.alive,
                _ => false,
            };
            prop_assert!(fits, "{}: {:?}", index, state);
        }
    }

    #[test]
    fn delays_double_up_to_the_most(early in 0..200_u32) {
        let restart = Restart::default();
        let (delay, next) = (restart.delay_after(early), restart.delay_after(early + 1));
        prop_assert!(delay >= restart.delay && delay <= restart.delay_max);
        prop_assert!(next == restart.delay_max || next == 2 * delay);
    }
}

#[test]
fn who_is_killed_again_and_again_in_good_health_is_started_again() {
    let mut world = World::new(&[Rules::default()], true);
    for _ in 0..1000 {
        world.step(Step::Wait(SECOND));
        world.step(Step::End(0, 137));
        let restart = Restart::default();
        assert_eq!(
            world.supervisor.next_time(),
            Some(world.now + restart.delay)
        );
        world.step(Step::Due);
        assert!(world.processes[0].alive);
    }
}

#[test]
fn who_cannot_live_is_given_up() {
    let mut world = World::new(&[Rules::default()], true);
    let begin = world.now;
    while world.processes[0].alive {
        world.step(Step::Wait(SECOND / 10));
        world.step(Step::End(0, 137));
        world.step(Step::Due);
    }
    assert_eq!(world.starts[0].len(), 11);
    assert!(world.now - begin < 60 * SECOND);
    let state = world.supervisor.state(0).map(|(state, ..)| state);
    assert_eq!(state, Some(State::Failed(137)));
}

#[test]
fn the_system_ends_with_the_service_that_it_ends_with() {
    let console = Rules {
        after: vec![0],
        restart: Restart {
            policy: Policy::Never,
            ..Restart::default()
        },
        is_ready_at_start: true,
        ends_system: true,
        ..Rules::default()
    };
    let mut world = World::new(&[Rules::default(), console], true);
    assert!(!world.processes[1].alive, "the first is not ready");
    world.step(Step::Ready(0));
    assert!(world.processes[1].alive);
    world.step(Step::End(1, 7));
    assert_eq!(world.over, None, "the first one still runs");
    world.settle(true);
    assert_eq!(world.over, Some(7));
}

#[test]
fn the_system_ends_once() {
    let console = Rules {
        restart: Restart {
            policy: Policy::Never,
            ..Restart::default()
        },
        ends_system: true,
        ..Rules::default()
    };
    let mut world = World::new(&[console.clone(), console], true);
    world.ask(Ask::Stop(1));
    world.ask(Ask::StopAll { except: None });
    world.step(Step::End(0, 3));
    world.step(Step::End(1, 4));
    assert_eq!(world.over, Some(3), "told once, by its first end");
}

/// A restart that a command asked for became a power-off with the command's status, as the command was killed.
#[test]
fn who_had_all_stopped_says_how_the_system_ends() {
    let command = Rules {
        ends_system: true,
        restart: Restart {
            policy: Policy::Never,
            ..Restart::default()
        },
        ..Rules::default()
    };
    let mut world = World::new(&[Rules::default(), command], true);
    world.step(Step::Ready(0));
    world.ask(Ask::StopAll { except: Some(0) });
    world.step(Step::End(1, 137));
    assert_eq!(world.over, None);
    assert!(world.open.is_empty(), "it was told that all have ended");
}

#[test]
fn too_many_requests_are_refused_and_not_forgotten() {
    let mut world = World::new(&[Rules::default()], true);
    for _ in 0..2 * WAITING_MAX {
        world.ask(Ask::Restart(0));
    }
    assert!(world.open.len() <= WAITING_MAX);
    world.ask(Ask::Stop(0));
    world.settle(true);
    world.step(Step::Ready(0));
    assert!(world.open.is_empty());
}
