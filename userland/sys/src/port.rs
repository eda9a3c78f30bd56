//! I/O ports, for drivers. A port that the process may not use (`resource_grant_ports`) is an exception: the program ends.

#[cfg(target_os = "none")]
use core::arch::asm;

macro_rules! ports {
    ($($read:ident $write:ident $type:ty, $register:tt, $what:literal;)+) => {$(
        #[doc = concat!("Reads ", $what, " from a port.")]
        #[inline]
        pub fn $read(port: u16) -> $type {
            #[cfg(not(target_os = "none"))]
            return crate::host::port_read(port, size_of::<$type>() as u8) as $type;
            #[cfg(target_os = "none")]
            {
            let value;
            // SAFETY: changes no memory of the program, unless the device does, which is its owner's business.
            unsafe { asm!(concat!("in ", $register, ", dx"), out($register) value, in("dx") port, options(nostack, preserves_flags)) };
            value
            }
        }

        #[doc = concat!("Writes ", $what, " to a port.")]
        #[inline]
        pub fn $write(port: u16, value: $type) {
            #[cfg(not(target_os = "none"))]
            crate::host::port_write(port, size_of::<$type>() as u8, value.into());
            // SAFETY: as above.
            #[cfg(target_os = "none")]
            unsafe { asm!(concat!("out dx, ", $register), in("dx") port, in($register) value, options(nostack, preserves_flags)) };
        }
    )+};
}

ports! {
    read8 write8 u8, "al", "a byte";
    read16 write16 u16, "ax", "two bytes";
    read32 write32 u32, "eax", "four bytes";
}
