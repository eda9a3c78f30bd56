//! The service on the stand-in for the kernel: who has taken the keyboard gets what is typed.

use std::cell::RefCell;
use std::rc::Rc;

use fake_kernel::{Clock, Machine};
use protocols::Fault;
use protocols::keyboard::{Answer, Keyboard, Request};
use ps2::service::{Service, serve};
use ps2::{Bus, Driver, Layout, start};
use sys::abi::{NEVER, Rights};
use sys::channel::{Reader, handles};
use sys::exec::Executor;
use sys::object::{Mailbox, Owned};

use crate::model::{Faults, Model};

/// The model, which the test and the driver have both.
#[derive(Clone)]
struct Shared(Rc<RefCell<Model>>);

impl Bus for Shared {
    fn status(&mut self) -> u8 {
        self.0.borrow_mut().status()
    }
    fn read(&mut self) -> u8 {
        self.0.borrow_mut().read()
    }
    fn command(&mut self, command: u8) {
        self.0.borrow_mut().command(command);
    }
    fn write(&mut self, byte: u8) {
        self.0.borrow_mut().write(byte);
    }
    fn pause(&mut self) {
        self.0.borrow_mut().pause();
    }
}

struct Desk {
    exec: Executor,
    model: Shared,
    service: Rc<Service<Shared>>,
    client: Mailbox,
}

impl Desk {
    fn types(&self, key: &[u8]) {
        self.model.0.borrow_mut().press(key);
        self.service.serve();
        self.model.0.borrow_mut().release(key);
        self.service.serve();
    }

    /// Asks from a thread of its own, as a client does.
    async fn ask(&self, request: Request) -> Result<(Answer, Vec<Owned>), ipc::Failure> {
        let client = self.client.duplicate(Rights::CALL).unwrap();
        let ask = move || ipc::call::<Keyboard>(&client, &request, Vec::new(), NEVER);
        let asking = sys::thread::spawn(ask).unwrap();
        self.exec.join(asking).await.unwrap()
    }

    async fn attach(&self) -> Reader {
        let (_, ends) = self.ask(Request::Attach { bits: (0, 0) }).await.unwrap();
        Reader::new(sys::start::own(), handles(ends).unwrap()).unwrap()
    }
}

fn received(reader: &mut Reader) -> String {
    let mut buffer = [0; 8192];
    let count = reader.try_read(&mut buffer).unwrap_or(0);
    String::from_utf8(buffer[..count].to_vec()).unwrap()
}

#[test]
fn who_has_taken_the_keyboard_last_gets_what_is_typed() {
    let machine = Machine::with_clock(Clock::Skipping);
    let _entered = machine.enter("test");
    let exec = Executor::new().unwrap();
    let mut model = Shared(Rc::new(RefCell::new(Model::new(Faults::default()))));
    let started = start(&mut model).unwrap();
    let mailbox = Mailbox::new().unwrap();
    let desk = Desk {
        exec: exec.clone(),
        service: Service::new(&exec, Driver::new(started.set, Layout::Us), model.clone()),
        model,
        client: mailbox.badge(1).unwrap(),
    };
    let inbox = exec.mailbox(mailbox).unwrap();
    exec.spawn(serve(inbox, desk.service.clone()));
    const A: &[u8] = &[0x1c];
    const Y: &[u8] = &[0x35];
    exec.run_until(async {
        desk.types(A);
        let mut first = desk.attach().await;
        desk.types(A);
        desk.types(Y);
        // What was typed before somebody came is for the first one.
        assert_eq!(received(&mut first), "aay");
        let mut second = desk.attach().await;
        desk.types(A);
        assert_eq!(first.try_read(&mut [0; 8]), Ok(0));
        assert_eq!(received(&mut second), "a");

        let layout = |name: &str| Request::SetLayout { name: name.into() };
        let unknown = desk.ask(layout("klingon")).await;
        assert!(matches!(unknown, Err(ipc::Failure::Fault(Fault::NotFound))));
        desk.ask(layout("de")).await.unwrap();
        let (answer, _) = desk.ask(Request::Layout).await.unwrap();
        assert_eq!(answer, Answer::Layout("de".into()));
        desk.types(Y);
        assert_eq!(received(&mut second), "z");

        // What is typed is not kept without end, and what is kept is in order.
        for _ in 0..5000 {
            desk.types(A);
        }
        assert_eq!(received(&mut second), "a".repeat(4096));
        drop(second);
        desk.types(A);
        let mut third = desk.attach().await;
        desk.types(Y);
        assert_eq!(received(&mut third), "az");
        drop(third);
        for _ in 0..5000 {
            desk.types(A);
        }
        let mut fourth = desk.attach().await;
        assert_eq!(received(&mut fourth), "a".repeat(4096));
    })
    .unwrap();
}
