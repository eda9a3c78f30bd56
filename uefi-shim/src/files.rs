//! Volumes and files: finding them, reading them, and saying where they came from.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use shim_core::Error;
use shim_core::config::path::{FilePath, Volume};
use shim_core::memory_map::Kind;
use shim_core::response::{Media, VolumeFacts};
use uefi::boot::{self, OpenProtocolAttributes, OpenProtocolParams, ScopedProtocol, SearchType};
use uefi::proto::ProtocolPointer;
use uefi::proto::device_path::media::PartitionSignature;
use uefi::proto::device_path::{DevicePath, DevicePathNodeEnum};
use uefi::proto::loaded_image::LoadedImage;
use uefi::proto::media::block::BlockIO;
use uefi::proto::media::file::{
    Directory, File, FileAttribute, FileInfo, FileMode, FileSystemVolumeLabel, RegularFile,
};
use uefi::proto::media::fs::SimpleFileSystem;
use uefi::{CString16, Handle, Identify};

use crate::memory::{Memory, Pages, Where};

/// Where `limine.conf` is looked for, in the order of Limine.
const CONFIG_PATHS: &[&str] = &[
    "/limine.conf",
    "/limine/limine.conf",
    "/boot/limine.conf",
    "/boot/limine/limine.conf",
    "/EFI/BOOT/limine.conf",
];

/// Where Limine is looked for.
const LIMINE_PATHS: &[&str] = &["/EFI/limine/BOOTX64.EFI"];

/// The volume that the shim came from, and the ways to others.
pub struct Volumes {
    boot: Handle,
}

/// A file on a volume.
pub struct Found {
    /// The volume.
    pub volume: Handle,
    /// The path on it, with a leading slash.
    pub path: String,
}

/// A file in memory.
pub struct Loaded {
    /// Its pages.
    pub pages: Pages,
    /// Its size in bytes.
    pub size: usize,
    /// Its path on the volume.
    pub path: String,
    /// Its volume.
    pub volume: VolumeFacts,
}

/// Opens a protocol without taking it from its driver.
pub fn borrow<P: ProtocolPointer + ?Sized>(handle: Handle) -> uefi::Result<ScopedProtocol<P>> {
    let params = OpenProtocolParams {
        handle,
        agent: boot::image_handle(),
        controller: None,
    };
    // SAFETY: the drivers of the firmware keep their protocols while the boot services run; ours
    // is the only program, and no reference outlives the boot services.
    unsafe { boot::open_protocol(params, OpenProtocolAttributes::GetProtocol) }
}

/// All handles with a protocol.
pub fn handles_with<P: Identify>() -> Vec<Handle> {
    boot::locate_handle_buffer(SearchType::ByProtocol(&P::GUID))
        .map_or_else(|_| Vec::new(), |handles| handles.to_vec())
}

impl Volumes {
    /// Finds the volume that the shim was started from.
    pub fn find() -> Result<Self, Error> {
        let fail = |status: uefi::Status| Error::Firmware {
            action: "telling which volume the shim was started from",
            status: format!("{status}"),
        };
        let image =
            borrow::<LoadedImage>(boot::image_handle()).map_err(|error| fail(error.status()))?;
        let boot = image.device().ok_or(fail(uefi::Status::NOT_FOUND))?;
        Ok(Self { boot })
    }

    /// Reads the configuration file.
    pub fn read_config(&self) -> Result<(&'static str, Vec<u8>), Error> {
        for path in CONFIG_PATHS {
            if let Ok(mut file) = open(self.boot, path) {
                let size = size_of_file(path, &mut file)?;
                let mut bytes = vec![0; size];
                read(path, &mut file, &mut bytes)?;
                return Ok((path, bytes));
            }
        }
        Err(Error::NoConfig)
    }

    /// Looks for Limine.
    pub fn find_limine(&self) -> Option<Found> {
        LIMINE_PATHS
            .iter()
            .find(|path| open(self.boot, path).is_ok())
            .map(|path| Found {
                volume: self.boot,
                path: (*path).to_owned(),
            })
    }

    /// Loads a file into pages of its own.
    pub fn load(
        &self,
        memory: &mut Memory,
        text: &str,
        path: &FilePath,
        kind: Kind,
    ) -> Result<Loaded, Error> {
        let handle = self.resolve(text, &path.volume)?;
        let mut file = open(handle, &path.path).map_err(|error| Error::File {
            path: text.to_owned(),
            reason: reason(error),
        })?;
        let size = size_of_file(text, &mut file)?;
        let what = format!("the file \"{text}\"");
        let bytes = u64::try_from(size).unwrap_or(u64::MAX);
        let mut pages = memory.take(&what, bytes, Where::Anywhere, kind)?;
        if let Some(target) = pages.bytes().get_mut(..size) {
            read(text, &mut file, target)?;
        }
        Ok(Loaded {
            pages,
            size,
            path: path.path.clone(),
            volume: describe(handle),
        })
    }

    fn resolve(&self, text: &str, volume: &Volume) -> Result<Handle, Error> {
        let wanted = |handle: &Handle| match volume {
            Volume::Boot => *handle == self.boot,
            Volume::BootPartition(number) => {
                describe(*handle).partition == *number && same_disk(self.boot, *handle)
            }
            Volume::Guid(guid) => describe(*handle).gpt_partition == *guid,
            Volume::Label(label) => label_of(*handle).is_some_and(|other| other == *label),
        };
        if *volume == Volume::Boot {
            return Ok(self.boot);
        }
        handles_with::<SimpleFileSystem>()
            .into_iter()
            .find(wanted)
            .ok_or(Error::File {
                path: text.to_owned(),
                reason: "there is no such volume that the firmware can read".to_owned(),
            })
    }
}

fn reason(error: uefi::Error) -> String {
    match error.status() {
        uefi::Status::NOT_FOUND => "there is no such file".to_owned(),
        status => format!("the firmware says {status}"),
    }
}

fn root(volume: Handle) -> uefi::Result<Directory> {
    borrow::<SimpleFileSystem>(volume)?.open_volume()
}

fn open(volume: Handle, path: &str) -> uefi::Result<RegularFile> {
    let name = CString16::try_from(path.replace('/', "\\").as_str())
        .map_err(|_| uefi::Error::from(uefi::Status::INVALID_PARAMETER))?;
    root(volume)?
        .open(&name, FileMode::Read, FileAttribute::empty())?
        .into_regular_file()
        .ok_or(uefi::Error::from(uefi::Status::NOT_FOUND))
}

fn size_of_file(path: &str, file: &mut RegularFile) -> Result<usize, Error> {
    let info = file
        .get_boxed_info::<FileInfo>()
        .map_err(|error| Error::File {
            path: path.to_owned(),
            reason: reason(error),
        })?;
    usize::try_from(info.file_size()).map_err(|_| Error::File {
        path: path.to_owned(),
        reason: "it is too large".to_owned(),
    })
}

fn read(path: &str, file: &mut RegularFile, into: &mut [u8]) -> Result<(), Error> {
    let fail = |reason: String| Error::File {
        path: path.to_owned(),
        reason,
    };
    let wanted = into.len();
    match file.read(into) {
        Ok(done) if done == wanted => Ok(()),
        Ok(done) => Err(fail(format!("only {done} of {wanted} bytes could be read"))),
        Err(error) => Err(fail(reason(error))),
    }
}

fn label_of(volume: Handle) -> Option<String> {
    let label = root(volume)
        .ok()?
        .get_boxed_info::<FileSystemVolumeLabel>()
        .ok()?;
    Some(String::from(label.volume_label()))
}

/// Says where the files of a volume come from.
fn describe(volume: Handle) -> VolumeFacts {
    let mut facts = VolumeFacts::default();
    let Ok(path) = borrow::<DevicePath>(volume) else {
        return facts;
    };
    for node in path.node_iter() {
        match node.as_enum() {
            Ok(DevicePathNodeEnum::MediaCdRom(_)) => facts.media = Media::OPTICAL,
            Ok(DevicePathNodeEnum::MediaHardDrive(drive)) => {
                facts.partition = drive.partition_number();
                if let PartitionSignature::Guid(guid) = drive.partition_signature() {
                    facts.gpt_partition = guid.to_bytes();
                }
            }
            _ => {}
        }
    }
    if let Some(disk) = disk_of(volume) {
        let (mbr, gpt) = disk_ids(disk);
        facts.mbr_disk_id = mbr;
        facts.gpt_disk = gpt;
    }
    facts
}

/// The path of a device without the node that ends it.
fn path_bytes(handle: Handle) -> Option<Vec<u8>> {
    let path = borrow::<DevicePath>(handle).ok()?;
    let bytes = path.as_bytes();
    bytes.get(..bytes.len().checked_sub(4)?).map(<[u8]>::to_vec)
}

/// The whole disk that a volume is on: the block device with the longest path that the path of the
/// volume begins with, and which is no partition.
fn disk_of(volume: Handle) -> Option<Handle> {
    let path = path_bytes(volume)?;
    let is_disk = |handle: &Handle| {
        borrow::<BlockIO>(*handle).is_ok_and(|block| !block.media().is_logical_partition())
            && path_bytes(*handle).is_some_and(|other| path.starts_with(&other))
    };
    let disks = handles_with::<BlockIO>().into_iter().filter(is_disk);
    disks.max_by_key(|handle| path_bytes(*handle).map_or(0, |path| path.len()))
}

fn same_disk(a: Handle, b: Handle) -> bool {
    disk_of(a).is_some_and(|disk| disk_of(b) == Some(disk))
}

/// The ids in the first two blocks of a disk.
fn disk_ids(disk: Handle) -> (u32, [u8; 16]) {
    let none = (0, [0; 16]);
    let Ok(mut block) = borrow::<BlockIO>(disk) else {
        return none;
    };
    let media = block.media();
    let media_id = media.media_id();
    let size = usize::try_from(media.block_size()).unwrap_or(0);
    if !media.is_media_present() || !(512..=65536).contains(&size) {
        return none;
    }
    // Page alignment satisfies every controller.
    let Ok(buffer) = boot::allocate_pages(
        boot::AllocateType::AnyPages,
        boot::MemoryType::LOADER_DATA,
        32,
    ) else {
        return none;
    };
    let total = size.saturating_mul(2);
    // SAFETY: 32 pages are at least the 2 * 65536 bytes that are allowed above, they are ours, and
    // the zeros written to them are valid bytes.
    let bytes = unsafe {
        buffer.as_ptr().write_bytes(0, total);
        core::slice::from_raw_parts_mut(buffer.as_ptr(), total)
    };
    let ids = match block.read_blocks(media_id, 0, bytes) {
        Ok(()) => shim_core::disk::ids(bytes, size),
        Err(_) => none,
    };
    // SAFETY: `bytes` is not used any more.
    let _kept = unsafe { boot::free_pages(buffer, 32) };
    ids
}
