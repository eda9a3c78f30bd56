//! The framebuffers.

use super::{conf, yes};
use crate::report::memory::kind_at;
use crate::requests::FRAMEBUFFER;
use crate::walk::{hhdm, is_mapped, memory_type, translate};

/// Prints them.
pub fn report() {
    let Some(response) = FRAMEBUFFER.get_response() else {
        conf!("framebuffers: none");
        return;
    };
    conf!(
        "framebuffers: revision {}, {} of them",
        response.revision(),
        response.framebuffers().count()
    );
    for framebuffer in response.framebuffers() {
        conf!(
            "framebuffer: {}x{}, pitch {}, {} bits",
            framebuffer.width(),
            framebuffer.height(),
            framebuffer.pitch(),
            framebuffer.bpp()
        );
        conf!(
            "framebuffer: RGB {}, red {}<<{}, green {}<<{}, blue {}<<{}",
            yes(framebuffer.memory_model() == limine::framebuffer::MemoryModel::RGB),
            framebuffer.red_mask_size(),
            framebuffer.red_mask_shift(),
            framebuffer.green_mask_size(),
            framebuffer.green_mask_shift(),
            framebuffer.blue_mask_size(),
            framebuffer.blue_mask_shift()
        );
        let address = framebuffer.addr() as u64;
        let phys = address.wrapping_sub(hhdm());
        let size = framebuffer.pitch() * framebuffer.height();
        conf!(
            "framebuffer: physical {phys:#x}, framebuffer memory {}, write-combining {}, memory type {:?}",
            yes(kind_at(phys) == Some(7)),
            yes(is_mapped(phys, phys + size, 1)),
            translate(address).map(|map| memory_type(map.pat))
        );
        match framebuffer.edid() {
            Some(edid) => {
                let head = edid.get(..128).unwrap_or(edid);
                let sum = head.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
                conf!(
                    "framebuffer: EDID there, checksum {sum}, begins {:02x?}",
                    head.get(..20)
                );
            }
            None => conf!("framebuffer: EDID none"),
        }
        let modes = framebuffer.modes().unwrap_or(&[]);
        conf!("framebuffer: {} modes", modes.len());
        for mode in modes {
            conf!(
                "mode: {}x{}, pitch {}, {} bits, RGB {}, red {}<<{}, green {}<<{}, blue {}<<{}",
                mode.width,
                mode.height,
                mode.pitch,
                mode.bpp,
                yes(mode.memory_model == limine::framebuffer::MemoryModel::RGB),
                mode.red_mask_size,
                mode.red_mask_shift,
                mode.green_mask_size,
                mode.green_mask_shift,
                mode.blue_mask_size,
                mode.blue_mask_shift
            );
        }
    }
}
