//! Calls on areas.

use abi::{Error, Rights, area as kinds};
use kaddr::{PAGE_SHIFT, PAGE_SIZE};
use ksync::Arc;

use super::{area_error, write_words};
use crate::object::Object;
use crate::process::Process;
use crate::vm::{NewArea, VmArea};

/// A number of bytes as a number of pages.
fn pages(bytes: u64) -> Result<u64, Error> {
    if !bytes.is_multiple_of(PAGE_SIZE) {
        return Err(Error::InvalidArgument);
    }
    Ok(bytes >> PAGE_SHIFT)
}

/// `vm_area_create`.
pub fn create(process: &Process, kind: u64, size: u64, sections: u64) -> Result<u64, Error> {
    let pages = pages(size)?;
    let kind = match (kind, sections) {
        (kinds::OPEN, 0) => NewArea::Open { pages },
        (kinds::RING, 0) => NewArea::Ring { pages },
        (kinds::GUARDED, sections) => NewArea::Guarded {
            sections,
            section_pages: pages,
        },
        _ => return Err(Error::InvalidArgument),
    };
    let area = VmArea::new(kind, process.account().clone()).map_err(area_error)?;
    add(process, area)
}

fn add(process: &Process, area: Arc<VmArea>) -> Result<u64, Error> {
    const RIGHTS: Rights = Rights::DUPLICATE
        .union(Rights::TRANSFER)
        .union(Rights::MAP_READ)
        .union(Rights::MAP_WRITE)
        .union(Rights::MAP_EXECUTE)
        .union(Rights::RESIZE)
        .union(Rights::INSPECT);
    let handle = process.add_handle(Object::VmArea(area), RIGHTS)?;
    Ok(handle.0)
}

/// `vm_area_info`.
pub fn info(area: &VmArea, info: u64) -> Result<u64, Error> {
    write_words(info, area.info().to_words())
}

/// `vm_area_resize`.
pub fn resize(area: &VmArea, size: u64) -> Result<u64, Error> {
    area.resize(pages(size)?).map_err(area_error)?;
    Ok(0)
}

/// `vm_area_commit`.
pub fn commit(area: &VmArea, offset: u64, len: u64) -> Result<u64, Error> {
    area.commit(pages(offset)?, pages(len)?)
        .map_err(area_error)?;
    Ok(0)
}

/// `vm_area_decommit`.
pub fn decommit(area: &VmArea, offset: u64, len: u64) -> Result<u64, Error> {
    area.decommit(pages(offset)?, pages(len)?)
        .map_err(area_error)?;
    Ok(0)
}

/// `vm_area_snapshot`.
pub fn snapshot(process: &Process, area: &VmArea) -> Result<u64, Error> {
    let copy = area
        .snapshot(process.account().clone())
        .map_err(area_error)?;
    add(process, copy)
}
