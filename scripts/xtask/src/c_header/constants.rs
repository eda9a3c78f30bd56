//! Numbers that are not in the table of calls, by their names in C.

use std::fmt::Write;

use abi::{area, auxv, console, interrupt, log, message, power, process, resource, thread};

/// A block of numbers: what it is, the start of the names, the rest of each name and the number.
type Block = (&'static str, &'static str, &'static [(&'static str, u64)]);

const BLOCKS: &[Block] = &[
    (
        "The contract, and its limits.",
        "",
        &[
            ("ABI_VERSION", abi::VERSION),
            ("INIT_VERSION", abi::INIT_VERSION),
            ("PAGE_SIZE", abi::PAGE_SIZE),
            ("USER_END", abi::USER_END),
            ("NAME_MAX", abi::NAME_MAX as u64),
            ("LOG_WRITE_MAX", abi::LOG_WRITE_MAX as u64),
            ("LOG_READ_MAX", abi::LOG_READ_MAX as u64),
            ("PROCESS_READ_MAX", abi::PROCESS_READ_MAX as u64),
            ("CPU_SET_MAX", abi::CPU_SET_MAX as u64),
        ],
    ),
    (
        "Tags of the auxiliary vector: docs/process-initialisation.md.",
        "AT_",
        &[
            ("NULL", auxv::NULL),
            ("PHDR", auxv::PROGRAM_HEADERS),
            ("PHENT", auxv::PROGRAM_HEADER_SIZE),
            ("PHNUM", auxv::PROGRAM_HEADER_COUNT),
            ("PAGESZ", auxv::PAGE_SIZE),
            ("BASE", auxv::BASE),
            ("ENTRY", auxv::ENTRY),
            ("RANDOM", auxv::RANDOM),
            ("ABI_VERSION", auxv::ABI_VERSION),
            ("SELF_HANDLE", auxv::SELF_HANDLE),
            ("SYSTEM_HANDLE", auxv::SYSTEM_HANDLE),
            ("MEMORY_HANDLE", auxv::MEMORY_HANDLE),
            ("PORTS_HANDLE", auxv::PORTS_HANDLE),
            ("LINES_HANDLE", auxv::LINES_HANDLE),
            ("INIT_VERSION", auxv::INIT_VERSION),
            ("HANDLES", auxv::HANDLES),
            ("HANDLE_COUNT", auxv::HANDLE_COUNT),
        ],
    ),
    (
        "Areas: kinds, and how devices' memory is cached.",
        "AREA_",
        &[
            ("OPEN", area::OPEN),
            ("GUARDED", area::GUARDED),
            ("RING", area::RING),
            ("FIXED", area::FIXED),
            ("UNCACHED", area::UNCACHED),
            ("WRITE_COMBINING", area::WRITE_COMBINING),
        ],
    ),
    (
        "Processes: states, how memory was accessed, why that failed, and the answers to exceptions.",
        "PROCESS_",
        &[
            ("RUNNING", process::RUNNING),
            ("EXITED", process::EXITED),
            ("FAULTED", process::FAULTED),
            ("READ", process::READ),
            ("WRITE", process::WRITE),
            ("EXECUTE", process::EXECUTE),
            ("OTHER", process::OTHER),
            ("NOT_MAPPED", process::NOT_MAPPED),
            ("PROTECTION", process::PROTECTION),
            ("GUARD", process::GUARD),
            ("BEYOND_AREA", process::BEYOND_AREA),
            ("OUT_OF_MEMORY", process::OUT_OF_MEMORY),
            ("OVER_LIMIT", process::OVER_LIMIT),
            ("RETRY", process::Action::Retry as u64),
            ("END", process::Action::End as u64),
        ],
    ),
    (
        "Threads.",
        "THREAD_",
        &[
            ("RUNNABLE", thread::RUNNABLE),
            ("WAITING", thread::WAITING),
            ("SUSPENDED", thread::SUSPENDED),
            ("ENDED", thread::ENDED),
            ("PRIORITIES", thread::PRIORITIES),
            ("NORMAL_PRIORITY", thread::NORMAL_PRIORITY),
            ("AT_BORDER", thread::AT_BORDER),
            ("IN_CALL", thread::IN_CALL),
            ("FLAGS", thread::FLAGS),
        ],
    ),
    (
        "Messages.",
        "MESSAGE_",
        &[
            ("REGISTER_WORDS", message::REGISTER_WORDS as u64),
            ("WORDS_MAX", message::WORDS_MAX as u64),
            ("HANDLES_MAX", message::HANDLES_MAX as u64),
        ],
    ),
    (
        "Resources: kinds.",
        "RESOURCE_",
        &[
            ("MEMORY", resource::MEMORY),
            ("PORTS", resource::PORTS),
            ("LINES", resource::LINES),
        ],
    ),
    (
        "Interrupts: how a line is taken.",
        "INTERRUPT_",
        &[
            ("AS_WIRED", interrupt::AS_WIRED),
            ("EDGE_HIGH", interrupt::EDGE_HIGH),
            ("EDGE_LOW", interrupt::EDGE_LOW),
            ("LEVEL_HIGH", interrupt::LEVEL_HIGH),
            ("LEVEL_LOW", interrupt::LEVEL_LOW),
        ],
    ),
    (
        "The log: how important a record is.",
        "LOG_",
        &[
            ("ERROR", log::Level::Error as u64),
            ("WARN", log::Level::Warn as u64),
            ("INFO", log::Level::Info as u64),
            ("DEBUG", log::Level::Debug as u64),
            ("TRACE", log::Level::Trace as u64),
        ],
    ),
    (
        "Consoles of the kernel, and what can be done with the machine's power.",
        "MACHINE_",
        &[
            ("SERIAL", console::SERIAL),
            ("SCREEN", console::SCREEN),
            ("OFF", power::Action::Off as u64),
            ("RESTART", power::Action::Restart as u64),
        ],
    ),
];

/// Adds all of them to the header.
pub fn write(text: &mut String) {
    for (about, start, numbers) in BLOCKS {
        let _ = writeln!(text, "\n/* {about} */");
        for (name, number) in *numbers {
            // A `String` takes all of them.
            let _ = if *number < 0x1000 {
                writeln!(text, "#define JSIX_{start}{name} {number}")
            } else {
                writeln!(text, "#define JSIX_{start}{name} {number:#x}u")
            };
        }
    }
    for (name, number) in [("NEVER", abi::NEVER), ("ANY_CPU", process::ANY_CPU)] {
        let _ = writeln!(text, "#define JSIX_{name} {number:#x}u");
    }
}
