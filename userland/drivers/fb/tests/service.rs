//! The service on the stand-in for the kernel: sessions, the keyboard that dies and comes back, and that nothing is drawn for nothing.

use std::cell::Cell;
use std::rc::Rc;

use fake_kernel::{Clock, Machine};
use fb::service::{Screen, listen, serve};
use fb::{Format, Mode, Renderer, Size, Surface};
use ipc::Directory;
use protocols::Fault;
use protocols::directory::{self, Directory as DirectoryProtocol};
use protocols::keyboard::{self, Keyboard};
use protocols::terminal::{Answer, Request, Terminal};
use sys::abi::NEVER;
use sys::channel::{self, Reader, Writer};
use sys::exec::Executor;
use sys::object::{Mailbox, Owned};
use sys::time::{MILLISECOND, SECOND};
use sys::{start, time};
use tasks::{list, listener, to_client};

const MODE: Mode = Mode {
    width: 280,
    height: 160,
    pitch: 280 * 4,
    format: Format {
        bytes: 4,
        shifts: [16, 8, 0],
    },
};

/// Counts what is written.
struct Counting(Rc<Cell<usize>>);

impl Surface for Counting {
    fn write(&mut self, _: usize, bytes: &[u8]) {
        self.0.set(self.0.get() + bytes.len());
    }
}

struct Terminals {
    exec: Executor,
    screen: Rc<Screen<Counting>>,
    written: Rc<Cell<usize>>,
    client: Mailbox,
}

/// A screen whose service runs on the executor of this thread.
fn terminals() -> Terminals {
    let exec = Executor::new().unwrap();
    let written = Rc::new(Cell::new(0));
    let renderer = Renderer::new(MODE, Size::Pixels16).unwrap();
    let screen = Screen::new(&exec, renderer, Counting(written.clone())).unwrap();
    let mailbox = Mailbox::new().unwrap();
    let client = mailbox.badge(1).unwrap();
    let inbox = exec.mailbox(mailbox).unwrap();
    exec.spawn(serve(inbox, screen.clone()));
    exec.spawn(screen.clone().draw_for_ever());
    Terminals {
        exec,
        screen,
        written,
        client,
    }
}

impl Terminals {
    /// Asks from a thread of its own, as a client does.
    async fn ask(&self, request: Request) -> Result<(Answer, Vec<Owned>), ipc::Failure> {
        let rights = sys::abi::Rights::CALL;
        let client = self.client.duplicate(rights).unwrap();
        let asking =
            sys::thread::spawn(move || ipc::call::<Terminal>(&client, &request, Vec::new(), NEVER));
        self.exec.join(asking.unwrap()).await.unwrap()
    }

    async fn attach(&self) -> (Reader, Writer) {
        let none = (0, 0);
        let (answer, mut ends) = self
            .ask(Request::Attach {
                input: none,
                output: none,
            })
            .await
            .unwrap();
        assert!(matches!(answer, Answer::Attached(size) if (size.columns, size.rows) == (40, 10)));
        let output = channel::handles(ends.split_off(4)).unwrap();
        let input = channel::handles(ends).unwrap();
        (
            Reader::new(start::own(), input).unwrap(),
            Writer::new(start::own(), output).unwrap(),
        )
    }

    /// Lets the tasks run until they have nothing to do. (A minute costs nothing then, and is longer than a busy host stops this thread.)
    async fn settle(&self) {
        self.exec.sleep(60 * SECOND).await;
    }
}

fn run(test: impl AsyncFnOnce(&Terminals)) {
    let machine = Machine::with_clock(Clock::Skipping);
    let _entered = machine.enter("test");
    let terminals = terminals();
    terminals.exec.run_until(test(&terminals)).unwrap();
}

fn received(reader: &mut Reader) -> Vec<u8> {
    let mut buffer = [0; 4096];
    let count = reader.try_read(&mut buffer).unwrap_or(0);
    buffer[..count].to_vec()
}

#[test]
fn what_is_written_is_shown_and_questions_are_answered() {
    run(async |terminals| {
        let (mut input, mut output) = terminals.attach().await;
        output.write_all(b"hello\r\n\x1b[6n", NEVER).unwrap();
        terminals.settle().await;
        assert_eq!(terminals.screen.text().trim_end(), "hello");
        assert_eq!(received(&mut input), b"\x1b[2;1R");
        let (answer, _) = terminals.ask(Request::Size).await.unwrap();
        assert!(matches!(answer, Answer::Size(size) if size.columns == 40));
    });
}

#[test]
fn the_newest_session_has_the_screen() {
    run(async |terminals| {
        let (mut first, mut old) = terminals.attach().await;
        old.write_all(b"first\x1b[31", NEVER).unwrap();
        terminals.settle().await;
        let (_second, mut new) = terminals.attach().await;
        terminals.settle().await;
        assert_eq!(old.try_write(b"x"), Err(sys::Error::PeerClosed));
        assert_eq!(first.try_read(&mut [0; 8]), Ok(0));
        new.write_all(b"second", NEVER).unwrap();
        terminals.settle().await;
        assert_eq!(terminals.screen.text().trim_end(), "first\nsecond");
    });
}

#[test]
fn sessions_leave_nothing_behind() {
    run(async |terminals| {
        // An executor has 64 bits.
        for round in 0..200 {
            let (_input, mut output) = terminals.attach().await;
            output
                .write_all(format!("{round}\r\n").as_bytes(), NEVER)
                .unwrap();
            terminals.settle().await;
        }
        assert!(terminals.screen.text().contains("199"));
        assert!(
            terminals.exec.tasks() <= 3,
            "{} tasks",
            terminals.exec.tasks()
        );
    });
}

#[test]
fn a_program_that_does_not_read_is_not_waited_for() {
    run(async |terminals| {
        let (_input, mut output) = terminals.attach().await;
        for _ in 0..3000 {
            output.write_all(b"\x1b[6n", NEVER).unwrap();
        }
        output.write_all(b"done", NEVER).unwrap();
        terminals.settle().await;
        assert_eq!(terminals.screen.text().trim_end(), "done");
    });
}

#[test]
fn a_long_output_is_drawn_now_and_then_and_an_idle_screen_never() {
    run(async |terminals| {
        let (_input, mut output) = terminals.attach().await;
        let lines: String = (0..5000)
            .map(|line| format!("{line} of many lines\r\n"))
            .collect();
        terminals.settle().await;
        let (before, begin) = (terminals.written.get(), time::now());
        let mut rest = lines.as_bytes();
        while !rest.is_empty() {
            match output.try_write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(_) => terminals.exec.sleep(MILLISECOND).await,
            }
        }
        terminals.exec.sleep(200 * MILLISECOND).await;
        let pictures = (terminals.written.get() - before) / (280 * 160 * 4) + 1;
        let most = (time::now() - begin) / (16 * MILLISECOND) + 2;
        assert!(pictures as u64 <= most, "{pictures} pictures");
        terminals.settle().await;
        assert!(terminals.screen.text().contains("4999 of many lines"));
        let still = terminals.written.get();
        terminals.exec.sleep(10 * SECOND).await;
        assert_eq!(terminals.written.get(), still);
    });
}

#[test]
fn a_keyboard_that_dies_is_looked_for_again() {
    let machine = Machine::with_clock(Clock::Skipping);
    let _entered = machine.enter("test");
    let terminals = terminals();
    let mailbox = Mailbox::new().unwrap();
    let way = mailbox.badge(1).unwrap();
    // It lives as often as somebody looks for it.
    let server = machine.spawn("directory", [("mailbox", mailbox)], |context| {
        let exec = Executor::new().unwrap();
        let inbox = Mailbox::from(context.handle("mailbox").unwrap());
        let inbox = exec.mailbox(inbox).unwrap();
        let serving = async {
            for life in 1.. {
                let incoming = ipc::Incoming::from(inbox.receive().await.unwrap());
                let request = incoming.request::<DirectoryProtocol>().unwrap();
                let wanted = |name: &str| name == keyboard::NAME;
                assert!(
                    matches!(request, directory::Request::Lookup { name, .. } if wanted(&name))
                );
                if life > 3 {
                    incoming
                        .answer::<DirectoryProtocol>(Err(Fault::AccessDenied))
                        .unwrap();
                    return;
                }
                let mailbox = Mailbox::new().unwrap();
                let client = mailbox.badge(1).unwrap().into_owned();
                let inbox = exec.mailbox(mailbox).unwrap();
                exec.spawn(one_life(exec.clone(), inbox, life));
                incoming
                    .answer::<DirectoryProtocol>(Ok((directory::Answer::Done, vec![client])))
                    .unwrap();
            }
        };
        exec.run_until(serving).unwrap();
        0
    });
    let directory = Directory::from_owned(way.into_owned());
    let exec = terminals.exec.clone();
    exec.run_until(async {
        let (mut input, _output) = terminals.attach().await;
        let listening = exec.spawn(listen(terminals.screen.clone(), directory));
        // The third one dies too, and then there is none any more.
        listening.await.unwrap();
        assert_eq!(received(&mut input), b"key 1 key 2 key 3 ");
    })
    .unwrap();
    drop(terminals);
    assert_eq!(server.join(), 0);
}

/// A keyboard that is taken, types, and dies.
async fn one_life(exec: Executor, inbox: sys::exec::Inbox, life: u32) {
    let incoming = ipc::Incoming::from(inbox.receive().await.unwrap());
    let keyboard::Request::Attach { bits } = incoming.request::<Keyboard>().unwrap() else {
        panic!("it is not taken");
    };
    let listener = listener(incoming.handles.first(), bits).unwrap();
    let (mut writer, end) = to_client(&exec, 4096, listener).unwrap();
    incoming
        .answer::<Keyboard>(Ok((keyboard::Answer::Done, list([end]))))
        .unwrap();
    exec.sleep(SECOND).await;
    writer
        .write_all(format!("key {life} ").as_bytes())
        .await
        .unwrap();
    exec.sleep(SECOND).await;
    // As a process that is killed: its mailbox closes, its channel says nothing.
    std::mem::forget(writer);
}
