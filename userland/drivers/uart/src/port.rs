//! A serial port: two queues, and the device between them and the line.
//!
//! Who has the port calls [`Port::serve`] when it interrupts, [`Port::send`] with bytes to be sent and [`Port::receive`] to get those that
//! came. Nothing is lost on the way: what is to be sent and does not fit in the queue is not taken, and what came stays in the chip when
//! there is no room. Bytes are lost on the line only, when the other side sends in spite of RTS; the chip tells of it, and it is counted.
//!
//! # Why no interrupt is missed
//!
//! The line to the interrupt controller is told of edges: it must go low before the next one is seen. [`Port::serve`] goes on until the
//! chip says that it has no cause left, or says that it must be called again. A cause that cannot be looked after now (a byte without
//! room, a transmitter without bytes) is disabled, and enabled when that has changed; a cause that is there already then makes an edge.

use alloc::collections::{TryReserveError, VecDeque};
use core::cell::RefCell;

use crate::detect::Chip;
use crate::registers::{
    CAUSE_NONE, DATA, FIFO_CLEAR_RECEIVED, FIFO_CLEAR_TRANSMIT, FIFO_CONTROL, FIFO_ENABLE,
    FIFO_TRIGGER_8, IER_LINE, IER_MODEM, IER_RECEIVED, IER_TRANSMIT, INTERRUPT_CAUSE,
    INTERRUPT_ENABLE, LCR_8N1, LCR_DIVISOR, LINE_CONTROL, LINE_STATUS, LSR_BREAK, LSR_FRAMING,
    LSR_IDLE, LSR_OVERRUN, LSR_PARITY, LSR_READY, LSR_TRANSMIT_EMPTY, MCR_DTR, MCR_OUT2, MCR_RTS,
    MODEM_CONTROL, MODEM_STATUS, MSR_CTS, Registers,
};
use crate::settings::{Flow, Settings};

/// Room for bytes that came.
pub const RECEIVE_ROOM: usize = 4096;
/// With less room than this the other side is asked to pause; it may send some bytes before it does.
const RECEIVE_SLACK: usize = 256;
/// Room for bytes to be sent.
pub const SEND_ROOM: usize = 1024;
/// How often the chip is looked after in one go.
const ROUNDS: usize = 64;
/// How many bytes are taken in one of them: more than any FIFO has.
const BURST: usize = 128;
/// What the line's state tells of the byte that is read next.
const OF_BYTE: u8 = LSR_PARITY | LSR_FRAMING | LSR_BREAK;

/// What has happened, ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bytes that came.
    pub received: u64,
    /// Bytes that were given to the chip.
    pub sent: u64,
    /// How often the chip has lost what came.
    pub overruns: u64,
    /// Bytes with wrong parity or without a stop bit.
    pub damaged: u64,
    /// Times that the line was broken.
    pub breaks: u64,
}

/// Whether the device has been looked after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Served {
    /// It has no cause to interrupt, and had some when `had_cause`.
    Idle {
        /// It had.
        had_cause: bool,
    },
    /// It always has another one: to be called again after others had their turn.
    Again,
}

/// A port.
pub struct Port<R> {
    registers: R,
    chip: Chip,
    flow: Flow,
    received: VecDeque<u8>,
    to_send: VecDeque<u8>,
    counts: Counts,
    /// What the chip has in these registers.
    interrupt_enable: u8,
    modem_control: u8,
    /// What was told of the byte that is read next: reading it cleared it.
    of_next: u8,
    is_clear_to_send: bool,
    had_clear_to_send: bool,
}

impl<R: Registers> Port<R> {
    /// Sets a chip that was detected, and lets it interrupt.
    ///
    /// # Errors
    /// When there is no memory for the queues.
    pub fn new(registers: R, chip: Chip, settings: &Settings) -> Result<Self, TryReserveError> {
        let mut port = Self {
            registers,
            chip,
            flow: settings.flow,
            received: VecDeque::new(),
            to_send: VecDeque::new(),
            counts: Counts::default(),
            interrupt_enable: 0,
            modem_control: 0,
            of_next: 0,
            is_clear_to_send: false,
            had_clear_to_send: false,
        };
        port.received.try_reserve_exact(RECEIVE_ROOM)?;
        port.to_send.try_reserve_exact(SEND_ROOM)?;
        port.registers.write(INTERRUPT_ENABLE, 0);
        port.registers.write(LINE_CONTROL, LCR_8N1 | LCR_DIVISOR);
        let [low, high] = settings.divisor.to_le_bytes();
        port.registers.write(DATA, low);
        port.registers.write(INTERRUPT_ENABLE, high);
        port.registers.write(LINE_CONTROL, LCR_8N1);
        if chip.depth() > 1 {
            let clear = FIFO_CLEAR_RECEIVED | FIFO_CLEAR_TRANSMIT;
            let enable = FIFO_ENABLE | FIFO_TRIGGER_8;
            port.registers.write(FIFO_CONTROL, enable | clear);
        }
        port.set_modem(MCR_DTR | MCR_RTS | MCR_OUT2);
        port.look_at_modem();
        // What lay there before is nobody's.
        port.registers.read(LINE_STATUS);
        port.registers.read(DATA);
        port.registers.read(INTERRUPT_CAUSE);
        port.set_causes(IER_RECEIVED | IER_LINE | IER_MODEM);
        Ok(port)
    }

    /// Which chip it is.
    pub fn chip(&self) -> Chip {
        self.chip
    }

    /// What has happened, ever.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Looks after the device, until it has no cause to interrupt left.
    pub fn serve(&mut self) -> Served {
        let mut had_cause = false;
        for _ in 0..ROUNDS {
            if self.registers.read(INTERRUPT_CAUSE) & CAUSE_NONE != 0 {
                return Served::Idle { had_cause };
            }
            had_cause = true;
            // All of them are looked after, whichever the chip names: one read tells of several, and clears some.
            self.take_received();
            self.look_at_modem();
            self.fill();
        }
        Served::Again
    }

    /// Bytes to be sent: as many as there is room for are taken. Returns how many.
    pub fn send(&mut self, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        loop {
            // What the chip takes makes room.
            self.fill();
            let (now, later) = rest.split_at(rest.len().min(self.send_room()));
            if now.is_empty() {
                return bytes.len().saturating_sub(later.len());
            }
            self.to_send.extend(now);
            rest = later;
        }
    }

    /// How many bytes would be taken now.
    pub fn send_room(&self) -> usize {
        SEND_ROOM.saturating_sub(self.to_send.len())
    }

    /// Bytes that came, as many as there are and fit. Returns how many.
    pub fn receive(&mut self, buffer: &mut [u8]) -> usize {
        let count = buffer.len().min(self.received.len());
        for (place, byte) in buffer.iter_mut().zip(self.received.drain(..count)) {
            *place = byte;
        }
        if self.received.len() <= RECEIVE_ROOM / 2 {
            self.set_modem(self.modem_control | MCR_RTS);
        }
        if self.received.len() < RECEIVE_ROOM {
            self.set_causes(self.interrupt_enable | IER_RECEIVED);
        }
        count
    }

    /// How many bytes have come that nobody has taken.
    pub fn waiting(&self) -> usize {
        self.received.len()
    }

    /// Whether all has been sent, to the last bit.
    pub fn is_drained(&mut self) -> bool {
        self.to_send.is_empty() && self.line_status() & LSR_IDLE != 0
    }

    /// The other side does not take what is to be sent.
    pub fn is_held(&self) -> bool {
        !self.may_send()
    }

    /// Lets it interrupt no more, for good.
    pub fn quiet(mut self) {
        self.set_causes(0);
        self.set_modem(self.modem_control & !MCR_OUT2);
    }

    /// Reads the line's state, which clears errors: so each is counted or kept here.
    fn line_status(&mut self) -> u8 {
        let status = self.registers.read(LINE_STATUS);
        if status & LSR_OVERRUN != 0 {
            self.counts.overruns = self.counts.overruns.saturating_add(1);
        }
        self.of_next |= status & OF_BYTE;
        status
    }

    /// Takes what has come, as long as there is room.
    fn take_received(&mut self) {
        for _ in 0..BURST {
            if self.line_status() & LSR_READY == 0 {
                break;
            }
            if self.received.len() >= RECEIVE_ROOM {
                self.set_causes(self.interrupt_enable & !IER_RECEIVED);
                break;
            }
            let byte = self.registers.read(DATA);
            let told = core::mem::take(&mut self.of_next);
            if told & LSR_BREAK != 0 {
                self.counts.breaks = self.counts.breaks.saturating_add(1);
                continue;
            }
            if told != 0 {
                self.counts.damaged = self.counts.damaged.saturating_add(1);
            }
            self.received.push_back(byte);
            self.counts.received = self.counts.received.saturating_add(1);
        }
        if self.received.len() > RECEIVE_ROOM - RECEIVE_SLACK {
            self.set_modem(self.modem_control & !MCR_RTS);
        }
    }

    fn look_at_modem(&mut self) {
        let status = self.registers.read(MODEM_STATUS);
        self.is_clear_to_send = status & MSR_CTS != 0;
        self.had_clear_to_send |= self.is_clear_to_send;
    }

    fn may_send(&self) -> bool {
        match self.flow {
            Flow::None => true,
            Flow::Hardware => self.is_clear_to_send,
            Flow::Auto => self.is_clear_to_send || !self.had_clear_to_send,
        }
    }

    /// Gives the transmitter what it takes, and has it interrupt as long as there is more.
    fn fill(&mut self) {
        for _ in 0..ROUNDS {
            let is_wanted = !self.to_send.is_empty() && self.may_send();
            if !is_wanted || self.line_status() & LSR_TRANSMIT_EMPTY == 0 {
                break;
            }
            // An emulated chip is empty again at once, and would interrupt after each byte.
            self.set_causes(self.interrupt_enable & !IER_TRANSMIT);
            let count = self.chip.depth().min(self.to_send.len());
            for byte in self.to_send.drain(..count) {
                self.registers.write(DATA, byte);
            }
            self.counts.sent = self.counts.sent.saturating_add(count as u64);
        }
        let wants = !self.to_send.is_empty() && self.may_send();
        let others = self.interrupt_enable & !IER_TRANSMIT;
        self.set_causes(if wants { others | IER_TRANSMIT } else { others });
    }

    fn set_causes(&mut self, causes: u8) {
        if causes != self.interrupt_enable {
            self.interrupt_enable = causes;
            self.registers.write(INTERRUPT_ENABLE, causes);
        }
    }

    fn set_modem(&mut self, lines: u8) {
        if lines != self.modem_control {
            self.modem_control = lines;
            self.registers.write(MODEM_CONTROL, lines);
        }
    }
}

/// Looks after the ports that share a line, until none of them has a cause left: only then the line is low.
pub fn serve_line<'a, R: Registers + 'a>(
    ports: impl Iterator<Item = &'a RefCell<Port<R>>> + Clone,
) -> Served {
    let mut had_cause = false;
    for _ in 0..ROUNDS {
        let mut is_quiet = true;
        for port in ports.clone() {
            match port.borrow_mut().serve() {
                Served::Idle { had_cause } => is_quiet &= !had_cause,
                Served::Again => return Served::Again,
            }
        }
        if is_quiet {
            return Served::Idle { had_cause };
        }
        had_cause = true;
    }
    Served::Again
}
