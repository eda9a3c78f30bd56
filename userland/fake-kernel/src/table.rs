//! Handles: tables, rights, what is derived from what.

use abi::thread::ENDED;
use abi::{Error, Handle, Rights};

use crate::state::{Call, Entry, Id, Object, Slot, State};

impl State {
    /// What a handle of a process is.
    pub fn entry(&self, process: Id, handle: Handle) -> Result<Entry, Error> {
        let table = self.processes.get(&process).map(|process| &process.table);
        let slot = table.and_then(|table| table.get(handle.index() as usize));
        slot.filter(|slot| slot.generation == handle.generation())
            .and_then(|slot| slot.entry)
            .ok_or(Error::BadHandle)
    }

    /// Makes a handle of an object, derived from another one or not.
    pub fn insert(
        &mut self,
        process: Id,
        object: Id,
        rights: Rights,
        badge: u64,
        parent: Id,
    ) -> Result<Handle, Error> {
        let node = self.new_id();
        let entry = Entry {
            node,
            object,
            rights,
            badge,
        };
        let handle = self.place(process, entry)?;
        self.nodes.insert(node, parent);
        Ok(handle)
    }

    /// A new object with a handle that has all rights.
    pub fn insert_new(&mut self, process: Id, object: Object) -> Result<Handle, Error> {
        let rights = Rights::of(object.kind());
        let object = self.new_object(object);
        let made = self.insert(process, object, rights, 0, 0);
        if made.is_err() {
            self.objects.remove(&object);
        }
        made
    }

    /// Puts a handle into a table.
    pub fn place(&mut self, process: Id, entry: Entry) -> Result<Handle, Error> {
        let limit = self.handle_limit;
        let to = self.processes.get_mut(&process).ok_or(Error::Ended)?;
        if to.end.is_some() {
            return Err(Error::Ended);
        }
        let used = to.table.iter().filter(|slot| slot.entry.is_some()).count();
        if used >= limit {
            return Err(Error::TooMany);
        }
        let free = to.table.iter().position(|slot| slot.entry.is_none());
        let index = free.unwrap_or(to.table.len());
        if free.is_none() {
            to.table.push(Slot::default());
        }
        let Some(slot) = to.table.get_mut(index) else {
            return Err(Error::OutOfMemory);
        };
        slot.generation += 1;
        slot.entry = Some(entry);
        let handle = Handle::new(index as u32, slot.generation);
        if let Some((object, count)) = self.objects.get_mut(&entry.object) {
            *count += 1;
            if let Object::Mailbox(mailbox) = object
                && entry.rights.contains(Rights::RECEIVE)
            {
                mailbox.receivers += 1;
            }
        }
        Ok(handle)
    }

    /// Takes a handle out of a table; what it named counts it still.
    fn take(&mut self, process: Id, handle: Handle) -> Result<Entry, Error> {
        let entry = self.entry(process, handle)?;
        let table = self
            .processes
            .get_mut(&process)
            .map(|process| &mut process.table);
        if let Some(slot) = table.and_then(|table| table.get_mut(handle.index() as usize)) {
            slot.entry = None;
        }
        Ok(entry)
    }

    /// Moves a handle to another table.
    pub fn carry(&mut self, from: Id, handle: Handle, to: Id) -> Result<Handle, Error> {
        let entry = self.entry(from, handle)?;
        let there = self.place(to, entry)?;
        self.take(from, handle)?;
        self.forget(entry);
        Ok(there)
    }

    /// Closes a handle.
    pub fn close(&mut self, process: Id, handle: Handle) -> Result<(), Error> {
        let entry = self.take(process, handle)?;
        let parent = self.nodes.remove(&entry.node).unwrap_or(0);
        for node in self.nodes.values_mut().filter(|node| **node == entry.node) {
            *node = parent;
        }
        self.forget(entry);
        Ok(())
    }

    /// An object has one handle less.
    fn forget(&mut self, entry: Entry) {
        let Some((object, count)) = self.objects.get_mut(&entry.object) else {
            return;
        };
        *count -= 1;
        let is_last = *count == 0;
        match object {
            Object::Mailbox(mailbox) if entry.rights.contains(Rights::RECEIVE) => {
                mailbox.receivers -= 1;
                if mailbox.receivers == 0 {
                    self.close_mailbox(entry.object);
                }
            }
            Object::Reply(call) if is_last => {
                let call = *call;
                self.answer(call, Err(Error::PeerClosed));
            }
            _ => {}
        }
        let is_kept = match self.object(entry.object) {
            Some(Object::Process(_)) => true,
            Some(Object::Area(area)) => area.mappings != 0,
            Some(Object::Thread(thread)) => thread.state != ENDED,
            _ => false,
        };
        if is_last && !is_kept {
            self.objects.remove(&entry.object);
        }
    }

    fn close_mailbox(&mut self, id: Id) {
        let Ok(mailbox) = self.mailbox(id) else {
            return;
        };
        mailbox.is_closed = true;
        let (queue, bound) = (
            std::mem::take(&mut mailbox.queue),
            std::mem::take(&mut mailbox.on_closed),
        );
        for call in queue {
            self.answer(call, Err(Error::PeerClosed));
        }
        for (_, event, bits) in bound {
            self.signal(Some((event, bits)));
        }
    }

    /// Gives the caller its answer, if it still waits for one.
    pub fn answer(&mut self, call: Id, answer: Result<crate::state::Message, Error>) {
        let call: Option<&mut Call> = self.calls.get_mut(&call);
        if let Some(call) = call.filter(|call| call.answer.is_none()) {
            call.answer = Some(answer);
        }
    }

    /// Closes all handles that were made from one.
    pub fn revoke(&mut self, node: Id) {
        let is_below = |nodes: &std::collections::HashMap<Id, Id>, mut at: Id| {
            while let Some(parent) = nodes.get(&at) {
                if *parent == node {
                    return true;
                }
                at = *parent;
            }
            false
        };
        let mut all = Vec::new();
        for (number, process) in &self.processes {
            for (index, slot) in process.table.iter().enumerate() {
                if slot
                    .entry
                    .is_some_and(|entry| is_below(&self.nodes, entry.node))
                {
                    all.push((*number, Handle::new(index as u32, slot.generation)));
                }
            }
        }
        for (process, handle) in all {
            let _ = self.close(process, handle);
        }
    }

    /// The handles of a process that there are.
    pub fn handles(&self, process: Id) -> Vec<Handle> {
        let table = self.processes.get(&process).map(|process| &process.table);
        let slots = table.into_iter().flatten().enumerate();
        slots
            .filter(|(_, slot)| slot.entry.is_some())
            .map(|(index, slot)| Handle::new(index as u32, slot.generation))
            .collect()
    }

    /// Ends a process, and those that it has made.
    pub fn end_process(&mut self, id: Id, state: u64, status: u64) {
        let Some(process) = self
            .processes
            .get_mut(&id)
            .filter(|process| process.end.is_none())
        else {
            return;
        };
        process.end = Some((state, status));
        let on_exit = process.on_exit;
        for handle in self.handles(id) {
            let _ = self.close(id, handle);
        }
        // What its threads have received, they do not answer any more.
        let received = self.runners.values().filter(|runner| runner.process == id);
        let received: Vec<Id> = received.filter_map(|runner| runner.current).collect();
        for call in received {
            self.answer(call, Err(Error::PeerClosed));
        }
        let children = self
            .processes
            .iter()
            .filter(|(_, other)| other.parent == id);
        let children: Vec<Id> = children.map(|(number, _)| *number).collect();
        for child in children {
            self.end_process(child, abi::process::EXITED, 129);
        }
        for (object, _) in self.objects.values_mut() {
            match object {
                Object::Thread(thread) if thread.process == id => thread.state = ENDED,
                Object::Mailbox(mailbox) => mailbox.on_closed.retain(|(other, ..)| *other != id),
                _ => {}
            }
        }
        let threads: Vec<_> = self
            .objects
            .values_mut()
            .filter_map(|(object, _)| match object {
                Object::Thread(thread) if thread.process == id => thread.on_exit.take(),
                _ => None,
            })
            .collect();
        for binding in threads {
            self.signal(Some(binding));
        }
        // They were kept for as long as they ran.
        self.objects.retain(|_, (object, handles)| {
            *handles != 0 || !matches!(object, Object::Thread(thread) if thread.process == id)
        });
        self.signal(on_exit);
        self.end_of_memory(id);
        self.changes += 1;
    }

    /// Takes the memory of a process that has ended, and that no thread of the host uses any more.
    pub fn end_of_memory(&mut self, id: Id) {
        let Some(process) = self.processes.get_mut(&id) else {
            return;
        };
        if process.end.is_none() || process.threads != 0 {
            return;
        }
        for (address, mapped) in std::mem::take(&mut process.mappings) {
            self.unmapped(address, mapped);
        }
    }

    /// A mapping has gone.
    pub fn unmapped(&mut self, address: u64, mapped: crate::state::Mapped) {
        if mapped.is_real {
            crate::memory::unmap(address, mapped.len);
        }
        if let Ok(area) = self.area(mapped.object) {
            area.mappings -= 1;
            let is_unmapped = area.mappings == 0;
            let handles = self
                .objects
                .get(&mapped.object)
                .map_or(0, |(_, count)| *count);
            if is_unmapped && handles == 0 {
                self.objects.remove(&mapped.object);
            }
        }
    }
}
