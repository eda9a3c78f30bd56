//! A real gdb on a real machine: the commands of `scripts/gdb` must show its state.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use regex::Regex;

use super::boot::Bench;
use super::report::Outcome;
use crate::bootconf::KernelLine;
use crate::error::{Error, Result};
use crate::prepare::Recipe;
use crate::qemu::args::Spec;

/// Where the kernel is stopped: late enough for processors and threads to exist.
const PLACE: &str = "kernel::process::loader::start";

/// What gdb does there.
const COMMANDS: [&str; 8] = [
    "continue",
    "backtrace 3",
    "jsix-cpus",
    "jsix-threads",
    "jsix-pt $rip",
    "jsix-pt 0x1000",
    "jsix-program hello",
    "kill",
];

/// What it must print.
const EXPECTED: [&str; 9] = [
    r"Breakpoint 1(\.\d+)?, kernel::process::loader::start \(",
    r"#\d+ .*kernel::commands::.* at kernel/src/commands\.rs:\d+",
    r"cpu0: online, apic 0x0, area 0xffff[0-9a-f]+",
    r"cpu1: online, apic 0x1, area 0xffff[0-9a-f]+",
    r"runs main \(thread \d+\); gdb thread \d+ at 0xffffffff8[0-9a-f]+ kernel::process::loader::start",
    r"thread \d+ +main +runnable +running",
    r"-> 0x[0-9a-f]+, a page of \d+ KiB",
    r"  not mapped",
    r"added the symbols of .*/hello",
];

/// Stops in the kernel, then asks for processors, threads and page tables.
pub fn test(bench: &Bench<'_>) -> Outcome {
    let python = Command::new("gdb")
        .args(["-nx", "-batch", "-ex", "python print('works')"])
        .stdin(Stdio::null())
        .output();
    match python {
        Ok(output) if String::from_utf8_lossy(&output.stdout).contains("works") => {}
        Ok(_) => return Outcome::Skipped("this gdb has no Python".into()),
        Err(_) => {
            return Outcome::Skipped("gdb is not on this machine (apt-get install gdb)".into());
        }
    }
    attach(bench).unwrap_or_else(Outcome::from)
}

fn attach(bench: &Bench<'_>) -> Result<Outcome> {
    let port = TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|e| Error::tool("gdb", format!("gets no port: {e}")))?
        .port();
    let mut line = KernelLine::default();
    line.quoted("cmd", "hello")?;
    let recipe = Recipe::jsix(line);
    let spec = Spec {
        cpus: 2,
        memory_mib: 256,
        gdb_port: Some(port),
        ..Spec::default()
    };
    let mut gdb: Option<Child> = None;
    // gdb ends the machine; should it fail to, the time limit does.
    let booted = bench.boot_with("gdb-console", recipe, &spec, 120, |_| {
        gdb = Some(start(bench, port)?);
        Ok(())
    })?;
    let Some(gdb) = gdb else {
        return Ok(Outcome::Failed("gdb was not started".into()));
    };
    let output = gdb
        .wait_with_output()
        .map_err(|e| Error::tool("gdb", format!("cannot be waited for: {e}")))?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    let path = bench.logs.join("gdb.log");
    std::fs::write(&path, &text).map_err(Error::io("write", &path))?;
    Ok(judge(&text, &path, &booted.verdict.to_string()))
}

fn start(bench: &Bench<'_>, port: u16) -> Result<Child> {
    let mut command = Command::new("gdb");
    command
        .args([
            "-nx",
            "-batch",
            "-ex",
            "set pagination off",
            "-ex",
            "set width 0",
            // QEMU may not answer for a while on a busy host.
            "-ex",
            "set remotetimeout 60",
            "-x",
        ])
        .arg(bench.workspace.root.join("scripts/gdb/jsix.py"))
        .args(["-ex", &format!("jsix-connect {port}")])
        .args(["-ex", &format!("hbreak {PLACE}")]);
    for words in COMMANDS {
        command.args(["-ex", words]);
    }
    command
        .env("CARGO_TARGET_DIR", &bench.workspace.target)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(Error::io("start", "gdb"))
}

fn judge(text: &str, path: &Path, end: &str) -> Outcome {
    let missing: Vec<&str> = EXPECTED
        .into_iter()
        .filter(|pattern| !Regex::new(pattern).is_ok_and(|regex| regex.is_match(text)))
        .collect();
    if missing.is_empty() {
        return Outcome::Passed;
    }
    Outcome::Failed(format!(
        "gdb's output has no match for:\n  {}\nthe machine: {end}; all of it is in {}:\n{text}",
        missing.join("\n  "),
        path.display()
    ))
}
