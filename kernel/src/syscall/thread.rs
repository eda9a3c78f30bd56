//! Calls on threads.

use abi::process::ANY_CPU;
use abi::thread::{Info, Registers, SUSPEND};
use abi::{CPU_SET_MAX, Error, Handle, ObjectType, REGISTERS_SIZE, Rights};
use ksched::{Cpu, CpuSet, MAX_CPUS, Priority};

use super::decode::{Place, UserBytes, Written, objects};
use super::dispatch::{Caller, Threads};
use super::process::binding;
use crate::arch::current::{percpu, time};
use crate::object::{Object, mailbox};
use crate::sched::thread::{Affinity, Start, Thread};
use crate::sched::{self, alarm, registers, usage};

impl Threads for Caller<'_> {
    fn thread_create(
        self,
        target: objects::Process,
        entry: u64,
        stack: u64,
        argument: u64,
        cpu: u64,
        how: u64,
    ) -> Result<Handle, Error> {
        let affinity = match cpu {
            ANY_CPU => Affinity::Any,
            cpu => {
                let area = usize::try_from(cpu).ok().and_then(percpu::get);
                let area = area.filter(|area| area.queue.is_online());
                Affinity::Pinned(area.ok_or(Error::InvalidArgument)?.index)
            }
        };
        let start = Start::User {
            entry,
            stack,
            argument,
        };
        let thread = Thread::new(target.name(), affinity, Some(target.clone()), start)
            .map_err(|_| Error::OutOfMemory)?;
        let is_suspended = how & SUSPEND != 0;
        if is_suspended {
            sched::suspend(&thread);
        }
        const RIGHTS: Rights = Rights::of(ObjectType::Thread);
        let handle = self.0.add_handle(Object::Thread(thread.clone()), RIGHTS)?;
        if let Err(error) = target.add_thread(&thread) {
            let _ = self.0.remove_handle(handle);
            return Err(error);
        }
        if is_suspended {
            sched::add_suspended(thread);
        } else {
            sched::add(thread);
        }
        Ok(handle)
    }

    fn thread_kill(self, thread: objects::Thread) -> Result<(), Error> {
        sched::make_leave(&thread);
        Ok(())
    }

    fn thread_suspend(self, thread: objects::Thread) -> Result<(), Error> {
        sched::suspend(&thread);
        Ok(())
    }

    fn thread_resume(self, thread: objects::Thread) -> Result<(), Error> {
        sched::resume(&thread);
        Ok(())
    }

    fn thread_info(self, thread: objects::Thread, place: Place<Info>) -> Result<Written, Error> {
        place.write(info(&thread))
    }

    fn thread_sleep(self, until: u64) -> Result<(), Error> {
        while time::now_ns() < until {
            if sched::current_must_end() {
                return Err(Error::Ended);
            }
            alarm::block_until(until).map_err(|_| Error::OutOfMemory)?;
        }
        Ok(())
    }

    fn thread_set_priority(self, thread: objects::Thread, priority: u64) -> Result<(), Error> {
        let level = u8::try_from(priority).ok().and_then(Priority::new);
        sched::set_priority(&thread, level.ok_or(Error::InvalidArgument)?);
        mailbox::priority_changed(&thread);
        Ok(())
    }

    fn thread_set_affinity(self, thread: objects::Thread, set: UserBytes) -> Result<(), Error> {
        let mut buffer = [0; CPU_SET_MAX];
        let bytes = set.read(&mut buffer)?;
        let is_set = |index: usize| {
            let byte = bytes.get(index / 8).copied().unwrap_or(0);
            byte >> (index % 8) & 1 != 0
        };
        let cpus: CpuSet = (0..MAX_CPUS)
            .filter(|&index| is_set(index))
            .filter_map(Cpu::new)
            .collect();
        let is_online =
            |cpu: Cpu| percpu::get(cpu.index()).is_some_and(|area| area.queue.is_online());
        if !cpus.iter().any(is_online) {
            return Err(Error::InvalidArgument);
        }
        sched::set_affinity(&thread, Affinity::Among(cpus));
        Ok(())
    }

    fn thread_on_exit(
        self,
        thread: objects::Thread,
        event: Option<objects::Event>,
        bits: u64,
    ) -> Result<(), Error> {
        thread.on_exit(binding(event, bits)?);
        Ok(())
    }

    fn thread_read_registers(
        self,
        thread: objects::Thread,
        place: Place<Registers>,
    ) -> Result<Written, Error> {
        place.write(registers::read(&thread)?)
    }

    fn thread_write_registers(
        self,
        thread: objects::Thread,
        bytes: UserBytes,
    ) -> Result<(), Error> {
        let mut buffer = [0; REGISTERS_SIZE];
        let bytes = bytes.read(&mut buffer)?;
        if bytes.len() != REGISTERS_SIZE {
            return Err(Error::InvalidArgument);
        }
        registers::write(&thread, &Registers::from_bytes(buffer))
    }

    fn thread_exit(self) {
        sched::leave_current();
    }

    fn thread_yield(self) {
        sched::yield_now();
    }
}

/// What can be asked of a thread.
pub fn info(thread: &Thread) -> Info {
    let used = usage::of_thread(thread);
    Info {
        number: thread.id,
        state: thread.state(),
        priority: u64::from(thread.base_priority().level()),
        effective_priority: u64::from(thread.priority().level()),
        processor: thread.processor().map_or(ANY_CPU, u64::from),
        ran: used.ran_ns,
        switches: used.switches,
    }
}
