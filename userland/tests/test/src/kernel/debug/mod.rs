//! What a debugger does: threads that begin suspended, registers read and changed, single steps.

mod lives;
mod stops;

pub use lives::{bases_stay, beside_resume, ends};
pub use stops::{exception, single_step, within_calls};
use sys::abi::process::ANY_CPU;
use sys::abi::thread::{AT_BORDER, FLAGS, IN_CALL, Registers, SUSPENDED, WAITING};
use sys::abi::{Error, NEVER, REGISTERS_SIZE, Rights, Sysno, USER_END, Wire};
use sys::call;

use super::orders::Orders;
use super::{MS, event, rest, soon, until};
use crate::area::{Area, Mapping, Owned, RW, load, store};
use crate::child::{CODE, Child, Code, End};
use crate::harness::{Env, Failed, Must, Outcome};
use crate::{check, same};

/// RFLAGS of a thread that begins.
const NO_FLAGS: u64 = 0x202;
/// Where the shared page is in the child.
const PAGE: u64 = CODE + (2 << 20);

fn read(thread: &Owned) -> Result<Registers, Error> {
    call::thread_read_registers(thread.0)
}

fn write(thread: &Owned, registers: &Registers) -> Result<(), Error> {
    call::thread_write_registers(thread.0, registers.to_bytes().as_ref())
}

fn state(thread: &Owned) -> u64 {
    call::thread_info(thread.0).unwrap_or_default().state
}

/// Reads as soon as it is possible.
fn read_when_stopped(env: &Env<'_>, thread: &Owned) -> Result<Registers, Failed> {
    until(|| read(thread) != Err(Error::NotReady)).must(env, "it stops")?;
    read(thread).must(env, "read")
}

/// A page that is mapped here and at [`PAGE`] in a child.
fn share(env: &Env<'_>, child: &Child) -> Result<Mapping, Failed> {
    let area = Area::open(1).must(env, "area")?;
    let view = area.map(env.own, 0, 1, RW).must(env, "map")?;
    let there = area.map_at(child.handle(), PAGE, 0, 1, RW);
    there.must(env, "map there")?.keep();
    Ok(view)
}

/// A thread that begins suspended does nothing until it is resumed, and then what its registers say by then.
pub fn begin_suspended(env: &Env<'_>) -> Outcome {
    let child = Child::new(env).must(env, "child")?;
    let view = share(env, &child)?;
    let thread = child.spawn_suspended(Code::Count, PAGE, ANY_CPU);
    let thread = thread.must(env, "thread")?;
    let info = call::thread_info(thread.0).must(env, "info")?;
    same!(env, info.state, SUSPENDED, "state");
    same!(env, info.processor, ANY_CPU, "processor");
    let begun = Registers {
        rip: Code::Count.address(),
        rdi: PAGE,
        rflags: NO_FLAGS,
        place: AT_BORDER,
        ..Registers::default()
    };
    same!(env, read(&thread), Ok(begun), "registers");
    call::thread_set_priority(thread.0, 3).must(env, "priority")?;
    call::thread_suspend(thread.0).must(env, "suspend once more")?;
    rest(10 * MS).must(env, "rest")?;
    same!(env, load(view.at(0, 0)), 0, "what it counts");
    same!(env, read(&thread), Ok(begun), "registers then");
    call::thread_resume(thread.0).must(env, "resume")?;
    until(|| load(view.at(0, 0)) > 0).must(env, "it counts")?;
    call::thread_suspend(thread.0).must(env, "suspend")?;
    let running = read_when_stopped(env, &thread)?;
    let at = running.rip.wrapping_sub(Code::Count.address());
    check!(env, at < 8 && running.rdi == PAGE, "it is at {running:x?}");
    // Another way, and another argument.
    store(view.at(0, 1), 77);
    let changed = Registers {
        rip: Code::Read.address(),
        rdi: PAGE + 8,
        ..running
    };
    write(&thread, &changed).must(env, "write")?;
    same!(env, read(&thread), Ok(changed), "what was written");
    call::thread_resume(thread.0).must(env, "resume")?;
    same!(env, child.end(), Ok(End::Status(77)), "the end");
    same!(env, read(&thread), Err(Error::Ended), "after the end");
    Ok(())
}

/// Every register and flag that is written is there when the thread goes on: one that never ran, and one that comes from a system call,
/// which would otherwise lose two of them.
pub fn all_registers(env: &Env<'_>) -> Outcome {
    let child = Child::new(env).must(env, "child")?;
    let (view, orders) = (
        share(env, &child)?,
        Orders::new(env, &child).must(env, "orders")?,
    );
    let _keep = child
        .spawn_suspended(Code::Spin, 0, ANY_CPU)
        .must(env, "keep")?;
    let gate = event(env)?;
    let copy = call::handle_duplicate(gate.0, Rights::ALL);
    let gate_there = call::handle_give(child.handle(), copy.must(env, "handle")?);
    let gate_there = gate_there.must(env, "give")?;
    for round in 0..4 {
        let exit = event(env)?;
        let thread = if round % 2 == 0 {
            child
                .spawn_suspended(Code::Spin, 0, ANY_CPU)
                .must(env, "thread")?
        } else {
            let waits = orders.give(0, Sysno::EventWait, &[gate_there.0, 1, 0, NEVER], ANY_CPU);
            let thread = waits.must(env, "thread")?;
            until(|| state(&thread) == WAITING).must(env, "it waits")?;
            call::thread_suspend(thread.0).must(env, "suspend")?;
            call::event_signal(gate.0, 1).must(env, "signal")?;
            until(|| read(&thread).is_ok_and(|now| now.place == AT_BORDER)).must(env, "call")?;
            let result = read(&thread).map(|now| (now.rax, now.rdx));
            same!(env, result, Ok((0, 1)), "what the call returned");
            thread
        };
        call::thread_on_exit(thread.0, Some(exit.0), 1).must(env, "bind")?;
        // Any values, each another one.
        let mut words = [0; Registers::WORDS];
        for (index, word) in (1..).zip(&mut words) {
            *word = 0x1234_5678_9abc_def1u64
                .wrapping_mul(index)
                .rotate_left(round * 16 + 3);
        }
        let stack = PAGE + 2048;
        let registers = Registers {
            rip: Code::Store.address(),
            rsp: stack,
            // CF, PF, AF, ZF, SF, DF, OF and ID, or none.
            rflags: NO_FLAGS | if round < 2 { 0x0020_0cd5 } else { 0 },
            fs_base: PAGE + 1024,
            gs_base: PAGE + 512,
            place: AT_BORDER,
            ..Registers::from_words(words)
        };
        store(view.at(0, 64), 0x5e5e + u64::from(round));
        write(&thread, &registers).must(env, "write")?;
        same!(env, read(&thread), Ok(registers), "what was written");
        call::thread_resume(thread.0).must(env, "resume")?;
        same!(
            env,
            call::event_wait(exit.0, 1, 0, soon()),
            Ok(1),
            "its end"
        );
        let wanted = registers.to_words();
        let names = ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp"];
        for (index, wanted) in (0..16).zip(wanted) {
            let name = names.get(index as usize).unwrap_or(&"r8 to r15");
            same!(
                env,
                load(view.at(0, 128 + index)),
                wanted,
                "{name}, register {index}"
            );
        }
        same!(
            env,
            load(view.at(0, 144)),
            registers.rflags,
            "flags in round {round}"
        );
        same!(
            env,
            load(view.at(0, 145)),
            0x5e5e + u64::from(round),
            "the word at GS"
        );
    }
    Ok(())
}

/// What no user mode has is refused, and so is whoever may not, or whoever comes at the wrong time; nothing is changed by that.
pub fn bad_values(env: &Env<'_>) -> Outcome {
    let child = Child::new(env).must(env, "child")?;
    let thread = child
        .spawn_suspended(Code::Spin, 5, ANY_CPU)
        .must(env, "thread")?;
    let good = read(&thread).must(env, "read")?;
    let wrong = Err(Error::InvalidArgument);
    for address in [
        USER_END + 1,
        1 << 47,
        1 << 63,
        0xffff_8000_0000_0000,
        u64::MAX,
    ] {
        for at in [7, 16, 18, 19] {
            let mut words = good.to_words();
            words[at] = address;
            let registers = Registers::from_words(words);
            same!(
                env,
                write(&thread, &registers),
                wrong,
                "{address:#x} as word {at}"
            );
        }
    }
    for bit in 0..64 {
        let rflags = good.rflags ^ 1 << bit;
        let result = write(&thread, &Registers { rflags, ..good });
        if FLAGS >> bit & 1 == 0 {
            same!(env, result, wrong, "bit {bit} of the flags");
        } else {
            same!(env, result, Ok(()), "bit {bit} of the flags");
        }
    }
    write(&thread, &good).must(env, "write")?;
    for place in [IN_CALL, 2, u64::MAX] {
        same!(
            env,
            write(&thread, &Registers { place, ..good }),
            wrong,
            "place {place}"
        );
    }
    let bytes = good.to_bytes();
    let longer = [0; REGISTERS_SIZE + 8];
    for len in [
        0,
        1,
        8,
        REGISTERS_SIZE - 8,
        REGISTERS_SIZE - 1,
        REGISTERS_SIZE + 1,
        REGISTERS_SIZE + 8,
    ] {
        let part = bytes.get(..len).unwrap_or(&longer[..len]);
        same!(
            env,
            call::thread_write_registers(thread.0, part),
            wrong,
            "{len} bytes"
        );
    }
    let weak = call::handle_duplicate(thread.0, Rights(!Rights::DEBUG.0)).map(Owned);
    let weak = weak.must(env, "handle")?;
    same!(
        env,
        read(&weak),
        Err(Error::AccessDenied),
        "reading without the right"
    );
    same!(
        env,
        write(&weak, &good),
        Err(Error::AccessDenied),
        "writing without the right"
    );
    same!(env, read(&thread), Ok(good), "the registers after all this");
    call::thread_resume(thread.0).must(env, "resume")?;
    same!(
        env,
        read(&thread),
        Err(Error::NotReady),
        "reading one that runs"
    );
    same!(
        env,
        write(&thread, &good),
        Err(Error::NotReady),
        "writing one that runs"
    );
    // Values that nobody would choose end the process at the worst.
    call::thread_suspend(thread.0).must(env, "suspend")?;
    read_when_stopped(env, &thread)?;
    let odd = Registers {
        rip: USER_END,
        rsp: USER_END,
        fs_base: USER_END,
        gs_base: USER_END,
        ..good
    };
    write(&thread, &odd).must(env, "write odd values")?;
    call::thread_resume(thread.0).must(env, "resume")?;
    let end = child.end().must(env, "end")?;
    check!(env, matches!(end, End::Fault(_)), "it ended by {end:?}");
    Ok(())
}
