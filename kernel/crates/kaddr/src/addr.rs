//! The two kinds of address: physical and virtual.
//!
//! Both hold any 64-bit number, because the end of a half-open range must be representable too.
//! Code that puts an address into hardware checks it where it does so: [`VirtAddr::is_canonical`]
//! and [`PhysAddr::is_valid`].

use core::fmt;

use crate::{HUGE, LARGE, PAGE_SIZE, PHYS_BITS};

macro_rules! address {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name(u64);

        impl $name {
            /// Address zero.
            pub const ZERO: Self = Self(0);
            /// The highest number that the type can hold.
            pub const MAX: Self = Self(u64::MAX);

            /// Wraps a number.
            #[inline]
            pub const fn new(value: u64) -> Self {
                Self(value)
            }

            /// The number.
            #[inline]
            pub const fn as_u64(self) -> u64 {
                self.0
            }

            /// The address `bytes` higher, or `None` if that does not fit in 64 bits.
            #[inline]
            pub const fn checked_add(self, bytes: u64) -> Option<Self> {
                match self.0.checked_add(bytes) {
                    Some(sum) => Some(Self(sum)),
                    None => None,
                }
            }

            /// The address `bytes` lower, or `None` below zero.
            #[inline]
            pub const fn checked_sub(self, bytes: u64) -> Option<Self> {
                match self.0.checked_sub(bytes) {
                    Some(difference) => Some(Self(difference)),
                    None => None,
                }
            }

            /// How far this address is above `lower`, or `None` if it is below it.
            #[inline]
            pub const fn offset_from(self, lower: Self) -> Option<u64> {
                self.0.checked_sub(lower.0)
            }

            /// Whether the address is a multiple of `align`.
            ///
            /// # Panics
            /// If `align` is not a power of two; all three alignment functions want one.
            #[inline]
            pub const fn is_aligned(self, align: u64) -> bool {
                assert!(align.is_power_of_two());
                self.0 & (align - 1) == 0
            }

            /// The highest multiple of `align` that is not above the address.
            ///
            /// # Panics
            /// If `align` is not a power of two.
            #[inline]
            pub const fn align_down(self, align: u64) -> Self {
                assert!(align.is_power_of_two());
                Self(self.0 & !(align - 1))
            }

            /// The lowest multiple of `align` that is not below the address, or `None` if that
            /// does not fit in 64 bits.
            ///
            /// # Panics
            /// If `align` is not a power of two.
            #[inline]
            pub const fn align_up(self, align: u64) -> Option<Self> {
                assert!(align.is_power_of_two());
                match self.0.checked_add(align - 1) {
                    Some(sum) => Some(Self(sum & !(align - 1))),
                    None => None,
                }
            }

            /// The offset of the address in its 4 KiB page.
            #[inline]
            pub const fn page_offset(self) -> u64 {
                self.0 & (PAGE_SIZE - 1)
            }

            /// Whether the address starts a 4 KiB page.
            #[inline]
            pub const fn is_page_aligned(self) -> bool {
                self.is_aligned(PAGE_SIZE)
            }

            /// Whether the address starts a 2 MiB page.
            #[inline]
            pub const fn is_large_aligned(self) -> bool {
                self.is_aligned(LARGE)
            }

            /// Whether the address starts a 1 GiB page.
            #[inline]
            pub const fn is_huge_aligned(self) -> bool {
                self.is_aligned(HUGE)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:#x})"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }

        impl fmt::LowerHex for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::LowerHex::fmt(&self.0, f)
            }
        }

        impl From<$name> for u64 {
            fn from(address: $name) -> u64 {
                address.0
            }
        }
    };
}

address! {
    /// A physical address.
    PhysAddr
}

address! {
    /// A virtual (linear) address.
    VirtAddr
}

impl PhysAddr {
    /// Whether a processor can have this address at all: at most 52 bits.
    #[inline]
    pub const fn is_valid(self) -> bool {
        self.0 >> PHYS_BITS == 0
    }
}

impl VirtAddr {
    /// The address if it is canonical with 48 bits, as it must be for 4-level paging.
    #[inline]
    pub const fn canonical(value: u64) -> Option<Self> {
        if Self(value).is_canonical(48) {
            Some(Self(value))
        } else {
            None
        }
    }

    /// Whether bit `bits - 1` equals all the bits above it (Intel SDM Vol. 1 section 3.3.7.1):
    /// 48 bits with 4-level paging, 57 with 5-level paging.
    ///
    /// # Panics
    /// If `bits` is not in 1..=64.
    #[inline]
    pub const fn is_canonical(self, bits: u32) -> bool {
        assert!(bits >= 1 && bits <= 64);
        let shift = 64 - bits;
        ((self.0 << shift) as i64 >> shift) as u64 == self.0
    }

    /// Whether the address is in the upper half, the kernel's.
    #[inline]
    pub const fn is_upper_half(self) -> bool {
        self.0 >> 63 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::{PhysAddr, VirtAddr};

    #[test]
    fn arithmetic_stops_at_the_ends() {
        assert_eq!(PhysAddr::MAX.checked_add(1), None);
        assert_eq!(PhysAddr::ZERO.checked_sub(1), None);
        assert_eq!(PhysAddr::MAX.align_up(4096), None);
        assert_eq!(VirtAddr::new(1).align_up(4096), Some(VirtAddr::new(4096)));
        assert_eq!(
            VirtAddr::new(4096).align_up(4096),
            Some(VirtAddr::new(4096))
        );
        assert_eq!(VirtAddr::new(8191).align_down(4096), VirtAddr::new(4096));
        assert_eq!(PhysAddr::new(9).offset_from(PhysAddr::new(4)), Some(5));
        assert_eq!(PhysAddr::new(4).offset_from(PhysAddr::new(9)), None);
    }

    #[test]
    fn canonical_addresses_have_their_top_bits_equal() {
        for (value, four, five) in [
            (0, true, true),
            (0x0000_7fff_ffff_ffff, true, true),
            (0x0000_8000_0000_0000, false, true),
            (0xffff_7fff_ffff_ffff, false, true),
            (0xffff_8000_0000_0000, true, true),
            (0x0100_0000_0000_0000, false, false),
            (0xfeff_ffff_ffff_ffff, false, false),
            (u64::MAX, true, true),
        ] {
            assert_eq!(VirtAddr::new(value).is_canonical(48), four, "{value:#x}");
            assert_eq!(VirtAddr::new(value).is_canonical(57), five, "{value:#x}");
            assert_eq!(VirtAddr::canonical(value).is_some(), four, "{value:#x}");
        }
        assert!(VirtAddr::new(0xffff_8000_0000_0000).is_upper_half());
        assert!(!VirtAddr::new(0x7fff_ffff_f000).is_upper_half());
    }

    #[test]
    fn physical_addresses_have_52_bits() {
        assert!(PhysAddr::new((1 << 52) - 1).is_valid());
        assert!(!PhysAddr::new(1 << 52).is_valid());
    }

    #[test]
    fn both_print_in_hexadecimal() {
        assert_eq!(format!("{}", PhysAddr::new(0x1000)), "0x1000");
        assert_eq!(format!("{:?}", VirtAddr::new(0x1000)), "VirtAddr(0x1000)");
        assert_eq!(
            format!("{:#018x}", PhysAddr::new(0x1000)),
            "0x0000000000001000"
        );
    }
}
