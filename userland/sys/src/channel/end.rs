//! What the two ends have in common.

use core::sync::atomic::Ordering;

use abi::{Error, Handle, area};

use super::page::{Mapping, Page, Side};
use super::{HANDLES, room};
use crate::call;
use crate::object::Owned;

/// Which end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Writer,
    Reader,
}

/// How many bytes lie in a ring that has room for so many; `None` for positions that cannot be.
pub fn filled(written: u64, read: u64, room: u64) -> Option<u64> {
    let filled = written.wrapping_sub(read);
    (filled <= room).then_some(filled)
}

/// What there is to do.
pub enum Look {
    /// So many bytes can be moved; 0 when there will be none any more.
    Ready(u64),
    /// The other side has to move first.
    Wait,
}

/// An end of a channel. The handle of its process must stay open as long as it is there.
pub struct End {
    role: Role,
    ring: Mapping,
    page: Page,
    /// What the two show: to be handed on.
    areas: [Owned; 2],
    /// It was handed on, and does not close.
    is_released: bool,
    room: u64,
    /// To wait on.
    event: Owned,
    /// To wake the other side by.
    other_event: Owned,
    /// For which bits this side waits.
    moved: u64,
    closed: u64,
    /// For which bits the other side waits.
    other_moved: u64,
    other_closed: u64,
    /// The position of this side. That in the shared page is only told, never asked.
    position: u64,
    pub is_peer_gone: bool,
    /// The other side has told a position that cannot be: nothing of it counts any more.
    is_broken: bool,
}

impl End {
    /// `bits` are those for which it waits: of movement, and of the end. None: as the page has them.
    pub fn new(
        own: Handle,
        handles: [Handle; HANDLES],
        role: Role,
        bits: Option<(u64, u64)>,
    ) -> Result<Self, Error> {
        let [ring, positions, written, read] = handles.map(Owned::from_raw);
        let room = room(&ring)?;
        let access = match role {
            Role::Writer => area::READ | area::WRITE,
            Role::Reader => area::READ,
        };
        let page = Page::new(own, &positions)?;
        let areas = [ring, positions];
        let ring = Mapping::new(own, &areas[0], 2 * room, access)?;
        let (event, other_event) = match role {
            Role::Writer => (read, written),
            Role::Reader => (written, read),
        };
        let (own_side, other_side) = sides(&page, role);
        let (moved, closed) = bits.unwrap_or_else(|| own_side.bits());
        let (other_moved, other_closed) = other_side.bits();
        // An end may be handed on: it goes on where the one before has stopped.
        let position = own_side.position.load(Ordering::SeqCst);
        Ok(Self {
            role,
            ring,
            page,
            areas,
            is_released: false,
            room,
            event,
            other_event,
            moved,
            closed: closed & !moved,
            other_moved,
            other_closed,
            position,
            is_peer_gone: false,
            is_broken: false,
        })
    }

    /// The handles, without closing.
    pub fn into_handles(mut self) -> [Handle; HANDLES] {
        self.is_released = true;
        let none = || Owned::from_raw(Handle(0));
        let [ring, positions] = core::mem::replace(&mut self.areas, [none(), none()]);
        let event = core::mem::replace(&mut self.event, none());
        let other = core::mem::replace(&mut self.other_event, none());
        let (written, read) = match self.role {
            Role::Writer => (other, event),
            Role::Reader => (event, other),
        };
        [ring, positions, written, read].map(Owned::into_raw)
    }

    /// The event on which it waits, and the bits for which.
    pub fn event(&self) -> (Handle, u64) {
        (self.event.handle(), self.moved | self.closed)
    }

    pub fn room(&self) -> u64 {
        self.room
    }

    /// Where the next byte lies; from there on as many bytes as there is room for are in one piece.
    pub fn place(&self) -> *mut u8 {
        (self.ring.address + self.position % self.room) as *mut u8
    }

    /// Whether the other side has said that it is gone.
    pub fn is_closed(&self) -> bool {
        let (_, other) = sides(&self.page, self.role);
        self.is_peer_gone || other.is_closed.load(Ordering::SeqCst) != 0
    }

    /// Tells the other side how far this one is, and wakes it if it waits.
    pub fn advance(&mut self, count: u64) -> Result<(), Error> {
        self.position = self.position.wrapping_add(count);
        let (own, other) = sides(&self.page, self.role);
        own.position.store(self.position, Ordering::SeqCst);
        if other.is_waiting.swap(0, Ordering::SeqCst) != 0 {
            call::event_signal(self.other_event.handle(), self.other_moved)?;
        }
        Ok(())
    }

    /// How many bytes can be moved, without waiting.
    pub fn look(&mut self) -> Look {
        let (_, other) = sides(&self.page, self.role);
        // Before the position: what was written before the end counts.
        let is_gone = self.is_peer_gone || other.is_closed.load(Ordering::SeqCst) != 0;
        let theirs = other.position.load(Ordering::SeqCst);
        let count = match self.role {
            Role::Writer => {
                filled(self.position, theirs, self.room).map(|filled| self.room - filled)
            }
            Role::Reader => filled(theirs, self.position, self.room),
        };
        match count {
            None => {
                self.is_broken = true;
                self.is_peer_gone = true;
                Look::Ready(0)
            }
            Some(_) if self.is_broken => Look::Ready(0),
            Some(count) if count != 0 || is_gone => Look::Ready(count),
            Some(_) => Look::Wait,
        }
    }

    /// For a writer: where the bytes lie that the reader has not taken, as far as it has told, and how many; they are in one piece.
    pub fn untaken(&self) -> (*const u8, u64) {
        let (_, other) = sides(&self.page, self.role);
        let theirs = other.position.load(Ordering::SeqCst);
        let count = match filled(self.position, theirs, self.room) {
            Some(count) if !self.is_broken => count,
            _ => 0,
        };
        let begin = self.position.wrapping_sub(count) % self.room;
        ((self.ring.address + begin) as *const u8, count)
    }

    /// As [`look`](Self::look); and if there is nothing to do, the other side signals the event when it has moved.
    pub fn look_or_arm(&mut self) -> Look {
        if let ready @ Look::Ready(_) = self.look() {
            return ready;
        }
        let (own, _) = sides(&self.page, self.role);
        own.is_waiting.store(1, Ordering::SeqCst);
        self.look()
    }

    /// Waits until bytes can be moved, or the other side has gone; at the latest until a time.
    pub fn wait(&mut self, until: u64) -> Result<u64, Error> {
        loop {
            if let Look::Ready(count) = self.look() {
                return Ok(count);
            }
            let (own, _) = sides(&self.page, self.role);
            if own.is_waiting.swap(1, Ordering::SeqCst) == 0 {
                continue;
            }
            let mask = self.moved | self.closed;
            match call::event_wait(self.event.handle(), mask, 0, until) {
                Ok(bits) => self.is_peer_gone |= bits & self.closed != 0,
                Err(error) => {
                    own.is_waiting.store(0, Ordering::SeqCst);
                    return Err(error);
                }
            }
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if self.is_released {
            return;
        }
        let (own, _) = sides(&self.page, self.role);
        own.close();
        // The event is there as long as this end has a handle of it.
        let bits = self.other_closed | self.other_moved;
        let _ = call::event_signal(self.other_event.handle(), bits);
    }
}

/// What the page has of this side, and of the other one.
fn sides(page: &Page, role: Role) -> (&Side, &Side) {
    match role {
        Role::Writer => (page.writer(), page.reader()),
        Role::Reader => (page.reader(), page.writer()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_tell_how_much_there_is() {
        assert_eq!(filled(0, 0, 4096), Some(0));
        assert_eq!(filled(4096, 0, 4096), Some(4096));
        assert_eq!(filled(5, u64::MAX - 2, 4096), Some(8));
    }

    #[test]
    fn positions_that_cannot_be_are_found() {
        assert_eq!(filled(4097, 0, 4096), None);
        assert_eq!(filled(0, 1, 4096), None);
        assert_eq!(filled(u64::MAX, 0, 4096), None);
    }
}
