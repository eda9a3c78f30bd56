//! Boots a kernel by the Limine boot protocol.
//!
//! First everything that may fail or needs the firmware: files, image, screen, tables, memory for
//! answers, stacks and page tables. Then, between the last memory map and the exit, what depends
//! on the map. Then, alone with the machine: interrupt controllers, processors, and the jump.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::convert::Infallible;

use shim_core::Error;
use shim_core::config::path::{FilePath, HashCheck};
use shim_core::config::{Entry, Globals, PagingLevels, Switch};
use shim_core::cpu::Optional;
use shim_core::direct_map;
use shim_core::error::RequestFault;
use shim_core::image::{ImagePlan, Kaslr};
use shim_core::memory_map::{Kind, Workspace, efi_regions};
use shim_core::modules::{self, Need};
use shim_core::paging::{self, WantedMode};
use shim_core::processors::{ApicMode, Topology};
use shim_core::requests::{FIELDS_OFFSET, Kind as Feature, Requests, get_word};
use shim_core::response::{Answers, Facts, FileFacts, ProcessorFacts};

use crate::console::Console;
use crate::exit::EfiMap;
use crate::files::{Loaded, Volumes};
use crate::memory::{Memory, PAGE, Where};
use crate::{acpi, cpu, launch, mp, screen, tables};

/// The smallest stack that the protocol allows.
const MIN_STACK: u64 = 64 << 10;
/// The largest stack that is taken for sane.
const MAX_STACK: u64 = 1 << 30;

/// Boots an entry; comes back only if that is not possible.
pub fn boot(
    console: &mut Console,
    volumes: &Volumes,
    globals: &Globals,
    entry: &Entry,
) -> Result<Infallible, Error> {
    match entry.protocol.as_deref() {
        Some("limine") => {}
        other => {
            return Err(Error::Protocol {
                entry: entry.title.clone(),
                protocol: other.unwrap_or("").to_owned(),
            });
        }
    }
    let path = entry.kernel_path.as_deref().ok_or(Error::NoKernelPath {
        entry: entry.title.clone(),
    })?;
    if globals.quiet == Switch::No {
        console.say(&format!("booting \"{}\" from {path}", entry.title));
    }
    let mut load = Load {
        console,
        volumes,
        globals,
        memory: Memory::default(),
    };
    load.run(path, entry)
}

struct Load<'a> {
    console: &'a mut Console,
    volumes: &'a Volumes,
    globals: &'a Globals,
    memory: Memory,
}

impl Load<'_> {
    fn run(&mut self, path: &str, entry: &Entry) -> Result<Infallible, Error> {
        let features = Optional::detect(&cpu::Instruction);
        let wrong_image = |reason| Error::Image {
            path: path.to_owned(),
            reason,
        };
        let wrong_request = |reason| Error::Request {
            path: path.to_owned(),
            reason,
        };

        let file_path = FilePath::parse(path)?;
        // The file itself is only needed until the kernel has read it; the image is what runs.
        let file = self.load(path, &file_path, Kind::BOOTLOADER_RECLAIMABLE)?;
        let volume = file_path.volume.clone();
        let kernel_facts = facts_of(&file, &entry.cmdline);
        let bytes: &'static [u8] = file.pages.into_bytes();
        let bytes = bytes.get(..file.size).unwrap_or_default();

        let random = if entry.kaslr == Some(Switch::No) {
            None
        } else {
            cpu::random()
        };
        let plan =
            ImagePlan::new(bytes, random.map_or(Kaslr::Off, Kaslr::Random)).map_err(wrong_image)?;
        let mut image = self.memory.take_aligned(
            "the kernel",
            plan.size,
            plan.align,
            plan.offset,
            Where::Below4GiB,
            Kind::EXECUTABLE_AND_MODULES,
        )?;
        let physical_base = image.base;
        let image = image.bytes();
        plan.load(image).map_err(wrong_image)?;

        let requests =
            Requests::scan(image, plan.file_backed().into_iter()).map_err(wrong_request)?;
        requests.acknowledge(image);
        let field = |feature, index: usize| {
            let request = requests.find(feature)?;
            get_word(
                image,
                request
                    .offset
                    .checked_add(FIELDS_OFFSET)?
                    .checked_add(index)?,
            )
        };
        let kernel_entry = field(Feature::EntryPoint, 0).unwrap_or(plan.entry);
        let stack_size = field(Feature::StackSize, 0).unwrap_or(0).max(MIN_STACK);
        if stack_size > MAX_STACK {
            return Err(wrong_request(RequestFault::StackSize(stack_size)));
        }
        let mp_flags = field(Feature::Mp, 0);
        let wanted = wanted_mode(&requests, &field);
        let internal =
            modules::internal(&requests, image, plan.virtual_base).map_err(wrong_request)?;

        let mut module_facts = Vec::new();
        for module in internal {
            let path = FilePath {
                volume: volume.clone(),
                path: modules::beside(&file_path.path, &module.path),
                hash: None,
            };
            match (
                self.load(&path.path, &path, Kind::EXECUTABLE_AND_MODULES),
                module.need,
            ) {
                (Ok(file), _) => module_facts.push(facts_of(&file, &module.cmdline)),
                (Err(_), Need::Required) => {
                    return Err(wrong_request(RequestFault::RequiredModule {
                        path: path.path,
                    }));
                }
                (Err(error), Need::Optional) if self.globals.verbose == Switch::Yes => {
                    self.console.say(&format!("warning: {error}"));
                }
                (Err(_), Need::Optional) => {}
            }
        }
        for module in &entry.modules {
            let path = FilePath::parse(&module.path)?;
            let file = self.load(&module.path, &path, Kind::EXECUTABLE_AND_MODULES)?;
            module_facts.push(facts_of(&file, &module.cmdline));
        }

        let mut efi_map = EfiMap::new(&mut self.memory)?;
        efi_map.refresh(&mut self.memory)?;
        let descriptor_size = efi_map.facts.descriptor_size;
        let firmware_tables = tables::Tables::find();
        let topology = acpi::topology(
            efi_regions(efi_map.bytes(), descriptor_size),
            firmware_tables.rsdp,
        );

        let framebuffers = screen::framebuffers(entry.resolution);
        for framebuffer in &framebuffers {
            self.memory.claim(
                framebuffer.address,
                framebuffer.mode.bytes(),
                Kind::FRAMEBUFFER,
            );
        }

        // A first map, only to see how much memory there is and how many entries it takes.
        let descriptors = efi_regions(efi_map.bytes(), descriptor_size).count();
        let claims_to_come = 64;
        let capacity = descriptors
            .saturating_add(self.memory.claims().len())
            .saturating_add(claims_to_come);
        let mut workspace = Workspace::new(capacity);
        let regions = workspace.build(
            efi_regions(efi_map.bytes(), descriptor_size),
            self.memory.claims(),
        )?;
        let top = direct_map::top(regions);

        let most = if features.la57 {
            PagingLevels::Five
        } else {
            PagingLevels::Four
        };
        let levels = paging::choose_levels(wanted, most, entry.max_paging, entry.min_paging, top)
            .map_err(wrong_request)?;
        let randomise_hhdm = match entry.randomise_hhdm {
            Some(choice) => choice == Switch::Yes,
            None => random.is_some() && plan.placement == kboot::elf::Placement::Relocatable,
        };
        let hhdm =
            paging::direct_map_base(levels, if randomise_hhdm { cpu::random() } else { None });

        let mode = apic_mode(mp_flags, topology.as_ref(), features);
        let processors = match (mp_flags, &topology) {
            (Some(_), Some(topology)) => Some(self.processors(topology, mode, stack_size, hhdm)?),
            _ => None,
        };
        let stack = self.memory.take(
            "the stack of the kernel",
            stack_size,
            Where::Anywhere,
            Kind::BOOTLOADER_RECLAIMABLE,
        )?;

        let facts = Facts {
            name: "jsix uefi-shim".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            hhdm,
            base_revision: requests.base_revision.loaded,
            levels,
            cmdline: entry.cmdline.clone(),
            physical_base,
            virtual_base: plan.virtual_base,
            kernel: kernel_facts,
            modules: module_facts,
            framebuffers,
            rsdp: firmware_tables.rsdp,
            smbios_32: firmware_tables.smbios_32,
            smbios_64: firmware_tables.smbios_64,
            efi_system_table: firmware_tables.system_table,
            efi_map: efi_map.pages.base,
            date: tables::date(),
            processors,
            map_capacity: workspace.max_entries(),
        };
        let answers = Answers::build(&facts, &requests);
        let mut answer_pages = self.memory.take(
            "the answers to the kernel",
            u64::try_from(answers.size()).unwrap_or(u64::MAX),
            Where::Anywhere,
            Kind::BOOTLOADER_RECLAIMABLE,
        )?;
        answers.place(
            answer_pages.base.wrapping_add(hhdm),
            answer_pages.bytes(),
            image,
        );

        launch::Launch {
            memory: core::mem::take(&mut self.memory),
            efi_map,
            workspace,
            features,
            plan,
            facts,
            answers,
            answer_pages,
            kernel_entry,
            stack_top: stack
                .base
                .wrapping_add(hhdm)
                .wrapping_add(stack_size & !0xf),
            io_apics: topology
                .map(|topology| topology.io_apics)
                .unwrap_or_default(),
            apic_mode: mode,
            top,
        }
        .go()
    }

    fn load(&mut self, text: &str, path: &FilePath, kind: Kind) -> Result<Loaded, Error> {
        if self.globals.verbose == Switch::Yes {
            self.console.say(&format!("loading {text}"));
        }
        let mut file = self.volumes.load(&mut self.memory, text, path, kind)?;
        let size = file.size;
        if path.verify(file.pages.bytes().get(..size).unwrap_or_default()) == HashCheck::Differs {
            let error = Error::HashMismatch {
                path: path.path.clone(),
            };
            match self.globals.hash_mismatch_panic {
                Switch::Yes => return Err(error),
                Switch::No => self.console.say(&format!("warning: {error}")),
            }
        }
        Ok(file)
    }

    /// Gathers what the response about processors needs, stacks included.
    fn processors(
        &mut self,
        topology: &Topology,
        mode: ApicMode,
        stack_size: u64,
        hhdm: u64,
    ) -> Result<ProcessorFacts, Error> {
        let bsp_apic_id = mp::own_id();
        let list = topology.startable(mode);
        let mut stack_tops = Vec::new();
        // One piece for all stacks: the claims do not grow with the number of processors.
        let stack = stack_size
            .checked_next_multiple_of(PAGE as u64)
            .unwrap_or(stack_size);
        let others = u64::try_from(list.len()).unwrap_or(0);
        let stacks = self.memory.take(
            "the stacks of the processors",
            stack.saturating_mul(others),
            Where::Anywhere,
            Kind::BOOTLOADER_RECLAIMABLE,
        )?;
        let mut end = stacks.base;
        for _ in &list {
            end = end.wrapping_add(stack);
            stack_tops.push(end.wrapping_add(hhdm));
        }
        Ok(ProcessorFacts {
            list,
            bsp_apic_id,
            mode,
            stack_tops,
        })
    }
}

fn facts_of(file: &Loaded, cmdline: &str) -> FileFacts {
    FileFacts {
        address: file.pages.base,
        size: u64::try_from(file.size).unwrap_or(0),
        path: file.path.clone(),
        cmdline: String::from(cmdline),
        volume: file.volume,
    }
}

/// x2APIC mode is used if it is on already, or if it is asked for and the machine agrees.
fn apic_mode(flags: Option<u64>, topology: Option<&Topology>, features: Optional) -> ApicMode {
    let wanted = flags.is_some_and(|flags| flags & 1 != 0);
    let allowed = features.x2apic && topology.is_some_and(|topology| !topology.x2apic_opt_out);
    if wanted && allowed {
        ApicMode::X2Apic
    } else {
        mp::current_mode()
    }
}

fn wanted_mode(requests: &Requests, field: &impl Fn(Feature, usize) -> Option<u64>) -> WantedMode {
    let Some(request) = requests.find(Feature::PagingMode) else {
        return WantedMode::DEFAULT;
    };
    let Some(mode) = field(Feature::PagingMode, 0) else {
        return WantedMode::DEFAULT;
    };
    if request.revision == 0 {
        return WantedMode {
            mode,
            max: mode,
            min: 0,
        };
    }
    WantedMode {
        mode,
        max: field(Feature::PagingMode, 8).unwrap_or(mode),
        min: field(Feature::PagingMode, 16).unwrap_or(0),
    }
}
