//! Which events are wanted: groups of kinds, by name.

/// Kinds of events that are switched on together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Which thread runs where. Always recorded: the rest is read by it.
    Switch,
    /// Who made whom runnable, and where.
    Wake,
    /// Threads that were moved to another processor.
    Migrate,
    /// Messages: queued, delivered, answered.
    Ipc,
    /// System calls, and what they returned.
    Call,
    /// Page faults and other exceptions of programs.
    Fault,
    /// Interrupts that were taken.
    Interrupt,
    /// Interrupts that were sent to other processors.
    Ipi,
}

impl Group {
    /// All groups, with the names by which they are asked for.
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::Switch, "switch"),
        (Self::Wake, "wake"),
        (Self::Migrate, "migrate"),
        (Self::Ipc, "ipc"),
        (Self::Call, "call"),
        (Self::Fault, "fault"),
        (Self::Interrupt, "interrupt"),
        (Self::Ipi, "ipi"),
    ];

    /// The bit that stands for the group in [`Kinds`].
    pub const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// A set of groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds(u32);

impl Kinds {
    /// All groups.
    pub const ALL: Self = Self((1 << Group::ALL.len()) - 1);

    /// The groups in a list of names with commas between, and [`Group::Switch`]; `all`, `1` and nothing stand for all of them.
    ///
    /// # Errors
    /// The first word that is no name.
    pub fn parse(list: &str) -> Result<Self, &str> {
        if ["", "1", "all"].contains(&list) {
            return Ok(Self::ALL);
        }
        let mut kinds = Self(Group::Switch.bit());
        for word in list.split(',') {
            let group = Group::ALL.iter().find(|(_, name)| *name == word);
            kinds.0 |= group.ok_or(word)?.0.bit();
        }
        Ok(kinds)
    }

    /// The bits of all groups in the set.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether a group is in the set.
    pub const fn contains(self, group: Group) -> bool {
        self.0 & group.bit() != 0
    }
}

#[cfg(test)]
mod tests {
    use super::{Group, Kinds};
    use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

    proptest! {
        #[test]
        fn a_list_names_its_groups_and_no_others(chosen in prop::collection::vec(0..Group::ALL.len(), 1..9)) {
            let names: Vec<&str> = chosen.iter().map(|&at| Group::ALL[at].1).collect();
            let kinds = Kinds::parse(&names.join(",")).map_err(str::to_owned);
            let kinds = kinds.unwrap();
            for (at, (group, _)) in Group::ALL.into_iter().enumerate() {
                prop_assert_eq!(kinds.contains(group), chosen.contains(&at) || group == Group::Switch);
            }
        }

        #[test]
        fn other_words_are_refused(word in "[a-z]{1,12}") {
            let is_known = word == "all" || Group::ALL.iter().any(|(_, name)| *name == word);
            let list = format!("ipc,{word}");
            let expected = if is_known && word != "all" { None } else { Some(word.as_str()) };
            prop_assert_eq!(Kinds::parse(&list).err(), expected);
            prop_assert!(Kinds::parse("all") == Ok(Kinds::ALL) && Kinds::parse("1") == Ok(Kinds::ALL));
        }
    }
}
