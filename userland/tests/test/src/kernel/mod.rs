//! The tests of events, threads, mailboxes, ports and interrupts: what each call does, who is served first, and what becomes of those
//! who wait.

mod calls;
mod channels;
mod closing;
mod debug;
mod deferred;
mod ends;
mod events;
mod futexes;
mod inheritance;
pub mod interrupts;
mod log;
mod long;
mod machine;
mod order;
mod orders;
mod others;
mod parked;
pub mod ports;
mod rounds;
mod shares;
mod threads;
mod timeouts;
mod timers;
mod unheard;
mod usage;
mod worker;

use sys::abi::Error;
use sys::call;

use crate::area::Owned;
use crate::harness::{Env, Failed, Must, Test, list_suite, run_suite};

pub const TESTS: &[Test] = &[
    ("event-any-all-keep", events::any_all_keep),
    ("event-all-waits-for-all", events::all_waits_for_all),
    ("event-first-come-first-served", events::first_come),
    ("event-keep-wakes-all", events::keep_wakes_all),
    ("event-many-waiters", events::many_waiters),
    ("event-across-processes", events::across_processes),
    ("event-no-signal-is-lost", events::no_signal_is_lost),
    ("event-deadline", timers::deadline),
    ("event-poll", timers::poll),
    ("timer-fires-once", timers::fires_once),
    ("timer-replaced", timers::replaced),
    ("timer-cancelled", timers::cancelled),
    ("timer-of-a-closed-event", timers::of_a_closed_event),
    ("sleep", timers::sleep),
    ("thread-on-exit", threads::on_exit),
    ("thread-in-another-process", threads::in_another_process),
    ("thread-suspend", threads::suspend),
    ("thread-suspend-one-that-waits", threads::suspend_waiting),
    ("thread-info", threads::info),
    ("thread-bad-arguments", threads::bad_arguments),
    ("debug-begin-suspended", debug::begin_suspended),
    ("debug-all-registers", debug::all_registers),
    ("debug-bad-values", debug::bad_values),
    ("debug-within-calls", debug::within_calls),
    ("debug-exception", debug::exception),
    ("debug-single-step", debug::single_step),
    ("debug-ends", debug::ends),
    ("debug-bases-stay", debug::bases_stay),
    ("debug-beside-resume", debug::beside_resume),
    ("usage-names", usage::names),
    ("usage-list-of-processes", usage::list_of_processes),
    ("usage-list-of-threads", usage::list_of_threads),
    ("usage-time", usage::time),
    ("usage-of-the-ended", usage::of_the_ended),
    ("usage-switches", usage::switches),
    ("usage-idle-processors", usage::idle_processors),
    ("kill-in-user-mode", ends::in_user_mode),
    ("kill-in-event-wait", ends::in_event_wait),
    ("kill-in-queued-call", ends::in_queued_call),
    ("kill-in-served-call", ends::in_served_call),
    ("kill-in-receive", ends::in_receive),
    ("kill-in-sleep", ends::in_sleep),
    ("kill-suspended", ends::suspended),
    ("kill-a-process-in-all-states", ends::process_in_all_states),
    ("exit-gives-everything-back", ends::gives_everything_back),
    ("exit-seen-is-told", ends::seen_is_told),
    ("priority-order", order::priorities),
    ("priority-preempts", order::preempts),
    ("priority-low-is-not-starved", order::low_is_not_starved),
    (
        "shares-of-one-more-than-processors",
        shares::one_more_than_processors,
    ),
    ("affinity-at-creation", order::affinity_at_creation),
    ("affinity-moves", order::affinity_moves),
    (
        "affinity-of-one-that-waits",
        order::affinity_of_one_that_waits,
    ),
    ("call-words-and-labels", calls::words_and_labels),
    ("call-badges", calls::badges),
    ("call-across-processes", calls::across_processes),
    ("call-by-priority", calls::by_priority),
    ("call-rights", calls::rights),
    ("call-on-readable", calls::on_readable),
    ("call-times-out", timeouts::call),
    ("call-late-reply", timeouts::late_reply),
    ("call-receive-times-out", timeouts::receive),
    ("call-reply-once", timeouts::reply_once),
    ("long-words", long::words),
    ("long-handles", long::handles),
    (
        "long-handles-across-processes",
        long::handles_across_processes,
    ),
    ("long-without-buffers", long::without_buffers),
    ("long-bad-buffers", long::bad_buffers),
    ("long-handles-stay", long::handles_stay),
    ("long-deadlines", long::deadlines),
    ("reply-later", deferred::later),
    ("reply-dropped", deferred::dropped),
    ("reply-by-another-process", deferred::by_another_process),
    ("reply-ends-inheritance", deferred::ends_inheritance),
    ("parked-caller-killed", parked::caller_killed),
    ("parked-server-thread-ends", parked::server_thread_ends),
    ("parked-server-process-ends", parked::server_process_ends),
    ("parked-mailbox-closed", parked::mailbox_closed),
    ("parked-memory-is-back", parked::memory_is_back),
    ("parked-suspended", parked::suspended),
    ("parked-moved", parked::moved),
    ("parked-moved-while-called", parked::moved_while_called),
    ("parked-urgent", parked::urgent),
    ("parked-outranked", parked::outranked),
    ("parked-long", parked::long),
    ("parked-without-a-buffer", parked::without_a_buffer),
    ("parked-answered-later", parked::answered_later),
    ("parked-registers", parked::registers),
    ("parked-number", parked::number),
    ("parked-debugged", parked::debugged),
    ("parked-crowd", parked::crowd),
    ("channel-threads", channels::threads),
    ("channel-processes", channels::processes),
    ("channel-ends", channels::ends),
    ("channel-liars", channels::liars),
    ("close-refuses-callers", closing::refuses_callers),
    ("close-refuses-receivers", closing::refuses_receivers),
    ("close-with-the-last-server", closing::with_the_last_server),
    (
        "close-with-copies-of-clients",
        closing::with_copies_of_clients,
    ),
    ("close-server-thread-ends", closing::server_thread_ends),
    ("close-server-process-ends", closing::server_process_ends),
    ("close-server-replaced", closing::server_replaced),
    ("close-revoked-client", closing::revoked_client),
    ("close-revoked-server", closing::revoked_server),
    ("close-tells-clients", closing::tells_clients),
    (
        "close-tells-those-who-want-it",
        closing::tells_those_who_want_it,
    ),
    (
        "close-tells-of-killed-servers",
        closing::tells_of_killed_servers,
    ),
    ("others-open", others::open),
    ("others-threads", others::threads),
    ("others-memory", others::memory),
    ("others-memory-that-is-not", others::memory_that_is_not),
    ("others-handles", others::handles),
    ("others-mappings", others::mappings),
    ("log-read", log::read),
    ("log-cut-and-lost", log::cut_and_lost),
    ("log-on-record", log::on_record),
    ("log-bad-memory", log::bad_memory),
    ("log-serial", log::serial),
    ("machine-devices", machine::devices),
    ("machine-trace", machine::trace),
    ("exception-unheard", unheard::closed),
    ("exception-listener-ends", unheard::listener_ends),
    ("exception-listener-revoked", unheard::revoked),
    ("exception-bound-anew", unheard::bound_anew),
    ("exception-kept-by-a-binding", unheard::kept_by_a_binding),
    ("exception-thread-is-ended", unheard::thread_is_ended),
    ("futex-wait-and-wake", futexes::wait_and_wake),
    ("futex-ends", futexes::ends),
    ("futex-order", futexes::order),
    ("futex-same-memory", futexes::same_memory),
    ("futex-requeue", futexes::requeue),
    ("futex-bad-arguments", futexes::bad_arguments),
    ("futex-mutex", futexes::mutex),
    ("inherit-while-served", inheritance::while_served),
    ("inherit-while-queued", inheritance::while_queued),
    ("inherit-from-the-queue", inheritance::from_the_queue),
    ("inherit-along-a-chain", inheritance::along_a_chain),
    (
        "inherit-when-woken-early",
        inheritance::changes::when_woken_early,
    ),
    (
        "inherit-a-new-priority",
        inheritance::changes::of_the_caller,
    ),
    (
        "callers-by-new-priority",
        inheritance::changes::among_callers,
    ),
    (
        "no-more-urgent-by-the-answer",
        inheritance::changes::by_the_answer,
    ),
    (
        "inherit-ends-with-the-answer",
        inheritance::ends_with_the_answer,
    ),
    ("ports-only-when-granted", ports::only_when_granted),
    ("ports-while-it-runs", ports::while_it_runs),
    ("ports-of-others", ports::of_others),
    ("ports-of-the-kernel", ports::of_the_kernel),
    (
        "interrupt-fires-again-and-again",
        interrupts::fires_again_and_again,
    ),
    ("interrupt-level-waits", interrupts::level_waits),
    ("interrupt-edges-are-counted", interrupts::edges_are_counted),
    ("interrupt-bound-anew", interrupts::bound_anew),
    ("interrupt-one-at-a-time", interrupts::one_at_a_time),
    (
        "interrupt-closed-while-it-fires",
        interrupts::closed_while_it_fires,
    ),
    ("ping-pong", rounds::ping_pong),
    (
        "clients-on-all-processors",
        rounds::clients_on_all_processors,
    ),
];

/// Prints the names.
pub fn list(env: &Env<'_>) {
    list_suite(env, "kernel", TESTS);
}

/// Runs all tests, or the one with a name.
pub fn run(env: &Env<'_>, name: Option<&str>) -> u64 {
    // What the kernel takes for good at the first use is not counted as lost.
    let _ = events::many_waiters(env);
    let _ = ends::process_in_all_states(env);
    let _ = rounds::clients_on_all_processors(env);
    let _ = long::deadlines(env);
    let _ = machine::devices(env);
    if name.is_none_or(|name| name == "machine-trace") {
        // Not beside another test: a trace that the command line has asked for would end.
        let _ = machine::trace(env);
    }
    // What these have left goes before anything is counted: on a busy machine a processor may stand still for long.
    let _ = rest(500 * MS);
    run_suite(env, "kernel", TESTS, name)
}

/// What is waited for at the longest, in nanoseconds: a machine that others use may stand still for long.
const PATIENCE_NS: u64 = 60_000_000_000;
/// A millisecond, in nanoseconds.
const MS: u64 = 1_000_000;
/// How often a test is tried that the machine's standing still at the wrong moment makes meaningless.
const TRIES: u64 = 20;

/// A deadline that only something broken misses.
fn soon() -> u64 {
    call::clock_read() + PATIENCE_NS
}

/// Sleeps for so long.
fn rest(ns: u64) -> Result<(), Error> {
    call::thread_sleep(call::clock_read() + ns)
}

/// Waits until something is so. Whoever waits sleeps in between, so that less urgent threads run.
fn until(mut is_so: impl FnMut() -> bool) -> Result<(), Error> {
    let end = soon();
    while !is_so() {
        if call::clock_read() > end {
            return Err(Error::TimedOut);
        }
        rest(MS / 4)?;
    }
    Ok(())
}

fn event(env: &Env<'_>) -> Result<Owned, Failed> {
    call::event_create().map(Owned).must(env, "event")
}

fn mailbox(env: &Env<'_>) -> Result<Owned, Failed> {
    call::mailbox_create().map(Owned).must(env, "mailbox")
}
