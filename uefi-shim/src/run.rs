//! The entry point: from the firmware to one of the two loaders, or to an error message.

use alloc::format;

use shim_core::Error;
use shim_core::choice::{Choice, Limine, choose};
use shim_core::config::{Config, Switch};
use uefi::{Status, entry};

use crate::console::Console;
use crate::files::Volumes;
use crate::{chainload, console, cpu, exit, loader, menu};

#[entry]
fn main() -> Status {
    let mut console = Console::new();
    let Err(error) = boot(&mut console);
    console.error(&error);
    console.wait_before_return();
    Status::LOAD_ERROR
}

/// Boots; comes back only if that is not possible.
fn boot(console: &mut Console) -> Result<core::convert::Infallible, Error> {
    shim_core::cpu::check(&cpu::Instruction)?;
    let volumes = Volumes::find()?;
    let (path, config) = volumes.read_config()?;
    let config = Config::parse_bytes(&config);
    if config.globals.serial == Switch::Yes {
        console.mirror_to_serial();
    }
    for warning in &config.warnings {
        console.say(&format!("warning: {warning}"));
    }
    if config.globals.verbose == Switch::Yes {
        console.say(&format!("read {path}"));
    }
    let limine = volumes.find_limine();
    let found = if limine.is_some() {
        Limine::Found
    } else {
        Limine::Missing
    };
    let choice = choose(
        config.globals.loader,
        found,
        exit::free_memory_below_4_gib(),
    );
    match (choice, limine) {
        (Choice::Limine, Some(limine)) => {
            return chainload::start(console, &limine, config.globals.quiet);
        }
        (Choice::Limine, None) | (Choice::LimineMissing, _) => return Err(chainload::missing()),
        (Choice::OwnForLackOfMemory, _) => {
            console.say("too little memory for Limine; the shim boots the kernel itself");
        }
        (Choice::Own, _) => {}
    }
    let entry = menu::choose(console, &config)?;
    loader::boot(console, &volumes, &config.globals, entry)
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    console::panic(info)
}
