//! What a machine has: objects, processes with their handles, threads.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use abi::handle::ObjectType;
use abi::log::Level;
use abi::thread::Registers;
use abi::{Error, Handle, NEVER, Rights};

use crate::memory::Memory;

/// The number of an object, a process, a thread or a call.
pub type Id = u64;

/// Bits of an event that something sets.
pub type Binding = Option<(Id, u64)>;

/// An area.
#[derive(Debug)]
pub struct Area {
    pub kind: u64,
    /// As mappings see it.
    pub size: u64,
    /// Of guarded ones.
    pub section: u64,
    pub memory: Arc<Memory>,
    pub mappings: u64,
}

#[derive(Debug, Default)]
pub struct Event {
    pub bits: u64,
    pub timer: Option<(u64, u64)>,
}

#[derive(Debug, Default)]
pub struct Mailbox {
    /// Calls that nobody has received yet.
    pub queue: VecDeque<Id>,
    /// Threads that wait for one.
    pub waiting: usize,
    /// Handles with RECEIVE.
    pub receivers: usize,
    pub is_closed: bool,
    pub on_readable: Binding,
    /// By process and event.
    pub on_closed: Vec<(Id, Id, u64)>,
}

#[derive(Debug, Default)]
pub struct Interrupt {
    pub line: u64,
    pub mode: u64,
    pub fired: u64,
    pub unacknowledged: u64,
    pub on_fire: Binding,
    /// It was told of, and not acknowledged yet.
    pub is_told: bool,
}

/// A thread of a process without code.
#[derive(Debug)]
pub struct Thread {
    pub process: Id,
    pub state: u64,
    pub priority: u64,
    pub registers: Registers,
    pub on_exit: Binding,
}

#[derive(Debug)]
pub enum Object {
    Process(Id),
    Thread(Thread),
    Area(Area),
    Event(Event),
    Mailbox(Mailbox),
    Resource {
        kind: u64,
        start: u64,
        len: u64,
    },
    Interrupt(Interrupt),
    System,
    /// The call that can be answered.
    Reply(Id),
}

impl Object {
    pub fn kind(&self) -> ObjectType {
        match self {
            Self::Process(_) => ObjectType::Process,
            Self::Thread(_) => ObjectType::Thread,
            Self::Area(_) => ObjectType::VmArea,
            Self::Event(_) => ObjectType::Event,
            Self::Mailbox(_) => ObjectType::Mailbox,
            Self::Resource { .. } => ObjectType::Resource,
            Self::Interrupt(_) => ObjectType::Interrupt,
            Self::System => ObjectType::System,
            Self::Reply(_) => ObjectType::Reply,
        }
    }
}

/// What a handle is.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its number in the tree of what is derived from what.
    pub node: Id,
    pub object: Id,
    pub rights: Rights,
    pub badge: u64,
}

/// A place in the table of a process.
#[derive(Debug, Default)]
pub struct Slot {
    pub generation: u32,
    pub entry: Option<Entry>,
}

/// A mapping.
#[derive(Clone, Copy, Debug)]
pub struct Mapped {
    pub len: u64,
    pub object: Id,
    pub offset: u64,
    pub access: u64,
    /// It is memory of the host, not only noted.
    pub is_real: bool,
}

#[derive(Debug)]
pub struct Process {
    pub name: String,
    pub parent: Id,
    /// Its object.
    pub object: Id,
    pub table: Vec<Slot>,
    /// State and status, when it has ended.
    pub end: Option<(u64, u64)>,
    pub on_exit: Binding,
    pub on_exception: Binding,
    pub mappings: BTreeMap<u64, Mapped>,
    pub limit: u64,
    /// Threads of the host that are its own.
    pub threads: usize,
    /// Its handle of itself.
    pub own: Handle,
}

/// A message on its way.
#[derive(Clone, Debug, Default)]
pub struct Message {
    pub tag: u64,
    pub words: Vec<u64>,
}

/// A call that waits for its answer.
#[derive(Debug)]
pub struct Call {
    pub process: Id,
    pub badge: u64,
    pub message: Message,
    /// The caller has room for words beyond those in registers.
    pub has_buffer: bool,
    pub answer: Option<Result<Message, Error>>,
}

/// A thread of the host.
#[derive(Debug, Default)]
pub struct Runner {
    pub process: Id,
    /// The call that it received last.
    pub current: Option<Id>,
    /// The buffer for long messages; 0 for none.
    pub buffer: u64,
    /// Since when it has found nothing to do: the count of changes that it saw; none while it runs.
    pub seen: Option<u64>,
    /// Until when it waits.
    pub until: u64,
}

/// A record of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When it was written.
    pub time: u64,
    /// How important it is.
    pub level: Level,
    /// The process that wrote it.
    pub process: String,
    /// Its number.
    pub number: Id,
    /// What it says.
    pub text: String,
}

/// A futex that a thread waits for.
#[derive(Debug)]
pub struct Waiting {
    pub runner: Id,
    pub word: (Id, u64),
    pub is_woken: bool,
}

/// Who calls.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    pub process: Id,
    pub runner: Id,
}

#[derive(Debug, Default)]
pub struct State {
    /// The number that was given last.
    pub next: Id,
    pub objects: HashMap<Id, (Object, usize)>,
    pub processes: BTreeMap<Id, Process>,
    pub runners: HashMap<Id, Runner>,
    pub calls: HashMap<Id, Call>,
    /// Handles and what they were made from.
    pub nodes: HashMap<Id, Id>,
    pub futexes: Vec<Waiting>,
    /// How often something has changed.
    pub changes: u64,
    /// By how much the clock is ahead of the host's.
    pub ahead: u64,
    pub log: Vec<Record>,
    pub log_read: u64,
    pub on_record: Binding,
    pub handle_limit: usize,
    pub framebuffer: Option<abi::framebuffer::Framebuffer>,
    pub devices: Vec<abi::device::Device>,
    pub power: Option<(abi::power::Action, u64)>,
    pub consoles: u64,
    /// Memory of devices, by where it begins.
    pub device_memory: HashMap<u64, Arc<Memory>>,
}

impl State {
    pub fn new_id(&mut self) -> Id {
        self.next += 1;
        self.next
    }

    /// Makes a process, and its object.
    pub fn new_process(&mut self, name: &str, parent: Id) -> Id {
        let process = self.new_id();
        let object = self.new_object(Object::Process(process));
        let new = Process {
            name: name.to_string(),
            parent,
            object,
            table: Vec::new(),
            end: None,
            on_exit: None,
            on_exception: None,
            mappings: BTreeMap::new(),
            limit: NEVER,
            threads: 0,
            own: Handle(0),
        };
        self.processes.insert(process, new);
        process
    }

    pub fn new_object(&mut self, object: Object) -> Id {
        let id = self.new_id();
        self.objects.insert(id, (object, 0));
        id
    }

    pub fn object(&self, id: Id) -> Option<&Object> {
        self.objects.get(&id).map(|(object, _)| object)
    }

    pub fn object_mut(&mut self, id: Id) -> Option<&mut Object> {
        self.objects.get_mut(&id).map(|(object, _)| object)
    }

    pub fn area(&mut self, id: Id) -> Result<&mut Area, Error> {
        match self.object_mut(id) {
            Some(Object::Area(area)) => Ok(area),
            _ => Err(Error::WrongType),
        }
    }

    pub fn mailbox(&mut self, id: Id) -> Result<&mut Mailbox, Error> {
        match self.object_mut(id) {
            Some(Object::Mailbox(mailbox)) => Ok(mailbox),
            _ => Err(Error::WrongType),
        }
    }

    pub fn event(&mut self, id: Id) -> Option<&mut Event> {
        match self.object_mut(id) {
            Some(Object::Event(event)) => Some(event),
            _ => None,
        }
    }

    pub fn process_of(&mut self, object: Id) -> Result<&mut Process, Error> {
        let process = match self.object(object) {
            Some(Object::Process(process)) => *process,
            _ => return Err(Error::WrongType),
        };
        self.processes.get_mut(&process).ok_or(Error::Ended)
    }

    /// Sets bits of an event, if it is there still.
    pub fn signal(&mut self, binding: Binding) {
        if let Some((event, bits)) = binding
            && let Some(event) = self.event(event)
        {
            event.bits |= bits;
        }
    }

    /// Sets the bits of timers whose time has come; the time of the next one.
    pub fn fire_timers(&mut self, now: u64) -> u64 {
        let mut next = NEVER;
        for (object, _) in self.objects.values_mut() {
            let Object::Event(event) = object else {
                continue;
            };
            match event.timer {
                Some((bits, at)) if at <= now => {
                    event.bits |= bits;
                    event.timer = None;
                    self.changes += 1;
                }
                Some((_, at)) => next = next.min(at),
                None => {}
            }
        }
        next
    }

    /// Wakes at most so many of the threads that wait for a word; how many it were.
    pub fn wake(&mut self, word: (Id, u64), most: u64) -> u64 {
        let mut woken = 0;
        let waiting = self.futexes.iter_mut();
        for waiting in waiting.filter(|waiting| waiting.word == word && !waiting.is_woken) {
            if woken == most {
                break;
            }
            waiting.is_woken = true;
            woken += 1;
        }
        woken
    }
}
