//! `srv.tmpfs`: files in memory, as the service `files.tmp`. It is given nothing but its way to the directory, and as an argument,
//! if need be, how many MiB of files it may hold.

#![cfg_attr(target_os = "none", no_std, no_main)]

use sys::Context;

fn main_of_program(context: &Context) -> u64 {
    match tmpfs::server::run(context) {
        Ok(()) => 0,
        Err(failure) => {
            log::error!("{failure}");
            1
        }
    }
}

sys::program!(main_of_program);

#[cfg(not(target_os = "none"))]
fn main() {
    // Programs run in jsix; on the host they are only type-checked.
    let _: fn(&Context) -> u64 = main_of_program;
}
