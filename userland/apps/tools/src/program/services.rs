//! Services, and the end of it all.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use ipc::Link;
use protocols::power::{self, Power};
use protocols::services::{self, Answer, Request, Service, Services, State};
use tools::number::seconds;
use tools::options::Given;
use tools::table::Table;

use super::io::reach;
use super::{Entry, Failed, Tool, entry, flag};

pub const COMMANDS: &[Entry] = &[
    entry(
        "services",
        "lists the services, or starts, stops and restarts some",
        "[start|stop|restart NAME ...]",
        &[],
        services,
    ),
    entry(
        "poweroff",
        "stops all services and switches the machine off",
        "",
        &[flag(
            's',
            "status",
            "NUMBER",
            "what an emulator is told, instead of 0",
        )],
        poweroff,
    ),
    entry(
        "reboot",
        "stops all services and restarts the machine",
        "",
        &[],
        reboot,
    ),
];

fn services(tool: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    let mut link = Link::<Services>::new(tool.directory()?, services::NAME);
    reach(&mut link)?;
    let mut ask = |request: &Request| link.call(request, Vec::new(), abi::NEVER);
    let Some((action, names)) = given.arguments.split_first() else {
        let mut all: Vec<Service> = Vec::new();
        loop {
            let after = all.last().map(|last| last.name.clone()).unwrap_or_default();
            match ask(&Request::List { after }) {
                Ok((Answer::Services(more), _)) if more.is_empty() => break,
                Ok((Answer::Services(more), _)) => all.extend(more),
                Ok((Answer::Done, _)) => return Err("there was no list".into()),
                Err(failure) => return Err(failure.to_string()),
            }
        }
        let now = sys::time::now();
        let mut table = Table::new(&["<NAME", "<STATE", "PID", "RESTARTS", "SINCE s"]);
        for service in &all {
            table.row([
                &service.name,
                &state(service.state),
                &service.process,
                &service.restarts,
                &seconds(now.saturating_sub(service.since)),
            ]);
        }
        tool.out.lines(table.lines())?;
        return Ok(0);
    };
    if names.is_empty() {
        return Err(format!("{action}: the name of a service is missing"));
    }
    for name in names {
        let name = name.clone();
        let request = match action.as_str() {
            "start" => Request::Start { name },
            "stop" => Request::Stop { name },
            "restart" => Request::Restart { name },
            _ => return Err(format!("'{action}' is none of start, stop, restart")),
        };
        if let Err(failure) = ask(&request) {
            tool.complain(&format!("{action}: {failure}"));
        }
    }
    Ok(tool.status)
}

fn state(state: State) -> String {
    match state {
        State::Waiting => "waits for others".into(),
        State::Starting => "starts".into(),
        State::Running => "runs".into(),
        State::BackOff => "starts again soon".into(),
        State::Stopping => "stops".into(),
        State::Stopped(status) => format!("stopped ({status})"),
        State::Failed(status) => format!("failed ({status})"),
    }
}

fn ask_power(tool: &mut Tool<'_>, request: power::Request) -> Result<u64, Failed> {
    tool.out.flush()?;
    let mut link = Link::<Power>::new(tool.directory()?, power::NAME);
    reach(&mut link)?;
    match link.call(&request, Vec::new(), abi::NEVER) {
        Ok((power::Answer::Begun, _)) => {}
        // The service may be gone before its answer is here.
        Err(failure) if failure.is_closed() => {}
        Err(failure) => return Err(failure.to_string()),
    }
    // This program ends with everything else.
    loop {
        sys::time::sleep(1_000_000_000);
    }
}

fn poweroff(tool: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    let status = given.number('s', 0)?;
    ask_power(tool, power::Request::Off { status })
}

fn reboot(tool: &mut Tool<'_>, _: &Given) -> Result<u64, Failed> {
    ask_power(tool, power::Request::Restart)
}
