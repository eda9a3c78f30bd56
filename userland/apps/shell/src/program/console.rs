//! What the shell reads from and shows on: a terminal, or the standard input and output.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use abi::Rights;
use ipc::{Directory, Failure, Link};
use protocols::Fault;
use protocols::terminal::{Answer, Request, Size, Terminal};
use shell::watch::Watch;
use sys::channel::{self, Reader, Writer};
use sys::io::Write;
use sys::object::Event;

use super::input::StandardInput;

/// Bit of the shell's event: something has moved, or has closed.
pub const MOVED: u64 = 1;
/// Bit of the shell's event: a program has ended.
pub const ENDED: u64 = 2;
/// Bit of the shell's event: the terminal's driver is gone.
pub const GONE: u64 = 4;
/// Bit of the shell's event: a thread of a program has faulted.
pub const FAULTED: u64 = 8;
/// How the names of terminals' services begin.
const PREFIX: &str = "terminal.";
/// So many bytes may wait for the terminal before programs wait.
const QUEUE_MAX: usize = 16 * 1024;
/// How long to wait before a terminal that is gone is looked for again.
const RETRY_NS: u64 = 50_000_000;
/// How long a driver may take to begin a session.
const ATTACH_NS: u64 = 5_000_000_000;

/// What was read.
pub enum Input {
    /// So many bytes.
    Bytes(usize),
    /// Nothing yet.
    Nothing,
    /// There will be nothing any more.
    End,
}

struct Attached {
    input: Reader,
    output: Writer,
}

enum Kind {
    Terminal {
        link: Link<Terminal>,
        attached: Option<Attached>,
        /// When to look for it again.
        retry_at: u64,
    },
    Standard {
        input: StandardInput,
        is_gone: bool,
    },
}

/// What the shell reads from and shows on.
pub struct Console {
    kind: Kind,
    /// What is to be shown.
    queue: Vec<u8>,
    /// Output of programs is kept here while a line is edited.
    held: Option<Vec<u8>>,
    watch: Watch,
    was_return: bool,
    size: Size,
    /// What is said of errors goes elsewhere than output.
    are_errors_apart: bool,
}

impl Console {
    /// A terminal by its name, `serial` for the service `terminal.serial`; the standard input and output without one.
    pub fn new(directory: &Directory, terminal: Option<&str>) -> Result<Self, String> {
        let kind = match terminal {
            Some(name) => {
                let directory = directory
                    .duplicate()
                    .map_err(|failure| format!("no way to the terminal: {failure}"))?;
                let service = match name.starts_with(PREFIX) {
                    true => String::from(name),
                    false => format!("{PREFIX}{name}"),
                };
                Kind::Terminal {
                    link: Link::new(directory, &service),
                    attached: None,
                    retry_at: 0,
                }
            }
            None => Kind::Standard {
                input: StandardInput::new(),
                is_gone: false,
            },
        };
        Ok(Self {
            kind,
            queue: Vec::new(),
            held: None,
            watch: Watch::default(),
            was_return: false,
            size: Size::default(),
            are_errors_apart: terminal.is_none() && sys::io::stderr().is_given(),
        })
    }

    /// Whether it is a terminal.
    pub fn is_terminal(&self) -> bool {
        matches!(self.kind, Kind::Terminal { .. })
    }

    /// How large the terminal is; zeros where that is not known.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Nobody reads any more what is shown.
    pub fn is_gone(&self) -> bool {
        matches!(self.kind, Kind::Standard { is_gone: true, .. })
    }

    /// Looks for the terminal if it is not there; whether it has come.
    pub fn attach(&mut self, event: &Event) -> bool {
        let Kind::Terminal {
            link,
            attached,
            retry_at,
        } = &mut self.kind
        else {
            return false;
        };
        if attached.is_some() || sys::call::clock_read() < *retry_at {
            return false;
        }
        match attach(link, event) {
            Some((new, size)) => {
                *attached = Some(new);
                self.size = size;
                true
            }
            None => {
                link.forget();
                *retry_at = sys::call::clock_read().saturating_add(RETRY_NS);
                false
            }
        }
    }

    /// Looks whether the terminal's driver is still there: one that was killed has closed nothing.
    pub fn look(&mut self) {
        if let Kind::Terminal { link, attached, .. } = &mut self.kind
            && attached.is_some()
            && link
                .call(&Request::Size, Vec::new(), sys::time::after(RETRY_NS))
                .is_err()
        {
            give_up(attached, &mut self.queue);
            link.forget();
        }
    }

    /// Whether it is a terminal that is not there.
    pub fn is_away(&self) -> bool {
        matches!(self.kind, Kind::Terminal { attached: None, .. })
    }

    /// Until when to wait at most for something to happen.
    pub fn retry_at(&self) -> u64 {
        match &self.kind {
            Kind::Terminal {
                attached: None,
                retry_at,
                ..
            } => *retry_at,
            _ => abi::NEVER,
        }
    }

    /// Reads what there is.
    pub fn read(&mut self, event: &Event, buffer: &mut [u8]) -> Input {
        match &mut self.kind {
            Kind::Terminal { attached, .. } => {
                let Some(now) = attached else {
                    return Input::Nothing;
                };
                match now.input.read_or_arm(buffer) {
                    Ok(0) => {
                        give_up(attached, &mut self.queue);
                        Input::Nothing
                    }
                    Ok(count) => Input::Bytes(count),
                    Err(_) => Input::Nothing,
                }
            }
            Kind::Standard { input, .. } => input.read(event, buffer),
        }
    }

    /// Whether programs may show more.
    pub fn has_room(&self) -> bool {
        self.queue.len() < QUEUE_MAX
    }

    /// Shows bytes as they are.
    pub fn show(&mut self, bytes: &[u8]) {
        self.queue.extend(bytes);
    }

    /// Shows what a program writes.
    pub fn print(&mut self, bytes: &[u8]) {
        self.watch.see(bytes);
        if !self.is_terminal() {
            self.queue.extend(bytes);
            return;
        }
        let queue = self.held.as_mut().unwrap_or(&mut self.queue);
        for &byte in bytes {
            // A line ends with a return on a terminal.
            if byte == b'\n' && !self.was_return {
                queue.push(b'\r');
            }
            self.was_return = byte == b'\r';
            queue.push(byte);
        }
    }

    /// Whether what is said of errors goes elsewhere than output.
    pub fn are_errors_apart(&self) -> bool {
        self.are_errors_apart
    }

    /// Shows what is said of errors, behind what was shown before.
    pub fn print_error(&mut self, bytes: &[u8]) {
        if !self.are_errors_apart {
            return self.print(bytes);
        }
        self.flush();
        // There is nobody to tell if this fails.
        let _ = sys::io::stderr().write_all(bytes);
    }

    /// What was shown by programs so far.
    pub fn watch(&mut self) -> &mut Watch {
        &mut self.watch
    }

    /// From now on keeps what programs write.
    pub fn hold(&mut self) {
        self.held = Some(Vec::new());
    }

    /// What was kept; from now on nothing is.
    pub fn take_held(&mut self) -> Vec<u8> {
        self.held.take().unwrap_or_default()
    }

    /// Sends what is to be shown; whether some was.
    pub fn flush(&mut self) -> bool {
        if self.queue.is_empty() {
            return false;
        }
        match &mut self.kind {
            Kind::Terminal { attached, .. } => {
                let Some(now) = attached else {
                    return false;
                };
                match now.output.write_or_arm(&self.queue) {
                    Ok(count) => {
                        self.queue.drain(..count);
                        count > 0
                    }
                    Err(abi::Error::NotReady) => false,
                    Err(_) => {
                        give_up(attached, &mut self.queue);
                        false
                    }
                }
            }
            Kind::Standard { is_gone, .. } => {
                let mut output = sys::io::stdout();
                let result = output.write_all(&self.queue).and_then(|()| output.flush());
                *is_gone |= result.is_err();
                self.queue.clear();
                true
            }
        }
    }

    /// Whether everything was sent that can be.
    pub fn is_flushed(&self) -> bool {
        self.queue.is_empty()
    }
}

/// Ends a session. What the driver has not taken is for the next one.
fn give_up(attached: &mut Option<Attached>, queue: &mut Vec<u8>) {
    if let Some(Attached { output, .. }) = attached.take()
        && let Ok(mut untaken) = output.untaken()
    {
        untaken.append(queue);
        *queue = untaken;
    }
}

/// Begins a session at a terminal, if it is there.
fn attach(link: &mut Link<Terminal>, event: &Event) -> Option<(Attached, Size)> {
    // Waits a little for the service, and longer for its answer: it is there then.
    let until = sys::call::clock_read().saturating_add(RETRY_NS);
    link.mailbox(until).ok()?;
    let rights = Rights::SIGNAL
        .union(Rights::DUPLICATE)
        .union(Rights::TRANSFER);
    let handle = event.duplicate(rights).ok()?.into_owned();
    let request = Request::Attach {
        input: (MOVED, MOVED),
        output: (MOVED, MOVED),
    };
    let until = sys::time::after(ATTACH_NS);
    let (answer, handles) = link
        .call(&request, Vec::from([handle]), until)
        .inspect_err(|failure| {
            // One that ends, or has ended, comes back.
            if !failure.is_closed() && *failure != Failure::Fault(Fault::Busy) {
                log::warn!("{}: {failure}", link.name());
            }
        })
        .ok()?;
    let Answer::Attached(size) = answer else {
        return None;
    };
    let mailbox = link.mailbox(0).ok()?;
    sys::call::mailbox_on_closed(mailbox.handle(), Some(event.handle()), GONE).ok()?;
    let mut handles = handles.into_iter();
    let input = channel::handles(handles.by_ref().take(channel::HANDLES)).ok()?;
    let output = channel::handles(handles).ok()?;
    let own = sys::start::own();
    let attached = Attached {
        input: Reader::new(own, input).ok()?,
        output: Writer::new(own, output).ok()?,
    };
    Some((attached, size))
}
