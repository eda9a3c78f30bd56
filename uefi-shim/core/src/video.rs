//! Framebuffers: pixel formats, which mode to set, and what an EDID is worth.

use alloc::vec::Vec;

use crate::config::Resolution;

/// The pixels of a mode as the graphics output protocol describes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PixelLayout {
    /// Red, green, blue and an unused byte, in this order in memory.
    Rgb,
    /// Blue, green, red and an unused byte.
    Bgr,
    /// Masks for red, green, blue and unused bits.
    Masks([u32; 4]),
    /// There is no framebuffer in memory.
    BltOnly,
}

/// Where a colour is in a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Channel {
    /// How many bits it has.
    pub size: u8,
    /// Its lowest bit.
    pub shift: u8,
}

/// A mode as the protocol describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode {
    /// Pixels from left to right.
    pub width: u64,
    /// Pixels from top to bottom.
    pub height: u64,
    /// Bytes from one line to the next.
    pub pitch: u64,
    /// Bits of a pixel.
    pub bpp: u16,
    /// Red.
    pub red: Channel,
    /// Green.
    pub green: Channel,
    /// Blue.
    pub blue: Channel,
}

impl Mode {
    /// Translates a mode; `None` if it has no framebuffer that a kernel could write.
    pub fn new(width: u32, height: u32, stride: u32, layout: PixelLayout) -> Option<Self> {
        let byte = |shift| Channel { size: 8, shift };
        let (bpp, red, green, blue) = match layout {
            PixelLayout::Rgb => (32, byte(0), byte(8), byte(16)),
            PixelLayout::Bgr => (32, byte(16), byte(8), byte(0)),
            PixelLayout::Masks([red, green, blue, unused]) => {
                let all = red | green | blue | unused;
                let bits = 32_u32.checked_sub(all.leading_zeros())?;
                (
                    u16::try_from(bits).ok()?,
                    channel(red)?,
                    channel(green)?,
                    channel(blue)?,
                )
            }
            PixelLayout::BltOnly => return None,
        };
        let pitch = u64::from(stride).checked_mul(u64::from(bpp.checked_div(8)?))?;
        if width == 0 || height == 0 || pitch == 0 {
            return None;
        }
        Some(Self {
            width: width.into(),
            height: height.into(),
            pitch,
            bpp,
            red,
            green,
            blue,
        })
    }

    /// The size of the framebuffer.
    pub fn bytes(&self) -> u64 {
        self.pitch.saturating_mul(self.height)
    }

    fn is(&self, wanted: Resolution) -> bool {
        self.width == u64::from(wanted.width)
            && self.height == u64::from(wanted.height)
            && u32::from(self.bpp) == wanted.bpp
    }
}

/// The bits of a mask; `None` if they are not one block.
fn channel(mask: u32) -> Option<Channel> {
    let shift = mask.trailing_zeros();
    let size = mask.checked_shr(shift)?.trailing_ones();
    let whole = u64::from(mask) == ((1_u64 << size).saturating_sub(1)) << shift;
    whole.then_some(Channel {
        size: u8::try_from(size).ok()?,
        shift: u8::try_from(shift).ok()?,
    })
}

/// Chooses a mode among `modes` (those without a framebuffer are `None`): the wish of the
/// configuration, else what the monitor prefers if that is no smaller than the current mode, else
/// the current mode, else the customary sizes, else the first that has a framebuffer.
pub fn choose(
    modes: &[Option<Mode>],
    current: usize,
    wish: Option<Resolution>,
    edid: Option<&[u8]>,
) -> Option<usize> {
    let find = |wanted: Resolution| {
        modes
            .iter()
            .position(|mode| mode.is_some_and(|mode| mode.is(wanted)))
    };
    if let Some(index) = wish.and_then(find) {
        return Some(index);
    }
    let current_mode = modes.get(current).copied().flatten();
    let preferred = edid.and_then(preferred_resolution).filter(|wanted| {
        current_mode.is_none_or(|mode| {
            u64::from(wanted.width) >= mode.width && u64::from(wanted.height) >= mode.height
        })
    });
    if let Some(index) = preferred.and_then(find) {
        return Some(index);
    }
    if current_mode.is_some() {
        return Some(current);
    }
    let mut customary = Vec::new();
    for bpp in [32, 24, 16] {
        for (width, height) in [(1024, 768), (800, 600), (640, 480)] {
            customary.push(Resolution { width, height, bpp });
        }
    }
    customary
        .into_iter()
        .find_map(find)
        .or_else(|| modes.iter().position(Option::is_some))
}

/// The part of an EDID that is handed on: whole blocks, if there is anything in them.
pub fn usable_edid(edid: &[u8]) -> Option<&[u8]> {
    let blocks = edid.len().checked_div(128)?.min(256);
    let edid = edid.get(..blocks.checked_mul(128)?)?;
    edid.iter().any(|byte| *byte != 0).then_some(edid)
}

/// The size in the first detailed timing of an EDID (VESA E-EDID A2, section 3.10.2).
pub fn preferred_resolution(edid: &[u8]) -> Option<Resolution> {
    let timing = edid.get(54..72)?;
    let at = |index: usize| timing.get(index).copied().map(u32::from);
    let width = at(2)? | (at(4)? & 0xf0) << 4;
    let height = at(5)? | (at(7)? & 0xf0) << 4;
    (width > 0 && height > 0).then_some(Resolution {
        width,
        height,
        bpp: 32,
    })
}

#[cfg(test)]
mod tests {
    use super::{Channel, Mode, PixelLayout, channel, choose, preferred_resolution, usable_edid};
    use crate::config::Resolution;
    use proptest::prelude::{any, proptest};

    fn bgr(width: u32, height: u32) -> Option<Mode> {
        Mode::new(width, height, width, PixelLayout::Bgr)
    }

    #[test]
    fn a_16_bit_format_is_understood() {
        let mode = Mode::new(
            640,
            480,
            640,
            PixelLayout::Masks([0xf800, 0x07e0, 0x001f, 0]),
        )
        .unwrap();
        assert_eq!((mode.bpp, mode.pitch), (16, 1280));
        assert_eq!(mode.green, Channel { size: 6, shift: 5 });
    }

    #[test]
    fn the_wish_comes_first_then_the_monitor_then_what_is_set() {
        let modes = [bgr(640, 480), bgr(1024, 768), bgr(1920, 1080)];
        let wish = Resolution {
            width: 1920,
            height: 1080,
            bpp: 32,
        };
        assert_eq!(choose(&modes, 0, Some(wish), None), Some(2));
        assert_eq!(
            choose(&modes, 1, Some(Resolution { bpp: 24, ..wish }), None),
            Some(1)
        );
        let mut edid = [0; 128];
        edid[56] = 0x80;
        edid[58] = 0x70;
        edid[59] = 0x38;
        edid[61] = 0x40;
        assert_eq!(preferred_resolution(&edid), Some(wish));
        assert_eq!(choose(&modes, 0, None, Some(&edid)), Some(2));
        assert_eq!(choose(&[None, None], 0, None, None), None);
        assert_eq!(choose(&[None, bgr(1, 1)], 0, None, None), Some(1));
    }

    proptest! {
        #[test]
        fn a_channel_is_the_mask_that_it_came_from(mask: u32) {
            match channel(mask) {
                Some(Channel { size, shift }) => assert_eq!(u64::from(mask), ((1_u64 << size) - 1) << shift),
                None => assert!(mask == 0 || !(u64::from(mask) + u64::from(mask & mask.wrapping_neg())).is_power_of_two()),
            }
        }

        #[test]
        fn whatever_is_chosen_has_a_framebuffer(
            sizes in proptest::collection::vec(proptest::option::of((1_u32..3000, 1_u32..3000)), 0..20),
            current: usize, width: u32, height: u32, edid in any::<Vec<u8>>(),
        ) {
            let modes: Vec<Option<Mode>> = sizes.iter().map(|size| size.and_then(|(w, h)| bgr(w, h))).collect();
            let wish = Some(Resolution { width, height, bpp: 32 });
            match choose(&modes, current, wish, usable_edid(&edid)) {
                Some(index) => assert!(modes[index].is_some()),
                None => assert!(modes.iter().all(Option::is_none)),
            }
        }

        #[test]
        fn formats_never_panic(width: u32, height: u32, stride: u32, masks: [u32; 4]) {
            if let Some(mode) = Mode::new(width, height, stride, PixelLayout::Masks(masks)) {
                assert!(mode.bpp <= 32 && mode.pitch > 0);
            }
        }
    }
}
