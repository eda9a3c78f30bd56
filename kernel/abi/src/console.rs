//! The kernel's own consoles: where it shows its log until programs drive the devices.

/// The first serial port, COM1.
pub const SERIAL: u64 = 1 << 0;
/// The screen that the boot loader has set up.
pub const SCREEN: u64 = 1 << 1;
