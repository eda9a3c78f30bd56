//! Handles for files of the archive: what is open, and areas with their bytes.

use alloc::collections::VecDeque;
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

/// The most bytes of areas that are kept for who asks next. (The bytes are in the archive, too; who has an area mapped keeps it in any case.)
const KEPT_MAX: u64 = 2 << 20;

/// Areas with the bytes of files that were asked for last, by their numbers, the oldest first.
#[derive(Default)]
pub(super) struct Areas {
    kept: VecDeque<(usize, VmArea, u64)>,
    bytes: u64,
}

impl Areas {
    fn find(&self, number: usize) -> Option<&VmArea> {
        let mut kept = self.kept.iter();
        kept.find_map(|(other, area, _)| (*other == number).then_some(area))
    }

    /// Keeps an area, and gives up the oldest ones if there are too many bytes of them.
    fn keep(&mut self, number: usize, area: VmArea, size: u64) {
        self.kept.push_back((number, area, size));
        self.bytes += size;
        while self.bytes > KEPT_MAX {
            let Some((_, _, size)) = self.kept.pop_front() else {
                break;
            };
            self.bytes -= size;
        }
    }
}

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

    /// An area with the bytes of a file; none for an empty file.
    fn area(&mut self, number: usize) -> Result<Option<Owned>, Fault> {
        let Some(Entry::File { data, .. }) = self.archive.file(number) else {
            return Err(Fault::NotFound);
        };
        if data.is_empty() {
            return Ok(None);
        }
        if let Some(area) = self.areas.find(number) {
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
        self.areas.keep(number, area, size);
        Ok(Some(copy.into()))
    }
}
