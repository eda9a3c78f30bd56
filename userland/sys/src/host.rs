//! On the host there is no kernel: system calls go to whatever a test has set here, which is the crate `fake-kernel`.
//!
//! Without it every call fails with `NotSupported`, and programs can be compiled and checked all the same.

use std::boxed::Box;
use std::sync::OnceLock;

use abi::message::REGISTER_WORDS;
use abi::{Error, Handle, Sysno};

use crate::message::Received;

/// What runs on a thread of its own.
pub type Body = Box<dyn FnOnce() + Send>;

/// What takes the kernel's place in tests on the host. It knows by itself which process calls: by the thread.
pub trait Kernel: Send + Sync {
    /// A system call, by number and registers. Addresses are those of the host's memory.
    ///
    /// # Errors
    /// As the call.
    fn call(&self, number: u64, arguments: [u64; 6]) -> Result<u64, Error>;

    /// A call that sends or receives a message: handle in RDI, a word in RSI, the words in registers.
    ///
    /// # Errors
    /// As the call.
    fn exchange(
        &self,
        number: Sysno,
        handle: Handle,
        second: u64,
        words: [u64; REGISTER_WORDS],
    ) -> Result<Received, Error>;

    /// The handle that the calling thread's process has of itself; 0 if it is of none.
    fn own(&self) -> Handle;

    /// Starts a thread of the calling thread's process.
    ///
    /// # Errors
    /// When there can be no more threads.
    fn spawn(&self, body: Body) -> Result<(), Error>;

    /// Reads so many bytes, 1, 2 or 4, from an I/O port. Without a device all bits are set.
    fn port_read(&self, _port: u16, _bytes: u8) -> u32 {
        u32::MAX
    }

    /// Writes so many bytes to an I/O port.
    fn port_write(&self, _port: u16, _bytes: u8, _value: u32) {}
}

static KERNEL: OnceLock<&'static dyn Kernel> = OnceLock::new();

/// Names what takes the kernel's place. The first one stays.
pub fn set(kernel: &'static dyn Kernel) {
    let _ = KERNEL.set(kernel);
}

fn kernel() -> Result<&'static dyn Kernel, Error> {
    KERNEL.get().copied().ok_or(Error::NotSupported)
}

pub(crate) fn call(number: u64, arguments: [u64; 6]) -> Result<u64, Error> {
    kernel()?.call(number, arguments)
}

pub(crate) fn exchange(
    number: Sysno,
    handle: Handle,
    second: u64,
    words: [u64; REGISTER_WORDS],
) -> Result<Received, Error> {
    kernel()?.exchange(number, handle, second, words)
}

pub(crate) fn own() -> Handle {
    kernel().map_or(Handle(0), Kernel::own)
}

pub(crate) fn spawn(body: Body) -> Result<(), Error> {
    kernel()?.spawn(body)
}

pub(crate) fn port_read(port: u16, bytes: u8) -> u32 {
    kernel().map_or(u32::MAX, |kernel| kernel.port_read(port, bytes))
}

pub(crate) fn port_write(port: u16, bytes: u8, value: u32) {
    if let Ok(kernel) = kernel() {
        kernel.port_write(port, bytes, value);
    }
}
