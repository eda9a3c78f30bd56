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

impl Chipset {
    /// Where on the first PCI bus QEMU puts the screen.
    pub fn screen_slot(self) -> u32 {
        match self {
            Self::Q35 => 1,
            Self::Pc => 2,
        }
    }
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

/// What the machine boots from, and by which firmware.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Medium {
    /// a disk, by UEFI
    #[default]
    Disk,
    /// an optical disc, by UEFI
    Cdrom,
    /// a stick on a USB port, by UEFI
    Usb,
    /// an optical disc, by QEMU's BIOS
    BiosCdrom,
    /// a stick on a USB port, by QEMU's BIOS
    BiosUsb,
}

impl Medium {
    /// How the drive is attached.
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Disk => &["-device", "virtio-blk-pci,drive=boot,bootindex=0"],
            Self::Cdrom | Self::BiosCdrom => &["-device", "ide-cd,drive=boot,bootindex=0"],
            Self::Usb | Self::BiosUsb => &[
                "-device",
                "qemu-xhci,id=usb",
                "-device",
                "usb-storage,bus=usb.0,drive=boot,bootindex=0",
            ],
        }
    }

    /// What kind of drive it is, as words of its option.
    fn drive(self) -> &'static str {
        match self {
            Self::Disk => "readonly=on,",
            Self::Cdrom | Self::BiosCdrom => "readonly=on,media=cdrom,",
            // A stick that can be written, as most: what is written is forgotten. Limine tries, and takes minutes when it cannot.
            Self::Usb | Self::BiosUsb => "snapshot=on,",
        }
    }

    /// Whether it is started by UEFI.
    fn is_uefi(self) -> bool {
        matches!(self, Self::Disk | Self::Cdrom | Self::Usb)
    }
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
    /// What it boots from.
    pub medium: Medium,
    /// What executes it.
    pub engine: Engine,
    /// Whether there is a window.
    pub display: Display,
    /// Wait for gdb on this TCP port of the loopback interface.
    pub gdb_port: Option<u16>,
    /// Spare the firmware its search for a TPM, which takes a third of its time, and far more when instructions are counted. The screen has no EDID then.
    pub is_quick: bool,
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
            medium: Medium::Disk,
            engine: Engine::Tcg,
            display: Display::None,
            gdb_port: None,
            is_quick: false,
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
    /// Whether nothing runs until the firmware was spared its search for a TPM: not when gdb says when it runs.
    pub fn waits_for_quickening(&self) -> bool {
        self.is_quick
            && self.medium.is_uefi()
            && self.engine != Engine::Kvm
            && self.gdb_port.is_none()
    }

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
        if self.medium.is_uefi() {
            add(
                "-drive",
                file_option("if=pflash,unit=0,format=raw,readonly=on,file=", wiring.code),
            );
            add(
                "-drive",
                file_option("if=pflash,unit=1,format=raw,file=", wiring.vars),
            );
        }
        let kind = self.medium.drive();
        add(
            "-drive",
            file_option(
                &format!("if=none,id=boot,format=raw,{kind}file="),
                wiring.disk,
            ),
        );
        for pair in self.medium.arguments().chunks_exact(2) {
            if let [flag, value] = pair {
                add(flag, (*value).into());
            }
        }
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
        if self.waits_for_quickening() {
            args.extend(["-S", "-global", "VGA.edid=off"].map(OsString::from));
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
