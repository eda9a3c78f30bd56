//! `test supervision`: services and drivers are killed at random while clients use them; each comes back, and nothing is lost.
//!
//! The system is brought into the same state before and after: all that may be killed is stopped, the clients have ended. What the kernel holds
//! then, and init and the shell, must be the same. Kills before the first look let all that grows once grow.

mod clients;
mod held;
mod kills;
mod services;

use alloc::string::String;
use alloc::vec::Vec;

use ipc::Directory;
use sys::object::System;
use sys::{Context, println};

use clients::Clients;
use held::Held;
use kills::Killer;
use services::Services;

use super::USAGE;

/// Kills before anything is counted.
const FIRST: u64 = 20;
/// Kills, unless something else is said.
const KILLS: u64 = 200;

struct Options {
    seed: u64,
    kills: u64,
}

fn options(context: &Context) -> Option<Options> {
    let mut options = Options {
        seed: sys::time::now(),
        kills: KILLS,
    };
    let mut arguments = context.arguments().skip(2);
    while let Some(argument) = arguments.next() {
        let place = match argument {
            "--seed" => &mut options.seed,
            "--kills" => &mut options.kills,
            _ => return None,
        };
        *place = arguments.next()?.parse().ok()?;
    }
    Some(options)
}

/// Counts what was as it should be, and says what was not.
#[derive(Default)]
struct Count {
    passed: u64,
    failed: u64,
}

impl Count {
    fn add(&mut self, what: &str, result: Result<String, String>) {
        match result {
            Ok(text) => {
                self.passed += 1;
                println!("supervision {what}: ok, {text}");
            }
            Err(text) => {
                self.failed += 1;
                println!("supervision {what}: FAILED: {text}");
            }
        }
    }
}

/// Does what the arguments say; the status of the program.
pub fn run(context: &Context) -> u64 {
    sys::log::start(context);
    let Some(options) = options(context) else {
        println!("usage: test supervision [--seed NUMBER] [--kills NUMBER]");
        return USAGE;
    };
    let (Some(directory), Some(system)) = (Directory::of(context), context.handle("system")) else {
        println!("test supervision is for the shell to run: it needs the services");
        return USAGE;
    };
    let Options { seed, kills } = options;
    println!("supervision: {kills} kills, --seed {seed} does the same again");
    let mut count = Count::default();
    if let Err(text) = all(
        context,
        &directory,
        &System::from(system),
        &options,
        &mut count,
    ) {
        count.add("run", Err(text));
    }
    println!(
        "supervision: {} passed, {} failed",
        count.passed, count.failed
    );
    sys::io::finish();
    u64::from(count.failed != 0)
}

/// Everything; an error when it cannot go on.
fn all(
    context: &Context,
    directory: &Directory,
    system: &System,
    options: &Options,
    count: &mut Count,
) -> Result<(), String> {
    let mut services = Services::new(directory)?;
    let mut killer = Killer::new(options.seed);
    let first = Clients::start(context, directory, services.victims())?;
    killer.kill(system, &mut services, FIRST)?;
    first.end()?;
    services.stop()?;
    let before = Held::now(system);
    services.start()?;

    let begin = sys::time::now();
    let clients = Clients::start(context, directory, services.victims())?;
    killer.reset(services.victims());
    killer.kill(system, &mut services, options.kills)?;
    let seconds = sys::time::now().saturating_sub(begin) / sys::time::SECOND;
    println!("supervision: {} kills in {seconds} s", options.kills);
    for (name, kills) in killer.counts() {
        count.add(name, Ok(alloc::format!("killed {kills} times, and back")));
    }
    for (name, result) in clients.end_each() {
        count.add(name, result);
    }
    services.stop()?;
    let after = Held::settled(system, &before);
    services.start()?;
    count.add("leak check", after.compare(&before));
    Ok(())
}

/// Some names, for a sentence.
fn names(all: &[String]) -> String {
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    all.join(", ")
}
