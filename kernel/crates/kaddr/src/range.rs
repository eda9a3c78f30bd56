//! Half-open ranges of addresses.
//!
//! The fields are open, because ranges are data that come from firmware and boot loaders; a range
//! whose end is not above its start is simply empty, and no function here panics on one.

use core::fmt;

use crate::{Frame, PAGE_SHIFT, Page, PhysAddr, VirtAddr};

macro_rules! range {
    ($(#[$doc:meta])* $name:ident, $addr:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
        pub struct $name {
            /// The first byte.
            pub start: $addr,
            /// The byte after the last.
            pub end: $addr,
        }

        impl $name {
            /// The range from `start` up to, but not including, `end`.
            #[inline]
            pub const fn new(start: $addr, end: $addr) -> Self {
                Self { start, end }
            }

            /// The `len` bytes from `start` on, or `None` if their end does not fit in 64 bits.
            #[inline]
            pub const fn from_len(start: $addr, len: u64) -> Option<Self> {
                match start.checked_add(len) {
                    Some(end) => Some(Self { start, end }),
                    None => None,
                }
            }

            /// The number of bytes; zero when the end is not above the start.
            #[inline]
            pub const fn len(&self) -> u64 {
                self.end.as_u64().saturating_sub(self.start.as_u64())
            }

            /// Whether there is no byte in the range.
            #[inline]
            pub const fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// Whether `address` lies in the range.
            #[inline]
            pub const fn contains(&self, address: $addr) -> bool {
                self.start.as_u64() <= address.as_u64() && address.as_u64() < self.end.as_u64()
            }

            /// Whether every byte of `other` lies in the range; an empty range lies in any.
            #[inline]
            pub const fn contains_range(&self, other: &Self) -> bool {
                other.is_empty()
                    || (self.start.as_u64() <= other.start.as_u64()
                        && other.end.as_u64() <= self.end.as_u64())
            }

            /// Whether the two have a byte in common.
            #[inline]
            pub const fn overlaps(&self, other: &Self) -> bool {
                self.intersect(other).is_some()
            }

            /// The bytes that both have, or `None` if there is none.
            #[inline]
            pub const fn intersect(&self, other: &Self) -> Option<Self> {
                let start = if self.start.as_u64() > other.start.as_u64() {
                    self.start
                } else {
                    other.start
                };
                let end = if self.end.as_u64() < other.end.as_u64() {
                    self.end
                } else {
                    other.end
                };
                if start.as_u64() < end.as_u64() {
                    Some(Self { start, end })
                } else {
                    None
                }
            }

            /// The largest range inside this one whose two ends are multiples of `align`; it is
            /// empty when there is none.
            ///
            /// # Panics
            /// If `align` is not a power of two.
            #[inline]
            pub const fn align_inward(&self, align: u64) -> Self {
                let end = self.end.align_down(align);
                match self.start.align_up(align) {
                    Some(start) if start.as_u64() < end.as_u64() => Self { start, end },
                    _ => Self { start: end, end },
                }
            }

            /// The smallest range around this one whose two ends are multiples of `align`, or
            /// `None` if its end does not fit in 64 bits.
            ///
            /// # Panics
            /// If `align` is not a power of two.
            #[inline]
            pub const fn align_outward(&self, align: u64) -> Option<Self> {
                match self.end.align_up(align) {
                    Some(end) => Some(Self { start: self.start.align_down(align), end }),
                    None => None,
                }
            }

            /// Whether both ends are multiples of `align`.
            ///
            /// # Panics
            /// If `align` is not a power of two.
            #[inline]
            pub const fn is_aligned(&self, align: u64) -> bool {
                self.start.is_aligned(align) && self.end.is_aligned(align)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:#x}..{:#x})"), self.start, self.end)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}..{:#x}", self.start, self.end)
            }
        }
    };
}

range! {
    /// A half-open range of physical addresses.
    PhysRange, PhysAddr
}

range! {
    /// A half-open range of virtual addresses; the very last byte of the address space cannot be
    /// in one.
    VirtRange, VirtAddr
}

impl PhysRange {
    /// The frames that lie wholly inside the range and that a processor can address.
    #[inline]
    pub const fn frames(&self) -> Frames {
        let inner = self.align_inward(1 << PAGE_SHIFT);
        let end = inner.end.as_u64() >> PAGE_SHIFT;
        Frames {
            next: inner.start.as_u64() >> PAGE_SHIFT,
            end: if end < Frame::LIMIT {
                end
            } else {
                Frame::LIMIT
            },
        }
    }
}

impl VirtRange {
    /// The pages that lie wholly inside the range.
    #[inline]
    pub const fn pages(&self) -> Pages {
        let inner = self.align_inward(1 << PAGE_SHIFT);
        Pages {
            next: inner.start.as_u64() >> PAGE_SHIFT,
            end: inner.end.as_u64() >> PAGE_SHIFT,
        }
    }
}

/// The frames of a [`PhysRange`], from the lowest on.
#[derive(Clone, Debug)]
pub struct Frames {
    next: u64,
    end: u64,
}

impl Iterator for Frames {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        if self.next >= self.end {
            return None;
        }
        let frame = Frame::from_number(self.next)?;
        self.next += 1;
        Some(frame)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.end.saturating_sub(self.next)).unwrap_or(usize::MAX);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Frames {}

/// The pages of a [`VirtRange`], from the lowest on.
#[derive(Clone, Debug)]
pub struct Pages {
    next: u64,
    end: u64,
}

impl Iterator for Pages {
    type Item = Page;

    fn next(&mut self) -> Option<Page> {
        if self.next >= self.end {
            return None;
        }
        let page = Page::containing(VirtAddr::new(self.next << PAGE_SHIFT));
        self.next += 1;
        Some(page)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.end.saturating_sub(self.next)).unwrap_or(usize::MAX);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Pages {}

#[cfg(test)]
mod tests {
    use super::{PhysRange, VirtRange};
    use crate::{Frame, PhysAddr, VirtAddr};

    fn range(start: u64, end: u64) -> PhysRange {
        PhysRange::new(PhysAddr::new(start), PhysAddr::new(end))
    }

    #[test]
    fn a_range_with_its_ends_swapped_is_empty() {
        let swapped = range(9, 3);
        assert!(swapped.is_empty());
        assert!(!swapped.contains(PhysAddr::new(5)));
        assert!(!swapped.overlaps(&range(0, 100)));
        assert!(range(50, 60).contains_range(&swapped));
        assert_eq!(swapped.frames().len(), 0);
        assert!(range(u64::MAX, 5).align_inward(4096).is_empty());
    }

    #[test]
    fn the_end_is_not_in_the_range() {
        let range_ = range(10, 20);
        assert!(range_.contains(PhysAddr::new(10)) && range_.contains(PhysAddr::new(19)));
        assert!(!range_.contains(PhysAddr::new(20)) && !range_.contains(PhysAddr::new(9)));
        assert!(!range_.overlaps(&range(20, 30)) && !range_.overlaps(&range(0, 10)));
        assert_eq!(range_.intersect(&range(15, 30)), Some(range(15, 20)));
        assert!(range_.contains_range(&range(10, 20)));
        assert!(!range_.contains_range(&range(10, 21)));
        assert_eq!(range_.len(), 10);
    }

    #[test]
    fn alignment_goes_inward_or_outward() {
        let odd = range(0x1001, 0x3fff);
        assert_eq!(odd.align_inward(0x1000), range(0x2000, 0x3000));
        assert_eq!(odd.align_outward(0x1000), Some(range(0x1000, 0x4000)));
        assert!(range(0x1001, 0x1fff).align_inward(0x1000).is_empty());
        assert_eq!(range(0, u64::MAX).align_outward(0x1000), None);
        assert!(range(0x1000, 0x3000).is_aligned(0x1000) && !odd.is_aligned(0x1000));
        assert_eq!(PhysRange::from_len(PhysAddr::MAX, 1), None);
    }

    #[test]
    fn only_whole_frames_and_pages_are_counted() {
        let numbers: Vec<u64> = range(0x1001, 0x4000).frames().map(Frame::number).collect();
        assert_eq!(numbers, [2, 3]);
        let top = range((1 << 52) - 0x1000, u64::MAX);
        assert_eq!(
            top.frames().map(Frame::number).collect::<Vec<_>>(),
            [Frame::LIMIT - 1]
        );
        assert_eq!(range(1 << 60, u64::MAX).frames().next(), None);
        let pages = VirtRange::new(VirtAddr::new(0x800), VirtAddr::new(0x3800)).pages();
        assert_eq!(pages.len(), 2);
        assert_eq!(
            pages.last().map(|page| page.start()),
            Some(VirtAddr::new(0x2000))
        );
    }

    #[test]
    fn ranges_print_both_ends() {
        assert_eq!(range(0x10, 0x20).to_string(), "0x10..0x20");
        assert_eq!(format!("{:?}", range(0x10, 0x20)), "PhysRange(0x10..0x20)");
    }
}
