//! Requests between processors: what was changed before is seen by who serves, and who asks each other comes through.

use ksync::Requests;
use ksync::atomic::{AtomicU32, AtomicU64, Ordering};
use ktestkit::models::{Arc, model, thread};

struct Machine {
    cpus: [Requests; 2],
    /// A page table entry, and what each processor has cached of it.
    entry: AtomicU64,
    cached: [AtomicU64; 2],
    interrupts: AtomicU32,
}

impl Machine {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            cpus: [Requests::new(), Requests::new()],
            entry: AtomicU64::new(0),
            cached: [AtomicU64::new(0), AtomicU64::new(0)],
            interrupts: AtomicU32::new(0),
        })
    }

    fn serve(&self, own: usize) -> u32 {
        self.cpus[own].serve(
            2,
            |from| self.cpus.get(from as usize),
            |request| {
                // Forget what is cached: the next access walks the table.
                let seen = self.entry.load(Ordering::Relaxed);
                assert!(seen >= request[0], "the change is not seen");
                self.cached[own].store(seen, Ordering::Relaxed);
            },
        )
    }

    fn shoot(&self, own: usize, value: u64) {
        let other = 1 - own;
        self.entry.fetch_max(value, Ordering::Relaxed);
        self.cpus[own].open([value, 0, 0]);
        self.cpus[own].expect_answer();
        if self.cpus[other].ring(own as u32) {
            self.interrupts.fetch_add(1, Ordering::Relaxed);
        }
        self.cpus[own].close();
        self.cpus[own].wait(|| {
            self.serve(own);
        });
        assert!(
            self.cached[other].load(Ordering::Relaxed) >= value,
            "it was not carried out"
        );
    }
}

#[test]
fn loom_an_answer_means_that_it_was_carried_out() {
    model(|| {
        let machine = Machine::new();
        let target = machine.clone();
        let target = thread::spawn(move || {
            while target.serve(1) == 0 {
                ksync::atomic::relax();
            }
        });
        machine.shoot(0, 5);
        target.join().expect("no panic");
        assert_eq!(machine.interrupts.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn loom_two_that_ask_each_other_come_through() {
    model(|| {
        let machine = Machine::new();
        let other = machine.clone();
        let other = thread::spawn(move || {
            other.shoot(1, 7);
            // The other may have rung after the last look: an interrupt would come.
            while other.cached[1].load(Ordering::Relaxed) < 6 {
                other.serve(1);
                ksync::atomic::relax();
            }
        });
        machine.shoot(0, 6);
        while machine.cached[0].load(Ordering::Relaxed) < 7 {
            machine.serve(0);
            ksync::atomic::relax();
        }
        other.join().expect("no panic");
    });
}

/// Many processors, all asking all others, again and again.
#[cfg(not(loom))]
#[test]
fn a_crowd_comes_through() {
    const CPUS: usize = 8;
    const ROUNDS: u64 = 300;
    let cpus: Arc<Vec<Requests>> = Arc::new((0..CPUS).map(|_| Requests::new()).collect());
    let sum = Arc::new(AtomicU64::new(0));
    let done = Arc::new(AtomicU32::new(0));
    let threads: Vec<_> = (0..CPUS)
        .map(|own| {
            let (cpus, sum, done) = (cpus.clone(), sum.clone(), done.clone());
            thread::spawn(move || {
                let serve = || {
                    cpus[own].serve(
                        CPUS as u32,
                        |from| cpus.get(from as usize),
                        |request| {
                            sum.fetch_add(request[0], Ordering::Relaxed);
                        },
                    );
                };
                for round in 1..=ROUNDS {
                    cpus[own].open([round, 0, 0]);
                    for other in (0..CPUS).filter(|other| *other != own) {
                        cpus[own].expect_answer();
                        cpus[other].ring(own as u32);
                    }
                    cpus[own].close();
                    cpus[own].wait(serve);
                }
                done.fetch_add(1, Ordering::Release);
                while done.load(Ordering::Acquire) < CPUS as u32 {
                    serve();
                    ksync::atomic::relax();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic");
    }
    let each = ROUNDS * (ROUNDS + 1) / 2;
    assert_eq!(
        sum.load(Ordering::Relaxed),
        each * (CPUS * (CPUS - 1)) as u64
    );
}
