//! Processes that are made on a kernel that is not one: what is in them, and that nothing is left of those that cannot be made.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use abi::{Error, Rights, auxv};
use common::small;
use fake_kernel::Machine;
use spawn::layout::Plan;
use spawn::{Builder, Child, Program, Reason, Step};
use sys::call;
use sys::object::{Event, Owned, Process, Thread};

/// Memory of a process.
fn read(process: &Process, address: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let mut at = 0;
    while at < len {
        let from = address + at as u64;
        let count = call::process_read(process.handle(), from, &mut bytes[at..]).unwrap();
        assert_ne!(count, 0, "nothing at {from:#x}");
        at += count as usize;
    }
    bytes
}

fn word(process: &Process, address: u64) -> u64 {
    u64::from_le_bytes(read(process, address, 8).try_into().unwrap())
}

fn text(process: &Process, address: u64) -> String {
    let bytes = (address..).map(|at| read(process, at, 1)[0]);
    String::from_utf8(bytes.take_while(|&byte| byte != 0).collect()).unwrap()
}

fn thread(child: &Child) -> Thread {
    let number = child.process().next_thread(0).unwrap().number;
    Thread::from_raw(call::process_thread(child.process().handle(), number).unwrap())
}

#[test]
fn a_process_has_what_it_was_given_where_the_stack_says() {
    let machine = Machine::new();
    let _test = machine.enter("test");
    let (one, two) = (Event::new().unwrap(), Event::new().unwrap());
    let numbers = [&one, &two].map(|event| event.handle_info().unwrap().object);
    let file = small(true).file();
    let child = Builder::new("a name that is longer than the kernel's 32 bytes", &file)
        .argument("x")
        .env("HOME", "/tmp")
        .bundle("pair", [one.into_owned(), two.into_owned()])
        .memory_limit(1 << 30)
        .spawn()
        .unwrap();
    let process = child.process();

    // The image, byte by byte.
    let plan = Plan::new(&file, 0).unwrap();
    let moved = child.bias().wrapping_sub(plan.bias());
    for piece in plan.pieces() {
        let mut expected = vec![0; piece.filled as usize];
        plan.fill(piece, |offset, bytes| {
            expected[offset as usize..][..bytes.len()].copy_from_slice(bytes);
        });
        let found = read(
            process,
            piece.pages.start.wrapping_add(moved),
            expected.len(),
        );
        // What is relocated depends on where it is.
        let differ = expected.iter().zip(&found).filter(|(a, b)| a != b).count();
        assert!(differ <= 3 * 8, "{differ} bytes differ");
    }

    let thread = thread(&child);
    thread.suspend().unwrap();
    let registers = thread.read_registers().unwrap();
    assert_eq!(registers.rip, 0x1010_u64.wrapping_add(child.bias()));
    assert_eq!(word(process, registers.fs_base), registers.fs_base);
    let stack = registers.rsp;
    assert_eq!((stack % 16, word(process, stack)), (0, 2));
    let name = text(process, word(process, stack + 8));
    assert_eq!(name, "a name that is longer than the kernel's 32 bytes");
    assert_eq!(text(process, word(process, stack + 16)), "x");
    assert_eq!(text(process, word(process, stack + 32)), "HOME=/tmp");
    let vector = |tag| {
        let at = (0..).map(|pair| stack + 48 + 16 * pair);
        let mut at = at.take_while(|&at| word(process, at) != auxv::NULL);
        at.find(|&at| word(process, at) == tag)
            .map(|at| word(process, at + 8))
    };
    assert_eq!(vector(auxv::BASE), Some(child.bias()));
    assert_eq!(vector(auxv::HANDLE_COUNT), Some(2));
    let handles = vector(auxv::HANDLES).unwrap();
    for (index, number) in (0..).zip(numbers) {
        assert_eq!(text(process, word(process, handles + 16 * index)), "pair");
        let handle = word(process, handles + 16 * index + 8);
        let slot = abi::Handle(handle).index();
        let entry = call::process_next_handle(process.handle(), slot.into()).unwrap();
        assert_eq!((entry.handle, entry.object), (handle, number));
    }
    let own = abi::Handle(vector(auxv::SELF_HANDLE).unwrap());
    let entry = call::process_next_handle(process.handle(), own.index().into()).unwrap();
    assert_eq!(entry.rights, u64::from(spawn::builder::OWN_RIGHTS.0));
    assert_eq!(process.info().unwrap().limit, 1 << 30);
    child.kill(5).unwrap();
    assert_eq!(child.wait().unwrap().code(), 5);
}

/// All that can be given.
fn everything<'a>(file: &'a [u8], event: &'a Event, handles: [Owned; 3]) -> Builder<'a> {
    let [one, two, three] = handles;
    Builder::new("child", file)
        .argument("x")
        .env("HOME", "/tmp")
        .handle("one", one)
        .bundle("pair", [two, three])
        .memory_limit(1 << 30)
        .on_exception(event, 1)
        .on_exit(event, 2)
}

#[test]
fn whichever_call_fails_nothing_is_left() {
    let machine = Machine::new();
    let _test = machine.enter("test");
    let file = small(true).file();
    let event = Event::new().unwrap();
    let (objects, handles) = (machine.objects(), machine.handles("test"));
    let mut steps = Vec::new();
    for failing in 0.. {
        assert!(failing < 200, "it never succeeds");
        let given = [(); 3].map(|()| Event::new().unwrap().into_owned());
        let count = Arc::new(AtomicU64::new(0));
        machine.inject(move |process, number| {
            // What undoes must work.
            let undoes = matches!(
                number,
                abi::Sysno::HandleClose | abi::Sysno::ProcessKill | abi::Sysno::ProcessUnmap
            );
            let is_it = process == "test" && !undoes;
            (is_it && count.fetch_add(1, Ordering::Relaxed) == failing)
                .then_some(Error::OutOfMemory)
        });
        let result = everything(&file, &event, given).spawn();
        machine.inject_nothing();
        match result {
            Ok(child) => {
                child.kill(0).unwrap();
                break;
            }
            Err(error) => {
                assert_eq!(error.reason, Reason::Kernel(Error::OutOfMemory));
                let text = error.to_string();
                assert!(text.starts_with("cannot start child: "), "{text}");
                if steps.last() != Some(&error.step) {
                    steps.push(error.step);
                }
            }
        }
        assert_eq!(machine.handles("test"), handles, "call {failing}");
        assert_eq!(machine.objects(), objects, "call {failing}");
    }
    // Every step can fail, but for those that make no call.
    let kinds: Vec<_> = steps
        .iter()
        .filter(|step| !matches!(step, Step::Load(_) | Step::Give(_)))
        .collect();
    assert_eq!(
        kinds,
        [
            &Step::CreateProcess,
            &Step::SetLimit,
            &Step::MakeStack,
            &Step::FillStack,
            &Step::Bind,
            &Step::CreateThread,
            &Step::SetRegisters,
            &Step::Start,
        ]
    );
    let given: Vec<_> = steps
        .iter()
        .filter_map(|step| match step {
            Step::Give(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(given, ["itself", "one", "pair"]);
}

#[test]
fn processes_of_a_program_share_what_none_changes() {
    let machine = Machine::new();
    let _test = machine.enter("test");
    for is_pie in [false, true] {
        let file = small(is_pie).file();
        let before = machine.objects();
        let program = Program::new(file.clone()).unwrap();
        // Headers, code, and of a fixed one the constants, of another one its table of relocations.
        let shared = machine.objects() - before;
        assert_eq!(shared, 3);
        let alone = Builder::new("child", &file).spawn().unwrap();
        let with_alone = machine.objects() - before - shared;
        let children = [(); 2].map(|()| program.builder("child").argument("x").spawn().unwrap());
        let for_each = (machine.objects() - before - shared - with_alone) / 2;
        assert_eq!(for_each + shared, with_alone);
        let plan = Plan::new(&file, 0).unwrap();
        for child in &children {
            for piece in plan.pieces() {
                let start = |bias: u64| {
                    piece
                        .pages
                        .start
                        .wrapping_sub(plan.bias())
                        .wrapping_add(bias)
                };
                let len = piece.filled as usize;
                let found = read(child.process(), start(child.bias()), len);
                let expected = read(alone.process(), start(alone.bias()), len);
                let differ = expected.iter().zip(&found).filter(|(a, b)| a != b).count();
                assert!(differ <= 3 * 8, "{differ} bytes differ");
            }
            child.kill(0).unwrap();
        }
        alone.kill(0).unwrap();
        drop((program, children, alone));
        assert_eq!(machine.objects(), before);
    }
}

#[test]
fn what_it_may_do_with_itself_can_be_narrowed() {
    let machine = Machine::new();
    let _test = machine.enter("test");
    let file = small(false).file();
    let spawn = |rights| {
        let child = Builder::new("child", &file).own_rights(rights).spawn();
        let child = child.unwrap();
        let handle = call::process_next_handle(child.process().handle(), 0);
        child.kill(0).unwrap();
        handle.map(|entry| entry.rights)
    };
    assert_eq!(spawn(Rights::NONE), Err(Error::NotReady));
    let map = Rights::MAP.union(Rights::TRANSFER);
    assert_eq!(spawn(Rights::MAP), Ok(u64::from(map.0)));
}
