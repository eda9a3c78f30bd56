//! Kernel objects: what a handle can name. The tables of handles are those of [`kobj`].

pub mod event;
pub mod interrupt;
pub mod leftover;
pub mod mailbox;
pub mod ports;
pub mod resource;

use core::mem::ManuallyDrop;

use abi::{ObjectType, Rights};
pub use event::{Binding, Event};
pub use interrupt::Interrupt;
use kobj::Numbers;
use ksync::{Arc, Count, Once};
pub use mailbox::Mailbox;
pub use resource::Resource;

use crate::arch::current::random;
use crate::process::Process;
use crate::sched::thread::Thread;
use crate::vm::VmArea;

/// The handles of a process.
pub type HandleTable = kobj::Table<Object>;

/// What a handle names: a counted reference.
pub enum Object {
    /// A process; its own handle table may hold it too, until it ends.
    Process(Arc<Process>),
    /// A thread.
    Thread(Arc<Thread>),
    /// Memory.
    VmArea(Arc<VmArea>),
    /// An event.
    Event(Arc<event::Listener>),
    /// A range of what the machine has.
    Resource(Arc<Resource>),
    /// The use of an interrupt line.
    Interrupt(Arc<Interrupt>),
    /// A side of a mailbox.
    Mailbox(mailbox::End),
    /// The right to answer a call.
    Reply(Arc<mailbox::Reply>),
    /// The machine: its log and its statistics.
    System,
}

impl kobj::Object for Object {
    #[inline]
    fn kind(&self) -> ObjectType {
        match self {
            Self::Process(_) => ObjectType::Process,
            Self::Thread(_) => ObjectType::Thread,
            Self::VmArea(_) => ObjectType::VmArea,
            Self::Event(_) => ObjectType::Event,
            Self::Mailbox(_) => ObjectType::Mailbox,
            Self::Resource(_) => ObjectType::Resource,
            Self::Interrupt(_) => ObjectType::Interrupt,
            Self::Reply(_) => ObjectType::Reply,
            Self::System => ObjectType::System,
        }
    }

    /// A mailbox is open as long as somebody can receive from it: handles that cannot do not count.
    #[inline]
    fn with_rights(&self, rights: Rights) -> Self {
        match self {
            Self::Mailbox(end) if !rights.contains(Rights::RECEIVE) => {
                Self::Mailbox(mailbox::End::Client(end.mailbox().clone()))
            }
            _ => self.clone(),
        }
    }
}

impl Clone for Object {
    /// Counts one more reference and copies it, without telling the types apart: a handle is cloned with its slot locked.
    #[inline(always)]
    fn clone(&self) -> Self {
        if let Some(count) = self.counter() {
            count.add();
        }
        // SAFETY: the copy is the reference that was just counted, if it is one; each variant holds one or nothing else.
        unsafe { core::ptr::read(self) }
    }
}

impl Object {
    /// Where its references are counted; none if it is not counted.
    #[inline(always)]
    fn counter(&self) -> Option<&Count> {
        Some(match self {
            Self::Process(process) => Arc::counter(process),
            Self::Thread(thread) => Arc::counter(thread),
            Self::VmArea(area) => Arc::counter(area),
            Self::Event(event) => Arc::counter(event),
            Self::Resource(resource) => Arc::counter(resource),
            Self::Interrupt(interrupt) => Arc::counter(interrupt),
            Self::Mailbox(mailbox::End::Client(mailbox)) => Arc::counter(mailbox),
            Self::Mailbox(mailbox::End::Server(receiver)) => Arc::counter(receiver),
            Self::Reply(reply) => Arc::counter(reply),
            Self::System => return None,
        })
    }

    /// Drops it, without telling the types apart if it is not the last reference.
    #[inline(always)]
    pub fn release(self) {
        let this = ManuallyDrop::new(self);
        // SAFETY: the reference is this one, which is forgotten already.
        let is_gone = this
            .counter()
            .is_none_or(|count| unsafe { count.take_off() });
        if !is_gone {
            end(ManuallyDrop::into_inner(this));
        }
    }

    /// A number that no other object has at the same time.
    pub fn number(&self) -> u64 {
        static NUMBERS: Once<Numbers> = Once::new();
        // What differs: an address, or a number that is none.
        let word = match self {
            Self::Process(process) => process.as_ptr() as u64,
            Self::Thread(thread) => thread.as_ptr() as u64,
            Self::VmArea(area) => area.as_ptr() as u64,
            Self::Event(event) => event.as_ptr() as u64,
            Self::Mailbox(end) => end.address(),
            Self::Resource(resource) => resource.as_ptr() as u64,
            Self::Interrupt(interrupt) => interrupt.as_ptr() as u64,
            Self::Reply(reply) => reply.as_ptr() as u64,
            Self::System => 2,
        };
        let numbers = NUMBERS.call_once(|| Numbers::new(random::next()));
        numbers.of(word)
    }
}

/// Drops the last reference. Apart, as few are the last.
#[cold]
#[inline(never)]
fn end(object: Object) {
    drop(object);
}
