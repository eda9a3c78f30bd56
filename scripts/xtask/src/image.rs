//! Makes the boot disk: a GPT with one FAT32 EFI system partition, the same bytes for the same input.
//!
//! Identifiers are constants, all times are that of the commit, files are added in a fixed order, and blocks of
//! zeros become holes in the file.

use std::fs::File;
use std::io::{Cursor, Seek, SeekFrom, Write};
use std::path::Path;

use fatfs::{
    Date, DateTime, FatType, FileSystem, FormatVolumeOptions, FsOptions, Time, TimeProvider,
};
use gpt::GptConfig;
use gpt::disk::LogicalBlockSize;
use gpt::mbr::ProtectiveMBR;
use gpt::partition::Partition;
use gpt::partition_types;
use uuid::Uuid;

use crate::contents::Contents;
use crate::error::{Error, Result};

const SECTOR: usize = 512;
/// The partition starts at 1 MiB, as partitioning tools have it.
const FIRST_LBA: usize = 2048;
/// Room for the backup GPT, rounded up to 1 MiB.
const TAIL: usize = 1 << 20;
/// FAT32 needs 65,525 clusters; with clusters of one sector this is comfortably above.
const MIN_VOLUME: usize = 48 << 20;
/// FAT16 needs 4,085 clusters and has at most 65,524; with the tables, these are on the safe side.
const MIN_FAT16: usize = 4 << 20;
/// See [`MIN_FAT16`].
const MAX_FAT16_CLUSTERS: usize = 65_000;
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

/// Writes a disk image that holds `contents` to `path`.
pub fn write(path: &Path, contents: &Contents) -> Result<()> {
    let time_s = contents.identity.commit.time_s;
    let disk = disk(&contents.files, time_s).map_err(|e| Error::Io {
        action: "make the file system for",
        path: path.to_path_buf(),
        source: e,
    })?;
    write_sparse(path, &disk).map_err(Error::io("write", path))
}

fn disk(entries: &[Entry], time_s: u64) -> std::io::Result<Vec<u8>> {
    let content: usize = entries.iter().map(|entry| entry.data.len()).sum();
    let volume_size = (content + HEADROOM)
        .max(MIN_VOLUME)
        .next_multiple_of(1 << 20);
    let volume = volume(entries, volume_size, FatType::Fat32, time_s)?;

    let start = FIRST_LBA * SECTOR;
    let mut disk = vec![0_u8; start + volume_size + TAIL];
    for (to, from) in disk.iter_mut().skip(start).zip(volume) {
        *to = from;
    }
    partition(&mut disk, volume_size / SECTOR)?;
    Ok(disk)
}

/// The smallest volume that holds `entries`, for a disc: FAT16, or FAT32 where that is too small.
pub fn small_volume(entries: &[Entry], time_s: u64) -> std::io::Result<Vec<u8>> {
    // Each file wastes part of a cluster, and needs entries of a folder; each cluster needs two bytes in each of two tables.
    let content: usize = entries
        .iter()
        .map(|entry| entry.data.len().next_multiple_of(SECTOR) + 2 * SECTOR)
        .sum();
    let size = (content + content / 64 + (1 << 20)).next_multiple_of(1 << 20);
    let fits = size / SECTOR < MAX_FAT16_CLUSTERS;
    if fits {
        volume(entries, size.max(MIN_FAT16), FatType::Fat16, time_s)
    } else {
        volume(entries, size.max(MIN_VOLUME), FatType::Fat32, time_s)
    }
}

fn volume(entries: &[Entry], size: usize, kind: FatType, time_s: u64) -> std::io::Result<Vec<u8>> {
    let mut volume = vec![0_u8; size];
    let sectors = u32::try_from(size / SECTOR).map_err(std::io::Error::other)?;
    let options = FormatVolumeOptions::new()
        .fat_type(kind)
        .bytes_per_cluster(SECTOR as u32)
        .total_sectors(sectors)
        .volume_id(VOLUME_ID)
        .volume_label(*b"JSIX       ");
    fatfs::format_volume(Cursor::new(volume.as_mut_slice()), options)?;
    let time = Box::new(Always::at(time_s).map_err(std::io::Error::other)?);
    // The interface wants it to live for ever.
    let options = FsOptions::new().time_provider(Box::leak(time));
    let fs = FileSystem::new(Cursor::new(volume.as_mut_slice()), options)?;
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

/// The time of every file.
#[derive(Debug)]
struct Always(DateTime);

impl Always {
    /// `time_s` seconds after 1970.
    fn at(time_s: u64) -> std::result::Result<Self, time::error::ComponentRange> {
        let seconds = i64::try_from(time_s).unwrap_or(i64::MAX);
        let at = time::OffsetDateTime::from_unix_timestamp(seconds)?;
        Ok(Self(DateTime {
            date: Date {
                // What FAT can say.
                year: u16::try_from(at.year()).unwrap_or(1980).clamp(1980, 2107),
                month: u8::from(at.month()).into(),
                day: at.day().into(),
            },
            time: Time {
                hour: at.hour().into(),
                min: at.minute().into(),
                sec: at.second().into(),
                millis: 0,
            },
        }))
    }
}

impl TimeProvider for Always {
    fn get_current_date(&self) -> Date {
        self.0.date
    }

    fn get_current_date_time(&self) -> DateTime {
        self.0
    }
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
    use super::{Entry, FIRST_LBA, SECTOR, disk, small_volume};
    use fatfs::{FatType, FileSystem, FsOptions};
    use std::io::{Cursor, Read};

    const TIME_S: u64 = 1_795_935_000;

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
        let mut image = disk(&entries, TIME_S).unwrap();
        let table = gpt::GptConfig::new()
            .open_from_device(Cursor::new(image.clone()))
            .unwrap();
        assert!(table.primary_header().is_ok() && table.backup_header().is_ok());
        let part = &table.partitions()[&1];
        assert_eq!(part.first_lba, FIRST_LBA as u64);
        let range = FIRST_LBA * SECTOR..(part.last_lba as usize + 1) * SECTOR;
        reads_back(&mut image[range], FatType::Fat32, &entries);
    }

    fn reads_back(volume: &mut [u8], kind: FatType, entries: &[Entry]) {
        let fs = FileSystem::new(Cursor::new(volume), FsOptions::new()).unwrap();
        assert_eq!(fs.fat_type(), kind);
        for entry in entries {
            let mut data = Vec::new();
            let mut file = fs.root_dir().open_file(&entry.path).unwrap();
            file.read_to_end(&mut data).unwrap();
            assert!(data == entry.data, "{} differs", entry.path);
        }
        let folder = fs.root_dir().open_dir("boot").unwrap();
        for file in folder.iter().map(Result::unwrap).filter(|f| f.is_file()) {
            let (date, time) = (file.modified().date, file.modified().time);
            assert_eq!((date.year, date.month, date.day), (2026, 11, 29));
            assert_eq!((time.hour, time.min, time.sec), (6, 50, 0));
        }
    }

    #[test]
    fn a_volume_for_a_disc_holds_few_and_many_bytes() {
        for (more, kind) in [
            (0, FatType::Fat16),
            (20 << 20, FatType::Fat16),
            (40 << 20, FatType::Fat32),
        ] {
            let mut entries = entries();
            entries[2].data = vec![7; more];
            entries.extend((0..200).map(|i| Entry {
                path: format!("boot/programs/a program with a long name {i}"),
                data: vec![1],
            }));
            let mut volume = small_volume(&entries, TIME_S).unwrap();
            assert!(volume.len() < more + (48 << 20));
            reads_back(&mut volume, kind, &entries);
        }
    }

    #[test]
    fn the_same_input_gives_the_same_bytes() {
        let twice = [(); 2].map(|()| disk(&entries(), TIME_S).unwrap());
        assert!(twice[0] == twice[1]);
        assert!(twice[0] != disk(&entries(), TIME_S + 60).unwrap());
    }
}
