//! The arguments that QEMU gets for a machine.

use std::ffi::OsString;
use std::path::Path;

/// The port of the isa-debug-exit device, named to the kernel as `qemu-exit`.
pub const DEBUG_EXIT_PORT: u16 = 0xf4;

/// The machine type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Chipset {
    /// PCI Express, ICH9
    #[default]
    Q35,
    /// PCI, PIIX3
    Pc,
}

/// What runs the guest's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// QEMU's translator.
    Tcg,
    /// The translator, one guest instruction a nanosecond of guest time: exact counts.
    TcgCounting,
    /// Hardware virtualisation.
    Kvm,
}

/// Whether there is a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Display {
    /// The framebuffer exists, nobody sees it.
    None,
    /// A window of QEMU's choice.
    Window,
}

/// A machine to start.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Number of processors.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// QEMU's name of the CPU, with its flags.
    pub cpu: String,
    /// The machine type.
    pub chipset: Chipset,
    /// What executes it.
    pub engine: Engine,
    /// Whether there is a window.
    pub display: Display,
    /// Wait for gdb on this TCP port of the loopback interface.
    pub gdb_port: Option<u16>,
    /// More arguments, as the developer gave them.
    pub extra: Vec<String>,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            cpus: 1,
            memory_mib: 512,
            cpu: "max".into(),
            chipset: Chipset::Q35,
            engine: Engine::Tcg,
            display: Display::None,
            gdb_port: None,
            extra: Vec::new(),
        }
    }
}

/// The files that a machine starts from, and the descriptors that it talks through.
#[derive(Debug, Clone, Copy)]
pub struct Wiring<'a> {
    /// Firmware code.
    pub code: &'a Path,
    /// This machine's own copy of the variables.
    pub vars: &'a Path,
    /// The boot disk; it is never written to.
    pub disk: &'a Path,
    /// Descriptor of the first serial port.
    pub serial_fd: i32,
    /// Descriptor of the control channel (QMP).
    pub qmp_fd: i32,
}

impl Spec {
    /// The argument list.
    pub fn arguments(&self, wiring: &Wiring<'_>) -> Vec<OsString> {
        let mut args: Vec<OsString> = Vec::new();
        let mut add = |flag: &str, value: OsString| {
            args.push(flag.into());
            args.push(value);
        };
        add("-name", "jsix".into());
        add(
            "-machine",
            match self.chipset {
                Chipset::Q35 => "q35",
                Chipset::Pc => "pc",
            }
            .into(),
        );
        add(
            "-accel",
            match self.engine {
                Engine::Tcg => "tcg",
                Engine::TcgCounting => "tcg,thread=single",
                Engine::Kvm => "kvm",
            }
            .into(),
        );
        let mut date = "base=utc";
        if self.engine == Engine::TcgCounting {
            add("-icount", "shift=0,sleep=off".into());
            // Nothing from outside: neither the date nor the numbers of RDRAND.
            add("-seed", "1".into());
            date = "base=2026-01-01,clock=vm";
        }
        add("-cpu", self.cpu.as_str().into());
        add("-smp", self.cpus.to_string().into());
        add("-m", format!("{}M", self.memory_mib).into());
        add("-rtc", date.into());
        add("-vga", "std".into());
        add("-nic", "none".into());
        add(
            "-display",
            match self.display {
                Display::None => "none",
                Display::Window => "default,show-cursor=on",
            }
            .into(),
        );
        add(
            "-drive",
            file_option("if=pflash,unit=0,format=raw,readonly=on,file=", wiring.code),
        );
        add(
            "-drive",
            file_option("if=pflash,unit=1,format=raw,file=", wiring.vars),
        );
        add(
            "-drive",
            file_option("if=none,id=boot,format=raw,readonly=on,file=", wiring.disk),
        );
        add("-device", "virtio-blk-pci,drive=boot,bootindex=0".into());
        add(
            "-device",
            format!("isa-debug-exit,iobase={DEBUG_EXIT_PORT:#x},iosize=0x04").into(),
        );
        for (id, fd) in [("serial0", wiring.serial_fd), ("qmp0", wiring.qmp_fd)] {
            add("-chardev", format!("socket,id={id},fd={fd}").into());
        }
        add("-serial", "chardev:serial0".into());
        add("-mon", "chardev=qmp0,mode=control".into());
        args.extend(["-nodefaults", "-no-user-config", "-no-reboot"].map(OsString::from));
        if let Some(port) = self.gdb_port {
            args.extend(["-S", "-gdb"].map(OsString::from));
            args.push(format!("tcp:127.0.0.1:{port}").into());
        }
        args.extend(self.extra.iter().map(OsString::from));
        args
    }
}

/// `prefix` and a path, with the commas that QEMU would take for its own doubled.
fn file_option(prefix: &str, path: &Path) -> OsString {
    format!("{prefix}{}", path.display().to_string().replace(',', ",,")).into()
}

#[cfg(test)]
mod tests {
    use super::{Spec, Wiring};
    use std::path::Path;

    #[test]
    fn a_comma_in_a_path_reaches_qemu() {
        let wiring = Wiring {
            code: Path::new("/a,b/code"),
            vars: Path::new("/vars"),
            disk: Path::new("/disk"),
            serial_fd: 10,
            qmp_fd: 11,
        };
        let args = Spec::default().arguments(&wiring);
        let expected = "if=pflash,unit=0,format=raw,readonly=on,file=/a,,b/code";
        assert!(args.iter().any(|arg| arg == expected), "{args:?}");
    }
}
