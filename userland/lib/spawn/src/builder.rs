//! What a new process is to be given, and the steps that make it.

use alloc::string::String;
use alloc::vec::Vec;

use abi::{Handle, PAGE_SIZE, Rights, area, process, thread};
use sys::object::{Event, Kept, Mapping, Owned, Process};

use crate::child::{Child, StackPlace};
use crate::error::{Reason, SpawnError, Step};
use crate::layout::{Piece, Plan};
use crate::memory::Parcel;
use crate::program::Shared;
use crate::random;
use crate::stack::{InitialStack, Told};

/// Bytes of a stack, when nothing else is asked for. Pages are made when they are touched.
pub const STACK_SIZE: u64 = 1 << 20;

/// What a process may do with itself, when nothing else is asked for.
pub const OWN_RIGHTS: Rights = Rights::MAP
    .union(Rights::CREATE_THREAD)
    .union(Rights::INSPECT)
    .union(Rights::HANDLE_EXCEPTIONS)
    .union(Rights::GIVE)
    .union(Rights::KILL)
    .union(Rights::DUPLICATE)
    .union(Rights::TRANSFER);

/// A process that is to be made. What it is not given here it does not have.
#[derive(Debug)]
#[must_use = "nothing is made before `spawn`"]
pub struct Builder<'a> {
    name: &'a str,
    file: &'a [u8],
    shared: &'a [Shared],
    arguments: Vec<&'a str>,
    environment: Vec<(&'a str, &'a str)>,
    handles: Vec<(&'a str, Owned)>,
    limit: Option<u64>,
    own_rights: Rights,
    stack_size: u64,
    on_exception: Option<(&'a Event, u64)>,
    on_exit: Option<(&'a Event, u64)>,
    /// Memory was short for what was added.
    is_short: bool,
}

/// A step, and why it could not be done.
type Failure<'a> = (StepAt<'a>, Reason);

/// As [`Step`], with borrowed texts.
#[derive(Clone, Copy)]
enum StepAt<'a> {
    Is(&'static Step),
    Load(u64),
    Give(&'a str),
}

/// Adds the step to a result.
trait During<T> {
    fn during<'a>(self, step: &'static Step) -> Result<T, Failure<'a>>;
}

impl<T, E: Into<Reason>> During<T> for Result<T, E> {
    fn during<'a>(self, step: &'static Step) -> Result<T, Failure<'a>> {
        self.map_err(|error| (StepAt::Is(step), error.into()))
    }
}

impl<'a> Builder<'a> {
    /// A process of the program in an ELF file. Its name is also the program's argument number 0; the kernel knows it by the first
    /// [`abi::NAME_MAX`] bytes of it.
    pub fn new(name: &'a str, file: &'a [u8]) -> Self {
        Self::sharing(name, file, &[])
    }

    /// The same with pieces that are there already.
    pub(crate) fn sharing(name: &'a str, file: &'a [u8], shared: &'a [Shared]) -> Self {
        let builder = Self {
            name,
            file,
            shared,
            arguments: Vec::new(),
            environment: Vec::new(),
            handles: Vec::new(),
            limit: None,
            own_rights: OWN_RIGHTS,
            stack_size: STACK_SIZE,
            on_exception: None,
            on_exit: None,
            is_short: false,
        };
        builder.argument(name)
    }

    /// One more argument.
    pub fn argument(mut self, argument: &'a str) -> Self {
        self.is_short |= !push(&mut self.arguments, argument);
        self
    }

    /// More arguments.
    pub fn arguments(self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        arguments.into_iter().fold(self, Self::argument)
    }

    /// A variable of its environment.
    pub fn env(mut self, name: &'a str, value: &'a str) -> Self {
        self.is_short |= !push(&mut self.environment, (name, value));
        self
    }

    /// A handle, which it finds by this name. It needs TRANSFER.
    pub fn handle(mut self, name: &'a str, handle: impl Into<Owned>) -> Self {
        self.is_short |= !push(&mut self.handles, (name, handle.into()));
        self
    }

    /// Handles that belong together under one name, in this order: the end of a channel is four. Each needs TRANSFER.
    pub fn bundle(self, name: &'a str, handles: impl IntoIterator<Item = Owned>) -> Self {
        let handles = handles.into_iter();
        handles.fold(self, |builder, handle| builder.handle(name, handle))
    }

    /// How many bytes of memory it may use. The image and the stack are its maker's.
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.limit = Some(bytes);
        self
    }

    /// What it may do with itself, instead of [`OWN_RIGHTS`]. A handle that is given away needs TRANSFER, so that this is always among
    /// them; without any rights it has no handle of itself.
    pub fn own_rights(mut self, rights: Rights) -> Self {
        self.own_rights = rights;
        self
    }

    /// How many bytes of stack it has, instead of [`STACK_SIZE`].
    pub fn stack_size(mut self, bytes: u64) -> Self {
        self.stack_size = bytes;
        self
    }

    /// Sets bits of an event when a thread of it faults, from the first instruction on. See [`crate::report`].
    pub fn on_exception(mut self, event: &'a Event, bits: u64) -> Self {
        self.on_exception = Some((event, bits));
        self
    }

    /// Sets bits of an event when it has ended.
    pub fn on_exit(mut self, event: &'a Event, bits: u64) -> Self {
        self.on_exit = Some((event, bits));
        self
    }

    /// Makes the process and starts it.
    ///
    /// # Errors
    /// The step that failed, and why. Then nothing is left of the process, and the handles that it was to have are closed.
    pub fn spawn(self) -> Result<Child, SpawnError> {
        let name = self.name;
        self.build().map_err(|(step, reason)| SpawnError {
            name: text(name),
            step: match step {
                StepAt::Is(step) => step.clone(),
                StepAt::Load(address) => Step::Load(address),
                StepAt::Give(name) => Step::Give(text(name)),
            },
            reason,
        })
    }

    fn build(self) -> Result<Child, Failure<'a>> {
        if self.is_short {
            return Err((StepAt::Is(&Step::ReadProgram), Reason::OutOfMemory));
        }
        let plan = Plan::new(self.file, random::next()).during(&Step::ReadProgram)?;
        if sys::start::own() == NOTHING {
            return Err((StepAt::Is(&Step::FindSelf), Reason::NoSelf));
        }
        let process = Process::new(kernel_name(self.name)).during(&Step::CreateProcess)?;
        let unfinished = Unfinished(process);
        let process = &unfinished.0;
        if let Some(limit) = self.limit {
            process.set_limit(limit).during(&Step::SetLimit)?;
        }
        for (index, piece) in plan.pieces().iter().enumerate() {
            let shared = self.shared.iter().find(|shared| shared.index == index);
            let loaded = match shared {
                Some(shared) => map(&shared.parcel, process, piece),
                None => load(process, &plan, piece),
            };
            loaded.map_err(|error| (StepAt::Load(piece.pages.start), error.into()))?;
        }
        let told = Told {
            arguments: &self.arguments,
            environment: &self.environment,
            handles: &[],
            own: None,
            random: [random::next(), random::next(), random::next()],
        };
        let stack = self.map_stack(process, &plan, &told)?;
        let given = give(process, self.own_rights, self.handles)?;
        let told = Told {
            handles: &given.named,
            own: given.own,
            ..told
        };
        let start = stack.fill(&plan, &told).during(&Step::FillStack)?;
        if let Some((event, bits)) = self.on_exception {
            let bound = process.on_exception(Some(event), bits);
            bound.during(&Step::Bind)?;
        }
        if let Some((event, bits)) = self.on_exit {
            process.on_exit(Some(event), bits).during(&Step::Bind)?;
        }
        start_thread(process, plan.entry(), &start)?;
        Ok(Child::new(unfinished.finish(), plan.bias()))
    }

    /// Makes the stack, long enough for what the program is told as well, and maps it.
    fn map_stack(
        &self,
        process: &Process,
        plan: &Plan<'_>,
        told: &Told<'_>,
    ) -> Result<Stack, Failure<'a>> {
        // How long that is depends on the number and names of the handles, not on the handles.
        let mut named = Vec::new();
        let reserved = named.try_reserve_exact(self.handles.len());
        reserved.during(&Step::MakeStack)?;
        named.extend(self.handles.iter().map(|(name, _)| (*name, NOTHING)));
        let told = Told {
            handles: &named,
            own: Some(NOTHING),
            ..*told
        };
        let sketch = InitialStack::new(abi::USER_END, plan, &told).during(&Step::FillStack)?;
        let len = self.stack_size.saturating_add(sketch.bytes.len() as u64);
        let len = len.checked_next_multiple_of(PAGE_SIZE);
        let len = len.ok_or(Reason::Kernel(abi::Error::NoRoom));
        let len = len.during(&Step::MakeStack)?;
        let parcel = Parcel::guarded(len).during(&Step::MakeStack)?;
        let access = area::READ | area::WRITE;
        let address = parcel
            .map_into(process, None, 0, len + PAGE_SIZE, access)
            .during(&Step::MakeStack)?;
        let place = StackPlace::new(address, len);
        Ok(Stack { parcel, place })
    }
}

/// What errors call a process's handle of itself, which has a tag of its own instead of a name.
const SELF: &str = "itself";

/// Adds something to a list; whether there was memory for it.
fn push<T>(list: &mut Vec<T>, item: T) -> bool {
    let has_room = list.try_reserve(1).is_ok();
    if has_room {
        list.push(item);
    }
    has_room
}

/// The handle that names nothing.
const NOTHING: Handle = Handle(0);

/// A process that ends when this is dropped before it is finished.
struct Unfinished(Process);

impl Unfinished {
    fn finish(mut self) -> Process {
        // What is left behind ends, and closes, nothing.
        core::mem::replace(&mut self.0, Process::from_raw(NOTHING))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // With its end it loses its handles, that of itself included, which would keep it for good.
        let _ = self.0.kill(0);
    }
}

/// The stack of a process, which is mapped there already.
struct Stack {
    parcel: Parcel,
    place: StackPlace,
}

impl Stack {
    fn fill(&self, plan: &Plan<'_>, told: &Told<'_>) -> Result<InitialStack, Reason> {
        let start = InitialStack::new(self.place.top, plan, told)?;
        let len = start.bytes.len() as u64;
        let first = (self.place.top_offset - len) & !(PAGE_SIZE - 1);
        let shown = self.place.top_offset - first;
        self.parcel.fill(first, shown, |memory| {
            memory.write(shown - len, &start.bytes);
        })?;
        Ok(start)
    }
}

/// Makes, fills and maps a part of a program.
fn load(process: &Process, plan: &Plan<'_>, piece: &Piece) -> Result<(), abi::Error> {
    let parcel = Parcel::open(piece.pages.end - piece.pages.start)?;
    fill(&parcel, plan, piece)?;
    map(&parcel, process, piece)
}

fn map(parcel: &Parcel, process: &Process, piece: &Piece) -> Result<(), abi::Error> {
    let len = piece.pages.end - piece.pages.start;
    let address = Some(piece.pages.start);
    parcel.map_into(process, address, 0, len, piece.access)?;
    Ok(())
}

/// Writes what a part of a program begins with.
pub(crate) fn fill(parcel: &Parcel, plan: &Plan<'_>, piece: &Piece) -> Result<(), abi::Error> {
    parcel.fill(0, piece.filled, |memory: &Mapping| {
        plan.fill(piece, |offset, bytes| {
            memory.write(offset, bytes);
        });
    })
}

/// The handles of a new process, as it knows them.
struct Given<'a> {
    own: Option<Handle>,
    named: Vec<(&'a str, Handle)>,
}

/// Moves handles to a process, that of itself first.
fn give<'a>(
    process: &Process,
    own_rights: Rights,
    handles: Vec<(&'a str, Owned)>,
) -> Result<Given<'a>, Failure<'a>> {
    let mut named = Vec::new();
    let reserved = named.try_reserve_exact(handles.len());
    reserved.during(&Step::FillStack)?;
    let own = if own_rights == Rights::NONE {
        None
    } else {
        let rights = own_rights.union(Rights::TRANSFER);
        let own = process
            .duplicate(rights)
            .and_then(|own| process.give(own).map_err(|Kept { error, .. }| error))
            .map_err(|error| (StepAt::Give(SELF), error.into()))?;
        Some(own)
    };
    for (name, handle) in handles {
        let given = process
            .give(handle)
            .map_err(|Kept { error, .. }| (StepAt::Give(name), error.into()))?;
        named.push((name, given));
    }
    Ok(Given { own, named })
}

/// Makes the first thread and lets it run.
fn start_thread<'a>(
    process: &Process,
    entry: u64,
    start: &InitialStack,
) -> Result<(), Failure<'a>> {
    let (any, how) = (process::ANY_CPU, thread::SUSPEND);
    let thread = process
        .create_thread(entry, start.pointer, 0, any, how)
        .during(&Step::CreateThread)?;
    let registers = thread.read_registers().during(&Step::SetRegisters)?;
    let registers = thread::Registers {
        fs_base: start.thread_pointer,
        ..registers
    };
    let written = thread.write_registers(&registers);
    written.during(&Step::SetRegisters)?;
    thread.resume().during(&Step::Start)
}

/// As much of a name as the kernel takes.
fn kernel_name(name: &str) -> &str {
    let mut len = name.len().min(abi::NAME_MAX);
    while !name.is_char_boundary(len) {
        len -= 1;
    }
    &name[..len]
}

/// A copy, or nothing when memory is short.
fn text(text: &str) -> String {
    let mut copy = String::new();
    if copy.try_reserve_exact(text.len()).is_ok() {
        copy.push_str(text);
    }
    copy
}
