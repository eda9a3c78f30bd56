//! The last handle of an object is closed while other processors look it up, use it, and pass it on; see `ktestkit::models` on how these run.
//!
//! Tables, references and locks are those of the kernel. The object tells whether somebody uses it after its end.

use abi::{Error, Handle, ObjectType, Rights};
use kobj::{Named, Object, Table};
use ksync::atomic::{AtomicBool, AtomicU32, Ordering};
use ksync::{Answer, Arc, Call, SpinLock};
use ktestkit::models::{Arc as Shared, model, thread};

/// What is left of an object when it is gone.
#[derive(Default)]
struct Traces {
    /// How often it was used.
    uses: AtomicU32,
    /// How often it came to its end.
    ends: AtomicU32,
}

struct Body {
    /// A plain word of the object, which its end overwrites: relaxed, so that only the order of references keeps it.
    word: AtomicU32,
    traces: Shared<Traces>,
}

const ALIVE: u32 = 7;

impl Body {
    fn touch(&self) {
        assert_eq!(
            self.word.load(Ordering::Relaxed),
            ALIVE,
            "used after its end"
        );
        assert_eq!(
            self.traces.ends.load(Ordering::Relaxed),
            0,
            "used after its end"
        );
        self.traces.uses.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.word.store(0, Ordering::Relaxed);
        let ends = self.traces.ends.fetch_add(1, Ordering::Relaxed);
        assert_eq!(ends, 0, "it ends twice");
    }
}

#[derive(Clone)]
struct Thing(Arc<Body>);

impl Object for Thing {
    fn kind(&self) -> ObjectType {
        ObjectType::Event
    }
}

type T = Arc<Table<Thing>>;

/// A table with one handle of an object, and what that leaves behind.
fn world() -> (T, Handle, Shared<Traces>) {
    let table = Table::try_new(3).expect("memory");
    let traces = Shared::new(Traces::default());
    let body = Body {
        word: AtomicU32::new(ALIVE),
        traces: traces.clone(),
    };
    let thing = Thing(Arc::try_new(body).expect("memory"));
    let inserted = Table::insert(&table, Named::new(thing, Rights::ALL));
    let handle = inserted.map_err(|(_, error)| error).expect("room");
    (table, handle, traces)
}

/// Looks a handle up, and uses the object; whether it was there. The reference is the last one, perhaps.
fn use_it(table: &T, handle: Handle) -> bool {
    match table.get(handle, ObjectType::Event, Rights::NONE) {
        Ok(named) => {
            named.0.touch();
            true
        }
        Err(error) => {
            assert_eq!(error, Error::BadHandle);
            false
        }
    }
}

fn close(table: &T, handle: Handle) -> bool {
    // The object is dropped without a lock.
    table.close_by(handle, drop).is_ok()
}

fn spawn<R: Send + 'static>(
    table: &T,
    act: impl FnOnce(&T) -> R + Send + 'static,
) -> thread::JoinHandle<R> {
    let table = table.clone();
    thread::spawn(move || act(&table))
}

/// One closes the last handle, two use it: each finds the object alive or no handle; it ends once, after all uses.
#[test]
fn loom_the_last_handle_goes_while_two_use_it() {
    model(|| {
        let (table, handle, traces) = world();
        let one = spawn(&table, move |table| use_it(table, handle));
        let other = spawn(&table, move |table| use_it(table, handle));
        assert!(close(&table, handle));
        let uses = [one, other].map(|user| u32::from(user.join().unwrap()));
        assert_eq!(traces.uses.load(Ordering::Relaxed), uses[0] + uses[1]);
        assert_eq!(traces.ends.load(Ordering::Relaxed), 1);
        assert_eq!(table.count(), 0);
    });
}

/// Two handles of one object are closed by two: neither is the last for both, and one is for somebody.
#[test]
fn loom_two_last_handles_end_the_object_once() {
    model(|| {
        let (table, handle, traces) = world();
        let second = Table::duplicate(&table, handle, Rights::ALL).expect("room");
        let closer = spawn(&table, move |table| close(table, second));
        let user = spawn(&table, move |table| use_it(table, second));
        assert!(close(&table, handle));
        assert!(closer.join().unwrap());
        user.join().unwrap();
        assert_eq!(traces.ends.load(Ordering::Relaxed), 1);
        assert_eq!(table.count(), 0);
    });
}

/// Two close the same handle: one does.
#[test]
fn loom_a_handle_is_closed_by_one() {
    model(|| {
        let (table, handle, traces) = world();
        let other = spawn(&table, move |table| close(table, handle));
        let own = close(&table, handle);
        assert!(own != other.join().unwrap());
        assert_eq!(traces.ends.load(Ordering::Relaxed), 1);
    });
}

/// The last handle is closed while another one is made of it: the object lives on by that one, or there is none.
#[test]
fn loom_the_last_handle_goes_while_it_is_duplicated() {
    model(|| {
        let (table, handle, traces) = world();
        let maker = spawn(&table, move |table| {
            Table::duplicate(table, handle, Rights::ALL)
        });
        assert!(close(&table, handle));
        match maker.join().unwrap() {
            Ok(second) => {
                assert!(use_it(&table, second), "a new handle names nothing");
                assert!(close(&table, second));
            }
            Err(error) => assert_eq!(error, Error::BadHandle),
        }
        assert_eq!(traces.ends.load(Ordering::Relaxed), 1);
        assert_eq!(table.count(), 0);
    });
}

/// A table is cleared, as that of a process that ends, while a thread of it is in a call with the object.
#[test]
fn loom_a_table_goes_while_its_object_is_used() {
    model(|| {
        let (table, handle, traces) = world();
        let user = spawn(&table, move |table| use_it(table, handle));
        table.seal();
        let mut from = 0;
        while !table.clear(&mut from, 2) {}
        user.join().unwrap();
        assert_eq!(traces.ends.load(Ordering::Relaxed), 1);
        assert_eq!(table.count(), 0);
    });
}

/// A mailbox as those see it who call by it: what the kernel's has, with a caller's own [`Call`] for a queue.
struct Mailbox {
    /// Whether it is closed, and who waits in it.
    state: SpinLock<(bool, Option<Shared<Call>>)>,
}

/// The end to receive by, of which the object of the handles has the only reference: `kernel::object::mailbox::Receiver`.
struct Receiver(Arc<Mailbox>);

impl Drop for Receiver {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.0 = true;
        if let Some(caller) = state.1.take() {
            let serial = caller.serial();
            if caller.claim(serial) {
                caller.finish(serial, Answer::Refused);
            }
        }
    }
}

#[derive(Clone)]
struct Server(Arc<Receiver>);

impl Object for Server {
    fn kind(&self) -> ObjectType {
        ObjectType::Mailbox
    }
}

/// The last handle to receive by is closed while somebody calls, and another looks the handle up to receive: the caller is turned away
/// or refused, and does not wait for ever.
#[test]
fn loom_a_caller_is_not_left_in_a_mailbox_that_closes() {
    model(|| {
        let state = SpinLock::new((false, None));
        let mailbox = Arc::try_new(Mailbox { state }).expect("memory");
        let receiver = Arc::try_new(Receiver(mailbox.clone())).expect("memory");
        let table = Table::try_new(3).expect("memory");
        let inserted = Table::insert(&table, Named::new(Server(receiver), Rights::ALL));
        let handle = inserted.map_err(|(_, error)| error).expect("room");
        let was_open = Shared::new(AtomicBool::new(false));
        let server = {
            let (table, was_open) = (table.clone(), was_open.clone());
            thread::spawn(move || {
                if let Ok(named) = table.get(handle, ObjectType::Mailbox, Rights::NONE) {
                    // As long as there is this reference it is open.
                    let is_closed = named.0.0.state.lock().0;
                    assert!(!is_closed, "it closed under a server");
                    was_open.store(true, Ordering::Relaxed);
                }
            })
        };
        let caller = thread::spawn(move || {
            let call = Shared::new(Call::new());
            call.begin();
            let mut state = mailbox.state.lock();
            if state.0 {
                assert!(call.give_up().is_none());
                return None;
            }
            state.1 = Some(call.clone());
            Some(call.clone())
        });
        assert!(table.close(handle).is_ok());
        server.join().unwrap();
        if let Some(call) = caller.join().unwrap() {
            assert_eq!(
                call.ended(),
                Some(Answer::Refused),
                "a caller waits for ever"
            );
        }
    });
}
