//! Changes of tables, through the kernel's own [`kmem::pt::Edit`].

use kaddr::{Frame, LARGE, Page, PageSize, PhysAddr, VirtAddr, VirtRange};
use kmem::pt::{Flush, PageTable, Protection, Unmapped};

use crate::memory::Pool;
use crate::ops::Edit;
use crate::system::{Seen, System};
use crate::window::Window;

/// A change that was made and has to be followed by a flush.
#[derive(Debug, Default)]
pub struct Change {
    pub flush: Flush,
    /// What is not mapped any more.
    pub gone: Vec<(u64, PageSize)>,
}

impl System {
    /// Which watched pages lie in a range.
    fn watched_in(&self, range: VirtRange) -> Vec<usize> {
        (0..self.watched.len())
            .filter(|page| range.contains(self.watched[*page]))
            .collect()
    }

    /// The tables of a space, or of the kernel's half, and what it takes to change them.
    fn tables(&mut self, space: Option<usize>) -> (&mut PageTable, Window<'_>, &mut Pool) {
        let table = match space {
            Some(space) => self.spaces[space].table.as_mut(),
            None => Some(&mut self.kernel),
        };
        (
            table.expect("it is not destroyed"),
            Window(&mut self.machine.memory),
            &mut self.pool,
        )
    }

    /// Changes the tables of a space, or of the kernel's half.
    pub fn change(&mut self, space: Option<usize>, range: VirtRange, edit: Edit) -> Change {
        match edit {
            Edit::Map {
                protection,
                is_shared,
            } => {
                if range.is_aligned(LARGE) {
                    self.map_large(space, range, protection);
                } else {
                    self.map_small(space, range, protection, is_shared);
                }
                Change::default()
            }
            Edit::Unmap => {
                let change = self.unmap(space, range);
                self.note(space, range, |_| None);
                change
            }
            Edit::Protect(protection) => {
                let (table, mut window, pool) = self.tables(space);
                let flush = table
                    .edit(&mut window, pool)
                    .protect_range(range, protection)
                    .expect("there is memory");
                self.note(space, range, |seen| {
                    Some(Seen {
                        flags: protection.flags,
                        ..seen
                    })
                });
                Change {
                    flush,
                    gone: Vec::new(),
                }
            }
        }
    }

    /// Notes what pages show after a change, and what before.
    fn note(
        &mut self,
        space: Option<usize>,
        range: VirtRange,
        after: impl Fn(Seen) -> Option<Seen>,
    ) {
        for page in self.watched_in(range) {
            let half = self.half(space);
            if let Some(seen) = half.now[page] {
                half.now[page] = after(seen);
                if half.now[page] != Some(seen) {
                    half.old.push((page, seen));
                }
            }
        }
    }

    pub fn unmap(&mut self, space: Option<usize>, range: VirtRange) -> Change {
        let (table, mut window, pool) = self.tables(space);
        let mut gone = Vec::new();
        let visit = |page: Unmapped| gone.push((page.frame.start().as_u64(), page.size));
        let flush = table
            .edit(&mut window, pool)
            .unmap_range(range, visit)
            .expect("there is memory");
        Change { flush, gone }
    }

    fn map_small(
        &mut self,
        space: Option<usize>,
        range: VirtRange,
        protection: Protection,
        is_shared: bool,
    ) {
        for page in self.watched_in(range) {
            if self.half(space).now[page].is_some() {
                continue;
            }
            let others = self.live.iter().filter(|other| Some(**other) != space);
            let shared = others
                .filter_map(|other| self.spaces[*other].half.now[page])
                .next()
                .filter(|_| is_shared);
            let frame = match shared {
                Some(seen) => {
                    self.pool.map(seen.frame, PageSize::Small);
                    seen.frame
                }
                None => self
                    .pool
                    .take_page(PageSize::Small, &mut self.machine.memory),
            };
            self.map_page(
                space,
                self.watched[page],
                frame,
                PageSize::Small,
                protection,
            );
        }
    }

    fn map_large(&mut self, space: Option<usize>, range: VirtRange, protection: Protection) {
        let mut start = range.start;
        while start < range.end {
            let frame = self
                .pool
                .take_page(PageSize::Large, &mut self.machine.memory);
            self.map_page(space, start, frame, PageSize::Large, protection);
            start = start.checked_add(LARGE).expect("not at the end");
        }
    }

    /// Maps a page; where something is mapped already, its frame is given back.
    fn map_page(
        &mut self,
        space: Option<usize>,
        start: VirtAddr,
        frame: u64,
        size: PageSize,
        protection: Protection,
    ) {
        let (table, mut window, pool) = self.tables(space);
        let mapped = table.edit(&mut window, pool).map(
            Page::containing(start),
            Frame::starting_at(PhysAddr::new(frame)).expect("a frame"),
            size,
            protection,
        );
        if mapped.is_err() {
            pool.unmap(frame, size);
            return;
        }
        let epoch = self.pool.epoch(frame);
        let range = VirtRange::from_len(start, size.bytes()).expect("not at the end");
        for page in self.watched_in(range) {
            let offset = self.watched[page].offset_from(start).expect("inside");
            let half = self.half(space);
            half.ever[page] = true;
            half.now[page] = Some(Seen {
                frame: frame + offset,
                flags: protection.flags,
                epoch,
            });
        }
    }

    /// A change is complete: what is not mapped any more may be used for something else.
    pub fn complete(&mut self, space: Option<usize>, change: Change) {
        self.free(change);
        let half = self.half(space);
        half.old.clear();
        half.is_locked = false;
    }

    pub fn free(&mut self, Change { flush, gone }: Change) {
        let memory = &mut self.machine.memory;
        flush.finish(&mut Window(memory), &mut self.pool);
        for (frame, size) in gone {
            self.pool.unmap(frame, size);
        }
        self.pool.poison(memory);
    }
}
