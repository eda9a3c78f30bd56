//! Wiring, redirection entries and vectors against plain models.

use std::collections::BTreeMap;

use kirq::{
    Chip, Destination, Entry, FIRST_VECTOR, LAST_VECTOR, Mode, Override, Polarity, Trigger,
    Vectors, Wiring,
};
use proptest::prelude::*;

fn chips() -> impl Strategy<Value = Vec<Chip>> {
    let near = (0u32..100).prop_map(|base| base * 8);
    let base = prop_oneof![8 => near, 1 => any::<u32>(), 1 => Just(u32::MAX - 3)];
    let chip = (base, 1u32..=256).prop_map(|(base, inputs)| Chip { base, inputs });
    proptest::collection::vec(chip, 0..8)
}

fn overrides() -> impl Strategy<Value = Vec<Override>> {
    let trigger = proptest::option::of(prop_oneof![Just(Trigger::Edge), Just(Trigger::Level)]);
    let polarity = proptest::option::of(prop_oneof![Just(Polarity::High), Just(Polarity::Low)]);
    let one = (0u8..20, 0u32..40, trigger, polarity);
    let one = one.prop_map(|(isa, gsi, trigger, polarity)| Override {
        isa,
        gsi,
        trigger,
        polarity,
    });
    proptest::collection::vec(one, 0..6)
}

proptest! {
    #[test]
    fn each_interrupt_has_one_input(chips in chips()) {
        let wiring = Wiring::new(&chips, Vec::new(), Vec::new());
        // First come, first served; a chip is used as a whole or not at all.
        let mut model: BTreeMap<u32, (usize, u32)> = BTreeMap::new();
        for (place, chip) in chips.iter().enumerate() {
            let numbers = u64::from(chip.base)..u64::from(chip.base) + u64::from(chip.inputs);
            let fits = numbers.end <= u64::from(u32::MAX)
                && numbers.clone().all(|gsi| !model.contains_key(&(gsi as u32)));
            prop_assert_eq!(wiring.chips()[place].is_some(), fits);
            if fits {
                model.extend(numbers.zip(0..).map(|(gsi, input)| (gsi as u32, (place, input))));
            }
        }
        prop_assert_eq!(wiring.inputs(), model.len());
        prop_assert_eq!(wiring.end(), model.keys().last().map_or(0, |last| last + 1));
        let listed: Vec<u32> = wiring.interrupts().collect();
        prop_assert_eq!(listed.len(), model.len());
        for (index, gsi) in listed.into_iter().enumerate() {
            let pin = wiring.pin(gsi).unwrap();
            prop_assert_eq!((pin.chip, pin.input), model[&gsi]);
            prop_assert_eq!(pin.index, index);
        }
        for probe in (0..1200).chain([u32::MAX - 1, u32::MAX]) {
            prop_assert_eq!(wiring.pin(probe).is_some(), model.contains_key(&probe));
        }
    }

    #[test]
    fn isa_interrupts_go_where_the_firmware_says(overrides in overrides(), kept in 0u32..40) {
        let chips = [Chip { base: 0, inputs: 24 }];
        let wiring = Wiring::new(&chips, overrides.clone(), vec![kept]);
        for isa in 0..=u8::MAX {
            let named = overrides.iter().find(|entry| entry.isa == isa).map(|entry| entry.gsi);
            let same = u32::from(isa);
            let is_free = isa < 16 && overrides.iter().all(|entry| entry.gsi != same);
            let wanted = named.or(is_free.then_some(same)).filter(|gsi| *gsi < 24);
            prop_assert_eq!(wiring.isa(isa), wanted);
        }
        for gsi in 0..40 {
            prop_assert_eq!(wiring.is_kept(gsi), gsi == kept);
            let named = overrides.iter().find(|entry| entry.gsi == gsi);
            let usual = if gsi < 16 || named.is_some() { Mode::ISA } else { Mode::PCI };
            let mode = wiring.mode(gsi);
            prop_assert_eq!(mode.trigger, named.and_then(|n| n.trigger).unwrap_or(usual.trigger));
            prop_assert_eq!(mode.polarity, named.and_then(|n| n.polarity).unwrap_or(usual.polarity));
        }
    }

    #[test]
    fn an_entry_holds_what_it_was_made_of(vector in any::<u8>(), id in 0u32..1000, level: bool, low: bool) {
        let destination = Destination::new(id);
        prop_assert_eq!(destination.is_some(), id < 255);
        let Some(destination) = destination else { return Ok(()) };
        let mode = Mode {
            trigger: if level { Trigger::Level } else { Trigger::Edge },
            polarity: if low { Polarity::Low } else { Polarity::High },
        };
        let entry = Entry { vector, mode, destination };
        // Read bit by bit, as the data sheet has them: fixed delivery (10 to 8), physical destination (11), and nothing in the
        // bits that are read only or reserved.
        let word = u64::from(entry.high()) << 32 | u64::from(entry.open());
        prop_assert_eq!(word & 0xff, u64::from(vector));
        prop_assert_eq!(word >> 8 & 0b1111, 0);
        prop_assert_eq!(word >> 13 & 1, u64::from(low));
        prop_assert_eq!(word >> 15 & 1, u64::from(level));
        prop_assert_eq!(word >> 16 & 0xff_ffff_ffff, 0);
        prop_assert_eq!(word >> 56, u64::from(id));
        prop_assert_eq!(word >> 12 & 1, 0);
        prop_assert_eq!(word >> 14 & 1, 0);
        prop_assert_eq!(entry.masked(), entry.open() | 1 << 16);
        prop_assert_eq!(entry.reset(), entry.masked() & !(1 << 15));
    }

    #[test]
    fn vectors_are_taken_once(ops in proptest::collection::vec((any::<bool>(), any::<u8>(), 0usize..70_000), 0..600)) {
        let vectors = Vectors::new();
        let mut model: BTreeMap<u8, usize> = BTreeMap::new();
        for (takes, vector, line) in ops {
            if takes {
                let taken = vectors.take(line);
                let is_full = model.len() == usize::from(LAST_VECTOR - FIRST_VECTOR) + 1;
                prop_assert_eq!(taken.is_none(), is_full || line >= usize::from(u16::MAX));
                if let Some(taken) = taken {
                    prop_assert!((FIRST_VECTOR..=LAST_VECTOR).contains(&taken));
                    prop_assert_eq!(model.insert(taken, line), None);
                }
            } else {
                vectors.give_back(vector);
                model.remove(&vector);
            }
            prop_assert_eq!(usize::from(vectors.used()), model.len());
        }
        for vector in 0..=u8::MAX {
            prop_assert_eq!(vectors.line(vector), model.get(&vector).copied());
        }
    }
}

#[test]
fn all_vectors_can_be_taken() {
    let vectors = Vectors::new();
    let all: Vec<u8> = (0..).map_while(|line| vectors.take(line)).collect();
    assert_eq!(all, (FIRST_VECTOR..=LAST_VECTOR).collect::<Vec<_>>());
    vectors.give_back(0x55);
    assert_eq!(vectors.take(7), Some(0x55));
    assert_eq!(vectors.take(8), None);
}
