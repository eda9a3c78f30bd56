//! Kernel objects: what a handle can name, and the tables of handles.

pub mod event;
pub mod handles;

use abi::ObjectType;
pub use event::{Binding, Event};
pub use handles::HandleTable;
use ksync::Arc;

use crate::process::Process;
use crate::sched::thread::Thread;
use crate::vm::VmArea;

/// What a handle names: a counted reference.
#[derive(Clone)]
pub enum Object {
    /// A process; its own handle table may hold it too, until it ends.
    Process(Arc<Process>),
    /// A thread.
    Thread(
        #[expect(
            dead_code,
            reason = "a handle keeps the thread; there is no call on one yet"
        )]
        Arc<Thread>,
    ),
    /// Memory.
    VmArea(Arc<VmArea>),
    /// An event.
    Event(Arc<Event>),
    /// The kernel log.
    Log,
    /// The machine.
    System,
}

impl Object {
    /// Its type.
    pub fn kind(&self) -> ObjectType {
        match self {
            Self::Process(_) => ObjectType::Process,
            Self::Thread(_) => ObjectType::Thread,
            Self::VmArea(_) => ObjectType::VmArea,
            Self::Event(_) => ObjectType::Event,
            Self::Log => ObjectType::Log,
            Self::System => ObjectType::System,
        }
    }
}
