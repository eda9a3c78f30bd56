//! Leaves the boot services: get the map, make the plan, exit, and again if the map has changed.
//!
//! [`ExitMachine`] decides and the edge acts: it carries out an [`Action`] and reports an
//! [`Event`]. Rules of the UEFI specification (7.4.6) that it keeps: the exit uses the key of the
//! newest map, nothing is allocated between them, and after a first failed exit only the map may be
//! asked for again, so that a buffer that is then too small is the end.

use crate::error::{Error, ExitFault};

/// How often the exit is tried.
pub const MAX_EXITS: u32 = 16;
/// How often the buffer is made larger.
const MAX_GROWS: u32 = 16;
/// What is added to the size that the firmware wants: allocating the buffer itself can split
/// descriptors.
const SLACK: usize = 16 * 64;

/// What the edge is to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Action {
    /// Call `GetMemoryMap` with the buffer that there is.
    GetMap,
    /// Replace the buffer by one with at least this many bytes.
    Grow(usize),
    /// Make all that depends on the map: no firmware calls.
    Plan,
    /// Call `ExitBootServices` with this key.
    Exit(usize),
    /// The boot services are gone; enter the kernel.
    Enter,
    /// Give up.
    Fail(Error),
}

/// What came of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The map is in the buffer.
    Map {
        /// Its key.
        key: usize,
    },
    /// The buffer is too small for the map.
    TooSmall {
        /// What the firmware says that it needs.
        needed: usize,
    },
    /// The buffer is larger now.
    Grown,
    /// The plan is made.
    Planned,
    /// The plan cannot be made.
    PlanFailed(Error),
    /// The boot services are gone.
    Exited,
    /// The key was not the newest one.
    StaleKey,
    /// The firmware gave some other status.
    Status(usize),
}

/// The state between two actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExitMachine {
    key: usize,
    exits: u32,
    grows: u32,
}

impl ExitMachine {
    /// Starts.
    pub fn new() -> (Self, Action) {
        (Self::default(), Action::GetMap)
    }

    /// Tells whether an exit was tried: from then on the boot services may be partly shut down.
    pub fn has_tried(&self) -> bool {
        self.exits > 0
    }

    /// Decides what follows an event.
    pub fn step(&mut self, event: Event) -> Action {
        let fail = |reason| Action::Fail(Error::ExitBootServices { reason });
        match event {
            Event::Map { key } => {
                self.key = key;
                Action::Plan
            }
            Event::TooSmall { needed } if self.has_tried() => {
                fail(ExitFault::MapOutgrewBuffer { needed })
            }
            Event::TooSmall { needed } => {
                self.grows = self.grows.saturating_add(1);
                if self.grows > MAX_GROWS {
                    return fail(ExitFault::MapKeepsChanging {
                        attempts: self.grows,
                    });
                }
                Action::Grow(needed.saturating_add(SLACK))
            }
            Event::Grown => Action::GetMap,
            Event::Planned => {
                self.exits = self.exits.saturating_add(1);
                Action::Exit(self.key)
            }
            Event::PlanFailed(error) => Action::Fail(error),
            Event::Exited => Action::Enter,
            Event::StaleKey if self.exits >= MAX_EXITS => fail(ExitFault::MapKeepsChanging {
                attempts: self.exits,
            }),
            Event::StaleKey => Action::GetMap,
            Event::Status(status) => fail(ExitFault::Status(status)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, Error, Event, ExitFault, ExitMachine, MAX_EXITS};
    use proptest::prelude::{any, proptest};

    /// Firmware that changes its map now and then, as told by a list of choices.
    struct Firmware {
        key: usize,
        size: usize,
        buffer: usize,
        exit_tried: bool,
        exited: bool,
        allocated_after_exit: bool,
    }

    impl Firmware {
        fn act(&mut self, action: &Action, disturb: bool) -> Option<Event> {
            Some(match action {
                Action::GetMap if self.buffer < self.size => Event::TooSmall { needed: self.size },
                Action::GetMap => Event::Map { key: self.key },
                Action::Grow(bytes) => {
                    self.allocated_after_exit |= self.exit_tried;
                    self.buffer = *bytes;
                    self.key += 1;
                    self.size += 48;
                    Event::Grown
                }
                Action::Plan => {
                    if disturb {
                        self.key += 1;
                        self.size += 96;
                    }
                    Event::Planned
                }
                Action::Exit(key) => {
                    self.exit_tried = true;
                    if *key == self.key {
                        self.exited = true;
                        Event::Exited
                    } else {
                        Event::StaleKey
                    }
                }
                Action::Enter | Action::Fail(_) => return None,
            })
        }
    }

    proptest! {
        #[test]
        fn it_ends_exits_once_and_never_allocates_after_a_try(
            size in 0_usize..100_000,
            buffer in 0_usize..100_000,
            disturbances: Vec<bool>,
        ) {
            let mut firmware = Firmware { key: 7, size, buffer, exit_tried: false, exited: false, allocated_after_exit: false };
            let (mut machine, mut action) = ExitMachine::new();
            let mut disturbances = disturbances.into_iter();
            for step in 0.. {
                assert!(step < 200, "it must end");
                let disturb = action == Action::Plan && disturbances.next().unwrap_or(false);
                match firmware.act(&action, disturb) {
                    Some(event) => action = machine.step(event),
                    None => break,
                }
            }
            assert_eq!(action == Action::Enter, firmware.exited);
            assert!(!firmware.allocated_after_exit);
        }

        #[test]
        fn a_quiet_firmware_is_left_at_the_first_try(size in 0_usize..100_000) {
            let mut firmware = Firmware { key: 7, size, buffer: 0, exit_tried: false, exited: false, allocated_after_exit: false };
            let (mut machine, mut action) = ExitMachine::new();
            let mut exits = 0;
            while let Some(event) = firmware.act(&action, false) {
                exits += u32::from(matches!(action, Action::Exit(_)));
                action = machine.step(event);
            }
            assert_eq!((action, exits), (Action::Enter, 1));
        }

        #[test]
        fn whatever_happens_no_memory_is_wanted_after_a_try(events: Vec<(u8, usize)>, key in any::<usize>()) {
            let (mut machine, mut action) = ExitMachine::new();
            let mut tried = false;
            for (kind, number) in events {
                tried |= matches!(action, Action::Exit(_));
                assert_eq!(tried, machine.has_tried());
                action = machine.step(match kind % 6 {
                    0 => Event::Map { key },
                    1 => Event::TooSmall { needed: number },
                    2 => Event::Grown,
                    3 => Event::Planned,
                    4 => Event::StaleKey,
                    _ => Event::Status(number),
                });
                assert!(!(tried && matches!(action, Action::Grow(_))));
                if let Action::Exit(used) = action {
                    assert!(used == key || used == 0);
                }
            }
        }

        #[test]
        fn a_firmware_that_always_changes_its_map_is_given_up(size in 0_usize..100_000) {
            let mut firmware = Firmware { key: 7, size, buffer: 1 << 20, exit_tried: false, exited: false, allocated_after_exit: false };
            let (mut machine, mut action) = ExitMachine::new();
            let mut exits = 0;
            while let Some(event) = firmware.act(&action, true) {
                exits += u32::from(matches!(action, Action::Exit(_)));
                action = machine.step(event);
            }
            let reason = ExitFault::MapKeepsChanging { attempts: MAX_EXITS };
            assert_eq!((action, exits), (Action::Fail(Error::ExitBootServices { reason }), MAX_EXITS));
        }
    }
}
