//! A model of the chip, of the line to the other side, and of the edge-triggered line to the interrupt controller.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uart::detect::Chip;
use uart::registers as r;

/// What is in the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hardware {
    /// Nothing: all bits read as ones.
    Absent,
    /// Some register that keeps what is written to it.
    Memory,
    /// A port.
    Chip(Chip),
}

/// The chip, and what is at both of its ends.
pub struct Model {
    hardware: Hardware,
    memory: [u8; 8],
    /// Registers.
    pub divisor: [u8; 2],
    ier: u8,
    fcr: u8,
    lcr: u8,
    pub mcr: u8,
    scratch: u8,
    overrun: bool,
    /// What the lines from the other side are, and what they were when somebody looked.
    lines: u8,
    seen_lines: u8,
    /// The transmitter has become empty, and nobody was told.
    thre_pending: bool,
    /// A byte has waited for longer than four characters take.
    timeout: bool,
    /// With each byte: the errors that it came with.
    receive: VecDeque<(u8, u8)>,
    transmit: VecDeque<u8>,
    /// What left by the line.
    pub sent: Vec<u8>,
    /// Bytes that were lost on their way in.
    pub lost: u64,
    /// The line to the interrupt controller: its level, and whether it rose.
    level: bool,
    pub edge: bool,
}

impl Model {
    /// The chip after power-on, with the other side taking bytes or not.
    pub fn new(hardware: Hardware, lines: u8) -> Self {
        Self {
            hardware,
            memory: [0; 8],
            divisor: [0; 2],
            ier: 0,
            fcr: 0,
            lcr: 0,
            mcr: 0,
            scratch: 0,
            overrun: false,
            lines,
            seen_lines: lines,
            thre_pending: false,
            timeout: false,
            receive: VecDeque::new(),
            transmit: VecDeque::new(),
            sent: Vec::new(),
            lost: 0,
            level: false,
            edge: false,
        }
    }

    fn has_fifos(&self) -> bool {
        self.hardware == Hardware::Chip(Chip::I16550A) && self.fcr & r::FIFO_ENABLE != 0
    }

    fn depth(&self) -> usize {
        if self.has_fifos() { 16 } else { 1 }
    }

    fn trigger(&self) -> usize {
        if self.has_fifos() {
            [1, 4, 8, 14][usize::from(self.fcr >> 6)]
        } else {
            1
        }
    }

    /// The first of the causes, in the order of the data sheet.
    fn cause(&self) -> u8 {
        let errors = self.receive.front().map_or(0, |(_, errors)| *errors);
        if self.ier & r::IER_LINE != 0 && (self.overrun || errors != 0) {
            0x06
        } else if self.ier & r::IER_RECEIVED != 0 && self.receive.len() >= self.trigger() {
            0x04
        } else if self.ier & r::IER_RECEIVED != 0 && self.timeout && !self.receive.is_empty() {
            0x0c
        } else if self.ier & r::IER_TRANSMIT != 0 && self.thre_pending {
            0x02
        } else if self.ier & r::IER_MODEM != 0 && self.lines != self.seen_lines {
            0x00
        } else {
            0x01
        }
    }

    fn settle(&mut self) {
        let level = self.cause() != 1 && self.mcr & r::MCR_OUT2 != 0;
        self.edge |= level && !self.level;
        self.level = level;
    }

    /// Whether the line to the interrupt controller is high.
    pub fn is_high(&self) -> bool {
        self.level
    }

    /// Whether nothing is in it, and nobody is to be told of anything.
    pub fn is_at_rest(&self) -> bool {
        self.receive.is_empty() && self.transmit.is_empty() && !self.level && !self.edge
    }

    /// Whether the other side may send.
    pub fn is_ready(&self) -> bool {
        self.mcr & r::MCR_RTS != 0
    }

    /// Whether a byte that comes now is not lost.
    pub fn has_room(&self) -> bool {
        self.receive.len() < self.depth()
    }

    /// A byte comes, with errors.
    pub fn come(&mut self, byte: u8, errors: u8) {
        if self.receive.len() >= self.depth() {
            self.overrun = true;
            self.lost += 1;
            if !self.has_fifos() {
                // The last one is overwritten.
                self.receive.clear();
                self.receive.push_back((byte, errors));
            }
        } else {
            self.receive.push_back((byte, errors));
        }
        self.timeout = false;
        self.settle();
    }

    /// Bytes leave.
    pub fn go(&mut self, count: usize) {
        for _ in 0..count {
            let Some(byte) = self.transmit.pop_front() else {
                return;
            };
            self.sent.push(byte);
            if self.transmit.is_empty() {
                self.thre_pending = true;
            }
        }
        self.settle();
    }

    /// For a while, nothing comes.
    pub fn rest(&mut self) {
        self.timeout = !self.receive.is_empty() && self.has_fifos();
        self.settle();
    }

    /// The other side changes its lines.
    pub fn set_lines(&mut self, lines: u8) {
        self.lines = lines;
        self.settle();
    }

    pub fn read(&mut self, register: u8) -> u8 {
        match self.hardware {
            Hardware::Absent => return 0xff,
            Hardware::Memory => return self.memory[usize::from(register)],
            Hardware::Chip(_) => {}
        }
        let is_divisor = self.lcr & r::LCR_DIVISOR != 0;
        let value = match register {
            r::DATA if is_divisor => self.divisor[0],
            r::INTERRUPT_ENABLE if is_divisor => self.divisor[1],
            r::DATA => {
                self.timeout = false;
                self.receive.pop_front().map_or(0, |(byte, _)| byte)
            }
            r::INTERRUPT_ENABLE => self.ier,
            r::INTERRUPT_CAUSE => {
                let cause = self.cause();
                if cause == 0x02 {
                    self.thre_pending = false;
                }
                let fifos = match self.hardware {
                    Hardware::Chip(Chip::I16550A) if self.has_fifos() => 0xc0,
                    Hardware::Chip(Chip::I16550) if self.fcr & r::FIFO_ENABLE != 0 => 0x80,
                    _ => 0,
                };
                cause | fifos
            }
            r::LINE_CONTROL => self.lcr,
            r::MODEM_CONTROL => self.mcr,
            r::LINE_STATUS => {
                let empty = self.transmit.is_empty();
                let mut status = if empty {
                    r::LSR_TRANSMIT_EMPTY | r::LSR_IDLE
                } else {
                    0
                };
                if let Some((_, errors)) = self.receive.front_mut() {
                    status |= r::LSR_READY | std::mem::take(errors);
                }
                if std::mem::take(&mut self.overrun) {
                    status |= r::LSR_OVERRUN;
                }
                status
            }
            r::MODEM_STATUS if self.mcr & r::MCR_LOOP != 0 => {
                let (rts, dtr) = (self.mcr >> 1 & 1, self.mcr & 1);
                rts << 4 | dtr << 5 | (self.mcr & 0x0c) << 4
            }
            r::MODEM_STATUS => {
                let changed = (self.lines ^ self.seen_lines) >> 4;
                self.seen_lines = self.lines;
                self.lines | changed
            }
            _ if self.hardware == Hardware::Chip(Chip::I8250) => 0xff,
            _ => self.scratch,
        };
        self.settle();
        value
    }

    pub fn write(&mut self, register: u8, value: u8) {
        match self.hardware {
            Hardware::Absent => return,
            Hardware::Memory => {
                self.memory[usize::from(register)] = value;
                return;
            }
            Hardware::Chip(_) => {}
        }
        let is_divisor = self.lcr & r::LCR_DIVISOR != 0;
        match register {
            r::DATA if is_divisor => self.divisor[0] = value,
            r::INTERRUPT_ENABLE if is_divisor => self.divisor[1] = value,
            r::DATA => {
                assert!(
                    self.transmit.len() < self.depth(),
                    "the transmitter is full"
                );
                self.transmit.push_back(value);
                self.thre_pending = false;
            }
            r::INTERRUPT_ENABLE => {
                let value = value & r::IER_ALL;
                let rises = value & !self.ier & r::IER_TRANSMIT != 0;
                self.thre_pending |= rises && self.transmit.is_empty();
                self.ier = value;
            }
            r::FIFO_CONTROL => {
                if (value ^ self.fcr) & r::FIFO_ENABLE != 0 || value & r::FIFO_CLEAR_RECEIVED != 0 {
                    self.receive.clear();
                }
                if value & r::FIFO_CLEAR_TRANSMIT != 0 {
                    self.transmit.clear();
                }
                self.fcr = value;
            }
            r::LINE_CONTROL => self.lcr = value,
            r::MODEM_CONTROL => self.mcr = value,
            r::SCRATCH => self.scratch = value,
            _ => {}
        }
        self.settle();
    }
}

/// A way to the model's registers.
#[derive(Clone)]
pub struct Wire(Arc<Mutex<Model>>);

impl Wire {
    pub fn new(hardware: Hardware, lines: u8) -> Self {
        Self(Arc::new(Mutex::new(Model::new(hardware, lines))))
    }
}

impl Wire {
    /// The chip.
    pub fn get(&self) -> MutexGuard<'_, Model> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl r::Registers for Wire {
    fn read(&mut self, register: u8) -> u8 {
        self.get().read(register)
    }

    fn write(&mut self, register: u8, value: u8) {
        self.get().write(register, value);
    }
}
