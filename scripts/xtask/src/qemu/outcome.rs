//! What the end of a machine means: [`verdict`] is pure, [`Watch`] collects what it needs.
//!
//! The kernel ends a run in one of these ways, and QEMU shows them so:
//! - power-off through ACPI after status 0: the control channel reports `guest-shutdown`;
//! - a value v at the debug-exit port: QEMU exits with `v << 1 | 1`; 1 to 62 is the status of a
//!   command, 63 a panic;
//! - a restart that a command asked for: `guest-reset`, because QEMU runs with `-no-reboot`, after the
//!   kernel's line that says so;
//! - a triple fault or any other reset: `guest-reset` without that line.

use std::fmt;

use serde_json::Value;

/// The value that stands for a panic at the debug-exit port.
const PANIC_VALUE: i32 = 63;
/// What the kernel's closing line begins with.
const CLOSING: &str = "jsix: powering off, status ";
/// The kernel's last line before a restart.
const RESTARTING: &str = "jsix: restarting";
/// What a panic report begins with.
const PANIC: &str = "*** KERNEL PANIC";

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Powered itself off with status 0.
    PoweredOff,
    /// Powered itself off, but the kernel's closing line is missing.
    PoweredOffSilently,
    /// Restarted, as a command asked for.
    Restarted,
    /// A command ended with this status.
    Status(u8),
    /// The kernel panicked.
    Panicked,
    /// A triple fault, or a reset without one.
    Reset,
    /// The time limit passed.
    TimedOut {
        /// The limit in seconds.
        limit_s: u64,
    },
    /// The text came that the run was to wait for; QEMU was ended then.
    Reached,
    /// The boot loader gave up: its sentence is on the serial port.
    NotBooted,
    /// Ctrl-C or another signal to xtask.
    Interrupted,
    /// The developer closed the window or sent QEMU a signal.
    Closed,
    /// QEMU itself failed.
    QemuFailed {
        /// What it said.
        message: String,
    },
}

/// What was seen of a run.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    /// All text of the serial port.
    pub serial: Vec<u8>,
    /// The reason of the last SHUTDOWN event.
    pub shutdown_reason: Option<String>,
}

impl Watch {
    /// Takes note of a message on the control channel.
    pub fn control(&mut self, message: &Value) {
        if message["event"] == "SHUTDOWN" {
            self.shutdown_reason = message["data"]["reason"].as_str().map(str::to_owned);
        }
    }

    /// The serial text, whatever bytes it holds.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.serial).into_owned()
    }
}

/// Judges an ended QEMU by its exit code (`None`: killed by a signal), by what was seen, and by
/// what QEMU said.
pub fn verdict(exit_code: Option<i32>, watch: &Watch, messages: &str) -> Verdict {
    let text = watch.text();
    match (exit_code, watch.shutdown_reason.as_deref()) {
        // 1 is how QEMU reports its own failures; the kernel never writes the value 0.
        (Some(code), _) if code > 1 && code & 1 == 1 => match code >> 1 {
            PANIC_VALUE => Verdict::Panicked,
            value => u8::try_from(value).map_or_else(
                |_| Verdict::QemuFailed {
                    message: format!("exited with code {code}\n{messages}"),
                },
                Verdict::Status,
            ),
        },
        (Some(0), Some("guest-reset")) if text.contains(PANIC) => Verdict::Panicked,
        (Some(0), Some("guest-reset")) if text.contains(RESTARTING) => Verdict::Restarted,
        (Some(0), Some("guest-reset")) => Verdict::Reset,
        (Some(0), Some("host-ui" | "host-qmp-quit")) => Verdict::Closed,
        (Some(0), Some("host-signal")) => Verdict::Interrupted,
        // A power-off; the last message on the control channel may have been lost.
        (Some(0), _) => closing(&text),
        (Some(code), _) => Verdict::QemuFailed {
            message: if messages.is_empty() {
                format!("exited with code {code} and said nothing")
            } else {
                messages.to_owned()
            },
        },
        (None, _) => Verdict::QemuFailed {
            message: format!("was ended by a signal\n{messages}"),
        },
    }
}

fn closing(text: &str) -> Verdict {
    if text.contains(PANIC) {
        return Verdict::Panicked;
    }
    let status = text.lines().rev().find_map(|line| {
        let rest = line.split(CLOSING).nth(1)?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u32>().ok()
    });
    match status {
        Some(0) => Verdict::PoweredOff,
        // Without the debug-exit port the kernel powers off with any status.
        Some(status) => Verdict::Status(u8::try_from(status).unwrap_or(62).min(62)),
        None => Verdict::PoweredOffSilently,
    }
}

impl Verdict {
    /// The exit status of `scripts/run`.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::PoweredOff | Self::Restarted | Self::Closed | Self::Reached => 0,
            Self::Status(status) => *status,
            Self::Panicked => 101,
            Self::PoweredOffSilently => 102,
            Self::Reset => 103,
            Self::QemuFailed { .. } => 104,
            Self::NotBooted => 105,
            Self::TimedOut { .. } => 124,
            Self::Interrupted => 130,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PoweredOff => f.write_str("powered off, status 0"),
            Self::Restarted => f.write_str("restarted, as a command asked for"),
            Self::PoweredOffSilently => f.write_str(
                "the machine was powered off, but not by the kernel: its closing line is missing",
            ),
            Self::Status(status) => write!(f, "a command ended with status {status}"),
            Self::Panicked => f.write_str("the kernel panicked: its report is above"),
            Self::Reset => f.write_str(
                "the machine reset itself: a triple fault, or a reset that somebody asked for",
            ),
            Self::TimedOut { limit_s } => {
                write!(f, "time limit: still running after {limit_s} s")
            }
            Self::Reached => f.write_str("came to where it was to be stopped"),
            Self::NotBooted => f.write_str("the boot loader gave up: its reason is above"),
            Self::Interrupted => f.write_str("interrupted"),
            Self::Closed => f.write_str("QEMU was closed"),
            Self::QemuFailed { message } => write!(f, "QEMU failed: {}", message.trim()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Verdict, Watch, verdict};
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    fn watch(reason: &str, serial: &str) -> Watch {
        Watch {
            serial: serial.into(),
            shutdown_reason: Some(reason.into()),
        }
    }

    #[test]
    fn power_off_is_clean_only_with_the_closing_line() {
        let end = |text| verdict(Some(0), &watch("guest-shutdown", text), "");
        assert_eq!(
            end("x\r\njsix: powering off, status 0\r\n"),
            Verdict::PoweredOff
        );
        assert_eq!(end("jsix: powering off, status 7\n"), Verdict::Status(7));
        assert_eq!(end("refused\n"), Verdict::PoweredOffSilently);
        assert_eq!(
            end("*** KERNEL PANIC\njsix: powering off, status 0\n"),
            Verdict::Panicked
        );
    }

    #[test]
    fn a_reset_is_no_success() {
        let end = |text| verdict(Some(0), &watch("guest-reset", text), "");
        assert_eq!(end("jsix: 1 of 1 processors up\n"), Verdict::Reset);
        assert_eq!(end("*** KERNEL PANIC on CPU 0\n"), Verdict::Panicked);
    }

    #[test]
    fn failures_of_qemu_carry_its_words() {
        let failed = verdict(Some(1), &Watch::default(), "qemu: no such CPU");
        assert!(failed.to_string().contains("no such CPU"));
        assert_eq!(failed.exit_code(), 104);
    }

    proptest! {
        #[test]
        fn every_status_comes_through_the_debug_exit_port(status in 1_i32..63) {
            let seen = verdict(Some(status << 1 | 1), &Watch::default(), "");
            prop_assert_eq!(i32::from(seen.exit_code()), status);
        }

        #[test]
        fn only_a_power_off_or_the_developer_gives_success(
            code in any::<Option<i32>>(), reason in "guest-reset|guest-shutdown|guest-panic",
            serial in "(jsix: powering off, status [1-9]|\\*\\*\\* KERNEL PANIC|[a-z \n]{0,40})"
        ) {
            let seen = verdict(code, &watch(&reason, &serial), "");
            prop_assert!(seen.exit_code() != 0 || seen == Verdict::Closed);
        }
    }
}
