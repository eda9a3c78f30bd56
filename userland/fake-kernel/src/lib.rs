//! The kernel's stand-in for tests on the host: servers, drivers and clients run as threads, and the system calls of `sys` come here.
//!
//! A [`Machine`] has processes. The thread of a test becomes one by [`Machine::enter`]; others run a function each, on a thread of their
//! own ([`Machine::spawn`]), with the handles that they are given. All calls of `sys` work as in jsix: handles and rights (checked by the
//! same table as in the kernel), events with timers, mailboxes with handles in messages, areas that are really shared memory, futexes,
//! channels, the executor, ends of processes, limits, the log. Deadlines can cost no time: [`Clock::Skipping`].
//!
//! What is not there: priorities, exceptions (a thread that touches what is not mapped ends the test), and code in processes that a
//! program has made itself (`process_create`, `thread_create`): they can be filled, looked at and ended, but nothing runs in them.
//!
//! # A server and its client
//!
//! ```
//! use fake_kernel::{Clock, Machine};
//! use sys::abi::NEVER;
//! use sys::channel::{Channel, Reader};
//! use sys::exec::Executor;
//! use sys::message::Message;
//! use sys::object::Mailbox;
//! use sys::time::SECOND;
//! use sys::{Context, Error, start};
//!
//! /// The server: answers with a channel, into which it writes a word each second, until its client is gone.
//! fn server(context: &Context) -> Result<(), Error> {
//!     let exec = Executor::new()?;
//!     let mailbox = Mailbox::from(context.handle("mailbox").ok_or(Error::NotReady)?);
//!     let inbox = exec.mailbox(mailbox)?;
//!     exec.run_until(async {
//!         let call = inbox.receive().await?;
//!         let channel = Channel::with(4096, Some(exec.waiter()?), None)?;
//!         let reader = channel.reader()?.map(sys::object::Owned::from_raw);
//!         call.answer(0, reader, &[])?;
//!         let mut writer = exec.writer(channel.open_writer()?)?;
//!         loop {
//!             exec.sleep(SECOND).await;
//!             writer.write_all(b"tick ").await?;
//!         }
//!     })?
//! }
//!
//! let machine = Machine::with_clock(Clock::Skipping);
//! let _test = machine.enter("test");
//! let mailbox = Mailbox::new()?;
//! let client = mailbox.badge(7)?;
//! let server = machine.spawn("server", [("mailbox", mailbox)], |context| {
//!     // The client has gone.
//!     (server(context) != Err(Error::PeerClosed)).into()
//! });
//!
//! let answer = client.call(&Message::new(1, &[]))?;
//! let [ring, page, written, read] = *answer.handles().collect::<Vec<_>>() else { panic!() };
//! let mut reader = Reader::new(start::own(), [ring, page, written, read])?;
//! let mut words = [0; 10];
//! assert_eq!(reader.read_all(&mut words, NEVER)?, 10);
//! assert_eq!(&words, b"tick tick ");
//! drop(reader);
//! assert_eq!(server.join(), 0);
//! # Ok::<(), Error>(())
//! ```

#![deny(unsafe_code)]

mod calls;
mod decode;
mod hook;
mod machine;
#[allow(
    unsafe_code,
    reason = "areas are mapped memory of the host, and calls name memory"
)]
mod memory;
mod messages;
mod public;
mod state;
mod table;

pub use machine::{Clock, Inject, Ports};
pub use public::{Entered, Machine, Running};
pub use state::Record;
