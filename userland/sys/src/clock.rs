//! The real-time clock as a source of interrupts, which every PC has: many a second, until they are stopped
//! (Motorola MC146818A data sheet).
//!
//! Its line becomes high with the first one, and stays so until the register of causes is read.

use abi::{Error, Handle};

use crate::{Context, call, port};

/// The ISA interrupt of the clock.
pub const ISA: u64 = 8;
/// Index and data of its registers.
pub const INDEX: u16 = 0x70;
/// How many ports it has.
pub const PORTS: u64 = 2;

const REGISTER_A: u8 = 0x0a;
const REGISTER_B: u8 = 0x0b;
const REGISTER_C: u8 = 0x0c;
/// Register A: how often, the rate `32768 >> (n - 1)` a second.
const RATE: u8 = 0x0f;
/// Register B: fires at that rate.
const PERIODIC: u8 = 1 << 6;
/// Register B: all that makes it fire.
const CAUSES: u8 = 0b111 << 4;

/// The clock; it fires no more when this is dropped. The process may use its ports.
pub struct Clock(());

impl Clock {
    /// Makes it fire 8192 times a second (rate 3), 1024 times (rate 6), 64 times (rate 10).
    pub fn start(rate: u8) -> Self {
        Self::stop();
        let old = read(REGISTER_A) & !RATE;
        write(REGISTER_A, old | rate & RATE);
        write(REGISTER_B, read(REGISTER_B) & !CAUSES | PERIODIC);
        Self(())
    }

    /// Makes its line low, so that it can fire again; whether it was high.
    pub fn serve(&self) -> bool {
        read(REGISTER_C) >> 7 != 0
    }

    fn stop() {
        write(REGISTER_B, read(REGISTER_B) & !CAUSES);
        read(REGISTER_C);
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        Self::stop();
    }
}

/// Lets this process use the ports of the clock. For programs that were given the resource of all ports.
///
/// # Errors
/// As the calls that narrow and grant; `NotReady` without the resource.
pub fn grant(context: &Context) -> Result<(), Error> {
    let ports = context.ports().ok_or(Error::NotReady)?;
    let ports = call::resource_narrow(ports, u64::from(INDEX), PORTS)?;
    let granted = call::resource_grant_ports(ports, context.own());
    call::handle_close(ports)?;
    granted
}

/// The clock's interrupt, taken in one of the ways of [`abi::interrupt`]. For programs that were given the resource of all lines.
///
/// # Errors
/// As the calls that find and take the line; `NotReady` without the resource.
pub fn interrupt(context: &Context, mode: u64) -> Result<Handle, Error> {
    let lines = context.lines().ok_or(Error::NotReady)?;
    let line = call::resource_isa_line(lines, ISA)?;
    call::interrupt_create(lines, line, mode)
}

fn read(register: u8) -> u8 {
    port::write8(INDEX, register);
    port::read8(INDEX + 1)
}

fn write(register: u8, value: u8) {
    port::write8(INDEX, register);
    port::write8(INDEX + 1, value);
}
