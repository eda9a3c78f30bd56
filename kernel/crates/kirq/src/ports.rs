//! I/O ports: ranges, the set of those that a process may use, and the bitmap in which the processor looks them up
//! (Intel SDM vol. 1, 19.5.2; vol. 3A, 8.7).

use crate::IrqError;

/// How many ports there are.
pub const PORTS: u64 = 0x1_0000;
/// Bytes of a bitmap with a bit for each port.
const MAP_BYTES: usize = PORTS as usize / 8;

/// A range of ports, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// `len` ports from `start` on; none if there are not as many, or for no ports at all.
    pub fn new(start: u64, len: u64) -> Option<Self> {
        let last = start.checked_add(len.checked_sub(1)?)?;
        Some(Self {
            first: u16::try_from(start).ok()?,
            last: u16::try_from(last).ok()?,
        })
    }

    /// The ports from the first to the last.
    pub const fn from_to(first: u16, last: u16) -> Option<Self> {
        if first <= last {
            Some(Self { first, last })
        } else {
            None
        }
    }

    /// The first port.
    pub const fn first(&self) -> u16 {
        self.first
    }

    /// The last port.
    pub const fn last(&self) -> u16 {
        self.last
    }

    /// Whether both have a port.
    pub const fn overlaps(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// Whether all ports of the other are in this one.
    pub const fn contains(&self, other: &Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }

    /// Whether both together are one range.
    const fn touches(&self, other: &Self) -> bool {
        self.first as u32 <= other.last as u32 + 1 && other.first as u32 <= self.last as u32 + 1
    }

    fn joined(self, other: Self) -> Self {
        Self {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }
}

/// A set of ports that is at most `N` ranges.
#[derive(Clone, Copy, Debug)]
pub struct PortSet<const N: usize> {
    /// The first `len` count; no two of them touch. In no order.
    ranges: [PortRange; N],
    len: usize,
}

impl<const N: usize> PortSet<N> {
    /// No ports.
    pub const fn new() -> Self {
        Self {
            ranges: [PortRange { first: 0, last: 0 }; N],
            len: 0,
        }
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The ranges; no two of them touch.
    pub fn ranges(&self) -> &[PortRange] {
        self.ranges.get(..self.len).unwrap_or_default()
    }

    /// Adds ports; some may be there already.
    ///
    /// # Errors
    /// [`IrqError::TooManyRanges`]; the set is as before then.
    pub fn add(&mut self, range: PortRange) -> Result<(), IrqError> {
        let mut new = *self;
        let mut joined = range;
        // A range that is joined may then touch one that was looked at before; but that one touched neither, so it cannot.
        let mut index = 0;
        while let Some(other) = new.ranges().get(index).copied() {
            if other.touches(&range) {
                joined = joined.joined(other);
                new.len -= 1;
                new.ranges.swap(index, new.len);
            } else {
                index += 1;
            }
        }
        let place = new.ranges.get_mut(new.len);
        *place.ok_or(IrqError::TooManyRanges)? = joined;
        new.len += 1;
        *self = new;
        Ok(())
    }

    /// Whether a port of the range is in the set.
    pub fn overlaps(&self, range: &PortRange) -> bool {
        self.ranges().iter().any(|own| own.overlaps(range))
    }

    /// Whether all ports of the range are in the set.
    pub fn contains(&self, range: &PortRange) -> bool {
        self.ranges().iter().any(|own| own.contains(range))
    }
}

impl<const N: usize> Default for PortSet<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// The bitmap of a task-state segment, as the processor reads it: a bit is clear where a port may be used. The processor always reads
/// two bytes, so that one follows the last, with all bits set.
#[derive(Debug)]
#[repr(C)]
pub struct Permissions {
    bits: [u8; MAP_BYTES],
    end: u8,
    /// The range outside of which all bits are set.
    span: Option<PortRange>,
}

impl Permissions {
    /// Bytes that the processor reads, from the begin of this on.
    pub const LEN: usize = MAP_BYTES + 1;

    /// No port may be used.
    pub const fn none() -> Self {
        Self {
            bits: [0xff; MAP_BYTES],
            end: 0xff,
            span: None,
        }
    }

    /// Allows the ports of a set, and no others.
    pub fn load<const N: usize>(&mut self, set: &PortSet<N>) {
        if let Some(old) = self.span.take() {
            self.change(old, |byte, bits| *byte |= bits);
        }
        for range in set.ranges() {
            self.change(*range, |byte, bits| *byte &= !bits);
            self.span = Some(self.span.map_or(*range, |span| span.joined(*range)));
        }
    }

    /// Whether a port may be used, as the processor looks it up.
    pub fn allows(&self, port: u16) -> bool {
        let byte = self.bits.get(usize::from(port / 8));
        byte.is_some_and(|byte| byte >> (port % 8) & 1 == 0)
    }

    /// Calls a function with each byte that has bits of a range, and these bits.
    fn change(&mut self, range: PortRange, mut change: impl FnMut(&mut u8, u8)) {
        let (first, last) = (usize::from(range.first / 8), usize::from(range.last / 8));
        let bytes = self.bits.get_mut(first..=last).unwrap_or_default();
        for (index, byte) in (first..).zip(bytes) {
            let mut bits = 0xff;
            if index == first {
                bits &= 0xff << (range.first % 8);
            }
            if index == last {
                bits &= 0xff >> (7 - range.last % 8);
            }
            change(byte, bits);
        }
    }
}
