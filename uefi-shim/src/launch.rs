//! The last steps: page tables, leaving the boot services, processors, and the jump.

use core::convert::Infallible;

use shim_core::Error;
use shim_core::config::PagingLevels;
use shim_core::cpu::Optional;
use shim_core::direct_map::{self, Caching};
use shim_core::handoff::{self as page, Parameters};
use shim_core::image::ImagePlan;
use shim_core::memory_map::{Kind, Workspace, efi_regions};
use shim_core::paging::{Access, PageSize, PageTables, Table};
use shim_core::processors::{ApicMode, Processor};
use shim_core::response::{Answers, Facts};
use uefi::boot;
use uefi::proto::loaded_image::LoadedImage;

use crate::exit::{self, EfiMap};
use crate::files::borrow;
use crate::memory::{Memory, PAGE, Pages, Where};
use crate::mp::{self, Starter};
use crate::{cpu, handoff, mtrr};

/// Tables for the bridge between two numbers of levels: three ranges of few pages each.
const BRIDGE_TABLES: usize = 48;

/// All that is needed to launch the kernel.
pub struct Launch {
    /// The memory that was taken.
    pub memory: Memory,
    /// The buffer for the firmware's map.
    pub efi_map: EfiMap,
    /// Room for making the kernel's map.
    pub workspace: Workspace,
    /// What the processor can do.
    pub features: Optional,
    /// The kernel.
    pub plan: ImagePlan<'static>,
    /// What it is told.
    pub facts: Facts,
    /// How it is told.
    pub answers: Answers,
    /// Where it is told.
    pub answer_pages: Pages,
    /// Where it begins.
    pub kernel_entry: u64,
    /// The virtual end of its stack.
    pub stack_top: u64,
    /// The IOAPICs.
    pub io_apics: alloc::vec::Vec<u64>,
    /// The mode that the local APICs get.
    pub apic_mode: ApicMode,
    /// The end of the memory that the direct map reaches.
    pub top: u64,
}

/// Page tables in memory, before they are filled.
struct Pool {
    base: u64,
    tables: &'static mut [Table],
}

impl Pool {
    fn new(memory: &mut Memory, tables: usize) -> Result<Self, Error> {
        let bytes = u64::try_from(tables.saturating_mul(PAGE)).unwrap_or(u64::MAX);
        // Below 4 GiB, as CR3 is loaded by 32-bit code.
        let pages = memory.take(
            "page tables",
            bytes,
            Where::Below4GiB,
            Kind::BOOTLOADER_RECLAIMABLE,
        )?;
        let base = pages.base;
        let (tables, rest) = pages.into_bytes().as_chunks_mut::<PAGE>();
        debug_assert!(rest.is_empty());
        // SAFETY: each chunk is one page, aligned to a page, and any bytes are valid words.
        let tables = unsafe {
            core::slice::from_raw_parts_mut(tables.as_mut_ptr().cast::<Table>(), tables.len())
        };
        Ok(Self { base, tables })
    }
}

/// A range that is mapped one to one until the kernel runs.
#[derive(Clone, Copy)]
struct Identity {
    base: u64,
    size: u64,
}

impl Launch {
    /// Goes; comes back only if that is not possible.
    pub fn go(mut self) -> Result<Infallible, Error> {
        // Only a started processor needs to begin below 1 MiB; some machines have no room there.
        let place = if self.facts.processors.is_some() {
            Where::Low
        } else {
            Where::Below4GiB
        };
        let mut handoff_page = self.memory.take(
            "the way into the kernel",
            PAGE as u64,
            place,
            Kind::BOOTLOADER_RECLAIMABLE,
        )?;
        let page_base = handoff_page.base;
        let identity = [
            Identity {
                base: page_base,
                size: PAGE as u64,
            },
            own_image()?,
        ];
        let processors = self
            .facts
            .processors
            .as_ref()
            .map(|facts| facts.list.clone())
            .unwrap_or_default();
        let mut starter = self.starter(&processors)?;

        let current_levels = if cpu::cr4() & (1 << 12) != 0 {
            PagingLevels::Five
        } else {
            PagingLevels::Four
        };
        let bridge = if current_levels == self.facts.levels {
            None
        } else {
            let pool = Pool::new(&mut self.memory, BRIDGE_TABLES)?;
            let mut tables =
                PageTables::new(pool.tables, pool.base, current_levels, PageSize::Small)?;
            map_identity(&mut tables, &identity)?;
            Some(tables.root())
        };
        let needed = self.tables_needed();
        let pool = Pool::new(&mut self.memory, needed)?;
        let root = pool.base;

        self.parameters(page_base, root, starter.as_ref())
            .write(page_array(&mut handoff_page)?);
        handoff::copy_code(page_array(&mut handoff_page)?);

        let (plan, facts, answers) = (&self.plan, &self.facts, &self.answers);
        let (workspace, answer_pages) = (&mut self.workspace, &mut self.answer_pages);
        let largest = if self.features.huge_pages {
            PageSize::Huge
        } else {
            PageSize::Large
        };
        let finish = |memory: &Memory, efi_map: &mut EfiMap| -> Result<(), Error> {
            let efi = efi_map.facts;
            let map = workspace.build(
                efi_regions(efi_map.bytes(), efi.descriptor_size),
                memory.claims(),
            )?;
            answers.set_memory_map(answer_pages.bytes(), map);
            answers.set_efi_map(answer_pages.bytes(), efi);
            let mut tables = PageTables::new(pool.tables, pool.base, facts.levels, largest)?;
            map_identity(&mut tables, &identity)?;
            for segment in &plan.segments {
                let access = Access {
                    write: segment.flags.write,
                    execute: segment.flags.execute,
                    caching: Caching::WriteBack,
                };
                let virt = plan.virtual_base.wrapping_add(segment.offset);
                let phys = facts.physical_base.wrapping_add(segment.offset);
                tables.map(virt, phys, segment.size, access)?;
            }
            direct_map::plan(map, facts.base_revision, |piece| {
                let virt = facts.hhdm.wrapping_add(piece.base);
                let size = piece.end.saturating_sub(piece.base);
                tables.map(virt, piece.base, size, Access::all(piece.caching))
            })
        };
        // SAFETY: after success nothing below uses the firmware, and nothing is dropped: the only
        // way on is the jump.
        unsafe { exit::leave(&mut self.memory, &mut self.efi_map, finish)? };

        // SAFETY: the boot services are gone, so this program has the machine for itself; page,
        // tables and identity mappings were made above for exactly these uses.
        unsafe {
            cpu::disable_interrupts();
            mp::mask_interrupt_controllers(&self.io_apics);
            if let Some(starter) = &mut starter {
                if self.apic_mode == ApicMode::X2Apic {
                    mp::enable_x2apic();
                }
                starter.start(&processors, page_base);
                self.answers
                    .keep_processors(self.answer_pages.bytes(), |index| starter.is_up(index));
            }
            handoff::enter(page_base, bridge.unwrap_or(root))
        }
    }

    /// Prepares the table of processors, if there are any to start.
    fn starter(&mut self, processors: &[Processor]) -> Result<Option<Starter>, Error> {
        let Some(facts) = &self.facts.processors else {
            return Ok(None);
        };
        let bytes = u64::try_from(Starter::table_bytes(processors.len())).unwrap_or(u64::MAX);
        let table = self.memory.take(
            "the table of processors",
            bytes,
            Where::Anywhere,
            Kind::BOOTLOADER_RECLAIMABLE,
        )?;
        let base = self.answer_pages.base.wrapping_add(self.facts.hhdm);
        let mut starter = Starter::new(table, processors, |index| {
            let offset = self.answers.processor_info(index).unwrap_or(0);
            base.wrapping_add(u64::try_from(offset).unwrap_or(0))
        });
        if let Some(index) = processors
            .iter()
            .position(|other| other.apic_id == facts.bsp_apic_id)
        {
            starter.mark_up(index);
        }
        Ok(Some(starter))
    }

    fn parameters(&self, page_base: u64, root: u64, starter: Option<&Starter>) -> Parameters {
        Parameters {
            page: page_base,
            root,
            hhdm: self.facts.hhdm,
            entry: self.kernel_entry,
            stack_top: self.stack_top,
            levels: self.facts.levels,
            keep_cr4: cpu::cr4(),
            x2apic: self.apic_mode,
            processors: starter.map_or(0, |starter| starter.base().wrapping_add(self.facts.hhdm)),
            processor_count: starter.map_or(0, Starter::count),
            on_start: mtrr::on_start as *const () as u64,
            code: handoff::offsets(),
        }
    }

    /// How many page tables suffice for any map that the workspace can hold.
    fn tables_needed(&self) -> usize {
        let huge = |bytes: u64, shift: u32| {
            usize::try_from(bytes.checked_shr(shift).unwrap_or(0)).unwrap_or(usize::MAX)
        };
        // Each bound between two pieces can need one table of each of the two lowest levels.
        let bounds = self.facts.map_capacity.saturating_mul(2);
        let directories = if self.features.huge_pages {
            0
        } else {
            huge(self.top, 30)
        };
        let upper = huge(self.top, 39).saturating_add(16);
        let kernel = huge(self.plan.size, 21).saturating_add(8);
        bounds
            .saturating_add(directories)
            .saturating_add(upper)
            .saturating_add(kernel)
            .saturating_add(BRIDGE_TABLES)
    }
}

fn map_identity(tables: &mut PageTables<'_>, ranges: &[Identity]) -> Result<(), Error> {
    for range in ranges {
        tables.map(
            range.base,
            range.base,
            range.size,
            Access::all(Caching::WriteBack),
        )?;
    }
    Ok(())
}

/// Where this program is: it still runs when the page tables have changed.
fn own_image() -> Result<Identity, Error> {
    let fail = |status| Error::Firmware {
        action: "telling where the shim is",
        status: alloc::format!("{status}"),
    };
    let image =
        borrow::<LoadedImage>(boot::image_handle()).map_err(|error| fail(error.status()))?;
    let (start, size) = image.info();
    let start = start as u64;
    let base = start & !(PAGE as u64 - 1);
    let end = start
        .saturating_add(size)
        .checked_next_multiple_of(PAGE as u64)
        .ok_or(fail(uefi::Status::LOAD_ERROR))?;
    Ok(Identity {
        base,
        size: end.saturating_sub(base),
    })
}

fn page_array(pages: &mut Pages) -> Result<&mut [u8; page::PAGE], Error> {
    pages.bytes().first_chunk_mut().ok_or(Error::OutOfMemory {
        what: "the way into the kernel".into(),
        bytes: PAGE as u64,
    })
}
