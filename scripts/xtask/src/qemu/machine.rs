//! A running QEMU: its process, its serial port and its control channel.
//!
//! The process never outlives xtask: dropping a [`Machine`] kills it, and the kernel kills it when
//! xtask itself dies. Serial port and control channel are socket pairs handed over as descriptors,
//! so there is no path, port or race that another process could get in the way of.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::Qemu;
use super::args::{Chipset, Spec, Wiring};
use crate::error::{Error, Result};
use crate::firmware::Firmware;

/// Where a PC has its TPM.
const TPM: u32 = 0xfed4_0000;
/// The ports by which the configuration of PCI devices is read and written.
const PCI: [u16; 2] = [0xcf8, 0xcfc];
/// Registers of a PCI device: what it answers to, with the bit for memory, and where its third range of memory is.
const PCI_COMMAND: (u32, u32) = (0x04, 2);
/// See [`PCI_COMMAND`].
const PCI_RANGE_2: u32 = 0x18;
/// Names the answers that nobody waits for.
const UNHEARD: &str = "unheard";

/// Something that happened in the machine.
#[derive(Debug)]
pub enum Event {
    /// Bytes from the serial port.
    Serial(Vec<u8>),
    /// The serial port is closed: QEMU is ending.
    SerialClosed,
    /// A message on the control channel: an event or an answer.
    Control(Value),
}

/// A started QEMU.
#[derive(Debug)]
pub struct Machine {
    child: Child,
    /// What happens, in order of arrival.
    pub events: Receiver<Event>,
    serial: UnixStream,
    control: UnixStream,
    messages: Arc<Mutex<String>>,
    messages_thread: Option<thread::JoinHandle<()>>,
    _folder: TempDir,
}

impl Machine {
    /// Starts `qemu` as `spec` says, from a disk image.
    pub fn start(
        qemu: &Qemu,
        spec: &Spec,
        firmware: &Firmware,
        disk: &std::path::Path,
    ) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("jsix-")
            .tempdir()
            .map_err(Error::io("create a folder in", std::env::temp_dir()))?;
        let vars = folder.path().join("vars.fd");
        fs::copy(&firmware.vars, &vars).map_err(Error::io("copy", &firmware.vars))?;
        // The copy of a read-only file is read-only.
        let mut mode = fs::metadata(&vars)
            .map_err(Error::io("read", &vars))?
            .permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o600);
        fs::set_permissions(&vars, mode).map_err(Error::io("change", &vars))?;

        let pair = || UnixStream::pair().map_err(Error::io("open a socket for", &qemu.path));
        let (serial, serial_theirs) = pair()?;
        let (control, control_theirs) = pair()?;
        let mut command = Command::new(&qemu.path);
        command
            .args(spec.arguments(&Wiring {
                code: &firmware.code,
                vars: &vars,
                disk,
                serial_fd: serial_theirs.as_raw_fd(),
                qmp_fd: control_theirs.as_raw_fd(),
            }))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Its own group: Ctrl-C comes to xtask, which then ends QEMU in order.
            .process_group(0);
        hand_over(
            &mut command,
            vec![serial_theirs.into(), control_theirs.into()],
        );
        let mut child = command.spawn().map_err(Error::io("start", &qemu.path))?;
        // Closes our copies of QEMU's ends, so that its end is seen.
        drop(command);

        let messages = Arc::new(Mutex::new(String::new()));
        let messages_thread = collect(child.stdout.take(), child.stderr.take(), &messages);
        let (sender, events) = channel();
        let clone = |stream: &UnixStream| {
            stream
                .try_clone()
                .map_err(Error::io("duplicate a socket of", &qemu.path))
        };
        read_serial(clone(&serial)?, sender.clone());
        read_control(clone(&control)?, sender);
        let mut machine = Self {
            child,
            events,
            serial,
            control,
            messages,
            messages_thread: Some(messages_thread),
            _folder: folder,
        };
        machine.command("qmp_capabilities", &json!({}));
        if spec.waits_for_quickening() {
            machine.quicken(spec.chipset);
        }
        Ok(machine)
    }

    /// Puts the registers of the screen where the firmware looks for a TPM, and lets the machine go. Without an EDID they begin with ones, as an
    /// empty place has on a real machine: so there is no TPM. QEMU's empty places have zeros, which the firmware takes for a TPM that is not
    /// ready yet: it watches a clock for some seconds, and when instructions are counted, half a minute goes by. Later it gives all devices
    /// addresses of its own.
    fn quicken(&mut self, chipset: Chipset) {
        let [address, data] = PCI;
        let device = 1 << 31 | chipset.screen_slot() << 11;
        let (command, memory) = PCI_COMMAND;
        let writes = [
            ('w', address, device | PCI_RANGE_2),
            ('w', data, TPM),
            ('w', address, device | command),
            ('h', data, memory),
            ('w', address, 0),
        ];
        for (size, port, value) in writes {
            let line = format!("o /{size} {port:#x} {value:#x}");
            self.say(&json!({
                "execute": "human-monitor-command", "arguments": {"command-line": line}, "id": UNHEARD
            }));
        }
        self.say(&json!({"execute": "cont", "id": UNHEARD}));
    }

    /// Sends a command on the control channel; the answer arrives as an event. A closed channel is
    /// no error here: the machine's end is noticed elsewhere.
    pub fn command(&mut self, name: &str, arguments: &Value) {
        self.say(&json!({"execute": name, "arguments": arguments}));
    }

    fn say(&mut self, message: &Value) {
        let _ = self.control.write_all(message.to_string().as_bytes());
    }

    /// Another handle to the serial port, for what the developer types.
    pub fn serial_input(&self) -> Result<UnixStream> {
        self.serial
            .try_clone()
            .map_err(Error::io("duplicate", "the serial port"))
    }

    /// The exit status once QEMU has ended.
    pub fn try_wait(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Ends QEMU at once and waits for it.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// All that QEMU itself said, once it has ended.
    pub fn messages(&mut self) -> String {
        if let Some(thread) = self.messages_thread.take() {
            let _ = thread.join();
        }
        self.messages
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .trim()
            .to_owned()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Makes `descriptors` survive the exec of `command` under their numbers, and ties the life of
/// the child to the thread that starts it, where the host can do that.
#[expect(unsafe_code, reason = "pre_exec is unsafe whatever it runs")]
fn hand_over(command: &mut Command, descriptors: Vec<OwnedFd>) {
    let parent = std::process::id();
    let prepare = move || {
        use rustix::io::{FdFlags, fcntl_setfd};
        use rustix::process::getppid;
        for descriptor in &descriptors {
            fcntl_setfd(descriptor, FdFlags::empty())?;
        }
        #[cfg(target_os = "linux")]
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        // The parent may have died before the line above.
        let orphaned =
            getppid().is_none_or(|pid| u32::try_from(pid.as_raw_nonzero().get()) != Ok(parent));
        if orphaned {
            return Err(std::io::ErrorKind::NotConnected.into());
        }
        Ok(())
    };
    // SAFETY: between fork and exec only async-signal-safe calls are allowed; the closure makes
    // three system calls, takes no lock and allocates nothing.
    unsafe {
        command.pre_exec(prepare);
    }
}

/// Gathers the two output streams of QEMU.
fn collect(
    stdout: Option<impl Read + Send + 'static>,
    stderr: Option<impl Read + Send + 'static>,
    messages: &Arc<Mutex<String>>,
) -> thread::JoinHandle<()> {
    fn drain(stream: Option<impl Read>, messages: &Mutex<String>) {
        let Some(stream) = stream else { return };
        for line in BufReader::new(stream)
            .lines()
            .map_while(std::io::Result::ok)
        {
            let mut text = messages.lock().unwrap_or_else(PoisonError::into_inner);
            text.push_str(&line);
            text.push('\n');
        }
    }
    let messages = Arc::clone(messages);
    thread::spawn(move || {
        thread::scope(|scope| {
            scope.spawn(|| drain(stdout, &messages));
            drain(stderr, &messages);
        });
    })
}

fn read_serial(mut serial: UnixStream, sender: Sender<Event>) {
    thread::spawn(move || {
        let mut buffer = [0_u8; 4096];
        while let Ok(count) = serial.read(&mut buffer) {
            let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else {
                break;
            };
            if sender.send(Event::Serial(bytes.to_vec())).is_err() {
                return;
            }
        }
        let _ = sender.send(Event::SerialClosed);
    });
}

fn read_control(control: UnixStream, sender: Sender<Event>) {
    thread::spawn(move || {
        for line in BufReader::new(control)
            .lines()
            .map_while(std::io::Result::ok)
        {
            let Ok(value) = serde_json::from_str::<Value>(&line) else {
                continue;
            };
            if value["id"] == UNHEARD {
                continue;
            }
            if sender.send(Event::Control(value)).is_err() {
                return;
            }
        }
    });
}
