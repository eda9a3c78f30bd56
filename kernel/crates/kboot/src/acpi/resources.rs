//! What a device's `_CRS` says: resource descriptors (ACPI 6.5, 6.4), read without trust.
//!
//! The parser of the `acpi` crate stops the program at descriptors that it does not know, so that this one is our own: it passes over
//! them.

/// What a resource is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// I/O ports.
    Ports,
    /// Physical memory.
    Memory {
        /// Whether it can be written to.
        is_writable: bool,
    },
    /// Interrupts. Numbers below 16 are those of the ISA bus, if `is_isa`.
    Interrupts {
        /// A level counts, not an edge.
        is_level: bool,
        /// Active when low.
        is_low: bool,
        /// Other devices may use it, too.
        is_shared: bool,
        /// The descriptor can name interrupts of the ISA bus only.
        is_isa: bool,
    },
}

/// A resource of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource {
    /// What it is.
    pub kind: Kind,
    /// The first port, address or interrupt.
    pub start: u64,
    /// How many there are; never 0.
    pub len: u64,
}

/// A descriptor without its first bytes.
#[derive(Clone, Copy)]
struct Descriptor<'a> {
    tag: u8,
    body: &'a [u8],
}

/// Small descriptors: bits 3 to 6 of the first byte (table 6.28).
mod small {
    pub const IRQ: u8 = 0x04;
    pub const PORTS: u8 = 0x08;
    pub const FIXED_PORTS: u8 = 0x09;
    pub const END: u8 = 0x0f;
}

/// Large descriptors: the whole first byte (table 6.40).
mod large {
    pub const MEMORY_24: u8 = 0x81;
    pub const MEMORY_32: u8 = 0x85;
    pub const FIXED_MEMORY_32: u8 = 0x86;
    pub const SPACE_32: u8 = 0x87;
    pub const SPACE_16: u8 = 0x88;
    pub const INTERRUPTS: u8 = 0x89;
    pub const SPACE_64: u8 = 0x8a;
    pub const SPACE_EXTENDED: u8 = 0x8b;
}

/// Takes a descriptor off `bytes`; none at the end, or when the last one is not whole.
fn take<'a>(bytes: &mut &'a [u8]) -> Option<Descriptor<'a>> {
    let (first, rest) = bytes.split_first()?;
    let (tag, len, rest) = if first & 0x80 == 0 {
        (first >> 3, usize::from(first & 7), rest)
    } else {
        let (len, rest) = rest.split_first_chunk()?;
        (*first, usize::from(u16::from_le_bytes(*len)), rest)
    };
    if tag == small::END {
        return None;
    }
    let (body, rest) = rest.split_at_checked(len)?;
    *bytes = rest;
    Some(Descriptor { tag, body })
}

impl Descriptor<'_> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.body.get(at).copied()
    }

    /// A little-endian number of so many bytes.
    fn number(&self, at: usize, bytes: usize) -> Option<u64> {
        let bytes = self.body.get(at..at.checked_add(bytes)?)?;
        Some(
            bytes
                .iter()
                .rev()
                .fold(0, |number, byte| number << 8 | u64::from(*byte)),
        )
    }

    /// The resource number `index` of this descriptor, most of which have one.
    fn resource(&self, index: usize) -> Option<Resource> {
        if self.tag == small::IRQ {
            return self.irq(index);
        }
        if self.tag == large::INTERRUPTS {
            return self.interrupt(index);
        }
        let one = match self.tag {
            small::PORTS => Resource {
                kind: Kind::Ports,
                start: self.number(1, 2)?,
                len: self.number(6, 1)?,
            },
            // Ten bits are decoded.
            small::FIXED_PORTS => Resource {
                kind: Kind::Ports,
                start: self.number(0, 2)? & 0x3ff,
                len: self.number(2, 1)?,
            },
            // In units of 256 bytes.
            large::MEMORY_24 => self.memory(self.number(1, 2)? << 8, self.number(7, 2)? << 8)?,
            large::MEMORY_32 => self.memory(self.number(1, 4)?, self.number(13, 4)?)?,
            large::FIXED_MEMORY_32 => self.memory(self.number(1, 4)?, self.number(5, 4)?)?,
            large::SPACE_16 => self.space(3, 2)?,
            large::SPACE_32 => self.space(3, 4)?,
            large::SPACE_64 => self.space(3, 8)?,
            large::SPACE_EXTENDED => self.space(5, 8)?,
            _ => return None,
        };
        (index == 0 && one.len != 0).then_some(one)
    }

    fn memory(&self, start: u64, len: u64) -> Option<Resource> {
        let is_writable = self.byte(0)? & 1 != 0;
        let kind = Kind::Memory { is_writable };
        Some(Resource { kind, start, len })
    }

    /// A descriptor of an address space, whose numbers have so many bytes and begin at an offset: granularity, first, last, offset, length.
    fn space(&self, at: usize, bytes: usize) -> Option<Resource> {
        let (space, general, special) = (self.byte(0)?, self.byte(1)?, self.byte(2)?);
        // What a bridge passes on to others belongs to those.
        if general & 1 == 0 {
            return None;
        }
        let kind = match space {
            0 => Kind::Memory {
                is_writable: special & 1 != 0,
            },
            1 => Kind::Ports,
            _ => return None,
        };
        let start = self.number(at.checked_add(bytes)?, bytes)?;
        let len = self.number(at.checked_add(bytes.checked_mul(4)?)?, bytes)?;
        Some(Resource { kind, start, len })
    }

    /// One of the interrupts of the ISA bus: a bit for each. Without flags they are edges, active high.
    fn irq(&self, index: usize) -> Option<Resource> {
        let mask = self.number(0, 2)?;
        let flags = self.byte(2).unwrap_or(1);
        let mut set = (0..16).filter(|bit| mask >> bit & 1 != 0);
        Some(Resource {
            kind: Kind::Interrupts {
                is_level: flags & 1 == 0,
                is_low: flags >> 3 & 1 != 0,
                is_shared: flags >> 4 & 1 != 0,
                is_isa: true,
            },
            start: set.nth(index)?,
            len: 1,
        })
    }

    fn interrupt(&self, index: usize) -> Option<Resource> {
        let (flags, count) = (self.byte(0)?, usize::from(self.byte(1)?));
        if flags & 1 == 0 || index >= count {
            return None;
        }
        Some(Resource {
            kind: Kind::Interrupts {
                is_level: flags >> 1 & 1 == 0,
                is_low: flags >> 2 & 1 != 0,
                is_shared: flags >> 3 & 1 != 0,
                is_isa: false,
            },
            start: self.number(index.checked_mul(4)?.checked_add(2)?, 4)?,
            len: 1,
        })
    }
}

/// The resources that `bytes`, the content of a `_CRS` buffer, name; up to the end tag, or to what is not whole.
pub fn resources(mut bytes: &[u8]) -> impl Iterator<Item = Resource> {
    let mut current: Option<(Descriptor<'_>, usize)> = None;
    core::iter::from_fn(move || {
        loop {
            if let Some((descriptor, index)) = &mut current
                && let Some(resource) = descriptor.resource(*index)
            {
                *index = index.saturating_add(1);
                return Some(resource);
            }
            current = Some((take(&mut bytes)?, 0));
        }
    })
}

/// The text of an identifier that is given as a number (ACPI 6.5, 19.3.4): three letters and four hexadecimal digits; none if there are
/// no such letters.
pub fn eisa_id(number: u64) -> Option<[u8; 7]> {
    let number = u32::try_from(number).ok()?.swap_bytes();
    let letter = |shift: u32| {
        let letter = (number >> shift & 0x1f) as u8;
        (1..=26)
            .contains(&letter)
            .then(|| letter.wrapping_add(b'A' - 1))
    };
    let digit = |shift: u32| match (number >> shift & 0xf) as u8 {
        digit @ 0..=9 => digit.wrapping_add(b'0'),
        digit => digit.wrapping_add(b'A' - 10),
    };
    Some([
        letter(26)?,
        letter(21)?,
        letter(16)?,
        digit(12),
        digit(8),
        digit(4),
        digit(0),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EDGE: Kind = Kind::Interrupts {
        is_level: false,
        is_low: false,
        is_shared: false,
        is_isa: true,
    };

    fn ports(start: u64, len: u64) -> Resource {
        let kind = Kind::Ports;
        Resource { kind, start, len }
    }

    fn found(bytes: &[u8]) -> Vec<Resource> {
        resources(bytes).collect()
    }

    /// What QEMU says of its serial port, keyboard and clock.
    #[test]
    fn devices_of_a_pc() {
        let serial = [
            0x47, 1, 0xf8, 3, 0xf8, 3, 0, 8, 0x22, 0x10, 0, 0x79, 0, 0xff,
        ];
        let line = |start| Resource {
            kind: EDGE,
            start,
            len: 1,
        };
        assert_eq!(found(&serial), [ports(0x3f8, 8), line(4)]);
        let keyboard = [
            0x47, 1, 0x60, 0, 0x60, 0, 1, 1, 0x47, 1, 0x64, 0, 0x64, 0, 1, 1, 0x22, 2, 0, 0x79, 0,
        ];
        assert_eq!(found(&keyboard), [ports(0x60, 1), ports(0x64, 1), line(1)]);
        let clock = [0x47, 1, 0x70, 0, 0x70, 0, 1, 8, 0x23, 0, 1, 0x19, 0x79, 0];
        let shared = Kind::Interrupts {
            is_level: false,
            is_low: true,
            is_shared: true,
            is_isa: true,
        };
        let line = Resource {
            kind: shared,
            start: 8,
            len: 1,
        };
        assert_eq!(found(&clock), [ports(0x70, 8), line]);
    }

    #[test]
    fn large_descriptors() {
        let memory = |start, len, is_writable| Resource {
            kind: Kind::Memory { is_writable },
            start,
            len,
        };
        let fixed = [0x86, 9, 0, 1, 0, 0, 0xd0, 0xfe, 0, 4, 0, 0];
        assert_eq!(found(&fixed), [memory(0xfed0_0000, 0x400, true)]);
        let two = [0x89, 10, 0, 0b1011, 2, 16, 0, 0, 0, 17, 1, 0, 0];
        let kind = Kind::Interrupts {
            is_level: false,
            is_low: false,
            is_shared: true,
            is_isa: false,
        };
        let line = |start| Resource {
            kind,
            start,
            len: 1,
        };
        assert_eq!(found(&two), [line(16), line(0x111)]);
        // What a bridge passes on, and what a device uses itself.
        let mut space = [0; 46];
        space[..6].copy_from_slice(&[0x8a, 43, 0, 0, 0, 1]);
        space[14..22].copy_from_slice(&0x80_0000_0000_u64.to_le_bytes());
        space[38..46].copy_from_slice(&0x1000_u64.to_le_bytes());
        assert_eq!(found(&space), []);
        space[4] = 1;
        assert_eq!(found(&space), [memory(0x80_0000_0000, 0x1000, true)]);
    }

    #[test]
    fn what_is_not_known_is_passed_over() {
        // A DMA channel, dependent functions, a vendor's own, both sizes; then ports.
        let bytes = [
            0x2a, 1, 0, 0x31, 0, 0x38, 0x72, 1, 2, 0x84, 3, 0, 1, 2, 3, 0x4b, 0x20, 0xfe, 4,
        ];
        assert_eq!(found(&bytes), [ports(0x220, 4)]);
    }

    #[test]
    fn identifiers() {
        assert_eq!(eisa_id(0x0105_d041).as_ref(), Some(b"PNP0501"));
        assert_eq!(eisa_id(0x0303_d041).as_ref(), Some(b"PNP0303"));
        assert_eq!(eisa_id(0x000b_d041).as_ref(), Some(b"PNP0B00"));
        assert_eq!(eisa_id(0), None);
        assert_eq!(eisa_id(u64::MAX), None);
        assert_eq!(eisa_id(0xffff_ffff), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let count = resources(&bytes).inspect(|resource| assert_ne!(resource.len, 0)).count();
            prop_assert!(count <= bytes.len() * 16);
        }

        #[test]
        fn descriptors_before_what_is_cut_off_count(start in 0u16.., len in 1u8.., cut in 0usize..8) {
            let [low, high] = start.to_le_bytes();
            let one = [0x47, 1, low, high, low, high, 1, len];
            let mut bytes = one.to_vec();
            bytes.extend(&one[..cut]);
            prop_assert_eq!(found(&bytes), [ports(start.into(), len.into())]);
        }

        #[test]
        fn any_number_is_an_identifier_or_none(number in any::<u64>()) {
            if let Some(id) = eisa_id(number) {
                prop_assert!(id.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()));
            }
        }
    }
}
