//! The entry point.

use abi::auxv;

use super::given::Given;
use super::{Context, Handle, set_own, set_system};

unsafe extern "Rust" {
    fn jsix_main(context: &Context) -> u64;
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

/// Reads arguments and auxiliary vector.
///
/// # Safety
/// `stack` points to a System V initial stack that stays as it is, but for the handles in the table of named ones.
unsafe fn start(stack: *const u64) -> Context {
    // SAFETY: argc, then argc pointers and a null, then the environment's pointers and a null, then pairs up to a null tag.
    unsafe {
        let argc = *stack as usize;
        let mut at = stack.add(1 + argc + 1);
        while *at != 0 {
            at = at.add(1);
        }
        at = at.add(1);
        let mut context = Context {
            given: Given::none(),
            own: Handle(0),
            memory: None,
            ports: None,
            lines: None,
            system: None,
            abi_version: 0,
        };
        let (mut table, mut count) = (0, 0);
        while *at != auxv::NULL {
            let value = *at.add(1);
            match *at {
                auxv::HANDLES => table = value,
                auxv::HANDLE_COUNT => count = value,
                tag => context.note(tag, value),
            }
            at = at.add(2);
        }
        context.given = Given::new(stack, table, count);
        // What the kernel gives by numbers, others give by names.
        for (place, name) in [
            (&mut context.system, "system"),
            (&mut context.memory, "memory"),
            (&mut context.ports, "ports"),
            (&mut context.lines, "lines"),
        ] {
            *place = place.or_else(|| context.given.look(name));
        }
        let _ = super::GIVEN.set(context.given);
        set_own(context.own);
        set_system(context.system);
        context
    }
}
