//! What the suites share: the way to services, checks, and the count.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use ipc::{Directory, Failure};
use protocols::{Fault, Protocol};
use sys::object::{Mailbox, Owned};
use sys::time::SECOND;
use sys::{Context, call, println};

use crate::own::Own;

/// How long a service may take on a busy host.
pub const PATIENCE: u64 = 60 * SECOND;

/// Why a test has not passed.
pub enum Not {
    /// It failed: why.
    Failed(String),
    /// It cannot be run here: why.
    LeftOut(String),
}

/// What a test returns.
pub type Outcome = Result<(), Not>;
/// A test and its name.
pub type Test = (&'static str, fn(&Env) -> Outcome);
/// Tests and their common name.
pub type Suite = (&'static str, &'static [Test]);

impl From<abi::Error> for Not {
    fn from(error: abi::Error) -> Self {
        Self::Failed(format!("{error}"))
    }
}

impl From<Failure> for Not {
    fn from(failure: Failure) -> Self {
        Self::Failed(format!("{failure}"))
    }
}

/// Ends a test unless a condition holds.
#[macro_export]
macro_rules! check {
    ($condition:expr, $($what:tt)+) => {
        if !$condition {
            return Err($crate::harness::Not::Failed(alloc::format!($($what)+)));
        }
    };
}

/// Where services are found.
enum Services {
    Directory(Directory),
    /// This program runs them itself.
    Own(Own),
}

/// What tests have.
pub struct Env {
    services: Services,
    /// The machine, if the kernel's consoles are this program's.
    system: Option<Owned>,
}

impl Env {
    /// By what the program was given.
    pub fn new(context: &Context) -> Result<Self, abi::Error> {
        let (services, system) = match Directory::of(context) {
            Some(directory) => (Services::Directory(directory), None),
            None => {
                let system = context.system().ok_or(abi::Error::NotReady)?;
                let system = call::handle_duplicate(system, abi::Rights::CONSOLE)?;
                let services = Services::Own(Own::new(context)?);
                (services, Some(Owned::from_raw(system)))
            }
        };
        Ok(Self { services, system })
    }

    /// Says where the kernel shows its log. With services, that is theirs.
    pub fn show(&self, consoles: u64) {
        if let Some(system) = &self.system {
            // It can: the right is there.
            let _ = call::system_set_console(system.handle(), consoles);
        }
    }

    /// A service; a test is left out without it.
    pub fn service(&self, name: &str) -> Result<Mailbox, Not> {
        let found = match &self.services {
            Services::Directory(directory) => directory.lookup(name, 0),
            Services::Own(own) => own.lookup(name),
        };
        found.map_err(|failure| Not::LeftOut(format!("{name}: {failure}")))
    }

    /// A service for another client: by a narrower way into the directory.
    pub fn service_for_another(&self, name: &str) -> Result<Mailbox, Not> {
        let Services::Directory(directory) = &self.services else {
            return Err(Not::LeftOut("there is no directory".into()));
        };
        let way_in = Directory::from_owned(directory.narrow(&[name])?);
        Ok(way_in.lookup(name, 0)?)
    }
}

/// Asks a service, and waits for a while.
pub fn ask<P: Protocol>(
    mailbox: &Mailbox,
    request: &P::Request,
    handles: Vec<Owned>,
) -> Result<(P::Answer, Vec<Owned>), Failure> {
    ipc::call::<P>(mailbox, request, handles, sys::time::after(PATIENCE))
}

/// What is no request, and what is one of another protocol, is answered with a fault.
pub fn rejects_garbage<P: Protocol>(mailbox: &Mailbox) -> Outcome {
    struct Wrong<P>(P);
    impl<P: Protocol> Protocol for Wrong<P> {
        const LABEL: u64 = P::LABEL;
        type Request = (u64, u64, u64);
        type Answer = P::Answer;
    }
    struct Other;
    impl Protocol for Other {
        const LABEL: u64 = protocols::label(0xfff, 0xff);
        type Request = ();
        type Answer = ();
    }
    let garbage = ask::<Wrong<P>>(mailbox, &(u64::MAX, 1, 2), Vec::new());
    let garbage = garbage.err();
    check!(
        garbage == Some(Failure::Fault(Fault::Malformed)),
        "garbage: {garbage:?}"
    );
    // The answer has the label of the server's own protocol, or says which one is wrong; in neither case is there an answer.
    let other = ask::<Other>(mailbox, &(), Vec::new()).err();
    check!(
        other == Some(Failure::Fault(Fault::WrongProtocol)),
        "another protocol: {other:?}"
    );
    Ok(())
}

/// Runs suites; the status of the program.
pub fn run<'a>(env: &Env, suites: impl Iterator<Item = &'a Suite>) -> u64 {
    let (mut passed, mut failed) = (0u64, 0u64);
    for (suite, tests) in suites {
        for (name, test) in *tests {
            match test(env) {
                Ok(()) => {
                    passed += 1;
                    println!("{suite} {name}: ok");
                }
                Err(Not::Failed(why)) => {
                    failed += 1;
                    println!("{suite} {name}: FAILED: {why}");
                }
                Err(Not::LeftOut(why)) => println!("{suite} {name}: left out: {why}"),
            }
        }
    }
    println!("services: {passed} passed, {failed} failed");
    u64::from(failed != 0)
}
