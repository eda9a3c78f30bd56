//! Handles, what they name, and what they allow.

/// A process's name for a kernel object. The value means nothing to any other process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Handle(pub u64);

impl Handle {
    const INDEX_BITS: u32 = 32;

    /// The handle for a slot of the handle table and the generation that the slot is in.
    pub const fn new(index: u32, generation: u32) -> Self {
        Self((generation as u64) << Self::INDEX_BITS | index as u64)
    }

    /// The slot.
    pub const fn index(self) -> u32 {
        self.0 as u32
    }

    /// The generation.
    pub const fn generation(self) -> u32 {
        (self.0 >> Self::INDEX_BITS) as u32
    }
}

/// What kind of object a handle names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectType {
    /// A process.
    Process,
    /// A thread.
    Thread,
    /// Memory that can be mapped.
    VmArea,
    /// Bits that threads wait for.
    Event,
    /// Where threads call others.
    Mailbox,
    /// A range of what the machine has.
    Resource,
    /// The use of an interrupt line.
    Interrupt,
    /// The machine: its log, its statistics, its power and more, a right each.
    System,
    /// The right to answer a call, once.
    Reply,
}

impl ObjectType {
    /// Every type.
    pub const ALL: &'static [Self] = &[
        Self::Process,
        Self::Thread,
        Self::VmArea,
        Self::Event,
        Self::Mailbox,
        Self::Resource,
        Self::Interrupt,
        Self::System,
        Self::Reply,
    ];

    /// Its number in structures.
    pub const fn number(self) -> u64 {
        match self {
            Self::Process => 1,
            Self::Thread => 2,
            Self::VmArea => 3,
            Self::Event => 4,
            Self::System => 5,
            Self::Mailbox => 6,
            Self::Resource => 7,
            Self::Interrupt => 9,
            Self::Reply => 8,
        }
    }
}

wire! {
    /// A handle of some process, as `process_next_handle` tells of it.
    Entry {
        /// The slot in its table: the lower half of the handle.
        index,
        /// The handle.
        handle,
        /// Type of the object: [`ObjectType::number`].
        kind,
        /// What the handle allows: [`Rights`].
        rights,
        /// The number of the object, as in [`Info::object`].
        object,
    }
}

wire! {
    /// What `handle_info` tells.
    Info {
        /// Type of the object: [`ObjectType::number`].
        kind,
        /// What the handle allows: [`Rights`].
        rights,
        /// A number of the object's own. Two handles name one object if they have the same number here; when the
        /// object is gone, another may get its number.
        object,
    }
}

/// What a handle allows; a bit set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Rights(pub u32);

/// Description of a right.
#[derive(Clone, Copy, Debug)]
pub struct Right {
    /// Its name.
    pub name: &'static str,
    /// The set of it alone.
    pub rights: Rights,
    /// The types of objects whose handles can have it.
    pub types: &'static [ObjectType],
    /// What it allows.
    pub text: &'static str,
}

macro_rules! rights {
    ($($name:ident = $bit:literal of $($object:ident)|+: $text:literal,)+) => {
        impl Rights {
            $(#[doc = $text] pub const $name: Self = Self(1 << $bit);)+
        }

        /// Every right.
        pub const RIGHTS: &[Right] = &[$(Right {
            name: stringify!($name),
            rights: Rights::$name,
            types: &[$(ObjectType::$object),+],
            text: $text,
        }),+];
    };
}

rights! {
    DUPLICATE = 0 of Process | Thread | VmArea | Event | Mailbox | Resource | Interrupt | System | Reply: "Make further handles.",
    TRANSFER = 1 of Process | Thread | VmArea | Event | Mailbox | Resource | Interrupt | System | Reply: "Give the handle to another process.",
    INSPECT = 2 of Process | Thread | VmArea | Resource | Interrupt: "Ask about the object.",
    TRACE = 3 of System: "Record what the processors do, and read it.",

    KILL = 4 of Process | Thread: "End it.",
    MAP = 5 of Process: "Change its mappings.",
    CREATE_THREAD = 6 of Process: "Start threads in it.",
    GIVE = 7 of Process: "Give handles to it.",
    HANDLE_EXCEPTIONS = 8 of Process: "Learn of and answer its exceptions.",
    SET_LIMIT = 9 of Process: "Set its memory limit.",

    MAP_READ = 12 of VmArea: "Map for reading; take a snapshot.",
    MAP_WRITE = 13 of VmArea: "Map for writing; commit and decommit pages.",
    MAP_EXECUTE = 14 of VmArea: "Map for execution.",
    RESIZE = 15 of VmArea: "Change the size.",

    SIGNAL = 16 of Event: "Set bits.",
    WAIT = 17 of Event: "Wait for bits and clear them.",

    CALL = 18 of Mailbox: "Send messages and get answers.",
    RECEIVE = 19 of Mailbox: "Receive messages and answer; make handles to call by.",

    MANAGE = 20 of Thread: "Suspend and resume it; say how urgent it is and where it runs.",

    USE = 21 of Resource: "Make areas of it; give processes access to its ports; take its lines.",

    ACKNOWLEDGE = 23 of Interrupt: "Be told when it fires, and let it fire again.",

    ANSWER = 22 of Reply: "Answer the call.",

    STATISTICS = 24 of System: "Ask for the statistics of memory and processors.",
    LOG_WRITE = 25 of System: "Write to the log.",

    DEBUG = 26 of Process | Thread: "Process: have its threads, read its memory. Thread: read and change its registers.",

    LOG_READ = 27 of System: "Read the log.",
    CONSOLE = 28 of System: "Say where the kernel shows its log.",
    POWER = 29 of System: "Switch the machine off, restart it.",
    DEVICES = 30 of System: "Ask for the devices that the firmware names.",
    PROCESSES = 31 of System: "Get a handle of any process.",
}

impl Rights {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Every right.
    pub const ALL: Self = {
        let mut all = Self::NONE;
        let mut index = 0;
        while index < RIGHTS.len() {
            all = all.union(RIGHTS[index].rights);
            index += 1;
        }
        all
    };

    /// Every right that handles of this type of object can have.
    pub const fn of(object: ObjectType) -> Self {
        let mut all = Self::NONE;
        let mut index = 0;
        while index < RIGHTS.len() {
            let mut place = 0;
            while place < RIGHTS[index].types.len() {
                if RIGHTS[index].types[place] as u32 == object as u32 {
                    all = all.union(RIGHTS[index].rights);
                }
                place += 1;
            }
            index += 1;
        }
        all
    }

    /// What both sets have.
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Both sets together.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all rights of `needed` are here.
    pub const fn contains(self, needed: Self) -> bool {
        self.0 & needed.0 == needed.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_keep_index_and_generation_apart() {
        let handle = Handle::new(7, 0xffff_fff0);
        assert_eq!((handle.index(), handle.generation()), (7, 0xffff_fff0));
    }

    #[test]
    fn rights_contain_only_what_was_put_in() {
        let (signal, kill) = (Rights::SIGNAL, Rights::KILL);
        assert!(signal.contains(Rights::NONE));
        assert!(!Rights::NONE.contains(signal));
        assert!(signal.union(kill).contains(kill));
        assert!(!signal.contains(signal.union(kill)));
    }

    #[test]
    fn each_right_has_a_bit_of_its_own() {
        let mut all = 0;
        for right in RIGHTS {
            assert_eq!(
                all & right.rights.0,
                0,
                "{} has a bit of another",
                right.name
            );
            all |= right.rights.0;
        }
        assert_eq!(Rights::ALL, Rights(all));
    }

    #[test]
    fn rights_of_a_type_are_those_that_name_it() {
        let event = Rights::DUPLICATE
            .union(Rights::TRANSFER)
            .union(Rights::SIGNAL)
            .union(Rights::WAIT);
        assert_eq!(Rights::of(ObjectType::Event), event);
        assert!(!Rights::of(ObjectType::System).contains(Rights::KILL));
    }
}
