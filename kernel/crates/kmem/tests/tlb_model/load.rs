//! How a processor loads a space, step by step.

use kmem::tlb::Load;
use ktestkit::{CpuId, Kept};

use crate::fault::Fault;
use crate::jobs::Job;
use crate::system::System;

/// The steps of a load, each of which others may come before.
#[derive(Clone, Copy, Debug)]
pub enum LoadStep {
    Enter,
    ReadGeneration,
    Decide,
    LoadTables,
    Leave,
}

use LoadStep::{Decide, Enter, Leave, LoadTables, ReadGeneration};

impl System {
    pub fn begin_load(&mut self, cpu: usize, space: usize) {
        let left = self.cpus[cpu].loaded;
        if left == Some(space) || self.spaces[space].is_closed {
            return;
        }
        let steps: &[LoadStep] = match self.fault {
            Some(Fault::EnteredAfterLoad) => &[ReadGeneration, Decide, LoadTables, Enter, Leave],
            Some(Fault::GenerationReadBeforeEnter) => {
                &[ReadGeneration, Enter, Decide, LoadTables, Leave]
            }
            Some(Fault::LeftBeforeLoad) => &[Leave, Enter, ReadGeneration, Decide, LoadTables],
            _ => &[Enter, ReadGeneration, Decide, LoadTables, Leave],
        };
        self.cpus[cpu].job = Job::Loading {
            space,
            left,
            steps,
            generation: 0,
            load: None,
        };
    }

    pub fn load_step(
        &mut self,
        cpu: usize,
        space: usize,
        left: Option<usize>,
        steps: &'static [LoadStep],
        mut generation: u64,
        mut load: Option<Load>,
    ) -> Job {
        let Some((step, steps)) = steps.split_first() else {
            return Job::Idle;
        };
        match step {
            Enter => self.spaces[space].residency.enter(cpu as u32),
            ReadGeneration => generation = self.spaces[space].residency.generation(),
            Decide => load = Some(self.decide(cpu, space, generation)),
            LoadTables => {
                let load = load.expect("decided before");
                self.load_tables(cpu, Some(space), load);
            }
            Leave => {
                if let Some(left) = left {
                    self.spaces[left].residency.leave(cpu as u32);
                }
            }
        }
        if steps.is_empty() {
            return Job::Idle;
        }
        Job::Loading {
            space,
            left,
            steps,
            generation,
            load,
        }
    }

    pub fn decide(&mut self, cpu: usize, space: usize, generation: u64) -> Load {
        let fault = self.fault;
        let id = self.spaces[space].id;
        let cpu = &mut self.cpus[cpu];
        let mut load = cpu.slots.load(id, generation);
        let owner = &mut cpu.pcid_owner[usize::from(load.pcid)];
        match *owner {
            Some(_) if load.pcid == 0 => {}
            Some(owner) if fault == Some(Fault::SlotReusedUnflushed) && owner != id => {
                load.must_flush = false;
            }
            Some(owner) if fault == Some(Fault::OldSlotTrusted) && owner == id => {
                load.must_flush = false;
            }
            _ => {}
        }
        *owner = Some(id);
        load
    }

    pub fn load_tables(&mut self, cpu: usize, space: Option<usize>, load: Load) {
        let kept = if load.must_flush {
            Kept::Forget
        } else {
            Kept::Use
        };
        let root = self.root(space);
        self.machine
            .load_root_with(CpuId(cpu), root, load.pcid, kept);
        self.cpus[cpu].walks = space;
        self.cpus[cpu].loaded = space;
    }
}
