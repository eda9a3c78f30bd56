//! From the first instruction of a process to its `main`: reads the System V initial stack.

use core::ffi::CStr;
use core::fmt::{Arguments, Write};
use core::sync::atomic::{AtomicU64, Ordering};

use abi::{Handle, auxv};

use crate::Line;

/// The handle of the machine, for the panic handler; 0 (which names nothing) before the start.
static SYSTEM: AtomicU64 = AtomicU64::new(0);

/// What the creator of the process gave it.
pub struct Context {
    argc: usize,
    argv: *const *const u8,
    own: Option<Handle>,
    memory: Option<Handle>,
    ports: Option<Handle>,
    lines: Option<Handle>,
    system: Option<Handle>,
    abi_version: u64,
}

impl Context {
    /// The argument at `index`; number 0 is the program's name.
    pub fn argument(&self, index: usize) -> Option<&str> {
        if index >= self.argc {
            return None;
        }
        // SAFETY: the initial stack holds `argc` pointers to NUL-terminated strings, and stays mapped.
        let text = unsafe { CStr::from_ptr((*self.argv.add(index)).cast()) };
        text.to_str().ok()
    }

    /// The handle of this process.
    pub fn own(&self) -> Option<Handle> {
        self.own
    }

    /// The resource of the machine's physical memory, if this program was given it.
    pub fn memory(&self) -> Option<Handle> {
        self.memory
    }

    /// The resource of the machine's I/O ports, if this program was given it.
    pub fn ports(&self) -> Option<Handle> {
        self.ports
    }

    /// The resource of the machine's interrupt lines, if this program was given it.
    pub fn lines(&self) -> Option<Handle> {
        self.lines
    }

    /// The machine, if a right on it was given: to write to its log, to ask for statistics.
    pub fn system(&self) -> Option<Handle> {
        self.system
    }

    /// The ABI version that the creator named.
    pub fn abi_version(&self) -> u64 {
        self.abi_version
    }

    /// The initial stack as the creator laid it out: argc, argv, environment, auxiliary vector.
    pub fn initial_stack(&self) -> *const u64 {
        self.argv.cast::<u64>().wrapping_sub(1)
    }

    /// Writes one line to the log; without a log it is lost.
    pub fn print(&self, text: Arguments<'_>) {
        let mut line = Line::new();
        // A line that is too long is cut; there is nobody to tell.
        let _ = line.write_fmt(text);
        if let Some(system) = self.system {
            let _ = crate::call::system_log_write(system, abi::log::Level::Info, line.as_bytes());
        }
    }
}

/// The process's handle of the machine.
pub fn system() -> Option<Handle> {
    match SYSTEM.load(Ordering::Relaxed) {
        0 => None,
        handle => Some(Handle(handle)),
    }
}

#[cfg(target_os = "none")]
mod entry {
    use super::start;

    unsafe extern "Rust" {
        fn jsix_main(context: &super::Context) -> u64;
    }

    /// First instruction of every program: hands the initial stack pointer to [`first`].
    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    extern "C" fn _start() -> ! {
        core::arch::naked_asm!("mov rdi, rsp", "xor ebp, ebp", "and rsp, -16", "call {first}", "ud2", first = sym first)
    }

    extern "C" fn first(stack: *const u64) -> ! {
        // SAFETY: this is the initial stack of the process.
        let context = unsafe { start(stack) };
        // SAFETY: every program defines `jsix_main` with this signature, through `program!`.
        let status = unsafe { jsix_main(&context) };
        crate::call::process_exit(status)
    }
}

/// Reads arguments and auxiliary vector.
///
/// # Safety
/// `stack` points to a System V initial stack that stays as it is.
#[cfg_attr(
    not(target_os = "none"),
    allow(dead_code, reason = "called by the entry point only")
)]
unsafe fn start(stack: *const u64) -> Context {
    // SAFETY: argc, then argc pointers and a null, then the environment's pointers and a null, then pairs up to a null tag.
    unsafe {
        let argc = *stack as usize;
        let argv = stack.add(1).cast::<*const u8>();
        let mut at = stack.add(1 + argc + 1);
        while *at != 0 {
            at = at.add(1);
        }
        at = at.add(1);
        let mut context = Context {
            argc,
            argv,
            own: None,
            memory: None,
            ports: None,
            lines: None,
            system: None,
            abi_version: 0,
        };
        while *at != auxv::NULL {
            let value = *at.add(1);
            match *at {
                auxv::SELF_HANDLE => context.own = Some(Handle(value)),
                auxv::MEMORY_HANDLE => context.memory = Some(Handle(value)),
                auxv::PORTS_HANDLE => context.ports = Some(Handle(value)),
                auxv::LINES_HANDLE => context.lines = Some(Handle(value)),
                auxv::SYSTEM_HANDLE => context.system = Some(Handle(value)),
                auxv::ABI_VERSION => context.abi_version = value,
                _ => {}
            }
            at = at.add(2);
        }
        let system = context.system.map_or(0, |handle| handle.0);
        SYSTEM.store(system, Ordering::Relaxed);
        context
    }
}
