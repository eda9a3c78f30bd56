//! What the children do.

use abi::handle::Info;
use abi::{Error, Handle, ObjectType, PAGE_SIZE, Rights, area, auxv};
use sys::{Context, call};

use crate::image;
use crate::told::Told;

// Thread-local storage as a compiler lays it out: a word, the address of something, a word that begins as zero; aligned to more than usual.
#[cfg(target_os = "none")]
core::arch::global_asm!(
    ".section .tdata,\"awT\",@progbits",
    ".balign 32",
    "spawned_word: .quad 0x1122334455667788",
    "spawned_address: .quad spawned_target",
    ".section .tbss,\"awT\",@nobits",
    ".balign 64",
    "spawned_zero: .skip 40",
    ".section .rodata.spawned,\"a\",@progbits",
    ".globl spawned_target",
    "spawned_target: .quad 0x99",
    ".text",
);

/// The words of thread-local storage: the first one, what the second one names, the third one, where the last one is, and the word at the thread
/// pointer.
#[cfg(target_os = "none")]
fn thread_local() -> [u64; 5] {
    let (word, named, zero, place, own): (u64, u64, u64, u64, u64);
    // SAFETY: reads thread-local storage, as compilers do.
    unsafe {
        core::arch::asm!(
            "mov {word}, qword ptr fs:[spawned_word@TPOFF]",
            "mov {named}, qword ptr fs:[spawned_address@TPOFF]",
            "mov {named}, qword ptr [{named}]",
            "mov {zero}, qword ptr fs:[spawned_zero@TPOFF]",
            "mov {own}, qword ptr fs:[0]",
            "lea {place}, [{own} + spawned_zero@TPOFF]",
            word = out(reg) word,
            named = out(reg) named,
            zero = out(reg) zero,
            own = out(reg) own,
            place = out(reg) place,
            options(readonly, nostack),
        );
    }
    [word, named, zero, place, own]
}

#[cfg(not(target_os = "none"))]
fn thread_local() -> [u64; 5] {
    [0; 5]
}

/// The numbers of the checks, which a child ends with when one fails.
pub const CHECKS: [&str; 12] = [
    "",
    "arguments",
    "environment",
    "the stack pointer",
    "program headers and bias",
    "versions and random bytes",
    "thread-local storage",
    "names of handles",
    "handles do what they should",
    "what was not given is absent",
    "text stays as it is",
    "data stays data",
];

/// Does what a child was told to do; returns its status.
pub fn run(context: &Context, what: &str) -> u64 {
    let told = Told::read(context);
    match what {
        "check" => check(&told),
        "write-text" => write_to(run as *const () as u64),
        "write-constant" => write_to("constant".as_ptr() as u64),
        "write-relocated" => write_to(RELOCATED.as_ptr() as u64),
        "write-nothing" => write_to(8),
        "deep" => deep_1(core::hint::black_box(0x10)),
        "run-data" => run_data(),
        "run-stack" => run_stack(),
        "overflow" => overflow(0),
        "sleep" => sleep(),
        "status" => told.argument(2).parse().unwrap_or(99),
        "stack" => use_stack(),
        _ => 98,
    }
}

/// An address that is known only when the program is loaded.
static RELOCATED: [&str; 2] = ["an", "address"];

fn check(told: &Told) -> u64 {
    let checks: [fn(&Told) -> bool; 11] = [
        arguments,
        environment,
        |told| told.pointer().is_multiple_of(16),
        placed,
        versions,
        |_| tls(),
        names,
        handles,
        absent,
        |told| stays(told, run as *const () as u64, area::READ | area::WRITE),
        |told| stays(told, &raw const DATA as u64, area::READ | area::EXECUTE),
    ];
    let failed = checks.iter().position(|check| !check(told));
    failed.map_or(0, |index| index as u64 + 1)
}

/// Something that can be written to.
static DATA: core::sync::atomic::AtomicU64 = core::sync::atomic::AtomicU64::new(0xc3);

fn arguments(told: &Told) -> bool {
    let expected = ["spawned", "check", "", "t\u{e4}xt with spaces"];
    told.argument_count() == expected.len()
        && (0..expected.len()).all(|index| told.argument(index) == expected[index])
        && told.ends_with_zero()
}

fn environment(told: &Told) -> bool {
    told.variable(0) == Some("TERM=xterm-256color")
        && told.variable(1) == Some("EMPTY=")
        && told.variable(2).is_none()
}

fn placed(told: &Told) -> bool {
    let headers = image::segments();
    let first = headers.as_ptr() as u64;
    let is_moved = told.bias() >= 1 << 40;
    is_moved
        && told.bias().is_multiple_of(PAGE_SIZE)
        && told.bias() == image::start()
        && told.value(auxv::PROGRAM_HEADERS) == Some(first)
        && told.value(auxv::PROGRAM_HEADER_COUNT) == Some(headers.len() as u64)
        && told.value(auxv::PROGRAM_HEADER_SIZE) == Some(56)
        && told.value(auxv::PAGE_SIZE) == Some(PAGE_SIZE)
        && told
            .value(auxv::ENTRY)
            .is_some_and(|entry| entry > told.bias())
}

fn versions(told: &Told) -> bool {
    let Some(random) = told.value(auxv::RANDOM) else {
        return false;
    };
    // SAFETY: 16 bytes are there.
    let random = unsafe { (random as *const [u64; 2]).read_unaligned() };
    told.value(auxv::ABI_VERSION) == Some(call::abi_version())
        && told.value(auxv::INIT_VERSION) == Some(abi::INIT_VERSION)
        && random[0] != random[1]
}

fn tls() -> bool {
    let [word, named, zero, place, own] = thread_local();
    word == 0x1122_3344_5566_7788
        && named == 0x99
        && zero == 0
        && place.is_multiple_of(64)
        && own != 0
        && place < own
}

fn names(told: &Told) -> bool {
    let expected = ["go", "pair", "pair", "pair"];
    let found = told.handles().map(|(name, _)| name);
    found.eq(expected)
}

fn handles(told: &Told) -> bool {
    let info = |handle| call::handle_info(handle).unwrap_or_default();
    let mut objects = told.handles().map(|(_, handle)| info(handle));
    let Some(go) = objects.next() else {
        return false;
    };
    let own = info(told.value(auxv::SELF_HANDLE).map_or(Handle(0), Handle));
    let process = ObjectType::Process.number();
    let event = ObjectType::Event.number();
    let signal = u64::from(Rights::SIGNAL.union(Rights::TRANSFER).0);
    // The bundle is in its order: two events, and the first of them again.
    let pair: [Info; 3] = core::array::from_fn(|_| objects.next().unwrap_or_default());
    own.kind == process
        && (go.kind, go.rights) == (event, signal)
        && pair.iter().all(|info| info.kind == event)
        && pair[0].object == pair[2].object
        && pair[0].object != pair[1].object
        && told.handles().next().is_some_and(|(_, go)| {
            call::event_signal(go, 0x10).is_ok()
                && call::event_take(go, 0x10) == Err(Error::AccessDenied)
        })
}

fn absent(told: &Told) -> bool {
    let tags = [
        auxv::SYSTEM_HANDLE,
        auxv::MEMORY_HANDLE,
        auxv::PORTS_HANDLE,
        auxv::LINES_HANDLE,
    ];
    let own = told.value(auxv::SELF_HANDLE).map_or(Handle(0), Handle);
    let count = call::process_info(own).map(|info| info.handles);
    tags.iter().all(|&tag| told.value(tag).is_none())
        && count == Ok(told.handles().count() as u64 + 1)
}

/// Whether a page cannot be made to allow this.
fn stays(told: &Told, address: u64, access: u64) -> bool {
    let own = told.value(auxv::SELF_HANDLE).map_or(Handle(0), Handle);
    let page = address & !(PAGE_SIZE - 1);
    call::process_protect(own, page, PAGE_SIZE, access) == Err(Error::AccessDenied)
}

fn write_to(address: u64) -> u64 {
    // SAFETY: it faults, which is what this is for; should it not, the program ends at once, with a status that says so.
    unsafe { (address as *mut u8).write_volatile(0xcc) };
    97
}

/// The functions of the calls of a child that ends deep in them, the last one first.
pub const DEEP: [fn(u64) -> u64; 3] = [deep_3, deep_2, deep_1];

#[inline(never)]
fn deep_1(address: u64) -> u64 {
    core::hint::black_box(deep_2(address)) + 1
}

#[inline(never)]
fn deep_2(address: u64) -> u64 {
    core::hint::black_box(deep_3(address)) + 2
}

#[inline(never)]
fn deep_3(address: u64) -> u64 {
    // SAFETY: it faults, which is what this is for.
    unsafe { (address as *mut u64).write_volatile(1) };
    97
}

fn run_at(address: *const u8) -> u64 {
    // SAFETY: it faults, which is what this is for; should it not, there is a return instruction.
    let function: extern "C" fn() = unsafe { core::mem::transmute(address) };
    function();
    97
}

fn run_data() -> u64 {
    run_at((&raw const DATA).cast())
}

fn run_stack() -> u64 {
    let code = core::hint::black_box([0xc3_u8; 16]);
    run_at(code.as_ptr())
}

#[expect(unconditional_recursion, reason = "this is what it is for")]
fn overflow(depth: u64) -> u64 {
    let filler = core::hint::black_box([depth; 64]);
    overflow(depth + 1) + filler[1]
}

/// Uses more of the stack than fits in a page, down to near its end.
fn use_stack() -> u64 {
    let large = core::hint::black_box([1_u8; 900 << 10]);
    large
        .iter()
        .step_by(4096)
        .map(|&byte| u64::from(byte))
        .sum()
}

fn sleep() -> u64 {
    let _ = call::thread_sleep(abi::NEVER);
    97
}
