use super::{
    Answers, EfiMapFacts, Facts, FileFacts, FramebufferFacts, ProcessorFacts, VolumeFacts,
};
use crate::config::PagingLevels;
use crate::memory_map::{Kind as MemoryKind, Region};
use crate::processors::{ApicMode, Processor};
use crate::requests::{BaseRevision, Kind, Request, Requests, get_word};
use crate::video::{Mode, PixelLayout};
use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

const VIRT: u64 = 0xffff_8000_1234_5000;
const HHDM: u64 = 0xffff_8000_0000_0000;

fn file(path: &str) -> FileFacts {
    FileFacts {
        address: 0x5000,
        size: 77,
        path: path.to_owned(),
        cmdline: format!("line of {path}"),
        volume: VolumeFacts {
            partition: 3,
            mbr_disk_id: 9,
            gpt_disk: [1; 16],
            gpt_partition: [2; 16],
            ..VolumeFacts::default()
        },
    }
}

fn facts(base_revision: u64, modules: &[String], processors: u32) -> Facts {
    let mode = Mode::new(640, 480, 700, PixelLayout::Bgr).unwrap();
    Facts {
        name: "a loader".to_owned(),
        version: "1".to_owned(),
        hhdm: HHDM,
        base_revision,
        levels: PagingLevels::Five,
        cmdline: "quiet".to_owned(),
        physical_base: 0x20_0000,
        virtual_base: 0xffff_ffff_8000_0000,
        kernel: file("/boot/kernel"),
        modules: modules.iter().map(|path| file(path)).collect(),
        framebuffers: vec![FramebufferFacts {
            address: 0xc000_0000,
            mode,
            modes: vec![mode; 3],
            edid: Some(vec![7; 128]),
        }],
        rsdp: Some(0xe_0000),
        smbios_32: None,
        smbios_64: Some(0xf_0000),
        efi_system_table: 0x7f_0000,
        efi_map: 0x6_0000,
        date: Some(-5),
        processors: Some(ProcessorFacts {
            list: (0..processors)
                .map(|id| Processor {
                    uid: id + 100,
                    apic_id: id,
                })
                .collect(),
            bsp_apic_id: 0,
            mode: ApicMode::X2Apic,
            stack_tops: (0..processors)
                .map(|id| HHDM + u64::from(id) * 0x1_0000)
                .collect(),
        }),
        map_capacity: 10,
    }
}

/// A kernel that asks for everything, and the answers to it.
struct Asked {
    memory: Vec<u8>,
    image: Vec<u8>,
    requests: Requests,
    answers: Answers,
}

fn ask(facts: &Facts) -> Asked {
    let list = Kind::ALL.iter().enumerate().map(|(index, kind)| Request {
        kind: Some(*kind),
        offset: index * 64,
        id: kind.id(),
        revision: 0,
    });
    let base_revision = BaseRevision {
        requested: facts.base_revision,
        loaded: facts.base_revision,
        offset: 0,
    };
    let requests = Requests {
        base_revision,
        list: list.collect(),
    };
    let answers = Answers::build(facts, &requests);
    let mut memory = vec![0; answers.size().next_multiple_of(4096)];
    let mut image = vec![0; 64 * Kind::ALL.len()];
    answers.place(VIRT, &mut memory, &mut image);
    Asked {
        memory,
        image,
        requests,
        answers,
    }
}

impl Asked {
    /// The word at an address that the kernel would see.
    fn at(&self, address: u64) -> u64 {
        get_word(&self.memory, usize::try_from(address - VIRT).unwrap()).unwrap()
    }

    fn response(&self, kind: Kind) -> Option<u64> {
        let request = self.requests.find(kind).unwrap();
        Some(get_word(&self.image, request.offset + 40).unwrap()).filter(|address| *address != 0)
    }

    fn field(&self, kind: Kind, index: u64) -> u64 {
        self.at(self.response(kind).unwrap() + index * 8)
    }

    fn string(&self, address: u64) -> String {
        let start = usize::try_from(address - VIRT).unwrap();
        let bytes = self.memory[start..].iter().take_while(|byte| **byte != 0);
        String::from_utf8(bytes.copied().collect()).unwrap()
    }
}

proptest! {
    #[test]
    fn modules_come_in_order_with_their_names(paths in prop::collection::vec("/[a-z]{0,20}", 0..20)) {
        let asked = ask(&facts(2, &paths, 1));
        prop_assert_eq!(asked.field(Kind::Module, 1), paths.len() as u64);
        let list = asked.field(Kind::Module, 2);
        for (index, path) in paths.iter().enumerate() {
            let file = asked.at(list + index as u64 * 8);
            prop_assert_eq!(asked.at(file + 8), HHDM + 0x5000);
            prop_assert_eq!(asked.at(file + 16), 77);
            prop_assert_eq!(&asked.string(asked.at(file + 24)), path);
            prop_assert_eq!(asked.string(asked.at(file + 32)), format!("line of {path}"));
            prop_assert_eq!(asked.at(file + 56), 3 | 9 << 32);
            prop_assert_eq!(asked.at(file + 80), 0x0202_0202_0202_0202);
        }
    }

    #[test]
    fn exactly_the_processors_that_came_up_are_kept(up in prop::collection::vec(proptest::bool::ANY, 1..80)) {
        let count = u32::try_from(up.len()).unwrap();
        let mut asked = ask(&facts(3, &[], count));
        asked.answers.keep_processors(&mut asked.memory, |index| up[index]);
        let kept: Vec<u64> = (0_u64..).zip(&up).filter(|(_, up)| **up).map(|(id, _)| id).collect();
        prop_assert_eq!(asked.field(Kind::Mp, 2), kept.len() as u64);
        prop_assert_eq!(asked.field(Kind::Mp, 1), 1);
        let list = asked.field(Kind::Mp, 3);
        for (index, id) in (0_u64..).zip(kept) {
            let info = asked.at(list + index * 8);
            prop_assert_eq!(asked.at(info), (id + 100) | id << 32);
            prop_assert_eq!(asked.at(info + 8), HHDM + id * 0x1_0000);
            prop_assert_eq!((asked.at(info + 16), asked.at(info + 24)), (0, 0));
            let place = asked.answers.processor_info(usize::try_from(id).unwrap()).unwrap();
            prop_assert_eq!(info, VIRT + place as u64);
        }
    }

    #[test]
    fn the_memory_map_is_what_was_filled_in(count in 0_usize..14) {
        let mut asked = ask(&facts(2, &[], 1));
        let map: Vec<Region> = (0..count as u64).map(|index| Region { base: index << 12, length: 4096, kind: MemoryKind(index % 8) }).collect();
        asked.answers.set_memory_map(&mut asked.memory, &map);
        prop_assert_eq!(asked.field(Kind::MemoryMap, 1), count.min(10) as u64);
        for (index, region) in (0_u64..).zip(map.iter().take(10)) {
            let entry = asked.at(asked.field(Kind::MemoryMap, 2) + index * 8);
            prop_assert_eq!([asked.at(entry), asked.at(entry + 8), asked.at(entry + 16)], [region.base, region.length, region.kind.0]);
        }
    }

    #[test]
    fn every_response_is_inside_of_the_block(revision in 1_u64..4, processors in 0_u32..5) {
        let asked = ask(&facts(revision, &[], processors));
        for kind in Kind::ALL {
            let response = asked.response(*kind);
            let none = *kind == Kind::DeviceTree || (*kind == Kind::Mp && processors == 0);
            prop_assert_eq!(response.is_none(), none);
            prop_assert!(response.is_none_or(|at| at % 8 == 0 && (VIRT..VIRT + asked.answers.size() as u64).contains(&at)));
        }
    }
}

#[test]
fn revision_3_gives_physical_addresses_of_firmware_tables() {
    for (revision, offset) in [(1, HHDM), (2, HHDM), (3, 0)] {
        let asked = ask(&facts(revision, &[], 1));
        assert_eq!(asked.field(Kind::Rsdp, 1), 0xe_0000 + offset);
        assert_eq!(
            (asked.field(Kind::Smbios, 1), asked.field(Kind::Smbios, 2)),
            (0, 0xf_0000 + offset)
        );
        assert_eq!(asked.field(Kind::EfiSystemTable, 1), 0x7f_0000 + offset);
        assert_eq!(asked.field(Kind::EfiMemoryMap, 1), 0x6_0000 + HHDM);
    }
}

#[test]
fn the_simple_answers() {
    let mut asked = ask(&facts(2, &[], 1));
    assert_eq!(
        asked.string(asked.field(Kind::BootloaderInfo, 1)),
        "a loader"
    );
    assert_eq!(
        asked.string(asked.field(Kind::ExecutableCmdline, 1)),
        "quiet"
    );
    assert_eq!(asked.field(Kind::FirmwareType, 1), 2);
    assert_eq!(asked.field(Kind::Hhdm, 1), HHDM);
    assert_eq!(asked.field(Kind::PagingMode, 1), 1);
    assert_eq!(asked.field(Kind::DateAtBoot, 1).cast_signed(), -5);
    assert_eq!(
        (
            asked.field(Kind::ExecutableAddress, 1),
            asked.field(Kind::ExecutableAddress, 2)
        ),
        (0x20_0000, 0xffff_ffff_8000_0000)
    );
    let file = asked.field(Kind::ExecutableFile, 1);
    assert_eq!(asked.string(asked.at(file + 24)), "/boot/kernel");
    let facts = EfiMapFacts {
        size: 4800,
        descriptor_size: 48,
        descriptor_version: 1,
    };
    asked.answers.set_efi_map(&mut asked.memory, facts);
    let fields: Vec<u64> = (2..5)
        .map(|index| asked.field(Kind::EfiMemoryMap, index))
        .collect();
    assert_eq!(fields, [4800, 48, 1]);
}

#[test]
fn a_framebuffer_has_the_layout_of_the_protocol() {
    let asked = ask(&facts(2, &[], 1));
    assert_eq!(
        (
            asked.field(Kind::Framebuffer, 0),
            asked.field(Kind::Framebuffer, 1)
        ),
        (1, 1)
    );
    let framebuffer = asked.at(asked.field(Kind::Framebuffer, 2));
    let words: Vec<u64> = (0..10)
        .map(|index| asked.at(framebuffer + index * 8))
        .collect();
    assert_eq!(words[..4], [HHDM + 0xc000_0000, 640, 480, 2800]);
    // bpp 32, RGB, red 8<<16, green 8<<8, blue 8<<0
    assert_eq!((words[4], words[5]), (0x0808_0810_0801_0020, 0));
    assert_eq!((words[6], asked.at(words[7])), (128, 0x0707_0707_0707_0707));
    assert_eq!(words[8], 3);
    let mode = asked.at(words[9] + 16);
    assert_eq!(
        [
            asked.at(mode),
            asked.at(mode + 8),
            asked.at(mode + 16),
            asked.at(mode + 24),
            asked.at(mode + 32)
        ],
        [2800, 640, 480, 0x0808_0810_0801_0020, 0]
    );
}
