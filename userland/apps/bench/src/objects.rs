//! The group `objects`: the system call that does nothing, handles, and the life of a process.

use sys::abi::{Error, NEVER, Rights};
use sys::call;

use crate::child::{self, Code, Image};
use crate::measure::{Env, Figure, Samples};
use crate::memory::Owned;

/// All of them.
pub const FIGURES: &[Figure] = &[
    Figure {
        name: "null",
        what: "a system call that does nothing",
        run: null,
    },
    Figure {
        name: "duplicate-close",
        what: "duplicate a handle, close the duplicate",
        run: duplicate_close,
    },
    Figure {
        name: "process",
        what: "make a process of an image in memory, start it, let it end, and clean up after it",
        run: process,
    },
];

/// Rounds of what is repeated.
const ROUNDS: usize = 128;
/// Rounds before those that count.
const WARM: usize = 8;

fn null(_: &Env<'_>, samples: &mut Samples) -> Result<(), Error> {
    for _ in 0..ROUNDS {
        samples.take(call::abi_version);
    }
    Ok(())
}

fn duplicate_close(_: &Env<'_>, samples: &mut Samples) -> Result<(), Error> {
    let event = Owned(call::event_create()?);
    for _ in 0..ROUNDS {
        samples.take(|| call::handle_close(call::handle_duplicate(event.0, Rights::ALL)?))?;
    }
    Ok(())
}

fn process(env: &Env<'_>, samples: &mut Samples) -> Result<(), Error> {
    let image = Image::new(env)?;
    let exit = Owned(call::event_create()?);
    let live = || {
        let process = image.load()?;
        call::process_on_exit(process.0, Some(exit.0), 1)?;
        child::start(process.0, Code::Exit, 0)?;
        call::event_wait(exit.0, 1, 0, NEVER)
    };
    for _ in 0..WARM {
        live()?;
    }
    for _ in 0..ROUNDS {
        samples.take(live)?;
    }
    Ok(())
}
