//! Processors with run queues, ticks and balance on a clock of the test: what share of the time threads get that never wait.

use ksched::{
    BALANCE_NS, Balance, Config, Cpu, Decision, Excess, Given, Load, Node, Priority, ROTATE_NS,
    Removed, RunQueue, Task, give_to, place, steal_from, takers,
};
use proptest::prelude::*;

const MS: u64 = 1_000_000;

/// A thread: where it may run, and its node.
#[derive(Debug)]
struct Body {
    number: usize,
    /// Bit `n`: processor `n`.
    cpus: u32,
    node: Node<Thread>,
}

/// Lives as long as the tests do.
#[derive(Clone, Copy, Debug)]
struct Thread(&'static Body);

impl PartialEq for Thread {
    fn eq(&self, other: &Self) -> bool {
        self.0.number == other.0.number
    }
}

impl Eq for Thread {}

impl Task for Thread {
    fn node(&self) -> &Node<Self> {
        &self.0.node
    }
}

impl Thread {
    fn new(number: usize, cpus: u32) -> Self {
        let node = Node::new();
        Self(Box::leak(Box::new(Body { number, cpus, node })))
    }

    fn allows(self, cpu: Cpu) -> bool {
        self.0.cpus >> cpu.index() & 1 != 0
    }
}

struct Processor {
    queue: RunQueue<Thread>,
    balance: Balance,
    took_ns: u64,
}

/// As the kernel joins the decisions (`kernel/src/sched/place.rs`).
struct Machine {
    cpus: Vec<Processor>,
    now: u64,
    /// How often a thread went from a processor to another.
    moves: u64,
    /// What is added to the time of each tick, in turn: a timer may be late.
    late: Vec<u64>,
    ticks: usize,
}

fn cpu(index: usize) -> Cpu {
    Cpu::new(index).unwrap()
}

impl Machine {
    fn new(cpus: usize, late: &[u64]) -> Self {
        let processor = || Processor {
            queue: RunQueue::new(Config::DEFAULT),
            balance: Balance::new(),
            took_ns: 0,
        };
        Self {
            cpus: (0..cpus).map(|_| processor()).collect(),
            now: 0,
            moves: 0,
            late: late.to_vec(),
            ticks: 0,
        }
    }

    fn loads(&self) -> Vec<(Load, u64)> {
        let cpus = self.cpus.iter().enumerate();
        cpus.map(|(index, own)| ((cpu(index), own.queue.runnable()), own.took_ns))
            .collect()
    }

    fn add(&mut self, thread: Thread) {
        let loads = self.loads();
        let allowed = loads.iter().map(|load| load.0);
        let place = place(None, allowed.filter(|&(cpu, _)| thread.allows(cpu))).unwrap();
        let now = self.now;
        let queue = &mut self.cpus[place.index()].queue;
        if queue.enqueue(thread, Priority::NORMAL, now) == Decision::Switch {
            queue.pick(now);
        }
    }

    fn put(&mut self, thread: Thread, on: usize) {
        let now = self.now;
        self.moves += 1;
        let queue = &mut self.cpus[on].queue;
        let decision = queue.take_over(thread, Priority::NORMAL, now).decision;
        if decision == Decision::Switch {
            queue.pick(now);
        }
    }

    fn balance(&mut self, index: usize) {
        let (now, loads) = (self.now, self.loads());
        let own = &mut self.cpus[index];
        let runnable = own.queue.runnable();
        let Some(excess) = own.balance.tick(runnable, own.took_ns, now) else {
            return;
        };
        let takers = takers(
            cpu(index),
            runnable,
            excess,
            loads.iter().map(|load| load.0),
        );
        if takers.is_empty() {
            return;
        }
        let given = own.queue.give(
            64,
            |thread| takers.iter().any(|cpu| thread.allows(cpu)),
            |thread| {
                let loads = loads.into_iter();
                let allowed = loads.filter(|&((cpu, _), _)| thread.allows(cpu));
                give_to(cpu(index), runnable, excess, allowed)
            },
        );
        own.balance.note(&given, now);
        if let Given::Thread((thread, taker)) = given {
            self.cpus[taker.index()].took_ns = now;
            self.put(thread, taker.index());
        }
    }

    fn tick(&mut self, index: usize) {
        let now = self.now;
        let decision = self.cpus[index].queue.tick(now);
        self.balance(index);
        if decision == Decision::Switch {
            self.cpus[index].queue.pick(now);
        }
        self.fill();
    }

    /// Processors without work steal.
    fn fill(&mut self) {
        for index in 0..self.cpus.len() {
            if self.cpus[index].queue.runnable() != 0 {
                continue;
            }
            let loads = self.loads();
            let victim = steal_from(cpu(index), loads.iter().map(|load| load.0));
            let Some(victim) = victim else { continue };
            let stolen = self.cpus[victim.index()]
                .queue
                .steal(64, |thread| thread.allows(cpu(index)));
            if let Some((thread, _)) = stolen {
                self.put(thread, index);
            }
        }
    }

    /// Until the time has come.
    fn run(&mut self, until: u64) {
        loop {
            let ticks = self.cpus.iter().enumerate();
            let next = ticks.filter_map(|(index, cpu)| Some((cpu.queue.next_tick()?, index)));
            let next = next.min().filter(|&(at, _)| at < until);
            let Some((at, index)) = next else {
                self.now = until;
                return;
            };
            let late = self.late.get(self.ticks % self.late.len().max(1));
            self.ticks += 1;
            self.now = self.now.max(at + late.copied().unwrap_or(0));
            self.tick(index);
        }
    }

    /// What each thread has run up to now.
    fn ran(&mut self, threads: &[Thread]) -> Vec<u64> {
        let now = self.now;
        for cpu in &mut self.cpus {
            cpu.queue.busy(now);
        }
        threads.iter().map(|thread| thread.0.node.ran()).collect()
    }
}

/// The shares of threads over a window, after a while, in thousandths of a processor, and how often they were moved in that.
fn shares(
    cpus: usize,
    threads: &[Thread],
    late: &[u64],
    before: u64,
    window: u64,
) -> (Vec<u64>, u64) {
    let mut machine = Machine::new(cpus, late);
    for &thread in threads {
        machine.add(thread);
    }
    machine.fill();
    machine.run(before);
    let (start, moves) = (machine.ran(threads), machine.moves);
    machine.run(before + window);
    let end = machine.ran(threads);
    let ran = end.iter().zip(start).map(|(end, start)| end - start);
    (
        ran.map(|ran| ran * 1000 / window).collect(),
        machine.moves - moves,
    )
}

/// What each thread would get were all shared as evenly as where they may run allows, in thousandths: the worst-off sets of threads
/// first, which have so many processors among them, then the rest.
fn even_shares(cpus: usize, threads: &[Thread]) -> Vec<u64> {
    let mut shares = vec![None; threads.len()];
    let mut taken = 0u32;
    while shares.contains(&None) {
        let open: Vec<usize> = (0..threads.len())
            .filter(|&n| shares[n].is_none())
            .collect();
        let sets = 1u32..1 << open.len();
        let worst = sets.map(|set| {
            let members = (0..open.len()).filter(|bit| set >> bit & 1 != 0);
            let reach = members.fold(0, |reach, bit| reach | threads[open[bit]].0.cpus);
            let room = (reach & !taken & (u32::MAX >> (32 - cpus))).count_ones();
            let share = u64::from(1000 * room / set.count_ones()).min(1000);
            (share, core::cmp::Reverse(set.count_ones()), set, reach)
        });
        let (share, _, set, reach) = worst.min().unwrap();
        taken |= reach;
        for bit in (0..open.len()).filter(|bit| set >> bit & 1 != 0) {
            shares[open[bit]] = Some(share);
        }
    }
    shares.into_iter().flatten().collect()
}

/// Where a thread of the first `cpus` processors may run: anywhere.
fn anywhere(cpus: usize) -> u32 {
    u32::MAX >> (32 - cpus)
}

fn late() -> impl Strategy<Value = Vec<u64>> {
    proptest::collection::vec(0..3 * MS, 1..20)
}

proptest! {
    /// What docs/scheduler.md promises: in any two seconds, or in one round, each of equal threads has between 4/5 and 5/4 of its
    /// share, and few are moved.
    #[test]
    fn equal_threads_get_equal_shares(
        cpus in 2usize..31, more in 0usize..40, late in late(), before in 1000..4000u64,
    ) {
        let count = cpus + more;
        let each = ROTATE_NS * count.div_ceil(cpus) as u64;
        let round = (each + 80 * MS) * count as u64 / (count % cpus).max(1) as u64;
        let window = round.max(WINDOW_NS);
        let threads: Vec<_> = (0..count).map(|number| Thread::new(number, anywhere(cpus))).collect();
        let (shares, moves) = shares(cpus, &threads, &late, before * MS, window);
        let fair = 1000 * cpus as u64 / count as u64;
        for share in &shares {
            prop_assert!(share * 5 >= fair * 4 && share * 4 <= fair * 5, "{fair}: {shares:?}");
        }
        prop_assert!(shares.iter().sum::<u64>() + count as u64 >= 1000 * cpus as u64, "idle");
        // The processors with one more give one away after 50 ms for each, which is 100 at least.
        let most = (count % cpus) as u64 * (window / each + 1);
        prop_assert!(moves <= most, "{moves} moves, not {most}");
    }

    /// Where threads may not run everywhere, nobody has less than half of what the evenest division would give.
    #[test]
    fn affinity_takes_no_more_than_half(
        (cpus, places) in (2usize..6).prop_flat_map(|cpus| (Just(cpus), proptest::collection::vec(1u32..1 << cpus, 1..9))),
        late in late(),
        before in 1000..3000u64,
    ) {
        let threads = places.iter().enumerate();
        let threads: Vec<_> = threads.map(|(number, &cpus)| Thread::new(number, cpus)).collect();
        let even = even_shares(cpus, &threads);
        let (shares, moves) = shares(cpus, &threads, &late, before * MS, WINDOW_NS);
        for (share, even) in shares.iter().zip(&even) {
            prop_assert!(share * 2 >= *even, "{places:?}: {shares:?}, not {even}");
        }
        let most = cpus as u64 * (WINDOW_NS / BALANCE_NS + 1);
        prop_assert!(moves <= most, "{moves} moves, not {most}");
    }
}

/// The window of the promise.
const WINDOW_NS: u64 = 2_000 * MS;

/// A thread that is alone has no ticks, and gets none because others share.
#[test]
fn who_is_alone_has_no_ticks() {
    let threads: Vec<_> = (0..5)
        .map(|number| Thread::new(number, anywhere(4)))
        .collect();
    let mut machine = Machine::new(4, &[]);
    for &thread in &threads {
        machine.add(thread);
    }
    for _ in 0..1000 {
        machine.run(machine.now + MS);
        for cpu in &machine.cpus {
            assert_eq!(cpu.queue.next_tick().is_some(), cpu.queue.runnable() > 1);
        }
    }
}

/// One thread more for a moment, again and again, is no reason to move one.
#[test]
fn a_short_excess_moves_nobody() {
    let mut balance = Balance::new();
    for time in (0..100).map(|round| round * 90 * MS) {
        for (at, runnable) in [(0, 2), (10 * MS, 2), (70 * MS, 2), (80 * MS, 1)] {
            let excess = balance.tick(runnable, 0, time + at);
            assert_ne!(excess, Some(Excess::One));
        }
    }
}

/// A thread that was moved keeps its level, unless it was given another priority on the way.
#[test]
fn a_level_goes_along() {
    let (thread, other) = (Thread::new(0, 3), Thread::new(1, 3));
    let mut queues = [Config::DEFAULT; 2].map(RunQueue::new);
    for item in [thread, other] {
        let _ = queues[0].enqueue(item, Priority::NORMAL, 0);
    }
    queues[0].pick(0);
    let _ = queues[0].tick(20 * MS);
    queues[0].pick(20 * MS);
    let given = queues[0].give(8, |_| true, |_| Some(1));
    assert_eq!(given, Given::Thread((thread, 1)));
    let decision = queues[1]
        .take_over(thread, Priority::NORMAL, 21 * MS)
        .decision;
    assert_eq!(decision, Decision::Switch);
    assert_eq!(queues[1].level(thread).level(), 5);
    assert_eq!(queues[1].remove(thread, 22 * MS), Removed::Waiting);
    let _ = queues[0].take_over(thread, Priority::LOWEST, 22 * MS);
    assert_eq!(queues[0].level(thread), Priority::LOWEST);
    // Nobody has a place for it: it stays. And it is the turn of the current thread, if that came before it.
    assert_eq!(queues[0].give(8, |_| true, |_| None::<()>), Given::None);
    let _ = queues[0].set_priority(other, Priority::LOWEST, 23 * MS);
    let given = queues[0].give(8, |_| true, |_| Some(()));
    assert_eq!(given, Given::NotYet);
    assert_eq!(queues[0].runnable(), 2);
}
