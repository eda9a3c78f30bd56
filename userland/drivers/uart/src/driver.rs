//! The ports of the machine: found among resources, taken, and served.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::convert::Infallible;

use abi::interrupt;
use abi::resource::Info;
use protocols::terminal::Terminal as Protocol;
use sys::exec::{Executor, Inbox, Interrupts};
use sys::object::{Process, Resource};

use crate::detect::detect;
use crate::port::Port;
use crate::registers::Registers;
use crate::settings::Settings;
use crate::terminal::{Terminal, serve_interrupts};
use crate::wiring::{name, numbers, places};

/// The registers of a port by I/O ports that this process may use.
pub struct IoPorts(u16);

impl Registers for IoPorts {
    fn read(&mut self, register: u8) -> u8 {
        sys::port::read8(self.0.wrapping_add(u16::from(register)))
    }

    fn write(&mut self, register: u8, value: u8) {
        sys::port::write8(self.0.wrapping_add(u16::from(register)), value);
    }
}

/// A line, and the terminals on it.
struct Line {
    interrupts: Interrupts,
    number: u64,
    mode: u64,
    terminals: Vec<Rc<Terminal<IoPorts>>>,
}

/// A terminal and its number.
pub struct Numbered {
    /// The number; see [`name`].
    pub number: usize,
    /// The terminal.
    pub terminal: Rc<Terminal<IoPorts>>,
}

/// All ports that this process has.
pub struct Driver {
    exec: Executor,
    lines: Vec<Line>,
    /// Their terminals.
    pub terminals: Vec<Numbered>,
}

impl Driver {
    /// Finds ports among resources, in the order of [`places`], and takes them. What cannot be had is told in the log, and left out.
    pub fn new(exec: &Executor, resources: Vec<Resource>, settings: &Settings) -> Self {
        let with_info = |resource: Resource| Some((resource.info().ok()?, resource));
        let resources: Vec<_> = resources.into_iter().filter_map(with_info).collect();
        let infos: Vec<Info> = resources.iter().map(|(info, _)| *info).collect();
        let places = places(&infos);
        let bases: Vec<u16> = places.iter().map(|place| place.base).collect();
        let mut driver = Self {
            exec: exec.clone(),
            lines: Vec::new(),
            terminals: Vec::new(),
        };
        for (place, number) in places.iter().zip(numbers(&bases)) {
            let of = |index: usize| resources.get(index);
            if let (Some((_, ports)), Some((line, lines))) = (of(place.ports), of(place.line)) {
                driver.add(place.base, number, ports, (line.start, lines), settings);
            }
        }
        driver
    }

    fn add(
        &mut self,
        base: u16,
        number: usize,
        ports: &Resource,
        (line, lines): (u64, &Resource),
        settings: &Settings,
    ) {
        if let Err(error) = ports.grant_ports(&Process::own()) {
            log::warn!("port {base:#x} cannot be used: {error}");
            return;
        }
        let mut registers = IoPorts(base);
        let Some(chip) = detect(&mut registers) else {
            log::info!("port {base:#x} is not there");
            return;
        };
        let terminals = match self.take_line(line, lines) {
            Ok(terminals) => terminals,
            Err(error) => {
                log::warn!("port {base:#x}: line {line} cannot be had: {error}");
                return;
            }
        };
        // Its interrupts are on from here.
        let Ok(port) = Port::new(registers, chip, settings) else {
            log::error!("port {base:#x} is left out: memory is short");
            return;
        };
        let baud = settings.baud();
        log::info!(
            "{}: {chip} at {base:#x}, line {line}, {baud} baud",
            name(number)
        );
        let terminal = Terminal::new(&self.exec, port);
        if let Some(line) = self.lines.get_mut(terminals) {
            line.terminals.push(terminal.clone());
        }
        self.terminals.push(Numbered { number, terminal });
    }

    /// Takes a line, if it is not taken for another port already. Returns which one of ours it is.
    fn take_line(&mut self, number: u64, resource: &Resource) -> Result<usize, abi::Error> {
        if let Some(index) = self.lines.iter().position(|line| line.number == number) {
            return Ok(index);
        }
        let interrupt = resource.interrupt(0, interrupt::AS_WIRED)?;
        let mode = interrupt.info()?.mode;
        self.lines.push(Line {
            interrupts: self.exec.interrupt(interrupt)?,
            number,
            mode,
            terminals: Vec::new(),
        });
        Ok(self.lines.len().saturating_sub(1))
    }

    /// Begins to look after the ports.
    pub fn start(&mut self) {
        for line in self.lines.drain(..) {
            let number = line.number;
            let exec = self.exec.clone();
            let serving = serve_interrupts(exec, line.interrupts, line.mode, line.terminals);
            self.exec.spawn(async move {
                match serving.await {
                    Ok(()) => log::error!("line {number} interrupts without end: it is left alone"),
                    Err(error) => log::error!("line {number} cannot be waited for: {error}"),
                }
            });
        }
        for Numbered { terminal, .. } in &self.terminals {
            self.exec.spawn(terminal.clone().input());
            self.exec.spawn(terminal.clone().output());
        }
    }
}

/// Answers the clients of a terminal.
///
/// # Errors
/// When nothing can be received any more.
pub async fn serve(
    terminal: Rc<Terminal<IoPorts>>,
    inbox: Inbox,
) -> Result<Infallible, abi::Error> {
    ipc::serve::<Protocol>(&inbox, async |_, request, handles| {
        terminal.answer(request, &handles)
    })
    .await
}
