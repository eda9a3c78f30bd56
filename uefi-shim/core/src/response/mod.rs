//! Lays out the responses of the protocol.
//!
//! [`Answers::build`] makes one block of bytes with all responses and notes which request gets
//! which of them. The block is then copied to memory that the kernel may reclaim
//! ([`Answers::place`]). What is known only at the very end (the memory map, which processors
//! came up) has its place set aside and is filled in there, without allocating.
//!
//! Layouts are those of PROTOCOL.md; every pointer is one into the direct map except where base
//! revision 3 says that it is physical.

mod blob;
mod facts;

pub use facts::{Facts, FileFacts, FramebufferFacts, Media, ProcessorFacts, VolumeFacts};

use alloc::vec::Vec;

use crate::config::PagingLevels;
use crate::memory_map::Region;
use crate::processors::ApicMode;
use crate::requests::{Kind, RESPONSE_OFFSET, Requests, get_word, put_word};
use crate::video::Mode;
use blob::{At, Blob, word};

/// `LIMINE_FRAMEBUFFER_RGB`
const MODEL_RGB: u8 = 1;
/// `LIMINE_FIRMWARE_TYPE_UEFI64`
const FIRMWARE_UEFI64: u64 = 2;
/// The size of `struct limine_smp_info`.
pub const MP_INFO_SIZE: usize = 32;

/// The responses, before they are at their place.
#[derive(Debug, Clone)]
pub struct Answers {
    blob: Blob,
    /// Which place of the image gets a pointer to which place of the block.
    patches: Vec<(usize, At)>,
    map: Option<MapPlace>,
    efi_map: Option<At>,
    mp: Option<MpPlace>,
}

#[derive(Debug, Clone, Copy)]
struct MapPlace {
    response: At,
    entries: At,
    capacity: usize,
}

#[derive(Debug, Clone, Copy)]
struct MpPlace {
    response: At,
    list: At,
    infos: At,
    count: usize,
}

/// What the firmware said about its memory map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EfiMapFacts {
    /// Its size in bytes.
    pub size: usize,
    /// The size of a descriptor.
    pub descriptor_size: usize,
    /// The version of the descriptors.
    pub descriptor_version: u32,
}

impl Answers {
    /// Lays out a response to every request that can be answered.
    pub fn build(facts: &Facts, requests: &Requests) -> Self {
        let mut answers = Self {
            blob: Blob::default(),
            patches: Vec::new(),
            map: None,
            efi_map: None,
            mp: None,
        };
        for request in &requests.list {
            let response = request.kind.and_then(|kind| answers.response(kind, facts));
            if let Some(response) = response {
                answers
                    .patches
                    .push((request.offset.saturating_add(RESPONSE_OFFSET), response));
            }
        }
        answers
    }

    /// How many bytes the block has.
    pub fn size(&self) -> usize {
        self.blob.size()
    }

    /// Copies the block to its place and writes the pointers to it into the image.
    pub fn place(&self, virt: u64, memory: &mut [u8], image: &mut [u8]) {
        self.blob.place(virt, memory);
        for (offset, at) in &self.patches {
            put_word(image, *offset, virt.wrapping_add(word(at.0)));
        }
    }

    /// Fills in the memory map. There is room for as many entries as the facts said.
    pub fn set_memory_map(&self, memory: &mut [u8], map: &[Region]) {
        let Some(place) = self.map else { return };
        let count = map.len().min(place.capacity);
        put_word(memory, place.response.plus(8).0, word(count));
        for (index, region) in map.iter().take(count).enumerate() {
            let at = place.entries.plus(index.saturating_mul(24));
            put_word(memory, at.0, region.base);
            put_word(memory, at.plus(8).0, region.length);
            put_word(memory, at.plus(16).0, region.kind.0);
        }
    }

    /// Fills in what is known of the EFI memory map.
    pub fn set_efi_map(&self, memory: &mut [u8], facts: EfiMapFacts) {
        let Some(at) = self.efi_map else { return };
        put_word(memory, at.plus(16).0, word(facts.size));
        put_word(memory, at.plus(24).0, word(facts.descriptor_size));
        put_word(memory, at.plus(32).0, facts.descriptor_version.into());
    }

    /// Removes the processors from the list that did not come up, told by their index.
    pub fn keep_processors(&self, memory: &mut [u8], mut is_up: impl FnMut(usize) -> bool) {
        let Some(place) = self.mp else { return };
        let mut kept = 0_usize;
        for index in 0..place.count {
            if is_up(index)
                && let Some(pointer) = get_word(memory, place.list.plus(index.saturating_mul(8)).0)
            {
                put_word(memory, place.list.plus(kept.saturating_mul(8)).0, pointer);
                kept = kept.saturating_add(1);
            }
        }
        put_word(memory, place.response.plus(16).0, word(kept));
    }

    /// Where in the block the structure of a processor is, by its index among the facts.
    pub fn processor_info(&self, index: usize) -> Option<usize> {
        let place = self.mp.filter(|place| index < place.count)?;
        Some(place.infos.plus(index.saturating_mul(MP_INFO_SIZE)).0)
    }

    fn response(&mut self, kind: Kind, facts: &Facts) -> Option<At> {
        // Revision 3 gives physical addresses of what it does not map.
        let firmware = |address: u64| {
            if facts.base_revision >= 3 {
                address
            } else {
                address.wrapping_add(facts.hhdm)
            }
        };
        let blob = &mut self.blob;
        Some(match kind {
            Kind::BootloaderInfo => {
                let name = blob.string(&facts.name);
                let version = blob.string(&facts.version);
                let at = blob.words(&[0, 0, 0]);
                blob.point(at.plus(8), name);
                blob.point(at.plus(16), version);
                at
            }
            Kind::ExecutableCmdline => {
                let cmdline = blob.string(&facts.cmdline);
                let at = blob.words(&[0, 0]);
                blob.point(at.plus(8), cmdline);
                at
            }
            Kind::FirmwareType => blob.words(&[0, FIRMWARE_UEFI64]),
            Kind::StackSize | Kind::EntryPoint => blob.words(&[0]),
            Kind::Hhdm => blob.words(&[0, facts.hhdm]),
            Kind::Framebuffer if facts.framebuffers.is_empty() => return None,
            Kind::Framebuffer => framebuffers(blob, facts),
            Kind::PagingMode => blob.words(&[
                0,
                match facts.levels {
                    PagingLevels::Four => 0,
                    PagingLevels::Five => 1,
                },
            ]),
            Kind::Mp => {
                let place = processors(blob, facts)?;
                self.mp = Some(place);
                place.response
            }
            Kind::MemoryMap => {
                let place = memory_map(blob, facts);
                self.map = Some(place);
                place.response
            }
            Kind::ExecutableFile => {
                let file = file(blob, &facts.kernel, facts.hhdm);
                let at = blob.words(&[0, 0]);
                blob.point(at.plus(8), file);
                at
            }
            Kind::Module => {
                let files: Vec<At> = facts
                    .modules
                    .iter()
                    .map(|module| file(blob, module, facts.hhdm))
                    .collect();
                let list = blob.list(&files);
                // Revision 2: the loader would tell if it could not decompress.
                let at = blob.words(&[2, word(files.len()), 0]);
                blob.point(at.plus(16), list);
                at
            }
            Kind::Rsdp => {
                let address = facts.rsdp?;
                blob.words(&[0, firmware(address)])
            }
            Kind::Smbios => {
                if facts.smbios_32.is_none() && facts.smbios_64.is_none() {
                    return None;
                }
                let of = |address: Option<u64>| address.map_or(0, firmware);
                blob.words(&[0, of(facts.smbios_32), of(facts.smbios_64)])
            }
            Kind::EfiSystemTable => blob.words(&[0, firmware(facts.efi_system_table)]),
            Kind::EfiMemoryMap => {
                let at = blob.words(&[0, facts.efi_map.wrapping_add(facts.hhdm), 0, 0, 0]);
                self.efi_map = Some(at);
                at
            }
            Kind::DateAtBoot => blob.words(&[0, facts.date?.cast_unsigned()]),
            Kind::ExecutableAddress => blob.words(&[0, facts.physical_base, facts.virtual_base]),
            Kind::DeviceTree => return None,
        })
    }
}

/// Adds the bytes of a mode from `bpp` on, which both structures have in common.
fn pixel_format(mode: &Mode) -> [u8; 9] {
    let [low, high] = mode.bpp.to_le_bytes();
    [
        low,
        high,
        MODEL_RGB,
        mode.red.size,
        mode.red.shift,
        mode.green.size,
        mode.green.shift,
        mode.blue.size,
        mode.blue.shift,
    ]
}

fn framebuffers(blob: &mut Blob, facts: &Facts) -> At {
    let mut list = Vec::new();
    for framebuffer in &facts.framebuffers {
        let modes: Vec<At> = framebuffer
            .modes
            .iter()
            .map(|mode| {
                let at = blob.words(&[mode.pitch, mode.width, mode.height, 0, 0]);
                blob.put(at.plus(24), &pixel_format(mode));
                at
            })
            .collect();
        let modes_list = blob.list(&modes);
        let edid = framebuffer
            .edid
            .as_ref()
            .map(|edid| (blob.bytes(edid), edid.len()));
        let mode = &framebuffer.mode;
        let address = framebuffer.address.wrapping_add(facts.hhdm);
        let at = blob.words(&[
            address,
            mode.width,
            mode.height,
            mode.pitch,
            0,
            0,
            0,
            0,
            word(modes.len()),
            0,
        ]);
        blob.put(at.plus(32), &pixel_format(mode));
        if let Some((edid, size)) = edid {
            blob.put(at.plus(48), &word(size).to_le_bytes());
            blob.point(at.plus(56), edid);
        }
        blob.point(at.plus(72), modes_list);
        list.push(at);
    }
    let pointers = blob.list(&list);
    let at = blob.words(&[1, word(list.len()), 0]);
    blob.point(at.plus(16), pointers);
    at
}

fn file(blob: &mut Blob, file: &FileFacts, hhdm: u64) -> At {
    let path = blob.string(&file.path);
    let cmdline = blob.string(&file.cmdline);
    let at = blob.reserve(112);
    blob.put(at.plus(8), &file.address.wrapping_add(hhdm).to_le_bytes());
    blob.put(at.plus(16), &file.size.to_le_bytes());
    blob.point(at.plus(24), path);
    blob.point(at.plus(32), cmdline);
    let volume = &file.volume;
    blob.put(at.plus(40), &volume.media.0.to_le_bytes());
    blob.put(at.plus(56), &volume.partition.to_le_bytes());
    blob.put(at.plus(60), &volume.mbr_disk_id.to_le_bytes());
    blob.put(at.plus(64), &volume.gpt_disk);
    blob.put(at.plus(80), &volume.gpt_partition);
    at
}

fn memory_map(blob: &mut Blob, facts: &Facts) -> MapPlace {
    let capacity = facts.map_capacity;
    let entries = blob.reserve(capacity.saturating_mul(24));
    let pointers: Vec<At> = (0..capacity)
        .map(|index| entries.plus(index.saturating_mul(24)))
        .collect();
    let list = blob.list(&pointers);
    let response = blob.words(&[0, 0, 0]);
    blob.point(response.plus(16), list);
    MapPlace {
        response,
        entries,
        capacity,
    }
}

fn processors(blob: &mut Blob, facts: &Facts) -> Option<MpPlace> {
    let processors = facts.processors.as_ref()?;
    let count = processors.list.len();
    if count == 0 {
        return None;
    }
    let infos = blob.reserve(count.saturating_mul(MP_INFO_SIZE));
    let mut pointers = Vec::new();
    for (index, processor) in processors.list.iter().enumerate() {
        let at = infos.plus(index.saturating_mul(MP_INFO_SIZE));
        blob.put(at, &processor.uid.to_le_bytes());
        blob.put(at.plus(4), &processor.apic_id.to_le_bytes());
        // The reserved word is the loader's own: the end of the stack.
        let stack = processors.stack_tops.get(index).copied().unwrap_or(0);
        blob.put(at.plus(8), &stack.to_le_bytes());
        pointers.push(at);
    }
    let list = blob.list(&pointers);
    let flags = match processors.mode {
        ApicMode::XApic => 0,
        ApicMode::X2Apic => 1,
    };
    let id = u64::from(processors.bsp_apic_id) << 32;
    let response = blob.words(&[0, flags | id, word(count), 0]);
    blob.point(response.plus(24), list);
    Some(MpPlace {
        response,
        list,
        infos,
        count,
    })
}

#[cfg(test)]
mod tests;
