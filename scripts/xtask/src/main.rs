//! Builds, boots and tests jsix: what the shells in `scripts/` call.
//!
//! `cli` is the command line, `commands` its steps. From there: `build` and `toolchain` compile for
//! the bare-metal targets; `prepare`, `bootconf`, `archive`, `add`, `strip` and `image` make a disk; `firmware`,
//! `qemu` and `run` boot it; `console`, `symbolize` and `trace` make its output readable; `abi_doc` writes docs/abi.md,
//! `c_header` the header for programs in C.

#![deny(unsafe_code)]

mod abi_doc;
mod add;
mod archive;
mod bench;
mod bootconf;
mod build;
mod c_header;
mod cli;
mod command_line;
mod commands;
mod console;
mod contents;
mod differ;
mod dist;
mod error;
mod firmware;
mod identity;
mod image;
mod iso;
mod kernel;
mod limine;
mod person;
mod prepare;
mod qemu;
mod remap;
mod reproduce;
mod run;
mod screen_text;
mod screenshot;
mod strip;
mod symbolize;
mod test;
mod toolchain;
mod trace;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::error::Result;

/// Nothing was booted or checked: wrong usage, a missing tool, a failed build.
const EXIT_NOT_DONE: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match dispatch(cli.command) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::from(EXIT_NOT_DONE)
        }
    }
}

fn dispatch(command: Command) -> Result<u8> {
    match command {
        Command::AbiDoc => {
            let workspace = workspace::Workspace::load()?;
            abi_doc::write(&workspace)?;
            c_header::write(&workspace).map(|()| 0)
        }
        Command::Build => {
            let workspace = workspace::Workspace::load()?;
            build::build(&workspace, &build::EVERYTHING).map(|()| 0)
        }
        Command::Cargo { words } => commands::cargo(&words),
        Command::Image(args) => commands::image(&args).map(|()| 0),
        Command::Iso(args) => dist::iso(&args).map(|()| 0),
        Command::Dist(args) => dist::dist(&args).map(|()| 0),
        Command::Reproduce(args) => Ok(u8::from(!reproduce::reproduce(&args)?)),
        Command::Run(args) => {
            commands::catch_signals()?;
            commands::run(&args)
        }
        Command::Test(args) => {
            commands::catch_signals()?;
            Ok(u8::from(!test::test(&args)?))
        }
        Command::Bench(args) => {
            commands::catch_signals()?;
            Ok(u8::from(!bench::bench(&args)?))
        }
        Command::Screenshot(args) => {
            commands::catch_signals()?;
            screenshot::screenshot(&args).map(|()| 0)
        }
        Command::Trace(args) => trace::convert(&args).map(|()| 0),
        Command::Symbolize { file } => commands::symbolize(file.as_deref()).map(|()| 0),
    }
}
