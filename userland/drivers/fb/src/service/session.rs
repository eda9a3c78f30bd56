//! What is on the screen, and who is attached to it.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use protocols::Fault;
use sys::exec::{AsyncReader, AsyncWriter, Executor, Task};
use sys::{Error, time};
use tasks::Changed;

use crate::{Keys, Pace, Renderer, Surface, Terminal};

/// How much of a program's output is taken at once: a picture or a key waits no longer than this takes.
const PIECE: usize = 8 * 1024;

/// The terminal, what draws it, and its session.
pub struct Screen<S> {
    pub(super) exec: Executor,
    state: RefCell<State<S>>,
    is_changed: Cell<bool>,
    changed: Changed,
}

struct State<S> {
    terminal: Terminal,
    renderer: Renderer,
    surface: S,
    pace: Pace,
    keys: Keys,
    session: Option<Session>,
}

struct Session {
    /// What is typed.
    input: AsyncWriter,
    /// Reads what is shown.
    output: Task<()>,
}

impl Session {
    /// Sends what was typed. A program that does not read loses what it has no room for.
    fn send(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let Ok(count) = self.input.try_write(bytes) else {
                return;
            };
            bytes = bytes.get(count..).unwrap_or_default();
        }
    }
}

impl<S: Surface + 'static> Screen<S> {
    /// A screen without a session; `None` when memory is short. The surface is cleared.
    pub fn new(exec: &Executor, mut renderer: Renderer, mut surface: S) -> Option<Rc<Self>> {
        let (columns, rows) = renderer.size();
        let terminal = Terminal::new(columns, rows)?;
        renderer.clear(&mut surface);
        let state = State {
            terminal,
            renderer,
            surface,
            pace: Pace::default(),
            keys: Keys::default(),
            session: None,
        };
        Some(Rc::new(Self {
            exec: exec.clone(),
            state: RefCell::new(state),
            is_changed: Cell::new(true),
            changed: Changed::new(),
        }))
    }

    /// Columns and rows.
    pub fn size(&self) -> (usize, usize) {
        self.state.borrow().terminal.size()
    }

    /// The text on the screen, for tests.
    pub fn text(&self) -> alloc::string::String {
        self.state.borrow().terminal.text()
    }

    fn change(&self) {
        self.is_changed.set(true);
        self.changed.tell();
    }

    /// Begins a session; the one before ends.
    pub(super) fn attach(
        self: &Rc<Self>,
        input: AsyncWriter,
        output: AsyncReader,
    ) -> Result<(), Fault> {
        let reading = Rc::clone(self).show(output);
        let output = self.exec.try_spawn(reading).map_err(fault)?;
        let mut state = self.state.borrow_mut();
        if let Some(session) = state.session.replace(Session { input, output }) {
            session.output.cancel();
        }
        state.terminal.begin_session();
        state.keys = Keys::default();
        self.change();
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
                if let Some(session) = session {
                    session.send(&replies);
                }
            }
            self.change();
            // Others have their turn in between.
            self.exec.yield_now().await;
        }
    }

    /// Takes what is typed; `is_all` if nothing more is there.
    pub(super) fn typed(&self, bytes: &[u8], is_all: bool) {
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
            self.change();
        }
        if let Some(session) = session {
            session.send(&out);
        }
    }

    /// Draws what has changed, when it is due. When nothing changes this wakes nobody.
    pub async fn draw_for_ever(self: Rc<Self>) {
        loop {
            self.changed
                .until(|| self.is_changed.take().then_some(()))
                .await;
            let due = self.state.borrow().pace.due();
            if due > time::now() {
                self.exec.sleep_until(due).await;
            }
            self.is_changed.set(false);
            let State {
                terminal,
                renderer,
                surface,
                pace,
                ..
            } = &mut *self.state.borrow_mut();
            let begin = time::now();
            renderer.draw(terminal, surface);
            pace.drawn(begin, time::now());
        }
    }
}

/// What a client is told of an error of the kernel's.
pub fn fault(error: Error) -> Fault {
    match error {
        Error::OutOfMemory => Fault::OutOfMemory,
        Error::TooMany => Fault::NoRoom,
        _ => Fault::Failed,
    }
}
