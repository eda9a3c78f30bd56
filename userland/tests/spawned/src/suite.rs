//! What the parent checks.

use abi::{Error, Rights};
use spawn::{Builder, Exit, Program, Reason, SpawnError, Step};
use sys::held::Held;
use sys::object::Event;
use sys::{Context, call, log_line};

use crate::child::CHECKS;

/// Vector of a page fault.
const PAGE_FAULT: u64 = 14;
/// How often programs are started to see whether something is lost.
const ROUNDS: u64 = 100;

/// How long a child may take on a busy host, in nanoseconds.
const LIMIT_NS: u64 = 60_000_000_000;
/// Small functions are not longer than this.
const FUNCTION_MAX: u64 = 256;

/// The suite's own state.
pub struct Suite<'a> {
    context: &'a Context,
    file: &'a [u8],
    passed: u64,
    failed: u64,
}

/// Runs all tests; returns how many failed.
pub fn run(context: &Context, file: &[u8]) -> u64 {
    let mut suite = Suite {
        context,
        file,
        passed: 0,
        failed: 0,
    };
    suite.checks_itself();
    suite.ends();
    suite.breaks();
    suite.reports();
    suite.limit();
    suite.fails();
    suite.loses_nothing();
    let Suite { passed, failed, .. } = suite;
    log_line!(context, "spawned: {passed} passed, {failed} failed");
    failed
}

impl Suite<'_> {
    fn check(&mut self, name: &str, result: Result<(), &dyn core::fmt::Debug>) {
        match result {
            Ok(()) => {
                log_line!(self.context, "ok   {name}");
                self.passed += 1;
            }
            Err(found) => {
                log_line!(self.context, "FAILED {name}: {found:?}");
                self.failed += 1;
            }
        }
    }

    fn exit(&self, words: &[&str]) -> Result<Exit, Error> {
        let builder = Builder::new("spawned", self.file).arguments(words.iter().copied());
        let child = builder.spawn().map_err(|error| {
            log_line!(self.context, "{error}");
            match error.reason {
                Reason::Kernel(error) => error,
                _ => Error::InvalidArgument,
            }
        })?;
        child.wait_until(call::clock_read() + LIMIT_NS)
    }

    /// A child that looks at all that it was given.
    fn checks_itself(&mut self) {
        let run = || -> Result<u64, SpawnErrorOr> {
            let (go, first, second) = (Event::new()?, Event::new()?, Event::new()?);
            let send = Rights::SIGNAL.union(Rights::TRANSFER);
            let pair = [
                first.duplicate(Rights::ALL)?.into_owned(),
                second.duplicate(Rights::ALL)?.into_owned(),
                first.duplicate(Rights::ALL)?.into_owned(),
            ];
            let child = Builder::new("spawned", self.file)
                .argument("check")
                .arguments(["", "t\u{e4}xt with spaces"])
                .env("TERM", "xterm-256color")
                .env("EMPTY", "")
                .handle("go", go.duplicate(send)?)
                .bundle("pair", pair)
                .spawn()?;
            let Exit::Status(status) = child.wait()? else {
                return Ok(999);
            };
            if status == 0 && go.take(0x10)? != 0x10 {
                return Ok(998);
            }
            Ok(status)
        };
        match run() {
            Ok(0) => self.check("a child finds what it was given", Ok(())),
            Ok(status) => {
                let name = CHECKS.get(status as usize).copied();
                let failed = &(status, name);
                self.check("a child finds what it was given", Err(failed));
            }
            Err(error) => self.check("a child finds what it was given", Err(&error)),
        }
    }

    fn expect(&mut self, name: &str, words: &[&str], expected: Exit) {
        let exit = self.exit(words);
        let result = if exit == Ok(expected) {
            Ok(())
        } else {
            Err(&exit as &dyn core::fmt::Debug)
        };
        self.check(name, result);
    }

    fn ends(&mut self) {
        self.expect("a status comes back", &["status", "42"], Exit::Status(42));
        self.expect("the stack has room", &["stack"], Exit::Status(225));
        let run = || -> Result<Exit, SpawnErrorOr> {
            let child = Builder::new("spawned", self.file)
                .argument("sleep")
                .spawn()?;
            if child.exit()?.is_some() || child.wait_until(0) != Err(Error::TimedOut) {
                return Ok(Exit::Status(1000));
            }
            child.kill(77)?;
            Ok(child.wait()?)
        };
        let found = run();
        let result = match &found {
            Ok(Exit::Status(77)) => Ok(()),
            found => Err(found as &dyn core::fmt::Debug),
        };
        self.check("a child can be killed", result);
    }

    /// A report about a child that writes to nowhere, some calls deep.
    fn reports(&mut self) {
        let run = || -> Result<Option<spawn::report::Crash>, SpawnErrorOr> {
            let event = Event::new()?;
            let child = Builder::new("spawned", self.file)
                .argument("deep")
                .on_exception(&event, 1)
                .spawn()?;
            event.wait(1, call::clock_read() + LIMIT_NS)?;
            let crash = spawn::report::Crash::read(child.process(), child.bias())?;
            log_line!(self.context, "{}", crash.with(None));
            crash.end(child.process())?;
            let exit = child.wait()?;
            let own = crate::image::start();
            let are_right =
                crate::child::DEEP
                    .iter()
                    .zip(&crash.frames)
                    .all(|(function, frame)| {
                        let start = (*function as *const () as u64) - own + child.bias();
                        (start..start + FUNCTION_MAX).contains(frame)
                    });
            let is_right = are_right
                && exit == Exit::Fault(PAGE_FAULT)
                && crash.name() == "spawned"
                && crash.exception.address == 0x10
                && crash.registers.is_some();
            Ok((!is_right).then_some(crash))
        };
        match run() {
            Ok(None) => self.check("a crash is reported with its calls", Ok(())),
            found => self.check("a crash is reported with its calls", Err(&found)),
        }
    }

    /// Children that do what they must not.
    fn breaks(&mut self) {
        for how in [
            "write-text",
            "write-constant",
            "write-relocated",
            "write-nothing",
            "run-data",
            "run-stack",
            "overflow",
        ] {
            self.expect(how, &[how], Exit::Fault(PAGE_FAULT));
        }
    }

    /// A child that may not even have page tables.
    fn limit(&mut self) {
        let builder = Builder::new("spawned", self.file).memory_limit(4096);
        let child = builder.argument("sleep").spawn();
        let exit = child.map(|child| child.wait());
        let result = match &exit {
            Ok(Ok(Exit::Fault(PAGE_FAULT))) => Ok(()),
            other => Err(other as &dyn core::fmt::Debug),
        };
        self.check("the memory limit holds", result);
    }

    /// What cannot be started leaves nothing behind, and says why.
    fn fails(&mut self) {
        let Some(system) = self.context.system() else {
            return;
        };
        let before = Held::at_rest(system);
        let mut handles = 0;
        for round in 0..20 {
            if let Some(failed) = self.fail_in_all_ways() {
                self.check("what fails says why", Err(&failed));
                return;
            }
            let now = self.handles();
            if round == 0 {
                handles = now;
            } else if now != handles {
                self.check("what fails closes its handles", Err(&(handles, now)));
                return;
            }
        }
        self.check("what fails says why", Ok(()));
        let after = Held::settled(system, &before);
        let lost = (before, after);
        let result = if after.is_more_than(&before) {
            Err(&lost as &dyn core::fmt::Debug)
        } else {
            Ok(())
        };
        self.check("what fails leaves nothing behind", result);
    }

    fn handles(&self) -> u64 {
        call::process_info(self.context.own()).map_or(0, |info| info.handles)
    }

    /// The name of the way that did not fail as it should, if any.
    fn fail_in_all_ways(&self) -> Option<(&'static str, Option<SpawnError>)> {
        let builder = || Builder::new("spawned", self.file).argument("sleep");
        let stuck = || Event::new().and_then(|event| event.duplicate(Rights::SIGNAL));
        let ways: [Way<'_>; 5] = [
            ("no program", Builder::new("x", b"no program"), |error| {
                matches!(
                    (&error.step, error.reason),
                    (Step::ReadProgram, Reason::Elf(_))
                )
            }),
            ("a bad name", Builder::new("x\n", self.file), |error| {
                error.step == Step::CreateProcess
                    && error.reason == Reason::Kernel(Error::InvalidArgument)
            }),
            ("no limit", builder().memory_limit(u64::MAX), |error| {
                error.step == Step::SetLimit
            }),
            (
                "a handle that cannot be given",
                builder().handle("stuck", stuck().ok()?),
                |error| {
                    error.step == Step::Give("stuck".into())
                        && error.reason == Reason::Kernel(Error::AccessDenied)
                },
            ),
            ("a bad argument", builder().argument("a\0b"), |error| {
                error.step == Step::FillStack
            }),
        ];
        for (name, builder, is_expected) in ways {
            match builder.spawn() {
                Err(error) if is_expected(&error) => {}
                other => return Some((name, other.err())),
            }
        }
        None
    }

    /// How long each of many children takes, one after the other, in microseconds.
    fn rounds<'a>(&self, builder: impl Fn() -> Builder<'a>) -> Option<u64> {
        let start = call::clock_read();
        for _ in 0..ROUNDS {
            let child = builder().arguments(["status", "0"]).spawn().ok()?;
            let exit = child.wait_until(call::clock_read() + LIMIT_NS);
            exit.is_ok_and(Exit::is_success).then_some(())?;
        }
        Some((call::clock_read() - start) / ROUNDS / 1000)
    }

    /// Many children leave nothing behind.
    fn loses_nothing(&mut self) {
        let Some(system) = self.context.system() else {
            return;
        };
        let _ = self.exit(&["status", "0"]);
        let before = Held::at_rest(system);
        let alone = self.rounds(|| Builder::new("spawned", self.file));
        let together = Program::new(self.file)
            .ok()
            .and_then(|program| self.rounds(|| program.builder("spawned")));
        let (Some(alone), Some(together)) = (alone, together) else {
            self.check("many children", Err(&"one did not end well"));
            return;
        };
        log_line!(
            self.context,
            "a child takes {alone} us, one that shares its code {together} us"
        );
        let after = Held::settled(system, &before);
        let lost = (before, after);
        let result = if after.is_more_than(&before) {
            Err(&lost as &dyn core::fmt::Debug)
        } else {
            Ok(())
        };
        self.check("many children leave nothing behind", result);
    }
}

/// A way to fail: what it is, what is tried, and whether it fails as it should.
type Way<'a> = (&'static str, Builder<'a>, fn(&SpawnError) -> bool);

/// Why a test could not do its work.
#[derive(Debug)]
#[expect(dead_code, reason = "it is printed")]
enum SpawnErrorOr {
    Spawn(SpawnError),
    Call(Error),
}

impl From<SpawnError> for SpawnErrorOr {
    fn from(error: SpawnError) -> Self {
        Self::Spawn(error)
    }
}

impl From<Error> for SpawnErrorOr {
    fn from(error: Error) -> Self {
        Self::Call(error)
    }
}
