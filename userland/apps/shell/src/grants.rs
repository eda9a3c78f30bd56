//! What programs are given besides their input, output and environment: by the name of the command. Whoever is not in the table gets
//! what [`PLAIN`] says.
//!
//! | | services of the directory | rights on the machine | resources |
//! |---|---|---|---|
//! | any program | `files.*`, `clock` | | |
//! | `ps top vm handles kill` | the same | STATISTICS, PROCESSES | |
//! | `cpus` | the same | STATISTICS | |
//! | `devices` | the same | STATISTICS, DEVICES | |
//! | `trace` | the same | STATISTICS, TRACE | |
//! | `log` | and `logger` | | |
//! | `services` | and `services` | | |
//! | `layout` | and `keyboard` | | |
//! | `poweroff reboot` | and `power` | | |
//! | `stress fuzz bench abi crash` | the same | all | memory, ports, lines |
//! | `test-services` | and `logger`, `terminal.*` | | |
//! | `6s test` | all | all | all |

use abi::Rights;

/// What a program is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Services that it may use; a `*` at the end stands for any rest.
    pub services: &'static [&'static str],
    /// Rights of its handle of the machine; none without a handle.
    pub system: Rights,
    /// It gets the resources of the machine: memory, ports, lines.
    pub has_resources: bool,
}

/// What every program gets.
pub const PLAIN: Grant = Grant {
    services: &["files.*", "clock"],
    system: Rights::NONE,
    has_resources: false,
};

/// What a command gets.
pub fn of(command: &str) -> Grant {
    let system = |system| Grant { system, ..PLAIN };
    let services = |services| Grant { services, ..PLAIN };
    let statistics = Rights::STATISTICS;
    match command {
        "ps" | "top" | "vm" | "handles" | "kill" => system(statistics.union(Rights::PROCESSES)),
        "cpus" => system(statistics),
        "devices" => system(statistics.union(Rights::DEVICES)),
        "trace" => system(statistics.union(Rights::TRACE)),
        "log" => services(&["files.*", "clock", "logger"]),
        "services" => services(&["files.*", "clock", "services"]),
        "layout" => services(&["files.*", "clock", "keyboard"]),
        "poweroff" | "reboot" => services(&["power"]),
        "stress" | "fuzz" | "bench" | "abi" | "crash" => Grant {
            system: Rights::ALL,
            has_resources: true,
            ..PLAIN
        },
        "test-services" => services(&["files.*", "clock", "logger", "terminal.*"]),
        "6s" | "test" => Grant {
            services: &["*"],
            system: Rights::ALL,
            has_resources: true,
        },
        _ => PLAIN,
    }
}
