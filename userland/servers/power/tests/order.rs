//! The services end before the machine does, and those that do not end do not keep it on.

#![allow(missing_docs, reason = "a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use abi::power::Action;
use abi::{Error, NEVER, Rights};
use fake_kernel::{Clock, Machine};
use ipc::{Directory, Failure, Incoming, Link};
use power::{PATIENCE, Power, begin};
use protocols::power::{Answer, Request};
use protocols::{Fault, directory, services};
use sys::Context;
use sys::exec::Executor;
use sys::object::{Mailbox, System};

/// What the other side of the test does with `StopAll`.
#[derive(Clone, Copy)]
enum Services {
    Stop,
    Refuse,
    Hang,
}

/// A directory with one service.
fn init(context: &Context, services: Services, stopped: &AtomicU64) -> Result<(), Failure> {
    let exec = Executor::new()?;
    let take = |name| {
        context
            .handle(name)
            .map(Mailbox::from)
            .ok_or(Error::NotReady)
    };
    let directory = exec.mailbox(take("directory")?)?;
    let inbox = exec.mailbox(take("services")?)?;
    exec.run_until(async {
        let lookup = Incoming::from(directory.receive().await?);
        let found = lookup.request::<directory::Directory>();
        assert!(matches!(found, Ok(directory::Request::Lookup { name, .. }) if name == "services"));
        let handle = inbox
            .mailbox()
            .duplicate(Rights::CALL.union(Rights::TRANSFER))?;
        let answer = (directory::Answer::Done, vec![handle.into_owned()]);
        lookup.answer::<directory::Directory>(Ok(answer))?;
        let stop = Incoming::from(inbox.receive().await?);
        assert_eq!(
            stop.request::<services::Services>(),
            Ok(services::Request::StopAll)
        );
        stopped.store(sys::time::now(), Ordering::SeqCst);
        match services {
            Services::Stop => {
                stop.answer::<services::Services>(Ok((services::Answer::Done, vec![])))?
            }
            Services::Refuse => stop.answer::<services::Services>(Err(Fault::AccessDenied))?,
            Services::Hang => exec.sleep_until(NEVER).await,
        }
        Ok(())
    })?
}

/// How the machine ends, the status of the server if it does not, and when the services were asked.
fn run(
    request: Request,
    services: Services,
    rights: Rights,
) -> (Option<(Action, u64)>, Option<u64>, u64) {
    let machine = Machine::with_clock(Clock::Skipping);
    let stopped = Arc::new(AtomicU64::new(NEVER));
    let (on, seen) = (machine.clone(), stopped.clone());
    // With the machine, whoever has started something on it ends, too.
    let starter = std::thread::spawn(move || start(&on, request, services, rights, seen));
    let status = starter.join().ok();
    (machine.power(), status, stopped.load(Ordering::SeqCst))
}

fn start(
    machine: &Machine,
    request: Request,
    services: Services,
    rights: Rights,
    seen: Arc<AtomicU64>,
) -> u64 {
    let _test = machine.enter("test");
    let rights_for_init = Rights::CALL.union(Rights::TRANSFER);
    let (directory, inbox) = (Mailbox::new().unwrap(), Mailbox::new().unwrap());
    let way_in = directory.duplicate(rights_for_init).unwrap();
    let init = machine.spawn(
        "init",
        [("directory", directory), ("services", inbox)],
        move |context| init(context, services, &seen).is_err().into(),
    );
    let system: System = machine.system(rights);
    let given = [
        ("system", system.into_owned()),
        ("directory", way_in.into_owned()),
    ];
    let server = machine.spawn("srv.power", given, move |context| {
        let system = context.handle("system").unwrap().into();
        let directory = Directory::of(context).unwrap();
        let mut power = Power::new(system, Link::new(directory, services::NAME));
        let (order, answer) = begin(request, &[]).unwrap();
        assert_eq!(answer, Answer::Begun);
        // Only without the right does this come back.
        let error = power.carry_out(order);
        assert_eq!(error, Error::AccessDenied);
        7
    });
    let status = server.join();
    init.kill(0);
    status
}

#[test]
fn services_end_first() {
    let (power, _, stopped) = run(Request::Off { status: 3 }, Services::Stop, Rights::POWER);
    assert_eq!(power, Some((Action::Off, 3)));
    assert_ne!(stopped, NEVER);
    let (power, _, stopped) = run(Request::Restart, Services::Refuse, Rights::POWER);
    assert_eq!(power, Some((Action::Restart, 0)));
    assert_ne!(stopped, NEVER);
}

#[test]
fn services_that_hang_do_not_keep_it_on() {
    let (power, _, stopped) = run(Request::Off { status: 0 }, Services::Hang, Rights::POWER);
    assert_eq!(power, Some((Action::Off, 0)));
    assert!(stopped < PATIENCE);
}

#[test]
fn without_the_right_it_stays_on() {
    let (power, status, _) = run(Request::Restart, Services::Stop, Rights::LOG_WRITE);
    assert_eq!((power, status), (None, Some(7)));
}

#[test]
fn a_request_has_no_handles() {
    let machine = Machine::new();
    let _test = machine.enter("test");
    let handle = Mailbox::new().unwrap().into_owned();
    assert_eq!(
        begin(Request::Restart, &[handle]).err(),
        Some(Fault::InvalidArgument)
    );
}
