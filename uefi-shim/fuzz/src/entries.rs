//! Entry points for all that the shim reads from outside.

use shim_core::config::Config;
use shim_core::config::path::{FilePath, HashCheck};
use shim_core::console::serial_console;
use shim_core::direct_map;
use shim_core::image::{HIGHER_HALF, ImagePlan, Kaslr};
use shim_core::memory_map::{Kind, Workspace, efi_regions};
use shim_core::modules;
use shim_core::requests::Requests;
use shim_core::video;

/// A configuration file: every choice is an entry, every warning names a line of the file.
pub fn config(data: &[u8]) {
    let config = Config::parse_bytes(data);
    let lines = data.split(|byte| *byte == b'\n').count();
    for warning in &config.warnings {
        assert!((1..=lines).contains(&warning.line), "{warning}");
    }
    let shown = config.visible().len();
    for number in 0..=shown + 1 {
        assert_eq!(config.choose(number).is_ok(), (1..=shown).contains(&number));
    }
    for entry in &config.entries {
        for module in &entry.modules {
            path(module.path.as_bytes());
        }
    }
}

/// A path: it names a file on a volume, or is refused.
pub fn path(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(path) = FilePath::parse(&text) {
        assert!(path.path.starts_with('/') && path.path.len() > 1);
        assert_eq!(
            path.verify(data) == HashCheck::NotAsked,
            path.hash.is_none()
        );
    }
}

/// A kernel: what is accepted is loaded inside of its memory, and its requests are read.
pub fn image(data: &[u8]) {
    for kaslr in [Kaslr::Off, Kaslr::Random(data.len() as u64 * 0x9e37_79b9)] {
        let Ok(plan) = ImagePlan::new(data, kaslr) else {
            return;
        };
        assert!(plan.virtual_base >= HIGHER_HALF && plan.virtual_base % 4096 == 0);
        assert!(plan.virtual_base.checked_add(plan.size).is_some());
        let mut end = 0;
        for segment in &plan.segments {
            assert!(segment.offset >= end || segment.size == 0 || segment.offset % 4096 == 0);
            end = segment.offset + segment.size;
            assert!(end <= plan.size);
        }
        if plan.size > 1 << 22 {
            return;
        }
        let mut memory = vec![0xcc; plan.size as usize];
        plan.load(&mut memory)
            .expect("a checked image fits its memory");
        if let Ok(found) = Requests::scan(&memory, plan.file_backed().into_iter()) {
            // What it names may be nonsense, but is never read outside of the image.
            let _ = modules::internal(&found, &memory, plan.virtual_base);
            found.acknowledge(&mut memory);
        }
    }
}

/// The bytes of a loaded image: each request is found once, and at a place that it fits into.
pub fn requests(data: &[u8]) {
    let Ok(found) = Requests::scan(data, std::iter::once(0..data.len())) else {
        return;
    };
    for (index, request) in found.list.iter().enumerate() {
        assert!(request.offset % 8 == 0 && request.offset + 48 <= data.len());
        assert!(
            found.list[index + 1..]
                .iter()
                .all(|other| other.id != request.id)
        );
    }
    let _ = modules::internal(&found, data, HIGHER_HALF);
    found.acknowledge(&mut data.to_vec());
}

/// A memory map of the firmware; the first byte says how long its descriptors are.
pub fn memory_map(data: &[u8]) {
    let Some((step, data)) = data.split_first() else {
        return;
    };
    let mut workspace = Workspace::new(64);
    let regions = efi_regions(data, usize::from(*step));
    let Ok(map) = workspace.build(regions, &[]) else {
        return;
    };
    let mut end = 0;
    for region in map {
        assert!(region.base >= end && region.length > 0);
        assert!(region.base % 4096 == 0 && region.length % 4096 == 0);
        assert!(region.base > 0 || region.kind != Kind::USABLE);
        end = region.end();
    }
    for revision in 1..4 {
        let mut last = 0;
        let planned = direct_map::plan::<()>(map, revision, |piece| {
            assert!(piece.base >= last && piece.end > piece.base);
            last = piece.end;
            Ok(())
        });
        assert_eq!(planned, Ok(()));
        assert!(last <= direct_map::top(map));
    }
}

/// An EDID.
pub fn video(data: &[u8]) {
    if let Some(edid) = video::usable_edid(data) {
        assert!(edid.len() % 128 == 0 && !edid.is_empty());
    }
    if let Some(wanted) = video::preferred_resolution(data) {
        assert!(wanted.width < 4096 && wanted.height < 4096);
    }
}

/// The value of the variable `ConOut`.
pub fn console(data: &[u8]) {
    serial_console(data);
}
