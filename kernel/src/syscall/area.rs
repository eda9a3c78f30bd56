//! Calls on areas.

use abi::{Error, Handle, ObjectType, Rights, area as kinds};
use kaddr::PAGE_SIZE;
use kmem::pt::CacheMode;
use ksync::Arc;

use super::area_error;
use super::decode::{Place, Size, Written, objects};
use super::dispatch::{Areas, Caller};
use crate::object::Object;
use crate::object::resource::is_for_programs;
use crate::vm::{NewArea, VmArea};

impl Areas for Caller<'_> {
    fn vm_area_create(self, kind: u64, size: Size, sections: u64) -> Result<Handle, Error> {
        let pages = size.pages();
        let kind = match (kind, sections) {
            (kinds::OPEN, 0) => NewArea::Open { pages },
            (kinds::RING, 0) => NewArea::Ring { pages },
            (kinds::GUARDED, sections) => NewArea::Guarded {
                sections,
                section_pages: pages,
            },
            _ => return Err(Error::InvalidArgument),
        };
        let area = VmArea::new(kind, self.0.account().clone()).map_err(area_error)?;
        self.add_area(area)
    }

    fn vm_area_create_fixed(
        self,
        resource: objects::Resource,
        offset: Size,
        len: Size,
        caching: u64,
    ) -> Result<Handle, Error> {
        let range = resource.memory(offset.bytes(), len.bytes())?;
        let range = range
            .filter(|range| range.is_aligned(PAGE_SIZE))
            .ok_or(Error::InvalidArgument)?;
        if !is_for_programs(range) {
            return Err(Error::AccessDenied);
        }
        let cache = match caching {
            kinds::WRITE_COMBINING => CacheMode::WriteCombining,
            _ => CacheMode::Uncached,
        };
        let area = VmArea::fixed(range, cache, self.0.account().clone()).map_err(area_error)?;
        self.add_area(area)
    }

    fn vm_area_info(
        self,
        area: objects::VmArea,
        place: Place<kinds::Info>,
    ) -> Result<Written, Error> {
        place.write(area.info())
    }

    fn vm_area_resize(self, area: objects::VmArea, size: Size) -> Result<(), Error> {
        area.resize(size.pages()).map_err(area_error)
    }

    fn vm_area_commit(self, area: objects::VmArea, offset: Size, len: Size) -> Result<(), Error> {
        area.commit(offset.pages(), len.pages()).map_err(area_error)
    }

    fn vm_area_decommit(self, area: objects::VmArea, offset: Size, len: Size) -> Result<(), Error> {
        area.decommit(offset.pages(), len.pages())
            .map_err(area_error)
    }

    fn vm_area_snapshot(self, area: objects::VmArea) -> Result<Handle, Error> {
        let copy = area.snapshot(self.0.account().clone());
        self.add_area(copy.map_err(area_error)?)
    }
}

impl Caller<'_> {
    fn add_area(self, area: Arc<VmArea>) -> Result<Handle, Error> {
        const RIGHTS: Rights = Rights::of(ObjectType::VmArea);
        self.0.add_handle(Object::VmArea(area), RIGHTS)
    }
}
