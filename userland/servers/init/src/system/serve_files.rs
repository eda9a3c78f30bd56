//! Handles for files of the archive: what is open, and areas with their bytes.

use alloc::vec;
use alloc::vec::Vec;

use abi::{PAGE_SIZE, Rights};
use protocols::Fault;
use protocols::files::{Answer, FileAnswer, FileRequest, Request};
use sys::object::{Owned, VmArea};

use super::requests::fault;
use super::{Init, badge};
use crate::archive::Entry;
use crate::files::{self, Reply};

/// The rights on an area with the bytes of a file.
const MAPPED: Rights = Rights::MAP_READ
    .union(Rights::INSPECT)
    .union(Rights::DUPLICATE)
    .union(Rights::TRANSFER);

impl Init {
    pub(super) fn ask_files(&self, request: &Request) -> Result<(Answer, Vec<Owned>), Fault> {
        match files::answer(&self.archive, request)? {
            Reply::Answer(answer) => Ok((answer, Vec::new())),
            Reply::Open { number, info } => {
                // Nothing is kept for it: the badge says which file it is.
                let badge = badge::new(badge::Kind::OpenFile, number as u64);
                let file = self.inbox.mailbox().badge(badge).map_err(fault)?;
                Ok((Answer::Info(info), vec![file.into()]))
            }
        }
    }

    pub(super) fn ask_file(
        &mut self,
        number: u64,
        request: &FileRequest,
    ) -> Result<(FileAnswer, Vec<Owned>), Fault> {
        let number = usize::try_from(number).map_err(|_| Fault::NotFound)?;
        let answer = files::answer_open(&self.archive, number, request)?;
        let handles = match request {
            FileRequest::Map => self.area(number)?.into_iter().collect(),
            _ => Vec::new(),
        };
        Ok((answer, handles))
    }

    /// An area with the bytes of a file, made once for all; none for an empty file.
    fn area(&mut self, number: usize) -> Result<Option<Owned>, Fault> {
        let Some(Entry::File { data, .. }) = self.archive.file(number) else {
            return Err(Fault::NotFound);
        };
        if data.is_empty() {
            return Ok(None);
        }
        if let Some(area) = self.areas.get(&number) {
            return area
                .duplicate(MAPPED)
                .map(|area| Some(area.into()))
                .map_err(fault);
        }
        let size = (data.len() as u64).next_multiple_of(PAGE_SIZE);
        let area = VmArea::open(size).map_err(fault)?;
        area.commit(0, size).map_err(fault)?;
        area.map(abi::area::READ | abi::area::WRITE)
            .map_err(fault)?
            .write(0, data);
        let copy = area.duplicate(MAPPED).map_err(fault)?;
        self.areas.insert(number, area);
        Ok(Some(copy.into()))
    }
}
