//! The server: receives, asks [`Service`], answers.
//!
//! An open file is a mailbox with a badge of its own, and a second handle, of a mailbox that only tells when it is closed: so the server learns
//! that nobody has the file open any more, however that came.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use crate::lent::Lent;
use crate::{FileReply, Limits, Service};
use abi::Rights;
use ipc::{Directory, Failure, Incoming, Link, Outcome};
use protocols::clock::{self, Clock};
use protocols::files::{FileAnswer, Files, OpenFile};
use protocols::{Fault, Protocol};
use sys::Context;
use sys::exec::{Either, Executor, Signal, race};
use sys::message::Message;
use sys::object::{Event, Mailbox};

/// The name of the service in the directory.
pub const NAME: &str = "files.tmp";
/// Set in the badges of open files; the rest is the file's number. Other badges are those of clients.
const OPEN: u64 = 1 << 63;
/// How many MiB of files there may be, unless an argument says otherwise.
const MIB: u64 = 64;

struct Server {
    service: Service,
    mailbox: Mailbox,
    /// For each open file, what tells that it was closed.
    tokens: BTreeMap<u64, Mailbox>,
    lent: Lent,
    /// The bits by which tokens tell.
    closed: (Event, u64),
    clock: Link<Clock>,
    /// What is to be added to the monotonic clock.
    since_1970: Option<u64>,
    /// When the clock is looked for next.
    look_at: u64,
}

impl Server {
    /// The time, in nanoseconds since 1970; 0 as long as nobody knows.
    fn now(&mut self) -> u64 {
        if self.since_1970.is_none() && sys::time::now() >= self.look_at {
            self.look_at = sys::time::after(1_000_000_000);
            // It is only looked for: nobody waits here for the clock.
            if self.clock.mailbox(0).is_ok()
                && let Ok((clock::Answer::Time { wall, monotonic }, _)) = self.clock.call(
                    &clock::Request::Now,
                    Vec::new(),
                    sys::time::after(50_000_000),
                )
            {
                self.since_1970 = wall.checked_sub(monotonic);
            }
        }
        self.since_1970
            .map_or(0, |since| since.saturating_add(sys::time::now()))
    }

    fn files(&mut self, incoming: &Incoming) -> Outcome<Files> {
        let request = incoming.request::<Files>()?;
        let now = self.now();
        let (answer, opened) = self.service.ask(incoming.badge, &request, now)?;
        let Some(number) = opened else {
            return Ok((answer, Vec::new()));
        };
        match self.hand_out(number) {
            Ok(handles) => Ok((answer, handles)),
            Err(_) => {
                self.service.close(number);
                Err(Fault::OutOfMemory)
            }
        }
    }

    /// The handles of an open file.
    fn hand_out(&mut self, number: u64) -> Result<Vec<sys::object::Owned>, abi::Error> {
        let file = self.mailbox.badge(OPEN | number)?;
        let token = Mailbox::new()?;
        let held = token.duplicate(Rights::RECEIVE.union(Rights::TRANSFER))?;
        // A copy of a handle to receive by, even one without that right, would keep the mailbox open.
        let kept = token.badge(number)?;
        sys::call::mailbox_on_closed(kept.handle(), Some(self.closed.0.handle()), self.closed.1)?;
        drop(token);
        self.tokens.insert(number, kept);
        Ok(Vec::from([file.into_owned(), held.into_owned()]))
    }

    /// Closes the files that nobody has open any more.
    fn sweep(&mut self) {
        // With a deadline that has passed the call only says whether somebody could receive it.
        let is_closed = |token: &Mailbox| {
            let result = token.call_until(&Message::new(0, &[]), 0);
            matches!(result, Err(abi::Error::PeerClosed))
        };
        let service = &mut self.service;
        self.tokens.retain(|number, token| {
            let is_open = !is_closed(token);
            if !is_open {
                service.close(*number);
            }
            is_open
        });
        self.lent.forget_unused();
    }

    fn file(&mut self, incoming: &Incoming) -> Outcome<OpenFile> {
        let request = incoming.request::<OpenFile>()?;
        let now = self.now();
        match self.service.file(incoming.badge & !OPEN, &request, now)? {
            FileReply::Answer(answer) => Ok((answer, Vec::new())),
            FileReply::Map(_, info, _) if info.size == 0 => {
                Ok((FileAnswer::Info(info), Vec::new()))
            }
            FileReply::Map(file, info, content) => {
                let area = self.lent.lend(file, content)?;
                Ok((FileAnswer::Info(info), Vec::from([area.into_owned()])))
            }
        }
    }

    /// Answers a call.
    fn answer(&mut self, incoming: Incoming) {
        // Who does not wait any more for the answer needs none; a file whose handles nobody took is closed by that.
        let _ = match incoming.badge & OPEN {
            0 => {
                let outcome = self.files(&incoming);
                incoming.answer::<Files>(outcome)
            }
            _ => {
                let outcome = self.file(&incoming);
                incoming.answer::<OpenFile>(outcome)
            }
        };
    }
}

/// Serves files until it is told to stop.
///
/// # Errors
/// When it was not given what it needs, an argument is wrong, or nothing can be received any more.
pub fn run(context: &Context) -> Result<(), Failure> {
    // Both protocols are served by one mailbox: they must not be mistaken for each other.
    const { assert!(Files::LABEL != OpenFile::LABEL) };
    let mib = match context.argument(1) {
        None => MIB,
        Some(text) => text
            .parse()
            .ok()
            .filter(|mib| (1..1024 * 1024).contains(mib))
            .ok_or(abi::Error::InvalidArgument)?,
    };
    let limits = Limits {
        bytes: mib * 1024 * 1024,
        file: mib * 1024 * 1024 / 2,
        nodes: 16 * 1024,
    };
    let directory = Directory::of(context).ok_or(abi::Error::NotReady)?;
    let exec = Executor::new()?;
    let stop = exec.signal()?;
    directory.on_stop(stop.waiter()?.event, stop.mask())?;
    let closed = exec.signal()?;
    let inbox = exec.mailbox(Mailbox::new()?)?;
    let own = Rights::RECEIVE
        .union(Rights::CALL)
        .union(Rights::DUPLICATE)
        .union(Rights::TRANSFER);
    let mailbox = inbox.mailbox().duplicate(own)?;
    let server = Rc::new(RefCell::new(Server {
        service: Service::new(limits),
        mailbox,
        tokens: BTreeMap::new(),
        lent: Lent::new(limits.bytes),
        closed: (Event::from(closed.waiter()?.event), closed.mask()),
        clock: Link::new(directory.duplicate()?, clock::NAME),
        since_1970: None,
        look_at: 0,
    }));
    directory.register_by_client(NAME, inbox.mailbox())?;
    let sweeper = Rc::clone(&server);
    exec.spawn(sweep(closed, sweeper));
    exec.run_until(async {
        loop {
            match race(stop.wait(), inbox.receive()).await {
                Either::First(()) => return Ok(()),
                Either::Second(call) => server.borrow_mut().answer(Incoming::from(call?)),
            }
        }
    })?
}

async fn sweep(closed: Signal, server: Rc<RefCell<Server>>) {
    loop {
        closed.wait().await;
        server.borrow_mut().sweep();
    }
}
