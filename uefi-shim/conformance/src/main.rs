//! A Limine-protocol kernel that prints every answer of the boot loader in a canonical form.
//!
//! Lines that begin with `conf: ` are the same for every loader that keeps to the protocol: what a
//! loader may choose freely, such as addresses, is printed as its properties. Lines that begin with
//! `note: ` show what differs by nature. The first line is `conf: begin`, the last `conf: end`.
//! With `qemu-exit=PORT` on the command line, QEMU ends with status 33 (the value 0x10), or 127
//! (0x3f) after a panic; without it, the processor halts.
//!
//! Neighbours: `requests` asks, `entry` catches the state of the machine, and the modules under
//! `report` print.

#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod entry;
#[cfg(target_os = "none")]
mod hardware;
#[cfg(target_os = "none")]
mod layout;
#[cfg(target_os = "none")]
mod report;
#[cfg(target_os = "none")]
mod requests;
#[cfg(target_os = "none")]
mod walk;

#[cfg(not(target_os = "none"))]
fn main() {
    println!("The conformance kernel runs without an operating system; `scripts/test` boots it.");
}
