//! Chooses between QEMU's translator and hardware virtualisation.
//!
//! A `/dev/kvm` that exists says little: nested virtualisation often cannot run UEFI firmware. So KVM
//! is taken only after a probe that booted the firmware with it up to the boot loader.

use std::path::Path;
use std::time::{Duration, Instant};

use super::Qemu;
use super::args::{Engine, Spec};
use super::machine::{Event, Machine};
use crate::error::{Error, Result};
use crate::firmware::Firmware;

/// What the developer asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Accel {
    /// QEMU's translator: works everywhere
    #[default]
    Tcg,
    /// hardware virtualisation, or an error if it does not work here
    Kvm,
    /// KVM if a probe really ran the firmware with it, the translator otherwise
    Auto,
}

/// How long the probe waits. With KVM the firmware needs one or two seconds.
const PROBE_LIMIT: Duration = Duration::from_secs(15);
/// What the firmware prints when it starts the boot loader.
const FIRMWARE_DONE: &str = "BdsDxe: starting Boot";

/// Decides, probing KVM with `disk` when that is asked for. Says what was found.
pub fn choose(accel: Accel, qemu: &Qemu, firmware: &Firmware, disk: &Path) -> Result<Engine> {
    if accel == Accel::Tcg {
        return Ok(Engine::Tcg);
    }
    match (probe(qemu, firmware, disk), accel) {
        (Ok(()), _) => {
            eprintln!("xtask: KVM: a probe booted the firmware with it");
            Ok(Engine::Kvm)
        }
        (Err(reason), Accel::Auto) => {
            eprintln!("xtask: using TCG: {reason}");
            Ok(Engine::Tcg)
        }
        (Err(reason), _) => Err(Error::Input(format!(
            "--accel kvm cannot be had here: {reason}; use --accel tcg"
        ))),
    }
}

fn probe(qemu: &Qemu, firmware: &Firmware, disk: &Path) -> std::result::Result<(), String> {
    if !Path::new("/dev/kvm").exists() {
        return Err("there is no /dev/kvm".into());
    }
    let spec = Spec {
        cpu: "host".into(),
        engine: Engine::Kvm,
        ..Spec::default()
    };
    let mut machine =
        Machine::start(qemu, &spec, firmware, disk).map_err(|error| error.to_string())?;
    let start = Instant::now();
    let mut serial = String::new();
    while start.elapsed() < PROBE_LIMIT {
        match machine.events.recv_timeout(Duration::from_millis(100)) {
            Ok(Event::Serial(bytes)) => serial.push_str(&String::from_utf8_lossy(&bytes)),
            Ok(Event::SerialClosed) => break,
            Ok(Event::Control(_)) | Err(_) => {}
        }
        if serial.contains(FIRMWARE_DONE) {
            return Ok(());
        }
    }
    machine.kill();
    let said = machine.messages();
    let detail = said
        .lines()
        .next()
        .unwrap_or("it did not come to the boot loader");
    Err(format!(
        "a probe could not boot the firmware with KVM: {detail}"
    ))
}
