//! Arguments of system calls: from registers to what handlers take, checked.
//!
//! [`decode!`] has a rule for each kind of argument in the table ([`abi::call::Kind`]), and [`argument_type!`] names what
//! the handler gets for it.

use core::marker::PhantomData;

use abi::{Error, Handle, ObjectType, PAGE_SIZE, Rights, Wire};
use kobj::Named;

use crate::arch::current::trap::TrapFrame;
use crate::arch::current::usercopy;
use crate::object::Object;
use crate::process::Process;

/// What handlers get for a handle, by the name of the type in the table.
pub mod objects {
    use ksync::Arc;

    pub type Process = Arc<crate::process::Process>;
    pub type VmArea = Arc<crate::vm::VmArea>;
    pub type Event = Arc<crate::object::event::Listener>;
    pub type Thread = Arc<crate::sched::thread::Thread>;
    pub type Resource = Arc<crate::object::Resource>;
    pub type Interrupt = Arc<crate::object::Interrupt>;
    pub type Reply = Arc<crate::object::mailbox::Reply>;
    /// A mailbox, and the badge of the handle.
    pub struct Mailbox {
        pub mailbox: Arc<crate::object::Mailbox>,
        pub badge: u64,
    }
    /// The machine is one, and has no state of its own.
    pub struct System;
}

/// An object of a known type.
pub trait Typed: Sized {
    /// Its type.
    const TYPE: ObjectType;

    /// The object, if it is of this type, and the word of the handle. Clones the object's reference and nothing else, as it is called
    /// with the handle locked.
    fn of(named: &Named<Object>) -> Option<Self>;
}

macro_rules! typed {
    ($($name:ident: $pattern:pat, $word:pat => $value:expr;)+) => {$(
        impl Typed for objects::$name {
            const TYPE: ObjectType = ObjectType::$name;

            #[inline(always)]
            fn of(named: &Named<Object>) -> Option<Self> {
                match (&named.object, named.data) { ($pattern, $word) => Some($value), _ => None }
            }
        }
    )+};
}

typed! {
    Process: Object::Process(process), _ => process.clone();
    Thread: Object::Thread(thread), _ => thread.clone();
    VmArea: Object::VmArea(area), _ => area.clone();
    Event: Object::Event(event), _ => event.clone();
    Mailbox: Object::Mailbox(end), badge => objects::Mailbox { mailbox: end.mailbox().clone(), badge };
    Resource: Object::Resource(resource), _ => resource.clone();
    Interrupt: Object::Interrupt(interrupt), _ => interrupt.clone();
    Reply: Object::Reply(reply), _ => reply.clone();
    System: Object::System, _ => objects::System;
}

/// A handle of any type. The call looks it up, with these rights, in one step with what it does to it.
pub struct AnyHandle {
    pub handle: Handle,
    pub needed: Rights,
}

/// Memory of the caller that a call reads; not longer than the table says. It is checked when it is read.
pub struct UserBytes {
    address: u64,
    len: usize,
}

impl UserBytes {
    /// Copies the bytes to the begin of `buffer`, and returns them.
    ///
    /// # Errors
    /// `BadAddress`; `InvalidArgument` if the buffer is shorter.
    pub fn read<'a>(&self, buffer: &'a mut [u8]) -> Result<&'a [u8], Error> {
        let bytes = buffer.get_mut(..self.len).ok_or(Error::InvalidArgument)?;
        usercopy::read(self.address, bytes).map_err(|_| Error::BadAddress)?;
        Ok(bytes)
    }
}

/// Memory of the caller that a call writes to; not longer than the table says. It is checked when it is written.
pub struct Room {
    address: u64,
    len: usize,
}

impl Room {
    /// How many bytes there is room for.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Writes bytes from `offset` on, as many as there is room for.
    ///
    /// # Errors
    /// `BadAddress`; a part may then have been written.
    pub fn write(&self, offset: usize, bytes: &[u8]) -> Result<(), Error> {
        let room = self.len.saturating_sub(offset);
        let bytes = bytes.get(..room).unwrap_or(bytes);
        let at = self.address.checked_add(offset as u64);
        let at = at.ok_or(Error::BadAddress)?;
        usercopy::write(at, bytes).map_err(|_| Error::BadAddress)
    }
}

/// Memory of the caller that a structure is written to.
pub struct Place<T> {
    address: u64,
    structure: PhantomData<T>,
}

/// Shows that the structure of a call was written.
pub struct Written(());

impl<T: Wire> Place<T> {
    /// Writes the words of a structure.
    ///
    /// # Errors
    /// `BadAddress`; a part may then have been written.
    pub fn write(self, structure: T) -> Result<Written, Error> {
        let bytes = structure.to_bytes();
        usercopy::write(self.address, bytes.as_ref()).map_err(|_| Error::BadAddress)?;
        Ok(Written(()))
    }
}

/// Bytes of whole pages.
#[derive(Clone, Copy)]
pub struct Size(u64);

impl Size {
    /// In bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }

    /// In pages.
    pub fn pages(self) -> u64 {
        self.0 / PAGE_SIZE
    }
}

/// The registers of a call's arguments, those that were not looked at yet. Each is read when it is decoded, as most calls have few.
pub struct Registers {
    frame: *const TrapFrame,
    looked_at: usize,
}

impl Registers {
    /// Those in the frame of the running thread.
    ///
    /// # Safety
    /// The frame is there, and nobody writes to it, as long as registers are read.
    #[inline(always)]
    pub unsafe fn new(frame: *const TrapFrame) -> Self {
        Self {
            frame,
            looked_at: 0,
        }
    }

    /// All of them.
    #[inline(always)]
    pub fn all(&self) -> [u64; 6] {
        // SAFETY: the caller of `new` promises it.
        let frame = unsafe { &*self.frame };
        [
            frame.rdi, frame.rsi, frame.rdx, frame.r10, frame.r8, frame.r9,
        ]
    }

    /// The next register; 0 when there is none. Inlined, the compiler sees which one each argument is, and reads no other.
    #[inline(always)]
    pub fn next(&mut self) -> u64 {
        let next = self.all().get(self.looked_at).copied();
        self.looked_at += 1;
        next.unwrap_or(0)
    }
}

/// Looks up a handle that must name an object of this type, with these rights.
#[inline(always)]
pub fn handle<T: Typed>(caller: &Process, register: u64, rights: Rights) -> Result<T, Error> {
    let handles = caller.handles();
    handles.select(Handle(register), T::TYPE, rights, T::of)
}

/// As [`handle`], where 0 stands for none.
#[inline(always)]
pub fn optional_handle<T: Typed>(
    caller: &Process,
    register: u64,
    rights: Rights,
) -> Result<Option<T>, Error> {
    match register {
        0 => Ok(None),
        register => handle(caller, register, rights).map(Some),
    }
}

/// Looks up a handle that must name an object of this type, and returns its rights too.
#[inline(always)]
pub fn handle_and_rights<T: Typed>(caller: &Process, register: u64) -> Result<(T, Rights), Error> {
    let with_rights = |named: &Named<Object>| Some((T::of(named)?, named.rights));
    let handles = caller.handles();
    handles.select(Handle(register), T::TYPE, Rights::NONE, with_rights)
}

/// An address and a length of at most `max` bytes.
#[inline(always)]
pub fn bytes(address: u64, len: u64, max: usize) -> Result<UserBytes, Error> {
    match usize::try_from(len) {
        Ok(len) if len <= max => Ok(UserBytes { address, len }),
        _ => Err(Error::InvalidArgument),
    }
}

/// Room of at most `max` bytes.
#[inline(always)]
pub fn room(address: u64, len: u64, max: usize) -> Result<Room, Error> {
    match usize::try_from(len) {
        Ok(len) if len <= max => Ok(Room { address, len }),
        _ => Err(Error::InvalidArgument),
    }
}

/// The place of a structure of words.
#[inline(always)]
pub fn place<T: Wire>(address: u64) -> Result<Place<T>, Error> {
    if address.is_multiple_of(8) {
        Ok(Place {
            address,
            structure: PhantomData,
        })
    } else {
        Err(Error::BadAddress)
    }
}

/// `value` if `holds`.
#[inline(always)]
pub fn valid<T>(value: T, holds: bool) -> Result<T, Error> {
    if holds {
        Ok(value)
    } else {
        Err(Error::InvalidArgument)
    }
}

/// A number of bytes that is a multiple of the page size.
#[inline(always)]
pub fn size(bytes: u64) -> Result<Size, Error> {
    valid(Size(bytes), bytes.is_multiple_of(PAGE_SIZE))
}

/// What a handler gets for an argument of a kind.
macro_rules! argument_type {
    (handle($object:ident, $right:ident)) => { $crate::syscall::decode::objects::$object };
    (optional_handle($object:ident, $right:ident)) => { Option<$crate::syscall::decode::objects::$object> };
    (handle_and_rights($object:ident)) => { ($crate::syscall::decode::objects::$object, ::abi::Rights) };
    (any_handle($right:ident)) => { $crate::syscall::decode::AnyHandle };
    (consumed) => { ::abi::Handle };
    (bytes($max:ident)) => { $crate::syscall::decode::UserBytes };
    (text($max:ident)) => { $crate::syscall::decode::UserBytes };
    (room($max:ident)) => { $crate::syscall::decode::Room };
    (page) => { u64 };
    (address) => { u64 };
    (size) => { $crate::syscall::decode::Size };
    (bits($module:ident: $($bit:ident)|+)) => { u64 };
    (below($($count:tt)+)) => { u64 };
    (choice($($choice:tt)+)) => { ::abi::$($choice)+ };
    (tag) => { ::abi::message::Tag };
    (rights) => { ::abi::Rights };
    (value) => { u64 };
}

/// The argument from the next registers, as a `Result`.
macro_rules! decode {
    ($caller:ident, $registers:ident, handle($object:ident, $right:ident)) => {
        $crate::syscall::decode::handle($caller, $registers.next(), ::abi::Rights::$right)
    };
    ($caller:ident, $registers:ident, optional_handle($object:ident, $right:ident)) => {
        $crate::syscall::decode::optional_handle($caller, $registers.next(), ::abi::Rights::$right)
    };
    ($caller:ident, $registers:ident, handle_and_rights($object:ident)) => {
        $crate::syscall::decode::handle_and_rights($caller, $registers.next())
    };
    ($caller:ident, $registers:ident, any_handle($right:ident)) => {
        Ok::<_, ::abi::Error>($crate::syscall::decode::AnyHandle {
            handle: ::abi::Handle($registers.next()),
            needed: ::abi::Rights::$right,
        })
    };
    // The call itself looks it up when it takes it away.
    ($caller:ident, $registers:ident, consumed) => {
        Ok::<_, ::abi::Error>(::abi::Handle($registers.next()))
    };
    ($caller:ident, $registers:ident, bytes($max:ident)) => {{
        let address = $registers.next();
        $crate::syscall::decode::bytes(address, $registers.next(), ::abi::$max)
    }};
    ($caller:ident, $registers:ident, text($max:ident)) => {
        decode!($caller, $registers, bytes($max))
    };
    ($caller:ident, $registers:ident, room($max:ident)) => {{
        let address = $registers.next();
        $crate::syscall::decode::room(address, $registers.next(), ::abi::$max)
    }};
    ($caller:ident, $registers:ident, page) => {{
        let page: u64 = $registers.next();
        let holds = page.is_multiple_of(::abi::PAGE_SIZE) && page <= ::abi::USER_END;
        $crate::syscall::decode::valid(page, holds)
    }};
    ($caller:ident, $registers:ident, address) => {{
        let address = $registers.next();
        $crate::syscall::decode::valid(address, address <= ::abi::USER_END)
    }};
    ($caller:ident, $registers:ident, size) => {
        $crate::syscall::decode::size($registers.next())
    };
    ($caller:ident, $registers:ident, bits($module:ident: $($bit:ident)|+)) => {{
        let set = $registers.next();
        $crate::syscall::decode::valid(set, set & !(0 $(| ::abi::$module::$bit)+) == 0)
    }};
    ($caller:ident, $registers:ident, below($($count:tt)+)) => {{
        let number = $registers.next();
        $crate::syscall::decode::valid(number, number < ::abi::$($count)+)
    }};
    ($caller:ident, $registers:ident, choice($($choice:tt)+)) => {
        ::abi::$($choice)+::from_number($registers.next()).ok_or(::abi::Error::InvalidArgument)
    };
    ($caller:ident, $registers:ident, tag) => {{
        let tag = ::abi::message::Tag($registers.next());
        $crate::syscall::decode::valid(tag, tag.is_valid())
    }};
    ($caller:ident, $registers:ident, rights) => {
        Ok::<_, ::abi::Error>(::abi::Rights($registers.next() as u32))
    };
    ($caller:ident, $registers:ident, value) => {
        Ok::<_, ::abi::Error>($registers.next())
    };
}

pub(super) use {argument_type, decode};
