//! Processes: an address space, a handle table, an exit status.

pub mod handles;
pub mod loader;
pub mod space;

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::{Error, Handle, ObjectType, Rights};
use handles::HandleTable;
pub use handles::Object;

use crate::arch::current::IrqLock;
use crate::arch::current::trap::{PAGE_FAULT, TrapFrame, exception_name};
use crate::boot::Text;
use crate::sched::{self, thread::Thread};
use crate::trace;
use space::AddressSpace;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By its own choice, with a status.
    Status(u64),
    /// By an exception that nobody handled; its vector.
    Fault(u64),
}

impl Exit {
    /// The status that a shell would show: that of the program, or 128 plus the vector of the exception.
    pub fn status(self) -> u64 {
        match self {
            Self::Status(status) => status,
            Self::Fault(vector) => 128 + vector,
        }
    }
}

struct State {
    exit: Option<Exit>,
    waiters: Vec<Arc<Thread>>,
}

/// A running program.
pub struct Process {
    name: Text<32>,
    space: AddressSpace,
    handles: IrqLock<HandleTable>,
    state: IrqLock<State>,
}

impl Process {
    fn new(name: &str, space: AddressSpace, handles: HandleTable) -> Self {
        Self {
            name: Text::new(name),
            space,
            handles: IrqLock::new(handles),
            state: IrqLock::new(State {
                exit: None,
                waiters: Vec::new(),
            }),
        }
    }

    /// Its name: that of the boot module.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Its address space.
    pub fn space(&self) -> &AddressSpace {
        &self.space
    }

    /// The object behind a handle.
    ///
    /// # Errors
    /// `BadHandle`, `WrongType` or `AccessDenied`.
    pub fn object(
        &self,
        handle: Handle,
        kind: ObjectType,
        rights: Rights,
    ) -> Result<Object, Error> {
        self.handles.lock().get(handle, kind, rights)
    }

    /// Notes how the process ends and wakes those who wait for it. The first call counts.
    pub fn set_exit(&self, exit: Exit) {
        let waiters = {
            let mut state = self.state.lock();
            if state.exit.is_some() {
                return;
            }
            state.exit = Some(exit);
            core::mem::take(&mut state.waiters)
        };
        for waiter in waiters {
            sched::wake(&waiter);
        }
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Option<Exit> {
        self.state.lock().exit
    }

    /// Blocks the calling kernel thread until the process has ended.
    pub fn wait(&self) -> Exit {
        loop {
            {
                let mut state = self.state.lock();
                if let Some(exit) = state.exit {
                    return exit;
                }
                state.waiters.push(sched::current_thread());
            }
            sched::block();
        }
    }
}

/// Called for an exception in user mode, on the thread's kernel stack: the process ends, with a report.
pub fn on_user_exception(frame: &TrapFrame) {
    let Some(process) = sched::current_process() else {
        crate::panic::on_exception(frame)
    };
    let name = exception_name(frame.vector);
    trace::record(trace::Phase::Instant, "fault");
    let address = x86_64::registers::control::Cr2::read_raw();
    if frame.vector == PAGE_FAULT {
        let access = match frame.error {
            error if error & 0x10 != 0 => "executing",
            error if error & 2 != 0 => "writing",
            _ => "reading",
        };
        let cause = if frame.error & 1 == 0 {
            "nothing is mapped there"
        } else {
            "the mapping forbids it"
        };
        log::error!(
            "{} was ended: {name} {access} {address:#x}, {cause}",
            process.name()
        );
    } else {
        log::error!(
            "{} was ended: {name}, error code {:#x}",
            process.name(),
            frame.error
        );
    }
    let cpu = crate::arch::current::percpu::current().index;
    let at = klog::markup::Frame {
        cpu,
        frame: 0,
        address: frame.rip,
        module: Some(process.name()),
    };
    log::error!("  at {at}");
    process.set_exit(Exit::Fault(frame.vector));
    drop(process);
    sched::exit_current()
}
