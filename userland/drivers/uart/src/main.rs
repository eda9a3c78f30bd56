//! `drv.uart`: terminals on the serial ports that it is given, as `device:PNP0501` and `device:PNP0500`, or `ports` and `lines`.
//!
//! Arguments: `baud=115200`, `flow=auto`.

#![cfg_attr(target_os = "none", no_std, no_main)]

extern crate alloc;

use alloc::rc::Rc;
use alloc::vec::Vec;

use abi::interrupt;
use abi::resource::Info;
use ipc::{Directory, Failure};
use protocols::terminal::Terminal as Protocol;
use sys::Context;
use sys::exec::{Executor, Interrupts};
use sys::object::{Mailbox, Owned, Process, Resource};
use sys::time::SECOND;
use uart::detect::detect;
use uart::port::Port;
use uart::registers::Registers;
use uart::settings::Settings;
use uart::terminal::{Terminal, serve_interrupts};
use uart::wiring::{name, numbers, places};

/// How long a port may take to send what was written before the driver ends.
const PATIENCE: u64 = 2 * SECOND;

/// The registers of a port by I/O ports that this process may use.
struct Registers8(u16);

impl Registers for Registers8 {
    fn read(&mut self, register: u8) -> u8 {
        sys::port::read8(self.0.wrapping_add(u16::from(register)))
    }

    fn write(&mut self, register: u8, value: u8) {
        sys::port::write8(self.0.wrapping_add(u16::from(register)), value);
    }
}

type Shown = Rc<Terminal<Registers8>>;

/// A line, and the terminals on it.
struct Line {
    interrupts: Interrupts,
    number: u64,
    mode: u64,
    terminals: Vec<Shown>,
}

fn resources(context: &Context) -> Vec<(Resource, Info)> {
    let names = ["device:PNP0501", "device:PNP0500"];
    let given = names.iter().flat_map(|name| context.bundle(name));
    let mut all: Vec<Owned> = given.collect();
    if all.is_empty() {
        // By hand: each range of ports with the line at the same place.
        let mut lines = context.bundle("lines").into_iter();
        for ports in context.bundle("ports") {
            all.push(ports);
            all.extend(lines.next());
        }
    }
    let with_info = |owned| {
        let resource = Resource::from(owned);
        let info = resource.info().ok()?;
        Some((resource, info))
    };
    all.into_iter().filter_map(with_info).collect()
}

/// Takes the line of a port, if it is not taken for another one already.
fn take_line<'a>(
    exec: &Executor,
    lines: &'a mut Vec<Line>,
    resource: &Resource,
    number: u64,
) -> Result<&'a mut Line, abi::Error> {
    if let Some(index) = lines.iter().position(|line| line.number == number) {
        return lines.get_mut(index).ok_or(abi::Error::NotReady);
    }
    let interrupt = resource.interrupt(0, interrupt::AS_WIRED)?;
    let mode = interrupt.info()?.mode;
    let interrupts = exec.interrupt(interrupt)?;
    lines.push(Line {
        interrupts,
        number,
        mode,
        terminals: Vec::new(),
    });
    lines.last_mut().ok_or(abi::Error::NotReady)
}

/// All ports that there are, by their lines, and their terminals with their names.
fn find(
    context: &Context,
    exec: &Executor,
    settings: &Settings,
) -> (Vec<Line>, Vec<(usize, Shown)>) {
    let resources = resources(context);
    let infos: Vec<Info> = resources.iter().map(|(_, info)| *info).collect();
    let places = places(&infos);
    let bases: Vec<u16> = places.iter().map(|place| place.base).collect();
    let (mut lines, mut terminals) = (Vec::new(), Vec::new());
    for (place, number) in places.iter().zip(numbers(&bases)) {
        let (Some((ports, _)), Some((line, info))) =
            (resources.get(place.ports), resources.get(place.line))
        else {
            continue;
        };
        let base = place.base;
        if let Err(error) = ports.grant_ports(&Process::own()) {
            log::warn!("port {base:#x} cannot be used: {error}");
            continue;
        }
        let mut registers = Registers8(base);
        let Some(chip) = detect(&mut registers) else {
            log::info!("port {base:#x} is not there");
            continue;
        };
        let Ok(port) = Port::new(registers, chip, settings) else {
            log::error!("port {base:#x} is left out: memory is short");
            continue;
        };
        match take_line(exec, &mut lines, line, info.start) {
            Ok(line) => {
                let terminal = Terminal::new(exec, port);
                line.terminals.push(terminal.clone());
                terminals.push((number, terminal));
                let (name, baud, line) = (name(number), settings.baud(), info.start);
                log::info!("{name}: {chip} at {base:#x}, line {line}, {baud} baud");
            }
            Err(error) => log::warn!("port {base:#x}: line {} cannot be had: {error}", info.start),
        }
    }
    (lines, terminals)
}

fn run(context: &Context) -> Result<(), Failure> {
    let mut settings = Settings::default();
    for argument in context.arguments().skip(1) {
        if let Err(error) = settings.set(argument) {
            log::warn!("{error}");
        }
    }
    let directory = Directory::of(context).ok_or(abi::Error::NotReady)?;
    let exec = Executor::new()?;
    let stop = exec.signal()?;
    directory.on_stop(stop.waiter()?.event, stop.mask())?;
    let (lines, terminals) = find(context, &exec, &settings);
    for line in lines {
        let number = line.number;
        let serving = serve_interrupts(exec.clone(), line.interrupts, line.mode, line.terminals);
        exec.spawn(async move {
            match serving.await {
                Ok(()) => log::error!("line {number} interrupts without end: it is left alone"),
                Err(error) => log::error!("line {number} cannot be waited for: {error}"),
            }
        });
    }
    for (number, terminal) in &terminals {
        let inbox = exec.mailbox(Mailbox::new()?)?;
        directory.register(&name(*number), inbox.mailbox())?;
        exec.spawn(terminal.clone().input());
        exec.spawn(terminal.clone().output());
        let terminal = terminal.clone();
        exec.spawn(async move {
            ipc::serve::<Protocol>(&inbox, async |_, request, handles| {
                terminal.answer(request, &handles)
            })
            .await
        });
    }
    directory.ready()?;
    exec.run_until(async {
        stop.wait().await;
        for (number, terminal) in &terminals {
            if exec.timeout(terminal.stop(), PATIENCE).await.is_err() {
                log::warn!("{}: not all was sent", name(*number));
            }
            log::debug!("{}: {:?}", name(*number), terminal.counts());
        }
    })?;
    Ok(())
}

fn main_of_program(context: &Context) -> u64 {
    match run(context) {
        Ok(()) => 0,
        Err(failure) => {
            log::error!("{failure}");
            1
        }
    }
}

sys::program!(main_of_program);

#[cfg(not(target_os = "none"))]
fn main() {
    // Programs run in jsix; on the host they are only type-checked.
    let _: fn(&Context) -> u64 = main_of_program;
}
