//! An open file.

use alloc::string::String;
use alloc::vec::Vec;

use abi::area;
use ipc::Failure;
use protocols::files::{FileAnswer, FileRequest, IO_MAX, Info, OpenFile};
use protocols::{Fault, WireError};
use sys::object::{Mailbox, Owned, VmArea};

use crate::FileError;

/// Where to go in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeekFrom {
    /// So many bytes from the begin.
    Start(u64),
    /// So many from the end, back if negative.
    End(i64),
    /// So many from where it is.
    Current(i64),
}

/// An open file, and a place in it. It is closed when this is dropped.
#[derive(Debug)]
pub struct File {
    mailbox: Mailbox,
    /// What the service takes as the sign that the file is open.
    _kept: Vec<Owned>,
    path: String,
    position: u64,
    appends: bool,
    info: Info,
}

/// Where to write to write at the end.
const AT_END: u64 = u64::MAX;

impl File {
    pub(crate) fn new(
        path: &str,
        info: Info,
        handles: Vec<Owned>,
        appends: bool,
    ) -> Result<Self, FileError> {
        let mut handles = handles.into_iter();
        let mailbox = handles
            .next()
            .ok_or_else(|| FileError::new(path, Failure::Wire(WireError::Malformed)))?;
        Ok(Self {
            mailbox: Mailbox::from(mailbox),
            _kept: handles.collect(),
            path: path.into(),
            position: 0,
            appends,
            info,
        })
    }

    /// Its path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What was told about it when it was opened.
    pub fn opened(&self) -> Info {
        self.info
    }

    fn ask(&self, request: &FileRequest) -> Result<(FileAnswer, Vec<Owned>), FileError> {
        ipc::call::<OpenFile>(&self.mailbox, request, Vec::new(), abi::NEVER)
            .map_err(|failure| FileError::new(&self.path, failure))
    }

    fn wrong(&self) -> FileError {
        FileError::new(&self.path, Failure::Wire(WireError::Malformed))
    }

    /// About it, as it is now.
    ///
    /// # Errors
    /// What the service says.
    pub fn info(&self) -> Result<Info, FileError> {
        match self.ask(&FileRequest::Info)? {
            (FileAnswer::Info(info), _) => Ok(info),
            _ => Err(self.wrong()),
        }
    }

    /// Reads bytes from where it is; returns how many, 0 at the end.
    ///
    /// # Errors
    /// What the service says.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, FileError> {
        let request = FileRequest::Read {
            offset: self.position,
            len: buffer.len().min(IO_MAX) as u32,
        };
        let (FileAnswer::Bytes(bytes), _) = self.ask(&request)? else {
            return Err(self.wrong());
        };
        let Some(place) = buffer.get_mut(..bytes.len()) else {
            return Err(self.wrong());
        };
        place.copy_from_slice(&bytes);
        self.position += bytes.len() as u64;
        Ok(bytes.len())
    }

    /// Writes bytes where it is, or at the end if it was opened so; returns how many.
    ///
    /// # Errors
    /// What the service says.
    pub fn write(&mut self, bytes: &[u8]) -> Result<usize, FileError> {
        let bytes = bytes.get(..IO_MAX).unwrap_or(bytes);
        if bytes.is_empty() {
            return Ok(0);
        }
        let offset = if self.appends { AT_END } else { self.position };
        let request = FileRequest::Write {
            offset,
            bytes: bytes.into(),
        };
        let (FileAnswer::Done { size }, _) = self.ask(&request)? else {
            return Err(self.wrong());
        };
        self.position = match self.appends {
            true => size,
            false => self.position.saturating_add(bytes.len() as u64),
        };
        Ok(bytes.len())
    }

    /// Writes all of the bytes.
    ///
    /// # Errors
    /// What the service says; a part may have been written.
    pub fn write_all(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        for piece in bytes.chunks(IO_MAX) {
            self.write(piece)?;
        }
        Ok(())
    }

    /// Goes to a place, which may lie behind the end; returns where that is.
    ///
    /// # Errors
    /// `InvalidArgument` for one before the begin.
    pub fn seek(&mut self, to: SeekFrom) -> Result<u64, FileError> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(by) => self.info()?.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = place.ok_or_else(|| FileError::new(&self.path, Fault::InvalidArgument))?;
        Ok(self.position)
    }

    /// Makes it as long as this.
    ///
    /// # Errors
    /// What the service says.
    pub fn truncate(&mut self, size: u64) -> Result<(), FileError> {
        self.ask(&FileRequest::Truncate { size }).map(drop)
    }

    /// All of it as it is now: memory that can only be read, and how many bytes of that are the file's; none when it is empty.
    ///
    /// # Errors
    /// What the service says.
    pub fn map(&self) -> Result<Option<(VmArea, u64)>, FileError> {
        let (FileAnswer::Info(info), handles) = self.ask(&FileRequest::Map)? else {
            return Err(self.wrong());
        };
        match handles.into_iter().next() {
            Some(area) => Ok(Some((VmArea::from(area), info.size))),
            None if info.size == 0 => Ok(None),
            None => Err(self.wrong()),
        }
    }

    /// The bytes of all of it.
    ///
    /// # Errors
    /// What the service says, or `OutOfMemory`.
    pub fn read_to_vec(&self) -> Result<Vec<u8>, FileError> {
        let Some((area, size)) = self.map()? else {
            return Ok(Vec::new());
        };
        let fail = |error: abi::Error| FileError::new(&self.path, error);
        let mapping = area.map(area::READ).map_err(fail)?;
        let size = size.min(mapping.len()) as usize;
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(size)
            .map_err(|_| FileError::new(&self.path, Fault::OutOfMemory))?;
        bytes.resize(size, 0);
        mapping.read(0, &mut bytes);
        Ok(bytes)
    }
}
