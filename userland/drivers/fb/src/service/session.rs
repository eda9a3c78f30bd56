//! What is on the screen, and who is attached to it.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use fb::{Keys, Pace, Renderer, Terminal};
use sys::channel::{Reader, Waiter, Writer};
use sys::exec::{AsyncReader, Executor, Task};
use sys::{Error, time};

use crate::device::Device;
use crate::notify::Notify;

/// How much of a program's output is taken at once: a picture or a key waits no longer than this takes.
const PIECE: usize = 8 * 1024;

/// The terminal, what draws it, and its session.
pub struct Screen {
    exec: Executor,
    state: RefCell<State>,
    change: Notify,
}

struct State {
    terminal: Terminal,
    renderer: Renderer,
    device: Device,
    pace: Pace,
    keys: Keys,
    session: Option<Session>,
}

struct Session {
    /// What is typed.
    input: Writer,
    /// Reads what is shown.
    output: Task<()>,
}

impl Session {
    /// Sends what was typed. A program that does not read loses what it has no room for.
    fn send(&mut self, mut bytes: &[u8]) {
        while let Ok(count) = self.input.try_write(bytes) {
            bytes = bytes.get(count..).unwrap_or_default();
            if bytes.is_empty() {
                return;
            }
        }
    }
}

impl Screen {
    /// A screen without a session.
    pub fn new(exec: Executor, terminal: Terminal, renderer: Renderer, device: Device) -> Self {
        let state = State {
            terminal,
            renderer,
            device,
            pace: Pace::default(),
            keys: Keys::default(),
            session: None,
        };
        let change = Notify::default();
        change.set();
        Self {
            exec,
            state: RefCell::new(state),
            change,
        }
    }

    /// Columns and rows.
    pub fn size(&self) -> (usize, usize) {
        self.state.borrow().terminal.size()
    }

    /// How an end of a channel waits here.
    pub fn waiter(&self) -> Result<Waiter, Error> {
        self.exec.waiter()
    }

    /// No end waits by these bits.
    pub fn forget_waiter(&self, bits: u64) {
        self.exec.forget_waiter(bits);
    }

    /// Begins a session; the one before ends.
    pub fn attach(self: &Rc<Self>, input: Writer, output: Reader) -> Result<(), Error> {
        let output = self.exec.reader(output)?;
        let reading = Rc::clone(self).show(output);
        let output = self.exec.try_spawn(reading)?;
        let mut state = self.state.borrow_mut();
        if let Some(session) = state.session.replace(Session { input, output }) {
            session.output.cancel();
        }
        state.terminal.begin_session();
        state.keys = Keys::default();
        self.change.set();
        Ok(())
    }

    /// Shows what a program writes, until it ends.
    async fn show(self: Rc<Self>, mut output: AsyncReader) {
        let mut piece = alloc::vec![0; PIECE];
        while let Ok(count) = output.read(&mut piece).await {
            if count == 0 {
                return;
            }
            {
                let State {
                    terminal, session, ..
                } = &mut *self.state.borrow_mut();
                terminal.advance(piece.get(..count).unwrap_or_default());
                let replies = terminal.take_replies();
                if let Some(session) = session.as_mut().filter(|_| !replies.is_empty()) {
                    session.send(&replies);
                }
            }
            self.change.set();
            // Others have their turn in between.
            self.exec.yield_now().await;
        }
    }

    /// Takes what is typed; `is_all` if nothing more is there.
    pub fn typed(&self, bytes: &[u8], is_all: bool) {
        let State {
            terminal,
            keys,
            session,
            ..
        } = &mut *self.state.borrow_mut();
        let mut out = Vec::new();
        let mut scroll = keys.feed(bytes, terminal.is_application_keys(), &mut out);
        if is_all {
            scroll = keys.flush(&mut out).or(scroll);
        }
        if scroll.is_some_and(|scroll| terminal.scroll(scroll)) {
            self.change.set();
        }
        if let Some(session) = session {
            session.send(&out);
        }
    }

    /// Draws what has changed, when it is due.
    pub async fn draw_for_ever(self: Rc<Self>) {
        loop {
            self.change.wait().await;
            let due = self.state.borrow().pace.due();
            if due > time::now() {
                self.exec.sleep_until(due).await;
            }
            let State {
                terminal,
                renderer,
                device,
                pace,
                ..
            } = &mut *self.state.borrow_mut();
            let begin = time::now();
            renderer.draw(terminal, device);
            pace.drawn(begin, time::now());
        }
    }
}
