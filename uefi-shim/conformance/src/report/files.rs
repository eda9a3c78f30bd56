//! The kernel file and the modules.

use limine::file::{File, MediaType, Uuid};

use super::{conf, yes};
use crate::report::memory::kind_at;
use crate::requests::{KERNEL_FILE, MODULES};
use crate::walk::{hhdm, translate};

/// Prints them.
pub fn report() {
    match KERNEL_FILE.get_response() {
        Some(response) => {
            conf!("kernel file: revision {}", response.revision());
            file("kernel file", response.file());
        }
        None => conf!("kernel file: none"),
    }
    match MODULES.get_response() {
        Some(response) => {
            conf!(
                "modules: revision {}, {} of them",
                response.revision(),
                response.modules().len()
            );
            for module in response.modules() {
                file("module", module);
            }
        }
        None => conf!("modules: none"),
    }
}

fn file(name: &str, file: &File) {
    conf!(
        "{name}: revision {}, path {:?}, command line {:?}, size {}",
        file.revision(),
        file.path(),
        file.string(),
        file.size()
    );
    let address = file.addr() as u64;
    let phys = address.wrapping_sub(hhdm());
    let mut kernel_memory = true;
    let mut at = address;
    while at < address + file.size() {
        kernel_memory &= translate(at).is_some_and(|map| kind_at(map.phys) == Some(6));
        at += 0x1000;
    }
    conf!(
        "{name}: aligned {}, direct map {}, kernel memory {}",
        yes(address.is_multiple_of(0x1000)),
        yes(translate(address).is_some_and(|map| map.phys == phys)),
        yes(kernel_memory)
    );
    let size = usize::try_from(file.size()).unwrap_or(0);
    // SAFETY: the loader says that so many bytes are there, and the pages were looked up above.
    let bytes = unsafe { core::slice::from_raw_parts(file.addr(), size) };
    // FNV-1a
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    });
    conf!("{name}: contents {hash:016x}");
    conf!(
        "{name}: generic medium {}, TFTP {} {}, partition {}, MBR id {:#x}",
        yes(file.media_type() == MediaType::GENERIC),
        file.tftp_ip().map_or(0, u32::from),
        file.tftp_port().map_or(0, u32::from),
        file.partition_idx().map_or(0, u32::from),
        file.mbr_disk_id().map_or(0, u32::from)
    );
    for (what, id) in [
        ("disk", file.gpt_disk_id()),
        ("partition", file.gpt_partition_id()),
        ("file system", file.partition_uuid()),
    ] {
        match id {
            Some(Uuid { a, b, c, d }) => conf!(
                "{name}: GUID of the {what} {a:08x}-{b:04x}-{c:04x}-{:016x}",
                u64::from_be_bytes(d)
            ),
            None => conf!("{name}: GUID of the {what} none"),
        }
    }
}
