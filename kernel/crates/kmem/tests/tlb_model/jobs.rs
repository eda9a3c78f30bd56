//! What processors are at, step by step: other processors do something between any two steps.
//!
//! The steps are those of the kernel's `arch::x86_64::shootdown`. A step that a barrier keeps from being done before
//! another one comes after it here; a missing barrier is the other order.

use kaddr::{PAGE_SIZE, VirtAddr, VirtRange};
use kmem::tlb::{Load, Request};
use proptest::test_runner::TestCaseError;

use crate::edit::Change;
use crate::fault::Fault;
use crate::load::LoadStep;
use crate::ops::{Act, CPUS, Edit, MANY, Step};
use crate::system::System;
use crate::window::Window;

/// What a processor is at.
pub enum Job {
    Idle,
    /// Has the lock of a half, and is about to change its tables.
    Locked {
        space: Option<usize>,
        range: VirtRange,
        edit: Edit,
        /// The users, when they are read too early ([`Fault::UsersReadBeforeChange`]).
        users: Option<Vec<usize>>,
    },
    /// Has changed tables.
    Changed {
        ask: Ask,
        users: Option<Vec<usize>>,
    },
    /// Has counted the change; no barrier is missing from here on.
    Counted {
        ask: Ask,
        request: Request,
        users: Option<Vec<usize>>,
    },
    /// Asks one user after the other, then itself.
    Asking {
        ask: Ask,
        request: Request,
        left: Vec<usize>,
    },
    /// Waits for answers, and serves meanwhile.
    Waiting(Ask),
    /// Loads a space.
    Loading {
        space: usize,
        left: Option<usize>,
        steps: &'static [LoadStep],
        generation: u64,
        load: Option<Load>,
    },
}

/// What is to be done when all have answered.
pub enum Ask {
    /// A change is complete.
    Change {
        space: Option<usize>,
        change: Change,
    },
    /// A space can be destroyed.
    Retire { space: usize },
}

impl System {
    /// Lets a processor do something, and go on for a while.
    pub fn step(&mut self, cpu: usize, step: &Step) -> Result<(), TestCaseError> {
        self.act(cpu, &step.act)?;
        for _ in 0..step.more {
            if matches!(self.cpus[cpu].job, Job::Idle) {
                break;
            }
            self.go(cpu);
            if matches!(self.cpus[cpu].job, Job::Loading { .. }) {
                self.speculate(cpu)?;
            }
            if step.more == MANY {
                for other in self.cpus[cpu].waits_for.clone() {
                    self.serve(other, 0);
                }
            }
        }
        Ok(())
    }

    /// Does one thing on a processor; if it is at something, and is told to begin something else, a step of the former.
    fn act(&mut self, cpu: usize, act: &Act) -> Result<(), TestCaseError> {
        if let Act::Touch {
            first,
            count,
            access,
        } = *act
        {
            for page in 0..count.min(self.watched.len()) {
                let page = (first % self.watched.len() + page) % self.watched.len();
                self.touch(cpu, page, access)?;
            }
            return Ok(());
        }
        self.do_late(cpu);
        let is_idle = matches!(self.cpus[cpu].job, Job::Idle);
        match *act {
            Act::Serve(nth) => self.serve(cpu, nth),
            Act::Switch(place) if is_idle => {
                let mut place = place % self.live.len();
                if self.cpus[cpu].loaded == Some(self.live[place]) {
                    place = (place + 1) % self.live.len();
                }
                self.begin_load(cpu, self.live[place]);
            }
            Act::Lazy if is_idle => {
                if self.has(Fault::LazyLeaves)
                    && let Some(space) = self.cpus[cpu].loaded
                {
                    self.spaces[space].residency.leave(cpu as u32);
                }
            }
            Act::Edit { space, range, edit } if is_idle => {
                self.begin_edit(cpu, Some(self.live[space % self.live.len()]), range, edit);
            }
            Act::EditKernel { range, edit } if is_idle => self.begin_edit(cpu, None, range, edit),
            Act::Retire(place) if is_idle => self.begin_retire(cpu, place % self.live.len()),
            _ => self.go(cpu),
        }
        Ok(())
    }

    fn users(&self, cpu: usize, space: Option<usize>) -> Vec<usize> {
        let mut users: Vec<usize> = match space {
            Some(space) => {
                let users = self.spaces[space].residency.users();
                users.iter().map(|user| user as usize).collect()
            }
            None => (0..CPUS).collect(),
        };
        users.retain(|user| *user != cpu);
        if self.has(Fault::OneUserNotAsked) {
            users.pop();
        }
        users
    }

    fn begin_edit(&mut self, cpu: usize, space: Option<usize>, range: VirtRange, edit: Edit) {
        if self.half(space).is_locked {
            return self.go(cpu);
        }
        self.half(space).is_locked = true;
        let users = self
            .has(Fault::UsersReadBeforeChange)
            .then(|| self.users(cpu, space));
        self.cpus[cpu].job = Job::Locked {
            space,
            range,
            edit,
            users,
        };
    }

    fn begin_retire(&mut self, cpu: usize, place: usize) {
        let space = self.live[place];
        let is_loading =
            |job: &Job| matches!(job, Job::Loading { space: loading, .. } if *loading == space);
        let is_wanted = self.cpus.iter().any(|cpu| is_loading(&cpu.job));
        if is_wanted || self.spaces[space].half.is_locked {
            return self.go(cpu);
        }
        // No thread of it will run: a processor that has it loaded runs a thread of the kernel.
        self.spaces[space].half.is_locked = true;
        self.spaces[space].is_closed = true;
        self.live[place] = self.new_space();
        let request = Request::Retire {
            space: self.spaces[space].id,
        };
        self.cpus[cpu].job = Job::Counted {
            ask: Ask::Retire { space },
            request,
            users: self.has(Fault::RetiredWithoutAsking).then(Vec::new),
        };
    }

    /// The next step of what a processor is at.
    fn go(&mut self, cpu: usize) {
        let job = std::mem::replace(&mut self.cpus[cpu].job, Job::Idle);
        self.cpus[cpu].job = match job {
            Job::Idle => {
                self.serve(cpu, 0);
                Job::Idle
            }
            Job::Locked {
                space,
                range,
                edit,
                users,
            } => {
                let change = self.change(space, range, edit);
                let is_forgotten =
                    self.has(Fault::ProtectNotFlushed) && matches!(edit, Edit::Protect(_));
                if change.flush.is_empty() || is_forgotten {
                    self.complete(space, change);
                    Job::Idle
                } else {
                    let ask = Ask::Change { space, change };
                    Job::Changed { ask, users }
                }
            }
            Job::Changed { ask, users } => {
                let request = self.count(&ask);
                Job::Counted {
                    ask,
                    request,
                    users,
                }
            }
            Job::Counted {
                ask,
                request,
                users,
            } => {
                let space = match ask {
                    Ask::Change { space, .. } => space,
                    Ask::Retire { space } => Some(space),
                };
                let left = users.unwrap_or_else(|| self.users(cpu, space));
                self.cpus[cpu].asks = request.encode();
                self.cpus[cpu].waits_for.clone_from(&left);
                Job::Asking { ask, request, left }
            }
            Job::Asking {
                ask,
                request,
                mut left,
            } => {
                if let Some(other) = left.pop() {
                    self.cpus[other].asked_by.push(cpu);
                    Job::Asking { ask, request, left }
                } else {
                    self.carry_out(cpu, request);
                    Job::Waiting(self.asked_all(ask))
                }
            }
            Job::Waiting(ask) if self.cpus[cpu].waits_for.is_empty() => {
                match ask {
                    Ask::Change { space, change } => self.complete(space, change),
                    Ask::Retire { space } => self.destroy(space),
                }
                Job::Idle
            }
            Job::Waiting(ask) => {
                self.cpus[cpu].job = Job::Waiting(ask);
                return self.serve(cpu, 0);
            }
            Job::Loading {
                space,
                left,
                steps,
                generation,
                load,
            } => self.load_step(cpu, space, left, steps, generation, load),
        };
    }

    fn count(&mut self, ask: &Ask) -> Request {
        match ask {
            Ask::Change {
                space: Some(space),
                change,
            } => {
                let not_counted = self.has(Fault::NotCounted);
                let space = &mut self.spaces[*space];
                let generation = if not_counted {
                    space.uncounted += 1;
                    space.uncounted
                } else {
                    space.residency.advance()
                };
                Request::space(space.id, generation, &change.flush)
            }
            Ask::Change {
                space: None,
                change,
            } => match Request::kernel(&change.flush) {
                Request::Kernel { extent, .. } if self.has(Fault::KernelTablesKnown) => {
                    Request::Kernel {
                        extent,
                        frees_tables: false,
                    }
                }
                request => request,
            },
            Ask::Retire { .. } => unreachable!("retiring changes nothing"),
        }
    }

    /// All are asked. What a wrong kernel does then.
    fn asked_all(&mut self, ask: Ask) -> Ask {
        match ask {
            Ask::Change { space, change } if self.has(Fault::FreedBeforeAnswers) => {
                self.free(change);
                let change = Change::default();
                Ask::Change { space, change }
            }
            ask => ask,
        }
    }

    /// Frees the tables of a space, and what they map.
    fn destroy(&mut self, space: usize) {
        let lower = VirtRange::new(VirtAddr::new(PAGE_SIZE), VirtAddr::new(1 << 47));
        let change = self.unmap(Some(space), lower);
        self.free(change);
        let table = self.spaces[space].table.take().expect("destroyed once");
        let memory = &mut Window(&mut self.machine.memory);
        table.destroy(memory, &mut self.pool);
        self.pool.poison(&mut self.machine.memory);
        self.spaces[space].half.now.fill(None);
    }

    /// Lets all processors end what they are at.
    pub fn settle(&mut self) {
        for _ in 0..1000 {
            for cpu in 0..CPUS {
                self.do_late(cpu);
                self.go(cpu);
            }
            let is_idle = |cpu: &crate::system::Cpu| {
                matches!(cpu.job, Job::Idle) && cpu.asked_by.is_empty() && cpu.late.is_empty()
            };
            if self.cpus.iter().all(is_idle) {
                return;
            }
        }
        panic!("the processors wait for each other");
    }

    /// Loads a space, without anything in between.
    pub fn load(&mut self, cpu: usize, space: usize) {
        self.begin_load(cpu, space);
        self.settle();
    }
}
