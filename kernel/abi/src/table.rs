//! The system calls: the one list that everything else is generated from.
//!
//! A line is a number, the call's names, its arguments with their kinds, what it returns, and the errors that the kinds of its
//! arguments do not imply already. [`crate::call::Kind`] says what the kernel checks for each kind before the code of
//! the call runs, and [`crate::call::Output`] what comes back. Every group has 16 numbers or more; those that are not
//! taken are reserved and return `UnknownCall`.

/// Hands the table to a macro: `abi::with_calls!(my_macro);`.
///
/// The macro gets groups of calls, `GROUPS`:
///
/// ```text
/// $($(#[doc = $about:literal])+ group $group:ident {
///     $($(#[doc = $documentation:literal])+
///     $number:literal $variant:ident $name:ident(
///         $($argument:ident: $kind:ident $(($($parameter:tt)+))?),* $(,)?
///     ) -> $output:ident $(($($result:tt)+))? $(fails $($error:ident)|+)?;)+
/// })+
/// ```
#[macro_export]
macro_rules! with_calls {
    ($($callback:ident)::+) => { $($callback)::+! {
        /// What needs no handle.
        group General {
            /// Returns the version of the ABI that the kernel speaks.
            0x00 AbiVersion abi_version() -> infallible(value);
            /// Returns the nanoseconds since the kernel's start.
            0x01 ClockRead clock_read() -> infallible(value);
        }

        /// Handles, whatever they name.
        group Handles {
            /// Gives a handle up. What it named lives on while other handles or mappings of it do; handles made from it now count
            /// as made from what it was made from.
            0x10 HandleClose handle_close(handle: consumed) -> nothing;
            /// Returns a second handle of the same object, with those of the rights that `rights` names. Bits that are no rights
            /// are no error: a program may ask for rights that a later kernel knows.
            0x11 HandleDuplicate handle_duplicate(handle: any_handle(DUPLICATE), rights: rights) -> handle
                fails OutOfMemory | TooMany;
            /// Closes all handles that were made from this one, by duplication of it or of such a handle, in every process and on
            /// the way between two. The handle stays.
            0x12 HandleRevoke handle_revoke(handle: any_handle(DUPLICATE)) -> nothing;
            /// Tells about a handle: type of the object, rights, and whether it is the object of another handle.
            0x13 HandleInfo handle_info(handle: any_handle(NONE)) -> structure(handle::Info);
            /// Moves a handle to another process; returns the handle there. On an error it stays.
            0x14 HandleGive handle_give(process: handle(Process, GIVE), handle: any_handle(TRANSFER)) -> handle
                fails OutOfMemory | TooMany | Ended;
        }

        /// Memory that can be mapped.
        group Areas {
            /// Makes a `vm_area` of a kind ([`abi::area`]): `size` bytes; for guarded areas `size` is that of a section and
            /// `sections` how many there are, else `sections` is 0. Its pages are charged to the caller.
            0x20 VmAreaCreate vm_area_create(kind: below(area::NEW_KINDS), size: size, sections: value) -> handle
                fails InvalidArgument | OutOfMemory | TooMany;
            /// Makes a fixed area: `len` bytes of a resource of memory from `offset` on, cached in a way ([`abi::area::UNCACHED`] ...).
            /// The memory is a device's: it is neither zeroed nor ever freed. `AccessDenied` for what the kernel keeps to itself: the machine's
            /// memory, and devices that it drives.
            0x21 VmAreaCreateFixed vm_area_create_fixed(
                resource: handle(Resource, USE),
                offset: size,
                len: size,
                caching: below(area::CACHINGS),
            ) -> handle fails InvalidArgument | NotSupported | OutOfMemory | TooMany | Ended;
            /// Tells about an area.
            0x22 VmAreaInfo vm_area_info(area: handle(VmArea, INSPECT)) -> structure(area::Info);
            /// Changes the size of an open area. Pages beyond a smaller size are unmapped everywhere and freed.
            0x23 VmAreaResize vm_area_resize(area: handle(VmArea, RESIZE), size: size) -> nothing
                fails InvalidArgument | NotSupported;
            /// Gives pages to a range of the area now, zeroed, instead of at the first touch. All or none.
            0x24 VmAreaCommit vm_area_commit(area: handle(VmArea, MAP_WRITE), offset: size, len: size) -> nothing
                fails InvalidArgument | OutOfMemory | OverLimit;
            /// Takes the pages of a range away: they are freed, and read as zeros when touched again.
            0x25 VmAreaDecommit vm_area_decommit(area: handle(VmArea, MAP_WRITE), offset: size, len: size) -> nothing
                fails InvalidArgument | NotSupported | OutOfMemory;
            /// Returns a handle of a new area with the same content, which shares pages until one of the two is written to.
            0x26 VmAreaSnapshot vm_area_snapshot(area: handle(VmArea, MAP_READ)) -> handle
                fails NotSupported | OutOfMemory | OverLimit | TooMany;
        }

        /// Processes: their life, their address space, their exceptions; what they and the processors have done.
        group Processes {
            /// Makes a process with an empty address space, no handles and no threads. Its name has no control characters. Its
            /// memory counts against the caller's limit too. It ends, with status 129, when the caller's process does.
            0x30 ProcessCreate process_create(name: text(NAME_MAX)) -> handle fails OutOfMemory | TooMany;
            /// Ends a process and all its threads.
            0x31 ProcessKill process_kill(process: handle(Process, KILL), status: value) -> nothing;
            /// Ends the calling process with a status.
            0x32 ProcessExit process_exit(status: value) -> never;
            /// Tells about a process: whether and how it ended, its memory and limit.
            0x33 ProcessInfo process_info(process: handle(Process, INSPECT)) -> structure(process::Info);
            /// Maps `len` bytes of an area from `offset` on in a process, and returns the address: `address` if `access` has
            /// AT_ADDRESS, else one that the kernel chooses. The handle of the area needs MAP_READ, MAP_WRITE and MAP_EXECUTE
            /// as `access` says.
            0x34 ProcessMap process_map(
                process: handle(Process, MAP),
                area: handle_and_rights(VmArea),
                address: page,
                offset: size,
                len: size,
                access: bits(area: READ | WRITE | EXECUTE | AT_ADDRESS),
            ) -> value fails InvalidArgument | AccessDenied | Occupied | NoRoom | TooMany | OutOfMemory | Ended;
            /// Unmaps whatever is mapped in a range; pages stay with their areas.
            0x35 ProcessUnmap process_unmap(process: handle(Process, MAP), address: page, len: size) -> nothing
                fails InvalidArgument | TooMany | OutOfMemory | Ended;
            /// Changes what a mapped range may be used for, never beyond what its handle allowed when it was mapped.
            0x36 ProcessProtect process_protect(
                process: handle(Process, MAP),
                address: page,
                len: size,
                access: bits(area: READ | WRITE | EXECUTE),
            ) -> nothing fails InvalidArgument | NotMapped | AccessDenied | TooMany | OutOfMemory | Ended;
            /// Sets how many bytes of memory the process may use, at most what the caller may.
            0x37 ProcessSetLimit process_set_limit(process: handle(Process, SET_LIMIT), bytes: value) -> nothing
                fails InvalidArgument;
            /// Sets bits of an event when the process has ended; at once if it has. No event, with `bits` 0, unbinds.
            0x38 ProcessOnExit process_on_exit(
                process: handle(Process, INSPECT),
                event: optional_handle(Event, SIGNAL),
                bits: value,
            ) -> nothing fails InvalidArgument;
            /// Sets bits of an event when a thread of the process faults; the thread then waits for `exception_resume`.
            /// No event, with `bits` 0, unbinds: from then on a fault ends the process. So it is, too, when the last handle of the event has
            /// gone, as nobody hears of the fault then: threads that wait try again, and end the process if that fails.
            0x39 ProcessOnException process_on_exception(
                process: handle(Process, HANDLE_EXCEPTIONS),
                event: optional_handle(Event, SIGNAL),
                bits: value,
            ) -> nothing fails InvalidArgument;
            /// Tells why the first thread waits whose exception was not read yet.
            0x3a ExceptionRead exception_read(process: handle(Process, HANDLE_EXCEPTIONS)) -> structure(process::Exception)
                fails NotReady;
            /// Lets a thread that waits with an exception try again, or ends its process with the fault.
            0x3b ExceptionResume exception_resume(
                process: handle(Process, HANDLE_EXCEPTIONS),
                thread: value,
                action: choice(process::Action),
            ) -> nothing fails NotReady;
            /// Tells what a process is and has used.
            0x3c ProcessUsage process_usage(process: handle(Process, INSPECT)) -> structure(process::Usage);
            /// Tells the same of the first process whose number is `from` or more, of those that have threads; `NotReady` when there is none.
            /// Asked from 0 on, and each time from one more than the last number, it gives all, in the order of their numbers.
            0x3d ProcessNext process_next(system: handle(System, STATISTICS), from: value) -> structure(process::Usage)
                fails NotReady;
            /// Tells about the first thread of a process whose number is `from` or more; `NotReady` when there is none.
            0x3e ProcessNextThread process_next_thread(process: handle(Process, INSPECT), from: value) -> structure(thread::Info)
                fails NotReady;
            /// Tells what a processor has done; `InvalidArgument` for one that does not run.
            0x3f ProcessorUsage processor_usage(
                system: handle(System, STATISTICS),
                processor: below(statistics::PROCESSORS),
            ) -> structure(statistics::Processor) fails InvalidArgument;
            /// Returns a handle of the process with a number, with INSPECT, KILL, DEBUG, DUPLICATE and TRANSFER; `NotReady` when none
            /// with threads has it.
            0x40 ProcessOpen process_open(system: handle(System, PROCESSES), number: value) -> handle
                fails NotReady | OutOfMemory | TooMany;
            /// Returns a handle of the thread of a process with a number; `NotReady` when none has it.
            0x41 ProcessThread process_thread(process: handle(Process, DEBUG), number: value) -> handle
                fails NotReady | OutOfMemory | TooMany;
            /// Copies memory of a process from an address on; returns how many bytes: fewer than asked for where the next page cannot be
            /// read, `NotMapped` if that is the first one. `NotSupported` if it is a device's. Pages that were not touched yet are zeros, and stay
            /// untouched.
            0x42 ProcessRead process_read(
                process: handle(Process, DEBUG),
                address: address,
                buffer: room(PROCESS_READ_MAX),
            ) -> value fails NotMapped | NotSupported;
            /// Tells about the first handle of a process whose slot is `from` or more; `NotReady` when there is none.
            0x43 ProcessNextHandle process_next_handle(process: handle(Process, INSPECT), from: value) -> structure(handle::Entry)
                fails NotReady;
            /// Tells about the first mapping of a process that ends behind the address `from`; `NotReady` when there is none.
            0x44 ProcessNextArea process_next_area(process: handle(Process, INSPECT), from: value) -> structure(area::Entry)
                fails NotReady;
        }

        /// Threads.
        group Threads {
            /// Starts a thread in a process at `entry`, with this stack pointer and `argument` in RDI; `cpu` is the number of the
            /// processor that it shall stay on, or [`abi::process::ANY_CPU`]. With SUSPEND it begins suspended.
            0x50 ThreadCreate thread_create(
                process: handle(Process, CREATE_THREAD),
                entry: address,
                stack: address,
                argument: value,
                cpu: value,
                how: bits(thread: SUSPEND),
            ) -> handle fails InvalidArgument | OutOfMemory | OverLimit | TooMany | Ended;
            /// Ends a thread: it does not run in user mode any more. With its last thread a process ends, with status 0.
            0x51 ThreadKill thread_kill(thread: handle(Thread, KILL)) -> nothing;
            /// Stops a thread, at the latest when it would go back to user mode, until it is resumed.
            0x52 ThreadSuspend thread_suspend(thread: handle(Thread, MANAGE)) -> nothing;
            /// Lets a suspended thread go on.
            0x53 ThreadResume thread_resume(thread: handle(Thread, MANAGE)) -> nothing;
            /// Tells about a thread.
            0x54 ThreadInfo thread_info(thread: handle(Thread, INSPECT)) -> structure(thread::Info);
            /// Ends the calling thread. With its last thread a process ends, with status 0.
            0x55 ThreadExit thread_exit() -> never;
            /// Gives the processor to another thread of the same priority that is ready.
            0x56 ThreadYield thread_yield() -> infallible(nothing);
            /// Waits until a time on the monotonic clock, in nanoseconds.
            0x57 ThreadSleep thread_sleep(until: value) -> nothing fails OutOfMemory | Ended;
            /// Gives a thread a priority. While others wait for it in calls, it has theirs, if that is higher.
            0x58 ThreadSetPriority thread_set_priority(
                thread: handle(Thread, MANAGE),
                priority: below(thread::PRIORITIES),
            ) -> nothing;
            /// Says on which processors a thread may run: a bit each, at least one of them a processor that runs.
            0x59 ThreadSetAffinity thread_set_affinity(thread: handle(Thread, MANAGE), processors: bytes(CPU_SET_MAX)) -> nothing;
            /// Sets bits of an event when the thread has ended; at once if it has. No event, with `bits` 0, unbinds.
            0x5a ThreadOnExit thread_on_exit(
                thread: handle(Thread, INSPECT),
                event: optional_handle(Event, SIGNAL),
                bits: value,
            ) -> nothing fails InvalidArgument;
            /// Reads the registers of a thread that is stopped: suspended and not running, or waiting with an exception. `NotReady` when
            /// it is not (not yet: a suspended thread may still be on its way out of the kernel), `Ended` when it has ended or is about to.
            0x5b ThreadReadRegisters thread_read_registers(thread: handle(Thread, DEBUG)) -> structure(thread::Registers)
                fails NotReady | Ended;
            /// Changes all registers of a thread that is stopped, as [`abi::thread::Registers`] says; it goes on with them. `InvalidArgument`
            /// for another length, addresses that are none of user space, flags that are not in [`abi::thread::FLAGS`], or what was read within a
            /// call. `NotReady` when it is not stopped, or is within a call: the registers belong to that until it is over.
            0x5c ThreadWriteRegisters thread_write_registers(
                thread: handle(Thread, DEBUG),
                registers: bytes(REGISTERS_SIZE),
            ) -> nothing fails NotReady | Ended;
        }

        /// Events: 64 bits that threads set, wait for and clear.
        group Events {
            /// Makes an event with all bits clear.
            0x70 EventCreate event_create() -> handle fails OutOfMemory | TooMany;
            /// Sets bits and wakes who waits for one of them.
            0x71 EventSignal event_signal(event: handle(Event, SIGNAL), bits: value) -> nothing;
            /// Clears and returns the bits of `mask` that are set, without waiting.
            0x72 EventTake event_take(event: handle(Event, WAIT), mask: value) -> value;
            /// Waits until a bit of `mask`, which is not 0, is set, or with ALL until all of them are; returns those that are, and clears
            /// them but for KEEP. At the latest at a time on the monotonic clock, in nanoseconds ([`abi::NEVER`]: without end).
            0x73 EventWait event_wait(event: handle(Event, WAIT), mask: value, how: bits(event: ALL | KEEP), until: value) -> value
                fails InvalidArgument | OutOfMemory | TimedOut | Ended;
            /// Sets bits at a time on the monotonic clock, in nanoseconds, instead of those of an earlier call for this event;
            /// [`abi::NEVER`]: none.
            0x74 EventSetTimer event_set_timer(event: handle(Event, SIGNAL), bits: value, at: value) -> nothing fails OutOfMemory;
        }

        /// Mailboxes: calls from thread to thread, with messages in registers ([`abi::message`]).
        group Mailboxes {
            /// Makes a mailbox. It is open until the last handle with RECEIVE is closed.
            0x90 MailboxCreate mailbox_create() -> handle fails OutOfMemory | TooMany;
            /// Returns a handle to call a mailbox by. The receiver of its messages learns the badge.
            0x91 MailboxBadge mailbox_badge(mailbox: any_handle(RECEIVE), badge: value) -> handle
                fails WrongType | OutOfMemory | TooMany | Ended;
            /// Sends a message and waits for the answer. Its handles are moved when a server has taken it: `BadHandle` and `AccessDenied` are
            /// said of them too, and on an error they stay, but when a server that took them did not answer. `NotTaken` when the
            /// server has no room for handles or words; `BadAddress` when the caller's own buffer cannot be read, or cannot be written when the
            /// answer comes, whose handles are closed then.
            0x92 MailboxCall mailbox_call(mailbox: handle(Mailbox, CALL), message: tag) -> message
                fails PeerClosed | NotTaken | BadAddress | OutOfMemory | Ended;
            /// As `mailbox_call`, at the latest until the time on the monotonic clock, in nanoseconds, in R15. The eighth word of a message that
            /// has so many lies in the buffer.
            0x93 MailboxCallUntil mailbox_call_until(mailbox: handle(Mailbox, CALL), message: tag) -> message
                fails PeerClosed | NotTaken | BadAddress | TimedOut | OutOfMemory | Ended;
            /// Waits for a message, at the latest until a time on the monotonic clock, in nanoseconds. A call that the thread has not
            /// answered yet gets `PeerClosed`. A call for whose words or handles there is no room gets `NotTaken`, and the next is waited for.
            0x94 MailboxReceive mailbox_receive(mailbox: handle(Mailbox, RECEIVE), until: value) -> message
                fails PeerClosed | TimedOut | OutOfMemory | Ended;
            /// Answers the call whose message the thread received last. Once; `PeerClosed` when the caller waits no more. `NotTaken`
            /// when it has no room for words or handles; after this and the errors of handles and buffer it still waits for an answer.
            0x95 MailboxReply mailbox_reply(mailbox: handle(Mailbox, RECEIVE), message: tag) -> nothing
                fails NotReady | PeerClosed | NotTaken | BadAddress;
            /// Answers as `mailbox_reply`, if there is somebody to answer, and waits for the next message, unless the answer fails in a
            /// way that leaves the caller waiting.
            0x96 MailboxReplyReceive mailbox_reply_receive(mailbox: handle(Mailbox, RECEIVE), message: tag) -> message
                fails PeerClosed | NotTaken | BadAddress | OutOfMemory | Ended;
            /// Sets bits of an event when a message comes that nobody waits for; at once if there is one. No event, with `bits` 0,
            /// unbinds.
            0x97 MailboxOnReadable mailbox_on_readable(
                mailbox: handle(Mailbox, RECEIVE),
                event: optional_handle(Event, SIGNAL),
                bits: value,
            ) -> nothing fails InvalidArgument;
            /// Names the memory through which the calling thread sends and receives words beyond those in registers: room for
            /// [`abi::message::WORDS_MAX`] words, at a multiple of 8; 0: none. It is looked at when a message needs it.
            0x98 MailboxSetBuffer mailbox_set_buffer(address: address) -> nothing fails InvalidArgument | OutOfMemory;
            /// Returns the right to answer the call whose message the thread received last, so that it, or another who is given the handle, can
            /// answer later. The thread serves the call no longer: the priority of the caller is not passed on any more.
            0x99 MailboxDetach mailbox_detach() -> handle fails NotReady | OutOfMemory | TooMany | Ended;
            /// Answers as `mailbox_reply`. `NotReady` when it was done already. When the last handle goes before, the caller gets
            /// `PeerClosed`.
            0x9a ReplyAnswer reply_answer(reply: handle(Reply, ANSWER), message: tag) -> nothing
                fails NotReady | PeerClosed | NotTaken | BadAddress;
            /// Sets bits of an event when nobody can receive from the mailbox any more; at once if so. Each process has bindings of its own, one for
            /// each of 8 events at the most; no event, with `bits` 0, unbinds all of the caller's.
            0x9b MailboxOnClosed mailbox_on_closed(
                mailbox: handle(Mailbox, CALL),
                event: optional_handle(Event, SIGNAL),
                bits: value,
            ) -> nothing fails InvalidArgument | OutOfMemory | TooMany;
        }

        /// Resources: ranges of what the machine has, from which drivers get what they need.
        group Resources {
            /// Returns a handle of a part of a resource: `len` of it from `offset` on.
            0xa0 ResourceNarrow resource_narrow(resource: any_handle(DUPLICATE), offset: value, len: value) -> handle
                fails WrongType | InvalidArgument | OutOfMemory | TooMany | Ended;
            /// Tells about a resource.
            0xa1 ResourceInfo resource_info(resource: handle(Resource, INSPECT)) -> structure(resource::Info);
            /// Lets a process use all ports of a resource of ports, by the instructions IN and OUT, until it ends. `AccessDenied` for ports
            /// that the kernel keeps to itself; `TooMany` when the process would have ports in more than 16 separate ranges.
            0xa2 ResourceGrantPorts resource_grant_ports(
                resource: handle(Resource, USE),
                process: handle(Process, GIVE),
            ) -> nothing fails NotSupported | TooMany;
            /// Returns which line of a resource of lines an interrupt of the ISA bus is wired to: its offset there.
            0xa3 ResourceIsaLine resource_isa_line(
                resource: handle(Resource, INSPECT),
                isa: below(resource::ISA_INTERRUPTS),
            ) -> value fails NotSupported;
        }

        /// Futexes: threads wait for words of memory, which programs change without the kernel as long as nobody waits.
        group Futexes {
            /// Waits until a thread wakes those who wait for the word of four bytes at an address, at the latest until a time on the
            /// monotonic clock, in nanoseconds; `Changed` at once if the word is not as expected. All who have the same area mapped,
            /// wherever, mean the same word. Whoever returns without an error was woken, and looks at the word again.
            0xb0 FutexWait futex_wait(address: address, expected: below(futex::VALUES), until: value) -> nothing
                fails InvalidArgument | BadAddress | Changed | TimedOut | OutOfMemory | Ended;
            /// Wakes at most so many of those that wait for a word, the most urgent first; returns how many.
            0xb1 FutexWake futex_wake(address: address, most: value) -> value fails InvalidArgument | BadAddress;
            /// Wakes at most `wake_most` of those that wait for a word, and lets at most `move_most` others wait for another one
            /// from now on; returns how many were woken or moved.
            0xb2 FutexRequeue futex_requeue(address: address, wake_most: value, move_most: value, other: address) -> value
                fails InvalidArgument | BadAddress;
        }

        /// The machine.
        group System {
            /// Tells about the machine's memory and processors.
            0xc0 SystemStatistics system_statistics(system: handle(System, STATISTICS)) -> structure(statistics::Statistics);
            /// Writes a text (UTF-8; other bytes are replaced) to the log, one record per line, with the name of the process as the target.
            0xc1 SystemLogWrite system_log_write(
                system: handle(System, LOG_WRITE),
                level: choice(log::Level),
                text: bytes(LOG_WRITE_MAX),
            ) -> nothing;
            /// Tells about the screen that the boot loader has set up; `NotSupported` without one.
            0xc2 SystemFramebuffer system_framebuffer(system: handle(System, STATISTICS)) -> structure(framebuffer::Framebuffer)
                fails NotSupported;
            /// Copies records of the log with the number `from` or more, as [`abi::log`] has them, as many whole ones as there is room for;
            /// returns how many bytes: 0 when there is none. `InvalidArgument` when there is no room for the first one.
            0xc3 SystemLogRead system_log_read(
                system: handle(System, LOG_READ),
                from: value,
                buffer: room(LOG_READ_MAX),
            ) -> value;
            /// Sets bits of an event when there is a record that was not read: once, and then not until the log was read; at once if there
            /// is one. Instead of those of an earlier call, whoever made it. No event, with `bits` 0, unbinds.
            0xc4 SystemLogOnRecord system_log_on_record(
                system: handle(System, LOG_READ),
                event: optional_handle(Event, SIGNAL),
                bits: value,
            ) -> nothing fails InvalidArgument;
            /// Says on which of its consoles the kernel shows the log. What it does not show it on is for programs: the ports of COM1, and the
            /// memory of the screen. A panic is shown on all.
            0xc5 SystemSetConsole system_set_console(
                system: handle(System, CONSOLE),
                consoles: bits(console: SERIAL | SCREEN),
            ) -> nothing;
            /// Switches the machine off, or restarts it. An emulator is told the status. Returns only when it is not possible.
            0xc6 SystemPower system_power(system: handle(System, POWER), action: choice(power::Action), status: value) -> nothing
                fails NotSupported;
            /// Tells about a device that the firmware names, by its place among them; `NotReady` beyond the last one. They are looked for once, by
            /// the first who asks.
            0xc7 SystemDevice system_device(system: handle(System, DEVICES), index: value) -> structure(device::Device)
                fails NotReady | OutOfMemory | Ended;
            /// Begins to record what the processors do, and forgets what was recorded before, or ends to. `kinds` is a list as on the
            /// kernel's command line; empty for all. `events` is how many each processor keeps; 0 for the usual number. It counts when a
            /// processor records for the first time. `NotReady` when there is nothing to end.
            0xc8 SystemTrace system_trace(
                system: handle(System, TRACE),
                action: choice(trace::Action),
                kinds: text(TRACE_KINDS_MAX),
                events: value,
            ) -> nothing fails NotReady | OutOfMemory;
            /// Copies what was recorded: the word where to read on, [`abi::trace::END`] at the end, then bytes of the trace from `from` on, which is
            /// [`abi::trace::BEGIN`] or such a word. Returns how many bytes, that word included. `NotReady` while it records.
            0xc9 SystemTraceRead system_trace_read(
                system: handle(System, TRACE),
                from: value,
                buffer: room(LOG_READ_MAX),
            ) -> value fails NotReady;
        }

        /// Interrupts of devices, for their drivers.
        group Interrupts {
            /// Takes a line of a resource of lines in a way ([`abi::interrupt::AS_WIRED`] ...), for as long as there is a handle of what is returned.
            /// It is masked. `Occupied` while somebody else has it; `AccessDenied` for lines that are the kernel's; `TooMany` when the
            /// processors have no vector left for it.
            0xe0 InterruptCreate interrupt_create(
                resource: handle(Resource, USE),
                line: value,
                mode: below(interrupt::MODES),
            ) -> handle fails InvalidArgument | NotSupported | Occupied | OutOfMemory | TooMany | Ended;
            /// Sets bits of an event when the line fires: once, and then not until that was acknowledged; at once if something was not. No
            /// event, with `bits` 0, unbinds: the line is masked.
            0xe1 InterruptOnFire interrupt_on_fire(
                interrupt: handle(Interrupt, ACKNOWLEDGE),
                event: optional_handle(Event, SIGNAL),
                bits: value,
            ) -> nothing fails InvalidArgument;
            /// Takes notice that the line has fired, and lets it fire again. Returns how often it had: of edges those since the last
            /// acknowledgement, 256 at most. If there was more than one, the event's bits are set once more, as one of them may have come after the driver had
            /// looked at its device; that one is to be acknowledged, too. A level is 1; it fires again at once if it is still there.
            0xe2 InterruptAcknowledge interrupt_acknowledge(interrupt: handle(Interrupt, ACKNOWLEDGE)) -> value fails NotReady;
            /// Tells about a line.
            0xe3 InterruptInfo interrupt_info(interrupt: handle(Interrupt, INSPECT)) -> structure(interrupt::Info);
        }
    } };
}
