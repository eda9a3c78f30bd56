//! Clients of the server, on the fake kernel.

use std::collections::BTreeMap;

use fake_kernel::Machine;
use files::{Files, How, Kind, SeekFrom};
use ipc::Directory;
use protocols::Fault;
use protocols::directory::{Answer, Directory as Protocol, Request};
use sys::Context;
use sys::abi::{NEVER, Rights};
use sys::exec::Executor;
use sys::message::Message;
use sys::object::{Mailbox, Owned};

/// A directory that lets everybody do everything.
fn directory(context: &Context) -> u64 {
    let exec = Executor::new().expect("an executor");
    let mailbox = Mailbox::from(context.handle("mailbox").expect("it was given"));
    let inbox = exec.mailbox(mailbox).expect("an inbox");
    let mut known: BTreeMap<String, Mailbox> = BTreeMap::new();
    let served = exec.run_until(async {
        ipc::serve::<Protocol>(&inbox, async |_, request, mut handles: Vec<Owned>| {
            let rights = Rights::CALL
                .union(Rights::DUPLICATE)
                .union(Rights::TRANSFER);
            match request {
                Request::Register { name } => {
                    known.insert(name, Mailbox::from(handles.remove(0)));
                    Ok((Answer::Done, Vec::new()))
                }
                Request::Lookup { name, .. } => {
                    let found = known.get(&name).ok_or(Fault::NotFound)?;
                    let found = found.duplicate(rights).map_err(|_| Fault::Failed)?;
                    Ok((Answer::Done, vec![found.into_owned()]))
                }
                _ => Ok((Answer::Done, Vec::new())),
            }
        })
        .await
    });
    u64::from(served.is_ok())
}

/// Runs a test as a client of the server.
fn with_files(test: impl FnOnce(&Files, &Mailbox)) {
    with_restart(|files, service, _| test(files, service));
}

/// The same, with something that kills the server and starts another one.
fn with_restart(test: impl FnOnce(&Files, &Mailbox, &mut dyn FnMut())) {
    let machine = Machine::new();
    let _test = machine.enter("test");
    let way = Mailbox::new().expect("a mailbox");
    let rights = Rights::CALL
        .union(Rights::DUPLICATE)
        .union(Rights::TRANSFER);
    let [for_servers, for_client] =
        [(); 2].map(|()| way.duplicate(rights).expect("a handle").into_owned());
    let _directory = machine.spawn("directory", [("mailbox", way)], directory);
    let start = || {
        let way = for_servers.duplicate(rights).expect("a handle");
        machine.spawn("tmpfs", [("directory", way)], |context| {
            u64::from(tmpfs::server::run(context).is_err())
        })
    };
    let directory = Directory::from_owned(for_client);
    let find = || loop {
        // The directory of this test does not wait, and knows the dead.
        let service = directory.lookup(tmpfs::server::NAME, NEVER);
        match service.and_then(|service| Ok((service.call(&Message::new(0, &[]))?, service))) {
            Ok((_, service)) => return service,
            Err(_) => sys::time::sleep(1_000_000),
        }
    };
    let mut server = start();
    let service = find();
    let context = Context::for_test(&["test"], &[("PWD", "/tmp")], Vec::new());
    let files = Files::of(&context, &directory).expect("files");
    test(&files, &service, &mut || {
        server.kill(1);
        server = start();
        drop(find());
    });
}

#[test]
fn a_server_that_came_back_is_not_seen() {
    with_restart(|files, _, restart| {
        let mut old = files.open("a", How::Create).expect("made");
        old.write_all(b"lost").expect("written");
        restart();
        assert!(old.write_all(b"x").is_err(), "an open file is gone");
        let mut new = files.open("a", How::Create).expect("made again");
        new.write_all(b"new").expect("written");
        assert_eq!(files.read("a").expect("read"), b"new");
        restart();
        files.open("b", How::Append).expect("made");
        restart();
        files.open("b", How::New).expect("made");
        restart();
        files.make_directory("d").expect("made");
        restart();
        let error = files.remove("d").expect_err("it was lost");
        assert_eq!(error.fault(), Some(Fault::NotFound));
        restart();
        let error = files.rename("d", "e").expect_err("it was lost");
        assert_eq!(error.fault(), Some(Fault::NotFound));
        files.make_directory("d").expect("made");
        assert_eq!(files.read_dir("/tmp").expect("list").len(), 1);
    });
}

#[test]
fn files_are_written_and_read() {
    with_files(|files, _| {
        let text: Vec<u8> = (0..20_000u32).map(|number| number as u8).collect();
        let mut file = files.open("a", How::Create).expect("made");
        file.write_all(&text).expect("written");
        assert_eq!(files.read("/tmp/a").expect("read"), text);
        let mut piece = [0; 100];
        file.seek(SeekFrom::End(-50)).expect("a place");
        assert_eq!(file.read(&mut piece), Ok(50));
        assert_eq!(piece[..50], text[text.len() - 50..]);
        assert_eq!(file.read(&mut piece), Ok(0));
        files
            .open("a", How::Append)
            .expect("there")
            .write_all(b"end")
            .expect("written");
        assert_eq!(file.info().expect("info").size, 20_003);
        file.truncate(5).expect("shorter");
        assert_eq!(files.read("a").expect("read"), text[..5]);
        let error = files.open("a", How::Read).expect("there").write(b"x");
        assert_eq!(
            error.expect_err("read only").fault(),
            Some(Fault::AccessDenied)
        );
        assert_eq!(
            files.open("a", How::New).expect_err("there").fault(),
            Some(Fault::Exists)
        );
    });
}

#[test]
fn directories_hold_files() {
    with_files(|files, _| {
        files.make_directory("d").expect("made");
        for number in 0..100 {
            let path = format!("d/file{number:02}");
            files
                .open(&path, How::Create)
                .expect("made")
                .write_all(b"x")
                .expect("written");
        }
        let names: Vec<String> = files
            .read_dir("d")
            .expect("a list")
            .into_iter()
            .map(|entry| entry.name)
            .collect();
        assert_eq!(names.len(), 100);
        assert!(names.is_sorted());
        assert_eq!(
            files.remove("d").expect_err("full").fault(),
            Some(Fault::NotEmpty)
        );
        files.rename("d/file00", "e").expect("moved");
        assert_eq!(files.stat("e").expect("there").kind, Kind::File);
        assert!(files.stat("d/file00").expect_err("gone").is_not_found());
        assert_eq!(files.read_dir("/").expect("a list").len(), 2);
        assert!(files.stat("/nothing").expect_err("nothing").is_not_found());
        let error = files.open("d", How::Read).expect_err("a directory");
        assert_eq!(error.to_string(), "d: it is a directory");
    });
}

#[test]
fn open_files_live_on_and_maps_stay_as_they_are() {
    with_files(|files, _| {
        let mut file = files.open("a", How::Create).expect("made");
        file.write_all(b"before").expect("written");
        let (area, size) = file.map().expect("mapped").expect("not empty");
        files.remove("a").expect("removed");
        file.write_all(b" and after").expect("written");
        file.seek(SeekFrom::Start(0)).expect("a place");
        let mut piece = [0; 32];
        let count = file.read(&mut piece).expect("read");
        assert_eq!(&piece[..count], b"before and after");
        let mapping = area.map(sys::abi::area::READ).expect("mapped");
        assert_eq!((mapping.read(0, &mut piece), size), (32, 6));
        assert_eq!(&piece[..8], b"before\0\0");
    });
}

#[test]
fn files_that_nobody_has_any_more_are_closed() {
    with_files(|files, _| {
        files
            .open("a", How::Create)
            .expect("made")
            .write_all(b"x")
            .expect("written");
        // More than can be open at once.
        for _ in 0..1500 {
            let result = files.open("a", How::Read);
            // The server may not have heard yet of those that were closed.
            if result.is_err_and(|error| error.fault() == Some(Fault::NoRoom)) {
                sys::time::sleep(5_000_000);
            }
        }
        let open: Vec<_> = (0..200).map(|_| files.open("a", How::Read)).collect();
        assert!(open.iter().all(Result::is_ok));
    });
}

#[test]
fn garbage_is_answered_with_a_fault() {
    with_files(|files, service| {
        let file = files.open("a", How::Create).expect("made");
        for label in [0, 0x301, 0x401, u64::MAX >> 12] {
            for words in [
                &[][..],
                &[0],
                &[u64::MAX],
                &[8, u64::MAX],
                &[3, 0x0102_0304, 5, 6],
            ] {
                let answer = service.call(&Message::new(label, words));
                assert!(answer.is_ok(), "{label:x} {words:x?}");
            }
        }
        assert_eq!(file.info().expect("it is still there").size, 0);
    });
}
