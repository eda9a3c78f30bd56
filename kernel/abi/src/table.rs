//! The system-call table.

use crate::{Error, ObjectType, Rights};

/// Description of one system call.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Its number.
    pub number: Sysno,
    /// Its name.
    pub name: &'static str,
    /// The type of object that its first argument must name, with the rights needed; none for calls that act on the caller.
    pub object: Option<(ObjectType, Rights)>,
    /// Names of the arguments, the handle included.
    pub arguments: &'static [&'static str],
    /// The errors that it returns, besides those of a wrong handle.
    pub errors: &'static [Error],
    /// What it does.
    pub documentation: &'static str,
}

macro_rules! syscalls {
    ($(
        $(#[doc = $documentation:literal])+
        $number:literal $variant:ident $name:ident ($($argument:ident),*)
            $(on $object:ident with $right:ident)?
            $(fails $($error:ident)|+)?;
    )*) => {
        /// The number of a system call.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u64)]
        pub enum Sysno {
            $($(#[doc = $documentation])+ $variant = $number,)*
        }

        impl TryFrom<u64> for Sysno {
            type Error = Error;

            fn try_from(number: u64) -> Result<Self, Error> {
                match number { $($number => Ok(Self::$variant),)* _ => Err(Error::UnknownCall) }
            }
        }

        /// Every system call.
        pub const CALLS: &[Call] = &[$(Call {
            number: Sysno::$variant,
            name: stringify!($name),
            object: syscalls!(@object $($object $right)?),
            arguments: &[$(stringify!($argument)),*],
            errors: &[$($(Error::$error),+)?],
            documentation: concat!($($documentation),+),
        }),*];
    };
    (@object) => { None };
    (@object $object:ident $right:ident) => { Some((ObjectType::$object, Rights::$right)) };
}

syscalls! {
    /// Returns the version of the ABI that the kernel speaks.
    0 AbiVersion abi_version();
    /// Ends the calling process with a status. Does not return.
    1 ProcessExit process_exit(status);
    /// Gives the processor to another thread of the same priority that is ready.
    2 ThreadYield thread_yield();
    /// Writes a text of at most 1024 bytes (UTF-8; other bytes are replaced) to the log, one record per line.
    3 LogWrite log_write(log, text, len) on Log with WRITE fails BadAddress | InvalidArgument;
    /// Returns the nanoseconds since the kernel's start.
    4 ClockRead clock_read();
    /// Gives a handle up. What it named lives on while other handles or mappings of it do.
    5 HandleClose handle_close(handle) fails BadHandle;
    /// Returns a second handle of the same object, with those of the rights that `rights` names. The handle needs DUPLICATE.
    6 HandleDuplicate handle_duplicate(handle, rights) fails BadHandle | AccessDenied | OutOfMemory | TooMany;
    /// Moves a handle, which needs TRANSFER, to another process; returns the handle there. On an error it stays.
    7 HandleGive handle_give(process, handle) on Process with GIVE
        fails BadHandle | AccessDenied | OutOfMemory | TooMany | Ended;
    /// Makes a `vm_area` of a kind ([`crate::area`]): `size` bytes; for guarded areas `size` is that of a section and `sections` how
    /// many there are, else `sections` is 0. Returns its handle. Its pages are charged to the caller.
    8 VmAreaCreate vm_area_create(kind, size, sections) fails InvalidArgument | OutOfMemory | TooMany;
    /// Writes a [`crate::area::Info`] to `info`.
    9 VmAreaInfo vm_area_info(area, info) on VmArea with INSPECT fails BadAddress;
    /// Changes the size of an open area, in bytes. Pages beyond a smaller size are unmapped everywhere and freed.
    10 VmAreaResize vm_area_resize(area, size) on VmArea with RESIZE fails InvalidArgument | NotSupported;
    /// Gives pages to a range of the area now, zeroed, instead of at the first touch. All or none.
    11 VmAreaCommit vm_area_commit(area, offset, len) on VmArea with MAP_WRITE
        fails InvalidArgument | OutOfMemory | OverLimit;
    /// Takes the pages of a range away: they are freed, and read as zeros when touched again.
    12 VmAreaDecommit vm_area_decommit(area, offset, len) on VmArea with MAP_WRITE
        fails InvalidArgument | NotSupported | OutOfMemory;
    /// Returns a handle of a new area with the same content, which shares pages until one of the two is written to.
    13 VmAreaSnapshot vm_area_snapshot(area) on VmArea with MAP_READ
        fails NotSupported | OutOfMemory | OverLimit | TooMany;
    /// Maps `len` bytes of an area from `offset` on in a process, and returns the address: `address` if `access` has AT_ADDRESS, else one
    /// that the kernel chooses. The handle of the area needs MAP_READ, MAP_WRITE and MAP_EXECUTE as `access` says.
    14 ProcessMap process_map(process, area, address, offset, len, access) on Process with MAP
        fails InvalidArgument | BadHandle | WrongType | AccessDenied | Occupied | NoRoom | TooMany | OutOfMemory | Ended;
    /// Unmaps whatever is mapped in a range; pages stay with their areas.
    15 ProcessUnmap process_unmap(process, address, len) on Process with MAP
        fails InvalidArgument | TooMany | OutOfMemory | Ended;
    /// Changes what a mapped range may be used for, never beyond what its handle allowed when it was mapped.
    16 ProcessProtect process_protect(process, address, len, access) on Process with MAP
        fails InvalidArgument | NotMapped | AccessDenied | TooMany | OutOfMemory | Ended;
    /// Makes a process with an empty address space, no handles and no threads, and returns its handle. Its memory counts
    /// against the caller's limit too.
    17 ProcessCreate process_create(name, len) fails BadAddress | InvalidArgument | OutOfMemory | TooMany;
    /// Ends a process and all its threads.
    18 ProcessKill process_kill(process, status) on Process with KILL;
    /// Writes a [`crate::process::Info`] to `info`: whether and how it ended, its memory and limit.
    19 ProcessInfo process_info(process, info) on Process with INSPECT fails BadAddress;
    /// Sets how many bytes of memory the process may use, at most what the caller may.
    20 ProcessSetLimit process_set_limit(process, bytes) on Process with SET_LIMIT fails InvalidArgument;
    /// Sets bits of an event when the process has ended; at once if it has. `bits` 0 unbinds.
    21 ProcessOnExit process_on_exit(process, event, bits) on Process with INSPECT
        fails BadHandle | WrongType | AccessDenied;
    /// Sets bits of an event when a thread of the process faults; the thread then waits for [`ExceptionResume`](Sysno::ExceptionResume).
    /// `bits` 0 unbinds: from then on a fault ends the process.
    22 ProcessOnException process_on_exception(process, event, bits) on Process with HANDLE_EXCEPTIONS
        fails BadHandle | WrongType | AccessDenied;
    /// Writes the [`crate::process::Exception`] of the first waiting thread that was not read yet to `exception`.
    23 ExceptionRead exception_read(process, exception) on Process with HANDLE_EXCEPTIONS fails BadAddress | NotReady;
    /// Lets a thread that waits with an exception try again (`action` 0), or ends its process with the fault (`action` 1).
    24 ExceptionResume exception_resume(process, thread, action) on Process with HANDLE_EXCEPTIONS
        fails InvalidArgument | NotReady;
    /// Starts a thread in a process at `entry`, with this stack pointer and `argument` in RDI; `cpu` is the number of the processor that
    /// it shall stay on, or [`crate::process::ANY_CPU`]. Returns its handle.
    25 ThreadCreate thread_create(process, entry, stack, argument, cpu) on Process with CREATE_THREAD
        fails InvalidArgument | OutOfMemory | OverLimit | TooMany | Ended;
    /// Ends the calling thread. Does not return. With its last thread a process ends, with status 0.
    26 ThreadExit thread_exit();
    /// Makes an event: 64 bits, all clear. Returns its handle.
    27 EventCreate event_create() fails OutOfMemory | TooMany;
    /// Sets bits and wakes who waits for one of them.
    28 EventSignal event_signal(event, bits) on Event with SIGNAL;
    /// Waits until a bit of `mask` is set; clears and returns those that are.
    29 EventWait event_wait(event, mask) on Event with WAIT fails InvalidArgument | OutOfMemory;
    /// Clears and returns the bits of `mask` that are set, without waiting.
    30 EventTake event_take(event, mask) on Event with WAIT;
    /// Writes the [`crate::statistics::Statistics`] of the machine's memory and processors to `statistics`.
    31 SystemStatistics system_statistics(system, statistics) on System with INSPECT fails BadAddress;
}

impl Sysno {
    /// The call's line in the table.
    pub fn call(self) -> &'static Call {
        // The table is in the order of the numbers, without holes; a test holds it to that.
        &CALLS[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers are part of the contract: a change here is a change of the ABI.
    #[test]
    fn golden_numbers() {
        let table: Vec<_> = CALLS
            .iter()
            .map(|call| (call.number as u64, call.name))
            .collect();
        assert_eq!(
            table,
            [
                (0, "abi_version"),
                (1, "process_exit"),
                (2, "thread_yield"),
                (3, "log_write"),
                (4, "clock_read"),
                (5, "handle_close"),
                (6, "handle_duplicate"),
                (7, "handle_give"),
                (8, "vm_area_create"),
                (9, "vm_area_info"),
                (10, "vm_area_resize"),
                (11, "vm_area_commit"),
                (12, "vm_area_decommit"),
                (13, "vm_area_snapshot"),
                (14, "process_map"),
                (15, "process_unmap"),
                (16, "process_protect"),
                (17, "process_create"),
                (18, "process_kill"),
                (19, "process_info"),
                (20, "process_set_limit"),
                (21, "process_on_exit"),
                (22, "process_on_exception"),
                (23, "exception_read"),
                (24, "exception_resume"),
                (25, "thread_create"),
                (26, "thread_exit"),
                (27, "event_create"),
                (28, "event_signal"),
                (29, "event_wait"),
                (30, "event_take"),
                (31, "system_statistics"),
            ]
        );
    }

    #[test]
    fn numbers_find_their_line_and_unknown_ones_are_errors() {
        for (index, call) in CALLS.iter().enumerate() {
            assert_eq!(Sysno::try_from(index as u64), Ok(call.number));
            assert_eq!(call.number.call().name, call.name);
        }
        for number in [
            CALLS.len() as u64,
            u64::from(u32::MAX),
            1 << 32,
            1 << 63,
            u64::MAX,
        ] {
            assert_eq!(Sysno::try_from(number), Err(Error::UnknownCall));
        }
    }

    #[test]
    fn a_call_on_an_object_names_its_handle_first() {
        for call in CALLS {
            if call.object.is_some() {
                assert!(
                    !call.arguments.is_empty(),
                    "{} has no handle argument",
                    call.name
                );
            }
        }
    }
}
