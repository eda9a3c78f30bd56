//! How a processor does what others ask of it.

use kaddr::{PAGE_SIZE, VirtAddr};
use kmem::tlb::{Action, Request};
use ktestkit::{CpuId, GlobalPages};

use crate::fault::Fault;
use crate::jobs::Job;
use crate::system::System;

impl System {
    /// Carries out one of the requests that a processor got, if its interrupts are on or it waits.
    pub fn serve(&mut self, cpu: usize, nth: usize) {
        let can_serve = match &self.cpus[cpu].job {
            Job::Idle | Job::Waiting(_) => true,
            Job::Loading { .. } => self.has(Fault::ServedWhileLoading),
            _ => false,
        };
        let asked_by = &mut self.cpus[cpu].asked_by;
        if !can_serve || asked_by.is_empty() {
            return;
        }
        let from = asked_by.remove(nth % asked_by.len());
        let words = self.cpus[from].asks;
        if self.has(Fault::AnsweredBeforeDone) {
            self.cpus[cpu].late.push(words);
        } else {
            self.carry_out(cpu, Request::decode(words));
        }
        self.cpus[from].waits_for.retain(|other| *other != cpu);
    }

    pub fn do_late(&mut self, cpu: usize) {
        for words in std::mem::take(&mut self.cpus[cpu].late) {
            self.carry_out(cpu, Request::decode(words));
        }
    }

    pub fn carry_out(&mut self, cpu: usize, request: Request) {
        match self.cpus[cpu].slots.carry_out(request) {
            Action::Nothing => {}
            Action::Pages(pages) => {
                let mut addresses: Vec<VirtAddr> = pages.addresses().collect();
                if self.has(Fault::OnePageShort) {
                    addresses.pop();
                }
                if self.has(Fault::SmallSteps) {
                    let first = addresses[0].as_u64();
                    for (address, index) in addresses.iter_mut().zip(0..) {
                        *address = VirtAddr::new(first + index * PAGE_SIZE);
                    }
                }
                for address in addresses {
                    self.machine.invalidate(CpuId(cpu), address);
                }
            }
            Action::Current => self.machine.flush(CpuId(cpu), GlobalPages::Keep),
            Action::Everything => self.machine.flush(CpuId(cpu), GlobalPages::Drop),
            Action::Unload => {
                let load = self.cpus[cpu].slots.load_kernel();
                let left = self.cpus[cpu].loaded;
                self.load_tables(cpu, None, load);
                if let Some(left) = left {
                    self.spaces[left].residency.leave(cpu as u32);
                }
            }
        }
    }
}
