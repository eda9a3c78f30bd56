//! Framebuffers: sets the mode of each graphics output and describes it.

use alloc::vec::Vec;

use shim_core::config::Resolution;
use shim_core::response::FramebufferFacts;
use shim_core::video::{self, Mode, PixelLayout};
use uefi::Handle;
use uefi::boot::ScopedProtocol;
use uefi::proto::console::gop::{BltOp, BltPixel, GraphicsOutput, ModeInfo, PixelFormat};
use uefi::proto::unsafe_protocol;

use crate::files::{borrow, handles_with};

/// `EFI_EDID_ACTIVE_PROTOCOL` (UEFI specification 2.10, section 12.9.2).
#[repr(C)]
#[unsafe_protocol("bd8c1056-9f36-44ec-92a8-a6337f817986")]
struct EdidActive {
    size: u32,
    edid: *const u8,
}

/// Sets up every graphics output that has a framebuffer, each framebuffer once.
pub fn framebuffers(wish: Option<Resolution>) -> Vec<FramebufferFacts> {
    let mut found: Vec<FramebufferFacts> = Vec::new();
    for handle in handles_with::<GraphicsOutput>() {
        let edid = edid_of(handle);
        if let Some(framebuffer) = set_up(handle, wish, edid.as_deref(), &found) {
            found.push(framebuffer);
        } else if let (Some(edid), Some(address)) = (edid, address_of(handle))
            && let Some(known) = found.iter_mut().find(|other| other.address == address)
            && known.edid.is_none()
        {
            // The same screen by another handle: the one of the firmware's console has no EDID.
            known.edid = Some(edid);
        }
    }
    found
}

fn set_up(
    handle: Handle,
    wish: Option<Resolution>,
    edid: Option<&[u8]>,
    found: &[FramebufferFacts],
) -> Option<FramebufferFacts> {
    let mut output = started(handle)?;
    let firmware_modes: Vec<_> = output.modes().collect();
    let modes: Vec<Option<Mode>> = firmware_modes
        .iter()
        .map(|mode| translate(mode.info()))
        .collect();
    let current_info = output.current_mode_info();
    let current = firmware_modes
        .iter()
        .position(|mode| *mode.info() == current_info);
    let chosen = video::choose(&modes, current.unwrap_or(usize::MAX), wish, edid)?;
    let known = |address: u64| found.iter().any(|other| other.address == address);
    if let Some(address) = address(&mut output)
        && known(address)
    {
        return None;
    }
    if current != Some(chosen) {
        output.set_mode(firmware_modes.get(chosen)?).ok()?;
    }
    let mode = translate(&output.current_mode_info())?;
    let address = address(&mut output).filter(|address| !known(*address))?;
    let dims = output.current_mode_info().resolution();
    // A kernel expects an empty screen; one that cannot be cleared still works.
    let _stays = output.blt(BltOp::VideoFill {
        color: BltPixel::new(0, 0, 0),
        dest: (0, 0),
        dims,
    });
    Some(FramebufferFacts {
        address,
        mode,
        modes: modes.into_iter().flatten().collect(),
        edid: edid.map(<[u8]>::to_vec),
    })
}

/// Opens a graphics output that has a mode; one that the firmware never started is left alone.
fn started(handle: Handle) -> Option<ScopedProtocol<GraphicsOutput>> {
    let output = borrow::<GraphicsOutput>(handle).ok()?;
    // Fields of the protocol: three functions, then the mode structure, whose second word is the
    // pointer to the description of the mode (UEFI specification 2.10, section 12.9.2).
    let has_mode = |output: &GraphicsOutput| {
        let fields = core::ptr::from_ref(output).cast::<*const *const u8>();
        // SAFETY: the protocol has four words; the mode structure has at least two.
        unsafe {
            let mode = fields.add(3).read();
            !mode.is_null() && !mode.add(1).read().is_null()
        }
    };
    has_mode(&output).then_some(output)
}

fn address(output: &mut GraphicsOutput) -> Option<u64> {
    if output.current_mode_info().pixel_format() == PixelFormat::BltOnly {
        return None;
    }
    let address = output.frame_buffer().as_mut_ptr() as u64;
    (address != 0).then_some(address)
}

fn address_of(handle: Handle) -> Option<u64> {
    address(&mut *started(handle)?)
}

fn translate(info: &ModeInfo) -> Option<Mode> {
    let layout = match info.pixel_format() {
        PixelFormat::Rgb => PixelLayout::Rgb,
        PixelFormat::Bgr => PixelLayout::Bgr,
        PixelFormat::Bitmask => {
            let mask = info.pixel_bitmask()?;
            PixelLayout::Masks([mask.red, mask.green, mask.blue, mask.reserved])
        }
        PixelFormat::BltOnly => PixelLayout::BltOnly,
    };
    let (width, height) = info.resolution();
    let size = |pixels: usize| u32::try_from(pixels).ok();
    Mode::new(size(width)?, size(height)?, size(info.stride())?, layout)
}

fn edid_of(handle: Handle) -> Option<Vec<u8>> {
    let active = borrow::<EdidActive>(handle).ok()?;
    let size = usize::try_from(active.size).ok()?.min(32768);
    if active.edid.is_null() {
        return None;
    }
    // SAFETY: the firmware keeps `size` bytes there while the protocol is installed.
    let bytes = unsafe { core::slice::from_raw_parts(active.edid, size) };
    video::usable_edid(bytes).map(<[u8]>::to_vec)
}
