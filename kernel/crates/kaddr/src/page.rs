//! Frames (4 KiB of physical memory), pages (4 KiB of virtual memory) and the page sizes.

use core::fmt;

use crate::{HUGE, LARGE, PAGE_SHIFT, PAGE_SIZE, PHYS_BITS, PhysAddr, PhysRange, VirtAddr};

/// A size that one page-table entry can map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PageSize {
    /// 4 KiB.
    Small,
    /// 2 MiB.
    Large,
    /// 1 GiB; a processor tells by CPUID whether it has them.
    Huge,
}

impl PageSize {
    /// The size in bytes.
    #[inline]
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Small => PAGE_SIZE,
            Self::Large => LARGE,
            Self::Huge => HUGE,
        }
    }

    /// The size in frames of 4 KiB.
    #[inline]
    pub const fn frames(self) -> u64 {
        self.bytes() >> PAGE_SHIFT
    }
}

/// A physical frame of 4 KiB, held as its number.
///
/// Holding a `Frame` is not a claim to own the memory: it is a name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Frame(u64);

impl Frame {
    /// The frame number just above the last one that fits in [`PHYS_BITS`].
    pub const LIMIT: u64 = 1 << (PHYS_BITS - PAGE_SHIFT);

    /// The frame with this number, or `None` if no processor can address it.
    #[inline]
    pub const fn from_number(number: u64) -> Option<Self> {
        if number < Self::LIMIT {
            Some(Self(number))
        } else {
            None
        }
    }

    /// The frame that `address` lies in, or `None` if no processor can address it.
    #[inline]
    pub const fn containing(address: PhysAddr) -> Option<Self> {
        Self::from_number(address.as_u64() >> PAGE_SHIFT)
    }

    /// The frame that begins at `address`, or `None` if no frame does.
    #[inline]
    pub const fn starting_at(address: PhysAddr) -> Option<Self> {
        if address.is_page_aligned() {
            Self::containing(address)
        } else {
            None
        }
    }

    /// The frame number.
    #[inline]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The address of the first byte.
    #[inline]
    pub const fn start(self) -> PhysAddr {
        PhysAddr::new(self.0 << PAGE_SHIFT)
    }

    /// The bytes of the frame.
    #[inline]
    pub const fn range(self) -> PhysRange {
        PhysRange::new(self.start(), PhysAddr::new((self.0 + 1) << PAGE_SHIFT))
    }

    /// The frame `count` further up, or `None` if there is none.
    #[inline]
    pub const fn checked_add(self, count: u64) -> Option<Self> {
        match self.0.checked_add(count) {
            Some(number) => Self::from_number(number),
            None => None,
        }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({})", self.start())
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.start(), f)
    }
}

/// A virtual page of 4 KiB, held as its number (the address without its twelve lowest bits).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Page(u64);

impl Page {
    /// The page that `address` lies in.
    #[inline]
    pub const fn containing(address: VirtAddr) -> Self {
        Self(address.as_u64() >> PAGE_SHIFT)
    }

    /// The page that begins at `address`, or `None` if no page does.
    #[inline]
    pub const fn starting_at(address: VirtAddr) -> Option<Self> {
        if address.is_page_aligned() {
            Some(Self::containing(address))
        } else {
            None
        }
    }

    /// The page number.
    #[inline]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The address of the first byte.
    #[inline]
    pub const fn start(self) -> VirtAddr {
        VirtAddr::new(self.0 << PAGE_SHIFT)
    }

    /// The page `count` further up, or `None` past the end of the address space.
    #[inline]
    pub const fn checked_add(self, count: u64) -> Option<Self> {
        match self.0.checked_add(count) {
            Some(number) if number >> (64 - PAGE_SHIFT) == 0 => Some(Self(number)),
            _ => None,
        }
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Page({})", self.start())
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.start(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::{Frame, Page, PageSize};
    use crate::{PhysAddr, VirtAddr};

    #[test]
    fn frames_are_those_that_52_bits_can_name() {
        assert_eq!(Frame::from_number(Frame::LIMIT), None);
        let last = Frame::from_number(Frame::LIMIT - 1).expect("the last frame");
        assert_eq!(last.checked_add(1), None);
        assert_eq!(last.range().end, PhysAddr::new(1 << 52));
        assert_eq!(Frame::containing(PhysAddr::MAX), None);
        assert_eq!(Frame::starting_at(PhysAddr::new(0x1001)), None);
        let one = Frame::starting_at(PhysAddr::new(0x1000)).expect("frame one");
        assert_eq!(one.number(), 1);
        assert_eq!(Frame::containing(PhysAddr::new(0x1fff)), Some(one));
        assert_eq!(format!("{one} {one:?}"), "0x1000 Frame(0x1000)");
    }

    #[test]
    fn pages_reach_to_the_end_of_the_address_space() {
        let last = Page::containing(VirtAddr::MAX);
        assert_eq!(last.start(), VirtAddr::new(0xffff_ffff_ffff_f000));
        assert_eq!(last.checked_add(1), None);
        assert_eq!(Page::starting_at(VirtAddr::new(5)), None);
        assert_eq!(
            Page::containing(VirtAddr::new(5))
                .checked_add(2)
                .map(Page::number),
            Some(2)
        );
    }

    #[test]
    fn each_page_size_is_512_of_the_smaller() {
        assert_eq!(PageSize::Small.frames(), 1);
        assert_eq!(PageSize::Large.frames(), 512);
        assert_eq!(PageSize::Huge.frames(), 512 * 512);
        assert!(PageSize::Small < PageSize::Large && PageSize::Large < PageSize::Huge);
    }
}
