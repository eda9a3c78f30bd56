//! A driver cannot touch another's ports, memory or lines, nor the kernel's: the program `intruder` is started in place of each driver of
//! the system's manifest, with exactly what that is granted there.
//!
//! Ports are tried one by one, as who reads a port of somebody else's ends.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use regex::Regex;
use toml::{Table, Value};

use super::boot::{Bench, Booted, tail};
use super::report::Outcome;
use crate::add::Addition;
use crate::bootconf::KernelLine;
use crate::command_line::Runner;
use crate::error::{Error, Result};
use crate::prepare::{Programs, Recipe};
use crate::qemu::args::Spec;
use crate::qemu::outcome::Verdict;

/// The manifest of the system, in the repository and in the archive.
const MANIFEST: [&str; 2] = [
    "userland/archive/etc/services.toml",
    "/boot/etc/services.toml",
];

/// Ports, and which driver may use them: keyboard, clock, the second serial port. The first one shows the kernel's log here.
const PORTS: [(u16, &str); 12] = [
    (0x60, "ps2"),
    (0x64, "ps2"),
    (0x70, "rtc"),
    (0x71, "rtc"),
    (0x2f8, "uart"),
    (0x3f8, "the kernel"),
    (0x20, "the kernel"),
    (0xcf8, "the kernel"),
    (0xcfc, "the kernel"),
    (0xf4, "the kernel"),
    (0x604, "the kernel"),
    (0x1f0, "nobody"),
];

/// Starts the intruders.
pub fn test(bench: &Bench<'_>) -> Outcome {
    intrude(bench).unwrap_or_else(Outcome::from)
}

/// A driver of the manifest: its name, and its grants as they stand there.
fn drivers(manifest: &str) -> Result<Vec<(String, String)>> {
    let table: Table = toml::from_str(manifest)
        .map_err(|error| Error::Input(format!("{}: {error}", MANIFEST[0])))?;
    let services = table.get("service").and_then(Value::as_array);
    let drivers = services.into_iter().flatten().filter_map(|service| {
        let program = service.get("program")?.as_str()?;
        let name = service.get("name")?.as_str()?;
        let is_driver = program.starts_with("/drv/");
        let grants = service.get("grants")?.as_array()?.iter();
        let grants: Vec<String> = grants
            .filter_map(|grant| Some(format!("{:?}", grant.as_str()?)))
            .collect();
        is_driver.then(|| (name.to_owned(), grants.join(", ")))
    });
    Ok(drivers.collect())
}

/// A manifest with an intruder for each driver and each attempt, one after the other; and how many read a port.
fn manifest(drivers: &[(String, String)]) -> (String, usize) {
    let mut text = String::new();
    let (mut before, mut readers) = (None, 0);
    let mut add = |name: &str, arguments: &str, grants: &str| {
        let after = before.replace(name.to_owned());
        let after = after.map(|name| format!("{name:?}")).unwrap_or_default();
        // Nobody ever says that it is ready: the next one waits for its end.
        let _ = write!(
            text,
            "[[service]]\nname = {name:?}\nprogram = \"/bin/intruder\"\narguments = [{arguments}]\ngrants = [{grants}]\n\
             after = [{after}]\nready = \"told\"\nready_timeout = \"60 s\"\nrestart = {{ policy = \"never\" }}\n"
        );
    };
    for (driver, grants) in drivers {
        add(&format!("{driver}.all"), &format!("{driver:?}"), grants);
        for (port, owner) in PORTS {
            if owner != driver {
                let arguments = format!("{driver:?}, \"{port}\"");
                add(&format!("{driver}.{port:x}"), &arguments, grants);
                readers += 1;
            }
        }
    }
    let last = before.unwrap_or_default();
    let _ = write!(
        text,
        "[[service]]\nname = \"last\"\nprogram = \"/bin/exit\"\nafter = [{last:?}]\nends_system = true\nrestart = {{ policy = \"never\" }}\n"
    );
    (text, readers)
}

fn intrude(bench: &Bench<'_>) -> Result<Outcome> {
    let path = bench.workspace.root.join(MANIFEST[0]);
    let original = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    let drivers = drivers(&original)?;
    let (text, readers) = manifest(&drivers);
    let folder = tempfile::tempdir().map_err(Error::io("create a folder in", "/tmp"))?;
    let file = folder.path().join("services.toml");
    fs::write(&file, text).map_err(Error::io("write", &file))?;
    let mut line = KernelLine::default();
    Runner::Shell.put(&mut line, "true")?;
    let mut recipe = Recipe::jsix(line);
    recipe.programs = Programs::System(vec![Addition {
        file,
        path: Some(MANIFEST[1].into()),
    }]);
    let spec = Spec {
        cpus: 2,
        memory_mib: 256,
        extra: ["-serial", "null"].map(String::from).to_vec(),
        ..Spec::default()
    };
    let booted = bench.boot("driver-isolation", recipe, &spec, 240)?;
    let names: Vec<&str> = drivers.iter().map(|(name, _)| name.as_str()).collect();
    let mut wrong = judge(&booted.log, &names, readers)?;
    if booted.verdict != Verdict::PoweredOff {
        wrong.push(booted.verdict.to_string());
    }
    Ok(if wrong.is_empty() {
        Outcome::Passed
    } else {
        failed(&wrong, &booted)
    })
}

fn failed(wrong: &[String], booted: &Booted) -> Outcome {
    let tail = tail(&booted.log, &booted.path);
    Outcome::Failed(format!("{}\n{tail}", wrong.join("\n")))
}

/// A range of one kind: its first number, and one more than its last.
type Range = (String, u64, u64);

/// What the log of the intruders must not say, or lacks.
fn judge(log: &str, drivers: &[&str], readers: usize) -> Result<Vec<String>> {
    let pattern = |text: &str| Regex::new(text).map_err(|error| Error::Input(error.to_string()));
    let mut wrong = Vec::new();
    let let_through = pattern(r"intruder: \S+ let through: .*")?;
    wrong.extend(
        let_through
            .find_iter(log)
            .map(|found| found.as_str().to_owned()),
    );
    let tried = pattern(r"intruder: \S+ reads port")?.find_iter(log).count();
    let ended = pattern(r"intruder \(process \d+\) crashed: general protection fault")?
        .find_iter(log)
        .count();
    if tried != readers || ended != readers {
        wrong.push(format!(
            "of {readers} who read a port {tried} tried it, and {ended} ended"
        ));
    }
    let refused = pattern(r"intruder: (\S+): [1-9]\d* refused, 0 let through")?;
    let mut held: BTreeMap<&str, Vec<Range>> = BTreeMap::new();
    for driver in drivers {
        if !refused.captures_iter(log).any(|found| &found[1] == *driver) {
            wrong.push(format!("{driver} did not try all"));
        }
        held.insert(driver, Vec::new());
    }
    let holds = pattern(r"intruder: (\S+): holds (\w+) 0x([0-9a-f]+) 0x([0-9a-f]+)")?;
    for found in holds.captures_iter(log) {
        let number = |group: usize| u64::from_str_radix(&found[group], 16).unwrap_or(0);
        let range = (found[2].to_owned(), number(3), number(3) + number(4));
        if let Some(ranges) = held.get_mut(&found[1]) {
            ranges.push(range);
        }
    }
    for (driver, ranges) in &held {
        if ranges.is_empty() {
            wrong.push(format!("{driver} holds nothing"));
        }
        for (other, others) in held.range::<str, _>((
            std::ops::Bound::Excluded(*driver),
            std::ops::Bound::Unbounded,
        )) {
            let shared = ranges.iter().filter(|range| {
                let overlaps =
                    |other: &Range| range.0 == other.0 && range.1 < other.2 && other.1 < range.2;
                others.iter().any(overlaps)
            });
            wrong.extend(shared.map(|range| format!("{driver} and {other} share {range:x?}")));
        }
    }
    Ok(wrong)
}

#[cfg(test)]
mod tests {
    use super::{PORTS, drivers, judge, manifest};

    #[test]
    fn each_driver_has_its_grants_and_the_ports_of_the_others() {
        let text = "[[service]]\nname = \"a\"\nprogram = \"/srv/a\"\ngrants = [\"system.log_write\"]\n\
                    [[service]]\nname = \"ps2\"\nprogram = \"/drv/ps2\"\ngrants = [\"ports:0x60\", \"lines:isa1\"]\n";
        let found = drivers(text).unwrap();
        assert_eq!(
            found,
            [("ps2".into(), "\"ports:0x60\", \"lines:isa1\"".into())]
        );
        let (text, readers) = manifest(&found);
        assert_eq!(readers, PORTS.len() - 2);
        let services: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(services["service"].as_array().unwrap().len(), readers + 2);
    }

    #[test]
    fn what_was_let_through_or_is_shared_is_told() {
        let good = "intruder: a: holds ports 0x60 0x1\nintruder: a: 3 refused, 0 let through\n\
                    intruder: b: holds ports 0x61 0x2\nintruder: b: 3 refused, 0 let through\n\
                    intruder: a: reads port 0x61\nsrv.init: intruder (process 7) crashed: general protection fault of thread 1";
        assert!(judge(good, &["a", "b"], 1).unwrap().is_empty());
        let count = |text: &str| judge(text, &["a", "b"], 1).unwrap().len();
        assert_eq!(count(&good.replace("0x61 0x2", "0x60 0x2")), 1);
        assert_eq!(count(&good.replace("general protection", "page")), 1);
        assert_eq!(count(&good.replace("b: 3", "c: 3")), 1);
        assert_eq!(
            count(&format!("{good}\nintruder: a: let through: power")),
            1
        );
        assert_eq!(count(""), 5);
    }
}
