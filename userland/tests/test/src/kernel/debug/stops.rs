//! Where threads stop: within calls, with exceptions, after each instruction.

use sys::abi::process::{ANY_CPU, Action};
use sys::abi::thread::{AT_BORDER, IN_CALL, Registers, WAITING};
use sys::abi::{Error, NEVER, Rights, Sysno};
use sys::call;

use super::super::orders::Orders;
use super::super::{event, mailbox, soon, until};
use super::{NO_FLAGS, PAGE, read, read_when_stopped, share, state, write};
use crate::area::{Owned, load, store};
use crate::child::{Child, Code, End};
use crate::harness::{Env, Must, Outcome};
use crate::{check, same};

/// Bit of RFLAGS: a trap after each instruction.
const TRAP: u64 = 1 << 8;

/// A thread that is suspended within a call shows with what it made the call, and cannot be changed before that is over.
pub fn within_calls(env: &Env<'_>) -> Outcome {
    let (event, mailbox, child) = (
        event(env)?,
        mailbox(env)?,
        Child::new(env).must(env, "child")?,
    );
    let orders = Orders::new(env, &child).must(env, "orders")?;
    let give = |handle: &Owned| {
        let copy = call::handle_duplicate(handle.0, Rights::ALL)?;
        call::handle_give(child.handle(), copy)
    };
    // With its last thread the process would end.
    let keep = child.spawn_suspended(Code::Spin, 0, ANY_CPU);
    let _keep = keep.must(env, "keep")?;
    let (event_there, mailbox_there) = (give(&event), give(&mailbox));
    let (event_there, mailbox_there) = (
        event_there.must(env, "give")?,
        mailbox_there.must(env, "give")?,
    );
    // Not suspended, it is not to be looked at.
    let waits = [event_there.0, 6, 0, NEVER];
    let thread = orders
        .give(0, Sysno::EventWait, &waits, ANY_CPU)
        .must(env, "order")?;
    until(|| state(&thread) == WAITING).must(env, "it waits")?;
    same!(
        env,
        read(&thread),
        Err(Error::NotReady),
        "one that only waits"
    );
    call::thread_suspend(thread.0).must(env, "suspend")?;
    let within = read_when_stopped(env, &thread)?;
    same!(
        env,
        (within.place, within.rax),
        (IN_CALL, Sysno::EventWait as u64),
        "call"
    );
    same!(
        env,
        [within.rdi, within.rsi, within.rdx, within.r10],
        waits,
        "arguments"
    );
    same!(env, within.rcx, within.rip, "RCX, as SYSCALL leaves it");
    let plain = Registers {
        place: AT_BORDER,
        ..within
    };
    same!(
        env,
        write(&thread, &plain),
        Err(Error::NotReady),
        "a change"
    );
    call::event_signal(event.0, 2).must(env, "signal")?;
    until(|| read(&thread).is_ok_and(|now| now.place == AT_BORDER)).must(env, "the call ends")?;
    let after = read(&thread).must(env, "read")?;
    same!(env, (after.rax, after.rdx), (0, 2), "what the call returns");
    // Other values than the call's come back to the program.
    write(
        &thread,
        &Registers {
            rax: 5,
            rdx: 6,
            ..after
        },
    )
    .must(env, "write")?;
    call::thread_resume(thread.0).must(env, "resume")?;
    until(|| orders.is_done(0)).must(env, "it goes on")?;
    same!(
        env,
        (orders.result(0, 0), orders.result(0, 3)),
        (5, 6),
        "what it sees"
    );
    // A message may change the registers at any moment.
    let words = [mailbox_there.0, 8 | 3 << 12, 11, 12, 13, 14, 15, 16, 17, 18];
    let caller = orders
        .give(1, Sysno::MailboxCall, &words, ANY_CPU)
        .must(env, "order")?;
    call::thread_suspend(caller.0).must(env, "suspend")?;
    let within = read_when_stopped(env, &caller)?;
    if within.place == AT_BORDER {
        // It was stopped before it had called.
        call::thread_resume(caller.0).must(env, "resume")?;
        until(|| state(&caller) == WAITING).must(env, "it calls")?;
        call::thread_suspend(caller.0).must(env, "suspend")?;
    }
    let within = read_when_stopped(env, &caller)?;
    let own = Registers {
        rax: Sysno::MailboxCall as u64,
        rbx: within.rbx,
        rip: within.rip,
        rsp: within.rsp,
        rflags: within.rflags,
        place: IN_CALL,
        ..Registers::default()
    };
    same!(env, within, own, "a thread that calls");
    let message = sys::message::receive(mailbox.0, soon()).must(env, "receive")?;
    same!(env, message.message.words()[0], 11, "the first word");
    let answer = sys::message::Message::new(9, &[21, 22]);
    sys::message::reply(mailbox.0, &answer).must(env, "reply")?;
    until(|| read(&caller).is_ok_and(|now| now.place == AT_BORDER)).must(env, "the answer")?;
    let after = read(&caller).must(env, "read")?;
    same!(
        env,
        (after.rax, after.rdx, after.r10),
        (0, 21, 22),
        "the answer"
    );
    call::thread_resume(caller.0).must(env, "resume")?;
    until(|| orders.is_done(1)).must(env, "it goes on")?;
    same!(env, orders.result(1, 4), 22, "a word of the answer");
    Ok(())
}

/// A thread that waits with an exception is stopped: what was wrong is mended, and it goes on.
pub fn exception(env: &Env<'_>) -> Outcome {
    let child = Child::new(env).must(env, "child")?;
    let view = share(env, &child)?;
    store(view.at(0, 3), 91);
    let report = child.fault(Code::Read, 0x1000).must(env, "fault")?;
    // Without a change it is the same once more.
    let resumed = call::exception_resume(child.handle(), report.thread, Action::Retry);
    resumed.must(env, "resume")?;
    let again = child.report().must(env, "it faults again")?;
    same!(env, again, report, "the report");
    let thread = child
        .spawn(Code::Read, 0x2000, ANY_CPU)
        .must(env, "thread")?;
    let report = child.report().must(env, "report")?;
    let stopped = read_when_stopped(env, &thread)?;
    same!(
        env,
        (stopped.rip, stopped.rdi),
        (report.instruction, 0x2000),
        "where"
    );
    same!(env, stopped.place, AT_BORDER, "place");
    let mended = Registers {
        rdi: PAGE + 24,
        ..stopped
    };
    write(&thread, &mended).must(env, "write")?;
    call::exception_resume(child.handle(), report.thread, Action::Retry).must(env, "resume")?;
    same!(env, child.end(), Ok(End::Status(91)), "the end");
    Ok(())
}

/// With the trap flag a thread stops after each instruction.
pub fn single_step(env: &Env<'_>) -> Outcome {
    const DEBUG_EXCEPTION: u64 = 1;
    let (child, event) = (Child::new(env).must(env, "child")?, event(env)?);
    let view = share(env, &child)?;
    call::process_on_exception(child.handle(), Some(event.0), 1).must(env, "bind")?;
    let thread = child
        .spawn_suspended(Code::Count, PAGE, ANY_CPU)
        .must(env, "thread")?;
    let begun = read(&thread).must(env, "read")?;
    write(
        &thread,
        &Registers {
            rflags: NO_FLAGS | TRAP,
            ..begun
        },
    )
    .must(env, "write")?;
    call::thread_resume(thread.0).must(env, "resume")?;
    for step in 1..=20u64 {
        same!(
            env,
            call::event_wait(event.0, 1, 0, soon()),
            Ok(1),
            "step {step}"
        );
        let report = call::exception_read(child.handle()).must(env, "report")?;
        same!(env, report.vector, DEBUG_EXCEPTION, "vector");
        // An addition, a jump back, and so on.
        same!(
            env,
            load(view.at(0, 0)),
            step.div_ceil(2),
            "count after {step} steps"
        );
        // The report comes a moment before it stops.
        let now = read_when_stopped(env, &thread)?;
        same!(
            env,
            now.rip == begun.rip,
            step % 2 == 0,
            "whether it is at the begin"
        );
        check!(env, now.rflags & TRAP != 0, "the flag is gone");
        if step == 20 {
            write(
                &thread,
                &Registers {
                    rflags: NO_FLAGS,
                    ..now
                },
            )
            .must(env, "write")?;
        }
        call::exception_resume(child.handle(), report.thread, Action::Retry).must(env, "go on")?;
    }
    until(|| load(view.at(0, 0)) > 1000).must(env, "it counts")?;
    same!(
        env,
        call::event_take(event.0, 1),
        Ok(0),
        "further exceptions"
    );
    Ok(())
}
