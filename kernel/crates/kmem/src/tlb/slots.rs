//! One processor's table of what it keeps under which PCID.

use super::SpaceId;
use super::request::{Extent, Pages, Request};

/// How many spaces a processor keeps translations of, at most. More make each load look through more; a processor
/// seldom goes back and forth between more spaces than this without forgetting them for lack of room.
pub const SLOTS: usize = 8;

/// How to load a space's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the table takes for granted that the tables are loaded like this"]
pub struct Load {
    /// The PCID to load them with; 0 where there are none.
    pub pcid: u16,
    /// Whether what the processor keeps under this PCID must be forgotten.
    pub must_flush: bool,
}

impl Load {
    /// The one without PCIDs.
    pub const PLAIN: Self = Self {
        pcid: 0,
        must_flush: true,
    };
}

/// What a processor has to do for a [`Request`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the table takes for granted that this is done"]
pub enum Action {
    /// Nothing: there is nothing old, or nothing that could be used before the next load forgets it.
    Nothing,
    /// Forget these pages, as `INVLPG` does it: under the current PCID and where they are global.
    Pages(Pages),
    /// Forget everything under the current PCID, but for global pages.
    Current,
    /// Forget everything, under all PCIDs, global pages too.
    Everything,
    /// Load the kernel's own tables ([`Slots::load_kernel`]).
    Unload,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Whose translations these may be; those of nobody who matters with `None`.
    space: Option<SpaceId>,
    /// The last change of the space's tables that the translations are not older than.
    seen: u64,
    /// When it was loaded last, by [`Slots::loads`].
    used: u64,
}

/// The number of a slot, or of none. (One word, for the switch.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Loaded(usize);

impl Loaded {
    const NONE: Self = Self(usize::MAX);
}

/// One processor's table of what it keeps under which PCID. PCID 0 is not in it: it belongs to the kernel's own tables.
#[derive(Debug)]
pub struct Slots {
    slots: [Slot; SLOTS],
    /// How many of them have a PCID.
    with_pcid: usize,
    /// The slot of the space that is loaded; none while the kernel's own tables are.
    loaded: Loaded,
    /// How many loads there were.
    loads: u64,
}

impl Slots {
    /// For a processor with the kernel's own tables loaded, that may use this many PCIDs besides 0: at most [`SLOTS`], or
    /// none where every load of tables forgets all.
    pub const fn new(with_pcid: usize) -> Self {
        const EMPTY: Slot = Slot {
            space: None,
            seen: 0,
            used: 0,
        };
        Self {
            slots: [EMPTY; SLOTS],
            with_pcid: if with_pcid < SLOTS { with_pcid } else { SLOTS },
            loaded: Loaded::NONE,
            loads: 0,
        }
    }

    /// Decides how to load a space. The generation must have been read after the processor had become a user of the space
    /// ([`ksync::Residency::enter`]), and no request must be answered from then on until the tables are loaded.
    pub fn load(&mut self, space: SpaceId, generation: u64) -> Load {
        if self.load_plainly(space, generation) {
            Load::PLAIN
        } else {
            self.load_with_pcid(space, generation)
        }
    }

    /// As [`load`](Self::load), if there are no PCIDs: the tables are then to be loaded as [`Load::PLAIN`] says. Otherwise nothing has
    /// happened.
    #[inline(always)]
    #[must_use]
    pub fn load_plainly(&mut self, space: SpaceId, generation: u64) -> bool {
        if self.with_pcid != 0 {
            return false;
        }
        let [slot, ..] = &mut self.slots;
        slot.space = Some(space);
        slot.seen = generation;
        self.loaded = Loaded(0);
        true
    }

    fn load_with_pcid(&mut self, space: SpaceId, generation: u64) -> Load {
        self.loads = self.loads.wrapping_add(1);
        let used = self.loads;
        let usable = self.slots.iter_mut().take(self.with_pcid);
        // The space's own slot, else an empty one, else the one that was left alone for longest.
        let chosen = usable.enumerate().min_by_key(|(_, slot)| {
            let rank = match slot.space {
                Some(of) if of == space => 0,
                None => 1,
                Some(_) => 2,
            };
            (rank, slot.used)
        });
        let Some((index, slot)) = chosen else {
            unreachable!("there is at least one slot");
        };
        let is_current = slot.space == Some(space) && slot.seen == generation;
        *slot = Slot {
            space: Some(space),
            seen: generation,
            used,
        };
        self.loaded = Loaded(index);
        Load {
            pcid: index as u16 + 1,
            must_flush: !is_current,
        }
    }

    /// Decides how to load the kernel's own tables.
    pub fn load_kernel(&mut self) -> Load {
        self.loaded = Loaded::NONE;
        Load::PLAIN
    }

    /// Decides what a request means for this processor.
    #[inline]
    pub fn carry_out(&mut self, request: Request) -> Action {
        match request {
            Request::Space {
                space,
                generation,
                extent,
            } => self.follow(space, generation, extent),
            Request::Kernel {
                extent,
                frees_tables,
            } => {
                if frees_tables {
                    self.forget_unloaded();
                }
                match extent {
                    Extent::Pages(pages) => Action::Pages(pages),
                    Extent::All => Action::Everything,
                }
            }
            Request::Retire { space } => match self.loaded_slot(space) {
                Some(slot) => {
                    slot.space = None;
                    Action::Unload
                }
                // A slot that still has it comes to nothing: the name is not used again.
                None => Action::Nothing,
            },
        }
    }

    /// Follows a change of a space.
    #[inline]
    fn follow(&mut self, space: SpaceId, generation: u64, extent: Extent) -> Action {
        let Some(slot) = self.loaded_slot(space) else {
            // The change was counted before it was asked for: the next load sees that.
            return Action::Nothing;
        };
        if slot.seen >= generation {
            // Loaded after the change, or everything was forgotten since.
            return Action::Nothing;
        }
        let is_next = generation - slot.seen == 1;
        slot.seen = generation;
        match extent {
            Extent::Pages(pages) if is_next => Action::Pages(pages),
            // An earlier change comes later: nothing is left to do for it then.
            _ => Action::Current,
        }
    }

    fn loaded_slot(&mut self, space: SpaceId) -> Option<&mut Slot> {
        self.slots
            .get_mut(self.loaded.0)
            .filter(|slot| slot.space == Some(space))
    }

    /// Makes the next loads forget what all slots but the loaded one hold.
    fn forget_unloaded(&mut self) {
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if self.loaded != Loaded(index) {
                slot.space = None;
            }
        }
    }
}
