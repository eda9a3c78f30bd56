//! Objects of every type for calls to act on, and what can be seen of them: a refused call changes none of it.

use core::cell::UnsafeCell;

use sys::abi::process::{self, ANY_CPU, Action};
use sys::abi::{Error, Handle, ObjectType, PAGE_SIZE, Rights, area, interrupt};
use sys::message::{self, Message};
use sys::{Context, call, thread};

/// Where nothing is mapped in the child.
const NOWHERE: u64 = 0x40_0000;
/// The bit of the event that says that the child's thread has faulted.
const FAULTED: u64 = 1;
/// The bit that says that the one who waits for an answer has ended.
const ENDED: u64 = 2;

/// One object of each type, and a page.
pub struct World {
    own: Handle,
    system: Handle,
    child: Handle,
    thread: Handle,
    area: Handle,
    event: Handle,
    mailbox: Handle,
    memory: Handle,
    interrupt: Handle,
    reply: Handle,
    caller: Handle,
    called: Handle,
    page: u64,
    page_of_child: u64,
}

/// The stack of the thread that waits for an answer.
#[repr(align(16))]
struct Stack(UnsafeCell<[u8; 8192]>);

// SAFETY: nobody touches it but the one thread that runs on it.
unsafe impl Sync for Stack {}

static STACK: Stack = Stack(UnsafeCell::new([0; 8192]));

/// Calls a mailbox, and ends when that is over.
extern "C" fn call_once(mailbox: u64) -> ! {
    let _ = message::call(Handle(mailbox), &Message::default());
    call::thread_exit()
}

/// What can be seen of a world.
#[derive(Debug, PartialEq, Eq)]
pub struct State {
    handles: u64,
    mappings: u64,
    threads: u64,
    child: process::Info,
    area: area::Info,
    bits: u64,
}

impl World {
    /// Makes the objects. The child has a thread that waits with an exception, which was not read yet.
    pub fn new(context: &Context) -> Result<Self, Error> {
        let own = context.own();
        let system = context.system().ok_or(Error::NotReady)?;
        let child = call::process_create("child")?;
        let event = call::event_create()?;
        call::process_on_exception(child, Some(event), FAULTED)?;
        let thread = call::thread_create(child, NOWHERE, NOWHERE, 0, ANY_CPU, 0)?;
        call::event_wait(event, FAULTED, 0, sys::abi::NEVER)?;
        let memory = context.memory().ok_or(Error::NotReady)?;
        let lines = context.lines().ok_or(Error::NotReady)?;
        // One that no device uses, and none of those that run at the same time.
        let count = call::resource_info(lines)?.len;
        let take = |line| call::interrupt_create(lines, line, interrupt::AS_WIRED).ok();
        let interrupt = (0..count).rev().find_map(take).ok_or(Error::Occupied)?;
        let mailbox = call::mailbox_create()?;
        let area = call::vm_area_create(area::OPEN, 2 * PAGE_SIZE, 0)?;
        let page = call::process_map(own, area, 0, 0, 2 * PAGE_SIZE, area::READ | area::WRITE)?;
        // Nothing may follow the page.
        call::process_unmap(own, page + PAGE_SIZE, PAGE_SIZE)?;
        call::vm_area_commit(area, 0, PAGE_SIZE)?;
        // Handles of the child, which can be asked for.
        for _ in 0..2 {
            call::handle_give(child, call::event_create()?)?;
        }
        let page_of_child = call::process_map(child, area, 0, 0, PAGE_SIZE, area::READ)?;
        // Somebody who waits for an answer that others can give.
        let called = call::mailbox_create()?;
        let top = STACK.0.get() as u64 + size_of::<Stack>() as u64;
        let caller = thread::start(own, call_once, called.0, top, ANY_CPU)?;
        message::receive(called, sys::abi::NEVER)?;
        let reply = call::mailbox_detach()?;
        Ok(Self {
            own,
            system,
            reply,
            caller,
            called,
            child,
            thread,
            area,
            event,
            mailbox,
            memory,
            interrupt,
            page,
            page_of_child,
        })
    }

    /// The object of a type.
    pub fn handle(&self, object: ObjectType) -> Handle {
        match object {
            ObjectType::Process => self.child,
            ObjectType::Thread => self.thread,
            ObjectType::VmArea => self.area,
            ObjectType::Event => self.event,
            ObjectType::Mailbox => self.mailbox,
            ObjectType::Resource => self.memory,
            ObjectType::Interrupt => self.interrupt,
            ObjectType::System => self.system,
            ObjectType::Reply => self.reply,
        }
    }

    /// The first address after the page; nothing is mapped there.
    pub fn page_end(&self) -> u64 {
        self.page + PAGE_SIZE
    }

    /// An address at which the child has something that it may read.
    pub fn page_of_child(&self) -> u64 {
        self.page_of_child
    }

    /// A further handle of an object, without some of its rights.
    pub fn weak(&self, handle: Handle, missing: Rights) -> Result<Handle, Error> {
        call::handle_duplicate(handle, Rights(!missing.0))
    }

    /// A handle that was closed.
    pub fn closed(&self) -> Result<Handle, Error> {
        let handle = call::handle_duplicate(self.event, Rights::ALL)?;
        call::handle_close(handle)?;
        Ok(handle)
    }

    /// What there is to see.
    pub fn state(&self) -> Result<State, Error> {
        let own = call::process_info(self.own)?;
        Ok(State {
            handles: own.handles,
            mappings: own.mappings,
            threads: own.threads,
            child: call::process_info(self.child)?,
            area: call::vm_area_info(self.area)?,
            bits: call::event_take(self.event, u64::MAX)?,
        })
    }

    /// Ends the child and gives all handles back. An error if its exception was touched meanwhile.
    pub fn end(self) -> Result<(), Error> {
        let exception = call::exception_read(self.child);
        let resumed = exception
            .and_then(|found| call::exception_resume(self.child, found.thread, Action::Retry));
        // The thread may be on its way to the same exception.
        call::process_kill(self.child, 0)?;
        call::process_unmap(self.own, self.page, PAGE_SIZE)?;
        // The caller waits still; without anybody to answer, no more.
        call::thread_on_exit(self.caller, Some(self.event), ENDED)?;
        let early = call::event_take(self.event, ENDED)?;
        call::handle_close(self.reply)?;
        call::event_wait(self.event, ENDED, 0, sys::abi::NEVER)?;
        let objects = [
            self.child,
            self.thread,
            self.area,
            self.mailbox,
            self.interrupt,
        ];
        for handle in objects
            .into_iter()
            .chain([self.event, self.caller, self.called])
        {
            call::handle_close(handle)?;
        }
        if early != 0 {
            return Err(Error::NotReady);
        }
        resumed
    }
}
