//! The servers within this program, each on a thread of its own: for a machine without `srv.init`.

use alloc::string::String;
use alloc::vec::Vec;

use abi::interrupt::AS_WIRED;
use abi::{Error, Rights};
use ipc::Failure;
use logger::server::Server as Logger;
use protocols::Fault;
use rtc::chip::Chip;
use rtc::registers::IoPorts;
use rtc::server::Server as Clock;
use sys::exec::Executor;
use sys::object::{Mailbox, Process, Resource, System};
use sys::{Context, call};
use uart::driver::{Driver, serve};
use uart::settings::Settings;
use uart::wiring::name;

/// What the logger keeps.
const KEEP: usize = 512 * 1024;
/// ISA interrupt of the clock, and its ports.
const CLOCK: (u64, u64, u64) = (8, 0x70, 2);
/// Those of COM2 and COM3. (COM1 is the kernel's.)
const SERIAL: [(u64, u64, u64); 2] = [(3, 0x2f8, 8), (4, 0x3e8, 8)];

/// The servers, by their names.
pub struct Own(Vec<(String, Mailbox)>);

/// Resources of a device: its ports, and its line.
fn device(context: &Context, (isa, first, len): (u64, u64, u64)) -> Result<[Resource; 2], Error> {
    let missing = Error::NotReady;
    let ports = call::resource_narrow(context.ports().ok_or(missing)?, first, len)?;
    let ports = Resource::from_raw(ports);
    let lines = context.lines().ok_or(missing)?;
    let line = call::resource_isa_line(lines, isa)?;
    let line = call::resource_narrow(lines, line, 1)?;
    Ok([ports, Resource::from_raw(line)])
}

/// The executor of a thread, which begins its servers; then it runs.
fn on_thread<F>(begin: F) -> Result<(), Error>
where
    F: FnOnce(&Executor) -> Result<(), Error> + Send + 'static,
{
    let body = move || {
        let exec = Executor::new()?;
        begin(&exec)?;
        exec.run()
    };
    sys::thread::spawn(body).map(drop)
}

impl Own {
    /// Starts them.
    pub fn new(context: &Context) -> Result<Self, Error> {
        let mut own = Self(Vec::new());
        let system = context.system().ok_or(Error::NotReady)?;
        let system = System::from_raw(call::handle_duplicate(system, Rights::ALL)?);
        let mailbox = own.add(protocols::logger::NAME)?;
        on_thread(move |exec| {
            let server = Logger::new(exec, KEEP);
            let inbox = exec.mailbox(mailbox)?;
            exec.spawn(server.clone().read(system, exec.signal()?));
            exec.spawn(server.serve(inbox));
            Ok(())
        })?;
        let [ports, line] = device(context, CLOCK)?;
        ports.grant_ports(&Process::own())?;
        let mailbox = own.add(protocols::clock::NAME)?;
        on_thread(move |exec| {
            let server = Clock::new(exec, Chip::new(IoPorts(CLOCK.1 as u16), None));
            exec.spawn(server.clone().serve(exec.mailbox(mailbox)?));
            let line = exec.interrupt(line.interrupt(0, AS_WIRED)?)?;
            exec.spawn(server.keep(line));
            Ok(())
        })?;
        let mut resources = Vec::new();
        for serial in SERIAL {
            resources.extend(device(context, serial)?);
        }
        let mailboxes = [own.add(&name(1))?, own.add(&name(2))?];
        on_thread(move |exec| {
            let mut driver = Driver::new(exec, resources, &Settings::default());
            driver.start();
            for (index, mailbox) in mailboxes.into_iter().enumerate() {
                let port = driver
                    .terminals
                    .iter()
                    .find(|port| port.number == index + 1);
                // Without the port, the mailbox is closed.
                if let Some(port) = port {
                    exec.spawn(serve(port.terminal.clone(), exec.mailbox(mailbox)?));
                }
            }
            Ok(())
        })?;
        Ok(own)
    }

    /// A mailbox for a server; kept to call it by.
    fn add(&mut self, name: &str) -> Result<Mailbox, Error> {
        let mailbox = Mailbox::new()?;
        let rights = Rights::CALL.union(Rights::DUPLICATE);
        self.0.push((name.into(), mailbox.duplicate(rights)?));
        Ok(mailbox)
    }

    /// As the directory does it.
    pub fn lookup(&self, name: &str) -> Result<Mailbox, Failure> {
        let found = self.0.iter().find(|(own, _)| own == name);
        let (_, mailbox) = found.ok_or(Fault::NotFound)?;
        Ok(mailbox.duplicate(Rights::CALL)?)
    }
}
