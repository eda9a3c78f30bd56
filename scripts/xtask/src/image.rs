//! Makes the boot disk: a GPT with one FAT32 EFI system partition, the same bytes for the same input.
//!
//! Identifiers and time stamps are constants, files are added in a fixed order, and blocks of
//! zeros become holes in the file.

use std::fs::File;
use std::io::{Cursor, Seek, SeekFrom, Write};
use std::path::Path;

use fatfs::{FatType, FileSystem, FormatVolumeOptions, FsOptions};
use gpt::GptConfig;
use gpt::disk::LogicalBlockSize;
use gpt::mbr::ProtectiveMBR;
use gpt::partition::Partition;
use gpt::partition_types;
use uuid::Uuid;

use crate::error::{Error, Result};

const SECTOR: usize = 512;
/// The partition starts at 1 MiB, as partitioning tools have it.
const FIRST_LBA: usize = 2048;
/// Room for the backup GPT, rounded up to 1 MiB.
const TAIL: usize = 1 << 20;
/// FAT32 needs 65,525 clusters; with clusters of one sector this is comfortably above.
const MIN_VOLUME: usize = 48 << 20;
/// Free space that a volume keeps beyond its files.
const HEADROOM: usize = 12 << 20;
const DISK_GUID: Uuid = Uuid::from_u128(0x6a736978_6469_736b_8000_000000000001);
const PARTITION_GUID: Uuid = Uuid::from_u128(0x6a736978_6573_7030_8000_000000000002);
const VOLUME_ID: u32 = 0x6a73_6978;

/// A file on the boot volume.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Path with `/`, without one at its start.
    pub path: String,
    /// Contents.
    pub data: Vec<u8>,
}

/// Writes a disk image that holds `entries` to `path`.
pub fn write(path: &Path, entries: &[Entry]) -> Result<()> {
    let disk = disk(entries).map_err(|e| Error::Io {
        action: "make the file system for",
        path: path.to_path_buf(),
        source: e,
    })?;
    write_sparse(path, &disk).map_err(Error::io("write", path))
}

fn disk(entries: &[Entry]) -> std::io::Result<Vec<u8>> {
    let content: usize = entries.iter().map(|entry| entry.data.len()).sum();
    let volume_size = (content + HEADROOM)
        .max(MIN_VOLUME)
        .next_multiple_of(1 << 20);
    let volume = volume(entries, volume_size)?;

    let start = FIRST_LBA * SECTOR;
    let mut disk = vec![0_u8; start + volume_size + TAIL];
    for (to, from) in disk.iter_mut().skip(start).zip(volume) {
        *to = from;
    }
    partition(&mut disk, volume_size / SECTOR)?;
    Ok(disk)
}

fn volume(entries: &[Entry], size: usize) -> std::io::Result<Vec<u8>> {
    let mut volume = vec![0_u8; size];
    let sectors = u32::try_from(size / SECTOR).map_err(std::io::Error::other)?;
    let options = FormatVolumeOptions::new()
        .fat_type(FatType::Fat32)
        .bytes_per_cluster(SECTOR as u32)
        .total_sectors(sectors)
        .volume_id(VOLUME_ID)
        .volume_label(*b"JSIX       ");
    fatfs::format_volume(Cursor::new(volume.as_mut_slice()), options)?;
    let fs = FileSystem::new(Cursor::new(volume.as_mut_slice()), FsOptions::new())?;
    {
        let root = fs.root_dir();
        for entry in entries {
            let mut at = 0;
            while let Some(slash) = entry.path.get(at..).and_then(|rest| rest.find('/')) {
                // Fine when it exists already: create_dir opens it then.
                root.create_dir(entry.path.get(..at + slash).unwrap_or_default())?;
                at += slash + 1;
            }
            root.create_file(&entry.path)?.write_all(&entry.data)?;
        }
    }
    fs.unmount()?;
    Ok(volume)
}

fn partition(disk: &mut [u8], sectors: usize) -> std::io::Result<()> {
    let total = u32::try_from(disk.len() / SECTOR).map_err(std::io::Error::other)?;
    let mut device = Cursor::new(disk);
    ProtectiveMBR::with_lb_size(total.saturating_sub(1))
        .overwrite_lba0(&mut device)
        .map_err(std::io::Error::other)?;
    let mut table = GptConfig::new()
        .writable(true)
        .logical_block_size(LogicalBlockSize::Lb512)
        .create_from_device(device, Some(DISK_GUID))
        .map_err(std::io::Error::other)?;
    let system = Partition {
        part_type_guid: partition_types::EFI,
        part_guid: PARTITION_GUID,
        first_lba: FIRST_LBA as u64,
        last_lba: (FIRST_LBA + sectors - 1) as u64,
        flags: 0,
        name: "jsix".into(),
    };
    table
        .update_partitions([(1, system)].into())
        .map_err(std::io::Error::other)?;
    table.write().map_err(std::io::Error::other)?;
    Ok(())
}

fn write_sparse(path: &Path, disk: &[u8]) -> std::io::Result<()> {
    const BLOCK: usize = 64 << 10;
    let mut file = File::create(path)?;
    file.set_len(disk.len() as u64)?;
    for (index, block) in disk.chunks(BLOCK).enumerate() {
        if block.iter().any(|&byte| byte != 0) {
            file.seek(SeekFrom::Start((index * BLOCK) as u64))?;
            file.write_all(block)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Entry, FIRST_LBA, SECTOR, disk};
    use fatfs::{FatType, FileSystem, FsOptions};
    use std::io::{Cursor, Read};

    fn entries() -> Vec<Entry> {
        [
            ("EFI/BOOT/BOOTX64.EFI", 300_000),
            ("EFI/limine/BOOTX64.EFI", 513),
            ("boot/kernel", 1),
            ("boot/empty", 0),
            ("limine.conf", 512),
        ]
        .map(|(path, size)| Entry {
            path: path.into(),
            data: (0..size).map(|i: u32| (i ^ (i >> 8)) as u8).collect(),
        })
        .into()
    }

    #[test]
    fn every_file_reads_back_from_a_fat32_volume_in_the_first_partition() {
        let entries = entries();
        let mut image = disk(&entries).unwrap();
        let table = gpt::GptConfig::new()
            .open_from_device(Cursor::new(image.clone()))
            .unwrap();
        assert!(table.primary_header().is_ok() && table.backup_header().is_ok());
        let part = &table.partitions()[&1];
        assert_eq!(part.first_lba, FIRST_LBA as u64);
        let range = FIRST_LBA * SECTOR..(part.last_lba as usize + 1) * SECTOR;
        let fs = FileSystem::new(Cursor::new(&mut image[range]), FsOptions::new()).unwrap();
        assert_eq!(fs.fat_type(), FatType::Fat32);
        for entry in entries {
            let mut data = Vec::new();
            let mut file = fs.root_dir().open_file(&entry.path).unwrap();
            file.read_to_end(&mut data).unwrap();
            assert!(data == entry.data, "{} differs", entry.path);
        }
    }

    #[test]
    fn the_same_input_gives_the_same_bytes() {
        assert!(disk(&entries()).unwrap() == disk(&entries()).unwrap());
    }
}
