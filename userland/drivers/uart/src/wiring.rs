//! Which ports there are, by the resources that the driver was given, and what their terminals are called.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use abi::resource::{Info, LINES, PORTS};

use crate::registers::COUNT;

/// Where the ports of a PC are, in the order of their names there: COM1 to COM4.
const USUAL: [u64; 4] = [0x3f8, 0x2f8, 0x3e8, 0x2e8];

/// A port of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which of the resources are its I/O ports.
    pub ports: usize,
    /// The first of them.
    pub base: u16,
    /// Which of the resources is its line.
    pub line: usize,
}

/// Finds ports among resources: I/O ports and, before the next ones, a line. Others are left out.
pub fn places(resources: &[Info]) -> Vec<Place> {
    let mut places = Vec::new();
    let mut last = None;
    for (index, info) in resources.iter().enumerate() {
        let base = u16::try_from(info.start).ok();
        match (info.kind, base) {
            (PORTS, Some(base)) if info.len >= u64::from(COUNT) => last = Some((index, base)),
            (PORTS, _) => last = None,
            (LINES, _) if info.len > 0 => {
                if let Some((ports, base)) = last.take() {
                    places.push(Place {
                        ports,
                        base,
                        line: index,
                    });
                }
            }
            _ => {}
        }
    }
    places
}

/// The numbers of ports: those of the usual places have theirs, and others the next ones that are free.
pub fn numbers(bases: &[u16]) -> Vec<usize> {
    let usual = |base: u16| USUAL.iter().position(|usual| *usual == u64::from(base));
    let mut numbers: Vec<_> = bases.iter().map(|base| usual(*base)).collect();
    // One that is named twice has its number once.
    for index in 0..numbers.len() {
        let (before, rest) = numbers.split_at_mut(index);
        if let Some(number) = rest.first_mut()
            && before.contains(number)
        {
            *number = None;
        }
    }
    for index in 0..numbers.len() {
        if numbers.get(index) == Some(&None) {
            let is_free = |number: &usize| !numbers.contains(&Some(*number));
            let free = (0..).find(is_free);
            if let Some(number) = numbers.get_mut(index) {
                *number = free;
            }
        }
    }
    numbers.into_iter().flatten().collect()
}

/// The name of a terminal in the directory: `terminal.serial`, `terminal.serial2` ...
pub fn name(number: usize) -> String {
    match number {
        0 => String::from("terminal.serial"),
        _ => format!("terminal.serial{}", number.saturating_add(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    fn info(kind: u64, start: u64, len: u64) -> Info {
        Info { kind, start, len }
    }

    #[test]
    fn ports_have_the_line_behind_them() {
        let resources = [
            info(PORTS, 0x3f8, 8),
            info(LINES, 4, 1),
            info(PORTS, 0x2f8, 8),
            info(PORTS, 0x3e8, 8),
            info(LINES, 3, 1),
            info(LINES, 5, 1),
            info(PORTS, 0x2e8, 4),
            info(LINES, 3, 1),
            info(PORTS, 0x1_0000, 8),
            info(LINES, 3, 1),
        ];
        let found: Vec<_> = places(&resources)
            .iter()
            .map(|place| (place.base, place.line))
            .collect();
        assert_eq!(found, [(0x3f8, 1), (0x3e8, 4)]);
    }

    #[test]
    fn the_usual_ones_have_their_names() {
        let names: Vec<_> = numbers(&[0x2f8, 0xe000, 0x3f8, 0xe008])
            .into_iter()
            .map(name)
            .collect();
        assert_eq!(
            names,
            [
                "terminal.serial2",
                "terminal.serial3",
                "terminal.serial",
                "terminal.serial4"
            ]
        );
    }

    proptest! {
        #[test]
        fn each_has_a_number_of_its_own(bases in prop::collection::vec(prop::sample::select(vec![0x3f8, 0x2f8, 0x3e8, 0x2e8, 1, 2]), 0..10)) {
            let mut numbers = numbers(&bases);
            prop_assert_eq!(numbers.len(), bases.len());
            numbers.sort_unstable();
            numbers.dedup();
            prop_assert_eq!(numbers.len(), bases.len());
        }

        #[test]
        fn any_resources_can_be_given(resources in prop::collection::vec((0u64..4, any::<u64>(), any::<u64>()), 0..20)) {
            let resources: Vec<_> = resources.into_iter().map(|(kind, start, len)| info(kind, start, len)).collect();
            for place in places(&resources) {
                prop_assert!(resources[place.ports].kind == PORTS && resources[place.line].kind == LINES);
            }
        }
    }
}
