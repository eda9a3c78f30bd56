//! Requests in, answers out.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use protocols::files::{Answer, Entry, FileAnswer, FileRequest, How, IO_MAX, Info, Request};
use protocols::{BYTES_MAX, Fault};

use crate::content::Content;
use crate::tree::{Client, Limits, Number, Tree};

/// How many files can be open.
const OPEN_MAX: usize = 1024;
/// How many one client can have open.
pub const OPEN_OF_CLIENT: usize = OPEN_MAX / 4;
/// Bytes of an answer that are not entries: what it is, and how many.
const LIST_HEAD: usize = 16;
/// For `FileRequest::Write`: at the end.
const AT_END: u64 = u64::MAX;

#[derive(Debug)]
struct Open {
    file: Number,
    can_write: bool,
    client: Client,
}

/// What is done with an open file's request.
#[derive(Debug)]
pub enum FileReply<'a> {
    /// This is the answer.
    Answer(FileAnswer),
    /// All of the file is wanted as memory.
    Map(Number, Info, &'a Content),
}

/// Directories, files, and which are open.
#[derive(Debug)]
pub struct Service {
    tree: Tree,
    opens: BTreeMap<u64, Open>,
    /// How many of them are a client's; only clients that have some.
    counts: BTreeMap<Client, usize>,
    next: u64,
}

impl Service {
    /// An empty one.
    pub fn new(limits: Limits) -> Self {
        Self {
            tree: Tree::new(limits),
            opens: BTreeMap::new(),
            counts: BTreeMap::new(),
            next: 1,
        }
    }

    /// The tree.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// How many files are open.
    pub fn open_files(&self) -> usize {
        self.opens.len()
    }

    /// Does what a client asks of the service at a time. For a file that was opened there is also its number, never 0, for [`Self::file`] and
    /// [`Self::close`].
    ///
    /// # Errors
    /// What the client is told.
    pub fn ask(
        &mut self,
        client: Client,
        request: &Request,
        now: u64,
    ) -> Result<(Answer, Option<u64>), Fault> {
        let tree = &mut self.tree;
        let done = |()| (Answer::Done, None);
        match request {
            Request::Open { path, how } => self
                .open(client, path, *how, now)
                .map(|(info, number)| (Answer::Info(info), Some(number))),
            Request::Stat { path } => {
                let info = tree.info(tree.find(path)?)?;
                Ok((Answer::Info(info), None))
            }
            Request::List { path, after } => {
                let entries = self.list(path, after)?;
                Ok((Answer::Entries(entries), None))
            }
            Request::Remove { path } => tree.remove(path, now).map(done),
            Request::MakeDirectory { path } => {
                tree.make_directory(client, path, now)?;
                Ok(done(()))
            }
            Request::Rename { from, to } => tree.rename(from, to, now).map(done),
        }
    }

    fn open(
        &mut self,
        client: Client,
        path: &str,
        how: How,
        now: u64,
    ) -> Result<(Info, u64), Fault> {
        let own = self.counts.get(&client).copied().unwrap_or(0);
        if self.opens.len() >= OPEN_MAX || own >= OPEN_OF_CLIENT {
            return Err(Fault::NoRoom);
        }
        let tree = &mut self.tree;
        let file = match (tree.find(path), how) {
            (Ok(_), How::New) => return Err(Fault::Exists),
            (Ok(file), How::Create) => {
                tree.truncate(file, 0, now)?;
                file
            }
            (Ok(file), _) => file,
            (Err(Fault::NotFound), How::Create | How::Append | How::New) => {
                tree.make_file(client, path, now)?
            }
            (Err(fault), _) => return Err(fault),
        };
        tree.open(file)?;
        let info = tree.info(file)?;
        let number = self.next;
        self.next += 1;
        let open = Open {
            file,
            can_write: how != How::Read,
            client,
        };
        self.opens.insert(number, open);
        self.counts.insert(client, own + 1);
        Ok((info, number))
    }

    /// As many entries as an answer has room for.
    fn list(&self, path: &str, after: &str) -> Result<Vec<Entry>, Fault> {
        let tree = &self.tree;
        let mut room = BYTES_MAX - LIST_HEAD;
        let mut entries = Vec::new();
        for (name, number) in tree.list(tree.find(path)?, after)? {
            let entry = Entry {
                name: name.into(),
                info: tree.info(number)?,
            };
            let mut bytes = [0; BYTES_MAX];
            let len = protocols::encode(&entry, &mut bytes).map_or(BYTES_MAX, <[u8]>::len);
            if len > room {
                break;
            }
            room -= len;
            entries.push(entry);
        }
        Ok(entries)
    }

    /// Does what is asked of an open file.
    ///
    /// # Errors
    /// What the client is told; `NotFound` for a file that is not open.
    pub fn file(
        &mut self,
        number: u64,
        request: &FileRequest,
        now: u64,
    ) -> Result<FileReply<'_>, Fault> {
        let open = self.opens.get(&number).ok_or(Fault::NotFound)?;
        let tree = &mut self.tree;
        let changes = matches!(
            request,
            FileRequest::Write { .. } | FileRequest::Truncate { .. }
        );
        if changes && !open.can_write {
            return Err(Fault::AccessDenied);
        }
        Ok(FileReply::Answer(match request {
            FileRequest::Read { offset, len } => {
                let len = u64::from(*len).min(IO_MAX as u64);
                FileAnswer::Bytes(tree.content(open.file)?.read(*offset, len))
            }
            FileRequest::Write { bytes, .. } if bytes.len() > IO_MAX => {
                return Err(Fault::InvalidArgument);
            }
            FileRequest::Write { offset, bytes } => {
                let offset = (*offset != AT_END).then_some(*offset);
                let size = tree.write(open.file, offset, bytes, now)?;
                FileAnswer::Done { size }
            }
            FileRequest::Truncate { size } => {
                tree.truncate(open.file, *size, now)?;
                FileAnswer::Done { size: *size }
            }
            FileRequest::Info => FileAnswer::Info(tree.info(open.file)?),
            FileRequest::Map => {
                let info = tree.info(open.file)?;
                let content = tree.content(open.file)?;
                return Ok(FileReply::Map(open.file, info, content));
            }
        }))
    }

    /// Closes a file.
    pub fn close(&mut self, number: u64) {
        if let Some(open) = self.opens.remove(&number) {
            self.tree.close(open.file);
            if let Some(count) = self.counts.get_mut(&open.client) {
                *count -= 1;
                if *count == 0 {
                    self.counts.remove(&open.client);
                }
            }
        }
    }
}
