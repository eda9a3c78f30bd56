//! The initial stack, read back as a program reads it.

mod common;

use std::collections::BTreeMap;

use abi::{Handle, PAGE_SIZE, auxv};
use common::small;
use proptest::prelude::*;
use spawn::error::LayoutError;
use spawn::layout::Plan;
use spawn::stack::{InitialStack, TEXT_MAX, Told};

const TOP: u64 = 0x7000_0000_0000;

/// A stack as a program sees it.
struct Reader<'a>(&'a InitialStack);

impl Reader<'_> {
    fn bytes(&self, address: u64, len: usize) -> &[u8] {
        let at = (address - self.0.pointer) as usize;
        &self.0.bytes[at..at + len]
    }

    fn word(&self, address: u64) -> u64 {
        u64::from_le_bytes(self.bytes(address, 8).try_into().unwrap())
    }

    fn text(&self, address: u64) -> String {
        let at = (address - self.0.pointer) as usize;
        let bytes = self.0.bytes[at..].split(|&byte| byte == 0).next().unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    /// Texts up to a zero word, and the address behind it.
    fn texts(&self, mut at: u64) -> (Vec<String>, u64) {
        let mut texts = Vec::new();
        while self.word(at) != 0 {
            texts.push(self.text(self.word(at)));
            at += 8;
        }
        (texts, at + 8)
    }
}

/// What a program was told, read back: arguments, variables, vector, handles.
type Heard = (
    Vec<String>,
    Vec<String>,
    BTreeMap<u64, u64>,
    Vec<(String, u64)>,
);

fn read(stack: &InitialStack) -> Heard {
    let reader = Reader(stack);
    let (arguments, at) = reader.texts(stack.pointer + 8);
    assert_eq!(reader.word(stack.pointer), arguments.len() as u64);
    let (variables, mut at) = reader.texts(at);
    let mut vector = BTreeMap::new();
    while reader.word(at) != auxv::NULL {
        assert_eq!(vector.insert(reader.word(at), reader.word(at + 8)), None);
        at += 16;
    }
    let handle = |index| {
        let at = vector[&auxv::HANDLES] + 16 * index;
        (reader.text(reader.word(at)), reader.word(at + 8))
    };
    let handles = (0..vector[&auxv::HANDLE_COUNT]).map(handle).collect();
    (arguments, variables, vector, handles)
}

fn stack(top: u64, told: &Told<'_>, is_pie: bool) -> Result<InitialStack, LayoutError> {
    let file = small(is_pie).file();
    let plan = Plan::new(&file, 5).unwrap();
    let stack = InitialStack::new(top, &plan, told)?;
    assert_eq!(stack.pointer % 16, 0);
    assert_eq!(stack.pointer + stack.bytes.len() as u64, top);
    Ok(stack)
}

#[test]
fn a_program_without_anything_is_told_so() {
    let stack = stack(TOP, &Told::default(), false).unwrap();
    let (arguments, variables, vector, handles) = read(&stack);
    assert_eq!((arguments.len(), variables.len(), handles.len()), (0, 0, 0));
    assert!(!vector.contains_key(&auxv::SELF_HANDLE));
    assert!(!vector.contains_key(&auxv::SYSTEM_HANDLE));
    assert_eq!(vector[&auxv::ENTRY], 0x20_1010);
    assert_eq!(vector[&auxv::ABI_VERSION], abi::VERSION);
    assert_eq!(vector[&auxv::INIT_VERSION], abi::INIT_VERSION);
}

#[test]
fn texts_that_cannot_be_written_down_are_refused() {
    let refuse = |told: Told<'_>| stack(TOP, &told, true).map(|_| ()).unwrap_err();
    let long = "x".repeat(TEXT_MAX);
    let arguments = ["a\0b"];
    assert_eq!(
        refuse(Told {
            arguments: &arguments,
            ..Told::default()
        }),
        LayoutError::BadText
    );
    for variable in [("a=b", "c"), ("", "c"), ("a", "\0"), ("\0", "c")] {
        let environment = [variable];
        let told = Told {
            environment: &environment,
            ..Told::default()
        };
        assert_eq!(refuse(told), LayoutError::BadText);
    }
    let handles = [("a\0", Handle(1))];
    assert_eq!(
        refuse(Told {
            handles: &handles,
            ..Told::default()
        }),
        LayoutError::BadText
    );
    let arguments = [long.as_str(), "more"];
    assert_eq!(
        refuse(Told {
            arguments: &arguments,
            ..Told::default()
        }),
        LayoutError::TextTooLong
    );
}

#[test]
fn thread_local_storage_lies_below_the_thread_pointer() {
    for is_pie in [false, true] {
        let file = small(is_pie).file();
        let plan = Plan::new(&file, 5).unwrap();
        let random = [1, 2, 0x1122_3344_5566_7788];
        let told = Told {
            random,
            ..Told::default()
        };
        let stack = InitialStack::new(TOP, &plan, &told).unwrap();
        let reader = Reader(&stack);
        let pointer = stack.thread_pointer;
        assert_eq!(reader.word(pointer), pointer);
        assert_eq!(reader.word(pointer + 0x28), 0x1122_3344_5566_7700);
        // A template of 0x30 bytes and 0x48 in all, aligned to 16: it begins 0x50 below.
        let mut expected: Vec<u8> = (0x20..0x50).collect();
        if is_pie {
            expected[0x20..0x28].copy_from_slice(&(plan.bias() - 1).to_le_bytes());
        }
        assert_eq!(reader.bytes(pointer - 0x50, 0x30), expected);
        assert!(
            reader
                .bytes(pointer - 0x20, 0x20)
                .iter()
                .all(|&byte| byte == 0)
        );
    }
}

#[test]
fn templates_at_odd_addresses_are_placed_as_linkers_count() {
    for virt in 0..64 {
        for size in [1, 15, 16, 33, 64] {
            let mut description = small(false);
            description.tls = Some((0x20_2000 + virt, 1, size, 32));
            let file = description.file();
            let plan = Plan::new(&file, 5).unwrap();
            let stack = InitialStack::new(TOP, &plan, &Told::default()).unwrap();
            // LLD, `getTlsTpOffset` in ELF/InputSection.cpp, for x86-64.
            let address = 0x20_2000 + virt;
            let offset = size + (address.wrapping_neg().wrapping_sub(size) & 31);
            let start = stack.thread_pointer - offset;
            assert_eq!(start % 32, address % 32);
            assert_eq!(Reader(&stack).bytes(start, 1), [virt as u8]);
        }
    }
    let mut description = small(false);
    description.tls = Some((0x20_2000, 1, 1, 0x2000));
    let file = description.file();
    let plan = Plan::new(&file, 5).unwrap();
    assert_eq!(
        InitialStack::new(TOP, &plan, &Told::default()),
        Err(LayoutError::Alignment(0x2000))
    );
}

proptest! {
    #[test]
    fn what_was_told_is_heard(
        arguments in prop::collection::vec("[^\0]{0,20}", 0..6),
        environment in prop::collection::vec(("[^\0=]{1,8}", "[^\0]{0,20}"), 0..6),
        handles in prop::collection::vec(("[a-c]{0,3}", any::<u64>()), 0..8),
        own in prop::option::of(1u64..),
        random in any::<[u64; 3]>(),
        pages in 1u64..0x1000,
        is_pie in any::<bool>(),
    ) {
        let top = TOP + pages * PAGE_SIZE;
        let texts: Vec<_> = arguments.iter().map(String::as_str).collect();
        let variables: Vec<_> = environment.iter().map(|(name, value)| (&**name, &**value)).collect();
        let named: Vec<_> = handles.iter().map(|(name, handle)| (&**name, Handle(*handle))).collect();
        let told = Told {
            arguments: &texts,
            environment: &variables,
            handles: &named,
            own: own.map(Handle),
            random,
        };
        let stack_there = stack(top, &told, is_pie).unwrap();
        let (heard, heard_variables, vector, heard_handles) = read(&stack_there);
        prop_assert_eq!(&heard, &arguments);
        let joined: Vec<_> = environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        prop_assert_eq!(heard_variables, joined);
        prop_assert_eq!(&heard_handles, &handles);
        prop_assert_eq!(vector.get(&auxv::SELF_HANDLE).copied(), own);
        let reader = Reader(&stack_there);
        let at = vector[&auxv::RANDOM];
        prop_assert_eq!([reader.word(at), reader.word(at + 8)], [random[0], random[1]]);
        prop_assert_eq!(vector[&auxv::HANDLES] % 8, 0);

        // How long it is depends on texts only.
        let blank: Vec<_> = named.iter().map(|(name, _)| (*name, Handle(0))).collect();
        let sketch = Told { handles: &blank, random: [0; 3], ..told };
        prop_assert_eq!(stack(TOP, &sketch, is_pie).unwrap().bytes.len(), stack_there.bytes.len());
    }
}
