//! The executor.

use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::future::{Future, poll_fn};
use core::pin::pin;

use sys::abi::{Rights, process};
use sys::channel::{Channel, Reader, Writer};
use sys::exec::{Either, Executor, race};
use sys::message::Message;
use sys::message::long::{Buffer, Room};
use sys::object::{Event, Mailbox, Owned, Process};
use sys::random::Random;
use sys::time::{MILLISECOND, SECOND};
use sys::{Context, Error, NEVER, start, thread, time};

use crate::checks::Outcome;
use crate::{check, same};

/// Who waits goes on in the order of the times. (Who comes after its time does not wait, and goes on at once: a busy host may stop this thread before it
/// has asked for all.)
pub fn timers(_: &Context) -> Outcome {
    let exec = Executor::new()?;
    let order = Rc::new(RefCell::new(Vec::new()));
    let begin = time::now();
    for ms in [70, 30, 50, 10, 90] {
        let (order, own) = (Rc::clone(&order), exec.clone());
        exec.spawn(async move {
            let mut sleep = pin!(own.sleep_until(begin + ms * MILLISECOND));
            let mut polls = 0;
            poll_fn(|context| {
                polls += 1;
                sleep.as_mut().poll(context)
            })
            .await;
            order.borrow_mut().push((ms, polls, time::now()));
        });
    }
    exec.run()?;
    let order = order.take();
    same!(order.len(), 5);
    let waited: Vec<u64> = order
        .iter()
        .filter(|(_, polls, _)| *polls > 1)
        .map(|(ms, ..)| *ms)
        .collect();
    check!(waited.is_sorted(), "{order:?}");
    for (ms, polls, at) in order {
        check!(polls <= 2, "{ms} ms: polled {polls} times");
        check!(at >= begin + ms * MILLISECOND, "{ms} ms: too early");
    }
    let result = exec.run_until(exec.timeout(core::future::pending::<()>(), MILLISECOND))?;
    same!(result, Err(Error::TimedOut));
    let result = exec.run_until(exec.timeout(async { 5 }, MILLISECOND))?;
    same!(result, Ok(5));
    Ok(())
}

/// While there is nothing to do, the thread is not woken.
pub fn idle(_: &Context) -> Outcome {
    let exec = Executor::new()?;
    let inbox = exec.mailbox(Mailbox::new()?)?;
    let own = || Process::own().next_thread(0).map(|thread| thread.switches);
    let before = own()?;
    let waited = exec.run_until(async {
        for _ in 0..3 {
            exec.sleep(100 * MILLISECOND).await;
        }
        race(inbox.receive(), exec.sleep(100 * MILLISECOND)).await
    })?;
    check!(matches!(waited, Either::Second(())), "a message came");
    let switches = own()? - before;
    check!(switches <= 12, "{switches} switches in 400 ms");
    Ok(())
}

/// Several clients, with short and long messages, and handles both ways.
pub fn calls(_: &Context) -> Outcome {
    let exec = Executor::new()?;
    let inbox = exec.mailbox(Mailbox::new()?)?;
    let mut clients = Vec::new();
    for badge in 0..4u64 {
        let mailbox = inbox.mailbox().badge(badge)?;
        clients.push(thread::spawn(move || client(&mailbox, badge))?);
    }
    let served = exec.run_until(async {
        for _ in 0..4 * 50 {
            let mut call = inbox.receive().await?;
            let badge = call.badge();
            let handles = call.take_handles();
            let mut words: Vec<u64> = call.words().iter().map(|word| word + badge).collect();
            words.reverse();
            let label = call.label() + 1;
            call.answer(label, handles, &words)?;
        }
        Ok::<(), Error>(())
    })?;
    served?;
    for client in clients {
        same!(client.join()?, Ok(()));
    }
    Ok(())
}

fn client(mailbox: &Mailbox, badge: u64) -> Result<(), Error> {
    let mut random = Random::new(badge);
    let mut room = Room::new();
    let mut buffer = Buffer::new(&mut room)?;
    for round in 0..50 {
        let count = random.below(60) as usize;
        let words: Vec<u64> = (0..count as u64).collect();
        let event = Event::new()?;
        event.signal(round + 1)?;
        let handles = if random.one_in(2) {
            vec![event.into_raw()]
        } else {
            drop(event);
            vec![]
        };
        buffer.put(round, &handles, &words);
        buffer.call(mailbox.handle())?;
        let back: Vec<Owned> = buffer.handles().map(Owned::from_raw).collect();
        let answer = buffer.words().get(back.len()..).unwrap_or_default();
        let is_right = answer
            .iter()
            .rev()
            .zip(&words)
            .all(|(is, was)| *is == was + badge);
        if !is_right || answer.len() != words.len() || buffer.tag().label() != round + 1 {
            return Err(Error::InvalidArgument);
        }
        for handle in back {
            if Event::from(handle).take(u64::MAX)? != round + 1 {
                return Err(Error::BadHandle);
            }
        }
    }
    Ok(())
}

/// Calls are kept and answered in another order; one is dropped, and its caller told.
pub fn answers_later(_: &Context) -> Outcome {
    let exec = Executor::new()?;
    let inbox = exec.mailbox(Mailbox::new()?)?;
    let mut clients = Vec::new();
    for badge in 0..6u64 {
        let mailbox = inbox.mailbox().badge(badge)?;
        clients.push(thread::spawn(move || {
            let answer = mailbox.call(&Message::new(0, &[badge]));
            answer.map(|answer| answer.words[0])
        })?);
    }
    let result = exec.run_until(async {
        let mut kept = Vec::new();
        for _ in 0..6 {
            kept.push(inbox.receive().await?);
        }
        kept.reverse();
        for call in kept {
            exec.sleep(MILLISECOND).await;
            match call.badge() {
                3 => drop(call),
                4 => drop(call.detach()?),
                badge => call.answer(0, [], &[badge * 10])?,
            }
        }
        Ok::<(), Error>(())
    })?;
    result?;
    for (badge, client) in clients.into_iter().enumerate() {
        let wanted = match badge {
            3 | 4 => Err(Error::PeerClosed),
            badge => Ok(badge as u64 * 10),
        };
        same!(client.join()?, wanted);
    }
    Ok(())
}

const BYTES: usize = 300_000;

/// Both ends here and at a thread, each by the executor's event and by that of the channel.
fn through(exec: &Executor, waits_here: bool) -> Outcome {
    let waiter = || {
        if waits_here {
            exec.waiter().map(Some)
        } else {
            Ok(None)
        }
    };
    let own = start::own();
    let there = Channel::with(8192, waiter()?, None)?;
    let back = Channel::with(4096, None, waiter()?)?;
    let mut writer = exec.writer(there.open_writer()?)?;
    let mut reader = exec.reader(back.open_reader()?)?;
    let mut from = Reader::new(own, there.reader()?)?;
    let mut to = Writer::new(own, back.writer()?)?;
    let echo = thread::spawn(move || {
        let mut piece = [0; 3000];
        let mut all = 0;
        loop {
            match from.read(&mut piece, NEVER)? {
                0 => return Ok::<usize, Error>(all),
                count => {
                    to.write_all(&piece[..count], NEVER)?;
                    all += count;
                }
            }
        }
    })?;
    let byte = |at: usize| (at ^ at >> 8) as u8;
    let sender = exec.spawn(async move {
        let all: Vec<u8> = (0..BYTES).map(byte).collect();
        for piece in all.chunks(7001) {
            writer.write_all(piece).await?;
        }
        Ok::<(), Error>(())
    });
    let received = exec.run_until(async {
        let mut at = 0;
        let mut piece = [0; 5000];
        loop {
            let count = reader.read(&mut piece).await?;
            if count == 0 {
                return Ok(at);
            }
            if !piece[..count]
                .iter()
                .zip(at..)
                .all(|(is, at)| *is == byte(at))
            {
                return Err(Error::InvalidArgument);
            }
            at += count;
        }
    })?;
    same!(received, Ok(BYTES));
    same!(exec.run_until(sender)?, Some(Ok(())));
    same!(echo.join()?, Ok(BYTES));
    Ok(())
}

pub fn channels(_: &Context) -> Outcome {
    let exec = Executor::new()?;
    for _ in 0..3 {
        through(&exec, true)?;
    }
    Ok(())
}

pub fn foreign_channel(_: &Context) -> Outcome {
    through(&Executor::new()?, false)
}

/// Tasks that end, are cancelled, cancel themselves, begin others; wakers that are used from other threads, and too late.
pub fn tasks(_: &Context) -> Outcome {
    let exec = Executor::new()?;
    let dropped = Rc::new(Cell::new(0));
    struct Count(Rc<Cell<u32>>);
    impl Drop for Count {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let pending = |count: Count| async move {
        core::future::pending::<()>().await;
        drop(count);
    };
    let task = exec.spawn(pending(Count(Rc::clone(&dropped))));
    task.cancel();
    same!(
        (dropped.get(), exec.tasks(), task.is_finished()),
        (1, 0, true)
    );
    same!(exec.run_until(task)?, None);
    // One that cancels itself.
    let own: Rc<RefCell<Option<sys::exec::Task<()>>>> = Rc::default();
    let (place, count) = (Rc::clone(&own), Count(Rc::clone(&dropped)));
    *own.borrow_mut() = Some(exec.spawn(async move {
        if let Some(task) = &*place.borrow() {
            task.cancel();
        }
        pending(count).await;
    }));
    exec.run()?;
    same!(dropped.get(), 2);
    // A waker in another thread, and one that comes too late.
    let waker = Rc::new(RefCell::new(None));
    let (place, is_woken) = (Rc::clone(&waker), Rc::new(Cell::new(false)));
    let woken = Rc::clone(&is_woken);
    let task = exec.spawn(core::future::poll_fn(move |context| {
        if woken.replace(true) {
            return core::task::Poll::Ready(7);
        }
        *place.borrow_mut() = Some(context.waker().clone());
        core::task::Poll::Pending
    }));
    let starter = exec.clone();
    exec.spawn(async move {
        starter.yield_now().await;
        let waker = waker.take();
        let thread = thread::spawn(move || {
            time::sleep(3 * MILLISECOND);
            if let Some(waker) = waker {
                waker.wake_by_ref();
                time::sleep(3 * MILLISECOND);
                waker.wake();
            }
        });
        if let Ok(thread) = thread {
            let _ = starter.join(thread).await;
        }
    });
    same!(exec.run_until(task)?, Some(7));
    exec.run()?;
    // Very many, in places that are used again; and what is left is dropped.
    for _ in 0..3 {
        for _ in 0..500 {
            drop(exec.try_spawn(exec.sleep(MILLISECOND))?);
        }
        exec.run()?;
    }
    let kept = exec.clone();
    let count = Count(Rc::clone(&dropped));
    exec.spawn(async move {
        kept.sleep(NEVER).await;
        drop(count);
    });
    exec.run_until(exec.sleep(MILLISECOND))?;
    exec.clear();
    same!((dropped.get(), exec.tasks()), (3, 0));
    Ok(())
}

/// The end of a mailbox is told to all who wait for it.
pub fn closed(_: &Context) -> Outcome {
    let exec = Executor::new()?;
    let mailbox = Mailbox::new()?;
    let client = mailbox.badge(1)?;
    let (one, other) = (exec.closed(&client)?, exec.closed(&client)?);
    let result = exec.run_until(exec.timeout(exec.closed(&client)?, 5 * MILLISECOND))?;
    same!(result, Err(Error::TimedOut));
    let server = thread::spawn(move || {
        time::sleep(5 * MILLISECOND);
        drop(mailbox);
    })?;
    let result = exec.run_until(exec.timeout(sys::exec::join(one, other), 60 * SECOND))?;
    same!(result, Ok((Ok(()), Ok(()))));
    // One that is closed already.
    let result = exec.run_until(exec.timeout(exec.closed(&client)?, 60 * SECOND))?;
    same!(result, Ok(Ok(())));
    server.join()?;
    Ok(())
}

pub fn process_exit(_: &Context) -> Outcome {
    let exec = Executor::new()?;
    let child = Process::new("child")?;
    let exit = exec.exit_of(&child)?;
    let killer = exec.clone();
    exec.spawn(async move {
        killer.sleep(3 * MILLISECOND).await;
        let _ = child.kill(77);
    });
    let info = exec.run_until(exit)??;
    same!((info.state, info.status), (process::EXITED, 77));
    exec.run()?;
    Ok(())
}

pub fn threads(_: &Context) -> Outcome {
    let exec = Executor::new()?;
    let thread = thread::spawn(|| {
        time::sleep(3 * MILLISECOND);
        5
    })?;
    same!(exec.run_until(exec.join(thread))?, Ok(5));
    let (signal, done) = (exec.signal()?, Cell::new(0));
    let waiter = signal.waiter()?;
    // Two signals that nobody took between them are one.
    let taken = Arc::new(Event::new()?);
    let sender = thread::spawn({
        let taken = Arc::clone(&taken);
        move || {
            let event = Event::from(waiter.event);
            for _ in 0..3 {
                time::sleep(2 * MILLISECOND);
                let _ = event.signal(waiter.moved);
                let _ = taken.wait(1, NEVER);
            }
        }
    })?;
    exec.run_until(async {
        for _ in 0..3 {
            signal.wait().await;
            done.set(done.get() + 1);
            let _ = taken.signal(1);
        }
    })?;
    same!(done.get(), 3);
    sender.join()?;
    Ok(())
}

/// Somebody sets all bits of the event, again and again: everything works as before.
pub fn spurious_bits(_: &Context) -> Outcome {
    let exec = Executor::new()?;
    let signal = exec.signal()?;
    let event = Event::from(signal.waiter()?.event);
    let noise = thread::spawn(move || {
        for _ in 0..300 {
            let _ = event.signal(u64::MAX);
            time::sleep(MILLISECOND / 10);
        }
    })?;
    through(&exec, true)?;
    let inbox = exec.mailbox(Mailbox::new()?)?;
    let client = inbox.mailbox().badge(0)?;
    let child = Process::new("child")?;
    let closed = exec.run_until(async {
        let quiet = sys::exec::join(inbox.receive(), exec.closed(&client)?);
        let quiet = sys::exec::join(quiet, exec.exit_of(&child)?);
        Ok::<_, Error>(exec.timeout(quiet, 20 * MILLISECOND).await.err())
    })?;
    same!(closed, Ok(Some(Error::TimedOut)));
    noise.join()?;
    Ok(())
}

pub fn runs_out_of_bits(_: &Context) -> Outcome {
    let exec = Executor::new()?;
    let mut signals = Vec::new();
    let error = loop {
        match exec.signal() {
            Ok(signal) => signals.push(signal),
            Err(error) => break error,
        }
    };
    same!((signals.len(), error), (63, Error::TooMany));
    same!(exec.waiter().map(drop).err(), Some(Error::TooMany));
    same!(
        exec.mailbox(Mailbox::new()?).map(drop).err(),
        Some(Error::TooMany)
    );
    signals.truncate(62);
    let waiter = exec.waiter()?;
    same!(exec.signal().map(drop).err(), Some(Error::TooMany));
    exec.forget_waiter(waiter.moved);
    let inbox = exec.mailbox(Mailbox::new()?)?;
    same!(inbox.mailbox().duplicate(Rights::CALL).is_ok(), true);
    Ok(())
}
