//! Directories and files by numbers.

use alloc::collections::BTreeMap;
use alloc::string::String;

use protocols::Fault;
use protocols::files::{Info, Kind};

use crate::content::{Content, PAGE};

/// Names a directory or a file for as long as that is there; never used again.
pub type Number = u64;

/// The number of the root.
const ROOT: Number = 0;
/// What a directory or a file takes besides its pages, with its name in the directory, as it is counted.
const NODE_COST: u64 = 512;

/// Who asks, by a number; who made something has it counted against its own limit.
pub type Client = u64;

/// How much there may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes in all: pages, and a fixed amount for each directory and file.
    pub bytes: u64,
    /// The longest file.
    pub file: u64,
    /// Directories and files.
    pub nodes: usize,
}

impl Limits {
    /// What one client may have of the bytes: three quarters, so that it leaves something to the others.
    pub const fn bytes_of_client(&self) -> u64 {
        self.bytes / 4 * 3
    }

    /// What one client may have of the directories and files.
    pub const fn nodes_of_client(&self) -> usize {
        self.nodes / 4 * 3
    }
}

/// What of a client's there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Use {
    bytes: u64,
    nodes: usize,
}

#[derive(Debug)]
struct Node {
    what: What,
    modified: u64,
    /// It is in a directory.
    is_linked: bool,
    /// How often it is open.
    opens: u32,
    /// Who made it, and pays for it.
    owner: Client,
}

#[derive(Debug)]
enum What {
    File(Content),
    Directory(BTreeMap<String, Number>),
}

/// All directories and files.
#[derive(Debug)]
pub struct Tree {
    nodes: BTreeMap<Number, Node>,
    next: Number,
    limits: Limits,
    /// What counts against the limit.
    bytes: u64,
    /// And of that against a client's; only clients that have something.
    uses: BTreeMap<Client, Use>,
}

/// The names of a path.
fn names(path: &str) -> Result<impl Iterator<Item = &str>, Fault> {
    let rest = path.strip_prefix('/').ok_or(Fault::InvalidArgument)?;
    let is_name =
        |name: &str| !matches!(name, "" | "." | "..") && !name.chars().any(char::is_control);
    if path.len() > protocols::PATH_MAX || !(rest.is_empty() || rest.split('/').all(is_name)) {
        return Err(Fault::InvalidArgument);
    }
    Ok(rest.split('/').filter(|name| !name.is_empty()))
}

/// The directory's path and the name in it; none for the root.
fn split(path: &str) -> Result<(&str, &str), Fault> {
    let slash = path.rfind('/').ok_or(Fault::InvalidArgument)?;
    let (directory, name) = (path.get(..slash), path.get(slash + 1..));
    match (directory, name) {
        (_, None | Some("")) => Err(Fault::InvalidArgument),
        (None | Some(""), Some(name)) => Ok(("/", name)),
        (Some(directory), Some(name)) => Ok((directory, name)),
    }
}

impl Tree {
    /// An empty one.
    pub fn new(limits: Limits) -> Self {
        let root = Node {
            what: What::Directory(BTreeMap::new()),
            modified: 0,
            is_linked: true,
            opens: 0,
            owner: 0,
        };
        Self {
            nodes: BTreeMap::from([(ROOT, root)]),
            next: ROOT + 1,
            limits,
            bytes: NODE_COST,
            uses: BTreeMap::new(),
        }
    }

    /// What of the bytes is a client's.
    pub fn bytes_of(&self, client: Client) -> u64 {
        self.uses.get(&client).map_or(0, |of| of.bytes)
    }

    /// Whether there is room for so much more of a client's.
    fn has_room(&self, client: Client, bytes: u64, nodes: usize) -> bool {
        let of = self.uses.get(&client).copied().unwrap_or_default();
        self.bytes + bytes <= self.limits.bytes
            && self.nodes.len() + nodes <= self.limits.nodes
            && of.bytes + bytes <= self.limits.bytes_of_client()
            && of.nodes + nodes <= self.limits.nodes_of_client()
    }

    /// Counts what a client has more.
    fn count(&mut self, client: Client, bytes: u64, nodes: usize) {
        self.bytes += bytes;
        let of = self.uses.entry(client).or_default();
        of.bytes += bytes;
        of.nodes += nodes;
    }

    /// Counts what a client has less.
    fn discount(&mut self, client: Client, bytes: u64, nodes: usize) {
        self.bytes -= bytes;
        if let Some(of) = self.uses.get_mut(&client) {
            of.bytes -= bytes;
            of.nodes -= nodes;
            if of.nodes == 0 {
                self.uses.remove(&client);
            }
        }
    }

    /// What counts against the limit.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn node(&self, number: Number) -> Result<&Node, Fault> {
        self.nodes.get(&number).ok_or(Fault::NotFound)
    }

    fn node_mut(&mut self, number: Number) -> Result<&mut Node, Fault> {
        self.nodes.get_mut(&number).ok_or(Fault::NotFound)
    }

    fn entries(&self, number: Number) -> Result<&BTreeMap<String, Number>, Fault> {
        match &self.node(number)?.what {
            What::Directory(entries) => Ok(entries),
            What::File(_) => Err(Fault::NotDirectory),
        }
    }

    fn entries_mut(&mut self, number: Number) -> Result<&mut BTreeMap<String, Number>, Fault> {
        match &mut self.node_mut(number)?.what {
            What::Directory(entries) => Ok(entries),
            What::File(_) => Err(Fault::NotDirectory),
        }
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// `IsDirectory`.
    pub fn content(&self, number: Number) -> Result<&Content, Fault> {
        match &self.node(number)?.what {
            What::File(content) => Ok(content),
            What::Directory(_) => Err(Fault::IsDirectory),
        }
    }

    /// What a path names.
    ///
    /// # Errors
    /// `NotFound`, `NotDirectory`, `InvalidArgument` for what is no path.
    pub fn find(&self, path: &str) -> Result<Number, Fault> {
        names(path)?.try_fold(ROOT, |number, name| {
            let entries = self.entries(number)?;
            entries.get(name).copied().ok_or(Fault::NotFound)
        })
    }

    /// About a directory or file.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn info(&self, number: Number) -> Result<Info, Fault> {
        let node = self.node(number)?;
        let (kind, size, is_program) = match &node.what {
            What::Directory(entries) => (Kind::Directory, entries.len() as u64, false),
            What::File(content) => {
                let is_program = content.read(0, 4) == b"\x7fELF";
                (Kind::File, content.size(), is_program)
            }
        };
        Ok(Info {
            kind,
            size,
            is_program,
            modified: node.modified,
        })
    }

    /// The names in a directory behind one, in order.
    ///
    /// # Errors
    /// `NotFound`, `NotDirectory`.
    pub fn list(
        &self,
        number: Number,
        after: &str,
    ) -> Result<impl Iterator<Item = (&str, Number)>, Fault> {
        use core::ops::Bound::{Excluded, Unbounded};
        let entries = self.entries(number)?;
        let rest = entries.range::<str, _>((Excluded(after), Unbounded));
        Ok(rest.map(|(name, number)| (name.as_str(), *number)))
    }

    /// Makes an empty file.
    ///
    /// # Errors
    /// `Exists`, `NoRoom`; those of finding its directory.
    pub fn make_file(&mut self, client: Client, path: &str, now: u64) -> Result<Number, Fault> {
        self.make(client, path, What::File(Content::default()), now)
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// As [`Self::make_file`].
    pub fn make_directory(
        &mut self,
        client: Client,
        path: &str,
        now: u64,
    ) -> Result<Number, Fault> {
        self.make(client, path, What::Directory(BTreeMap::new()), now)
    }

    fn make(&mut self, client: Client, path: &str, what: What, now: u64) -> Result<Number, Fault> {
        match self.find(path) {
            Err(Fault::NotFound) => {}
            Ok(_) => return Err(Fault::Exists),
            Err(fault) => return Err(fault),
        }
        let (directory, name) = split(path)?;
        let directory = self.find(directory)?;
        self.entries(directory)?;
        if !self.has_room(client, NODE_COST, 1) {
            return Err(Fault::NoRoom);
        }
        let number = self.next;
        self.next += 1;
        self.count(client, NODE_COST, 1);
        let node = Node {
            what,
            modified: now,
            is_linked: true,
            opens: 0,
            owner: client,
        };
        self.nodes.insert(number, node);
        self.entries_mut(directory)?.insert(name.into(), number);
        self.node_mut(directory)?.modified = now;
        Ok(number)
    }

    /// Takes a name out of its directory. A file that is open lives on.
    ///
    /// # Errors
    /// `NotEmpty`; those of finding it.
    pub fn remove(&mut self, path: &str, now: u64) -> Result<(), Fault> {
        let number = self.find(path)?;
        let (directory, name) = split(path)?;
        if let What::Directory(entries) = &self.node(number)?.what
            && !entries.is_empty()
        {
            return Err(Fault::NotEmpty);
        }
        let directory = self.find(directory)?;
        self.entries_mut(directory)?.remove(name);
        self.node_mut(directory)?.modified = now;
        self.node_mut(number)?.is_linked = false;
        self.drop_if_unused(number);
        Ok(())
    }

    /// Gives a directory or file another name, in one step: a file that has that name is replaced.
    ///
    /// # Errors
    /// `IsDirectory` and `NotDirectory` when one is a directory and the other is not, `NotEmpty` for a directory that has entries;
    /// `InvalidArgument` for a directory that would be in itself; those of finding them.
    pub fn rename(&mut self, from: &str, to: &str, now: u64) -> Result<(), Fault> {
        let number = self.find(from)?;
        let (from_directory, from_name) = split(from)?;
        let (to_directory, to_name) = split(to)?;
        names(to).map(drop)?;
        let from_directory = self.find(from_directory)?;
        let target = self.find(to_directory)?;
        let replaced = self.entries(target)?.get(to_name).copied();
        if replaced == Some(number) {
            return Ok(());
        }
        let is_directory = matches!(self.node(number)?.what, What::Directory(_));
        if is_directory
            && to
                .strip_prefix(from)
                .is_some_and(|rest| rest.starts_with('/'))
        {
            return Err(Fault::InvalidArgument);
        }
        if let Some(replaced) = replaced {
            match (&self.node(replaced)?.what, is_directory) {
                (What::Directory(entries), true) if entries.is_empty() => {}
                (What::Directory(_), true) => return Err(Fault::NotEmpty),
                (What::Directory(_), false) => return Err(Fault::IsDirectory),
                (What::File(_), true) => return Err(Fault::NotDirectory),
                (What::File(_), false) => {}
            }
        }
        self.entries_mut(from_directory)?.remove(from_name);
        self.entries_mut(target)?.insert(to_name.into(), number);
        self.node_mut(from_directory)?.modified = now;
        self.node_mut(target)?.modified = now;
        if let Some(replaced) = replaced {
            self.node_mut(replaced)?.is_linked = false;
            self.drop_if_unused(replaced);
        }
        Ok(())
    }

    /// Notes that a file is open, once more.
    ///
    /// # Errors
    /// `IsDirectory`, `NotFound`.
    pub fn open(&mut self, number: Number) -> Result<(), Fault> {
        self.content(number)?;
        self.node_mut(number)?.opens += 1;
        Ok(())
    }

    /// Notes that a file is open once less.
    pub fn close(&mut self, number: Number) {
        if let Ok(node) = self.node_mut(number) {
            node.opens = node.opens.saturating_sub(1);
            self.drop_if_unused(number);
        }
    }

    fn drop_if_unused(&mut self, number: Number) {
        let Some(node) = self.nodes.get(&number) else {
            return;
        };
        if node.is_linked || node.opens > 0 {
            return;
        }
        let pages = match &node.what {
            What::File(content) => content.pages(),
            What::Directory(_) => 0,
        };
        let owner = node.owner;
        self.nodes.remove(&number);
        self.discount(owner, NODE_COST + pages * PAGE, 1);
    }

    /// Writes bytes to a file, all or none; at the end if no offset is given. Returns its size.
    ///
    /// # Errors
    /// `NoRoom`, `OutOfMemory`, `IsDirectory`.
    pub fn write(
        &mut self,
        number: Number,
        offset: Option<u64>,
        bytes: &[u8],
        now: u64,
    ) -> Result<u64, Fault> {
        let content = self.content(number)?;
        let len = bytes.len() as u64;
        let offset = offset.unwrap_or(content.size());
        if offset
            .checked_add(len)
            .is_none_or(|end| end > self.limits.file)
        {
            return Err(Fault::NoRoom);
        }
        let added = content.pages_to_write(offset, len) * PAGE;
        let owner = self.node(number)?.owner;
        if !self.has_room(owner, added, 0) {
            return Err(Fault::NoRoom);
        }
        let node = self.node_mut(number)?;
        let What::File(content) = &mut node.what else {
            return Err(Fault::IsDirectory);
        };
        content.write(offset, bytes)?;
        node.modified = now;
        let size = content.size();
        self.count(owner, added, 0);
        Ok(size)
    }

    /// Makes a file as long as this.
    ///
    /// # Errors
    /// `NoRoom`, `IsDirectory`.
    pub fn truncate(&mut self, number: Number, size: u64, now: u64) -> Result<(), Fault> {
        if size > self.limits.file {
            return Err(Fault::NoRoom);
        }
        let node = self.node_mut(number)?;
        let What::File(content) = &mut node.what else {
            return Err(Fault::IsDirectory);
        };
        let before = content.pages();
        content.truncate(size);
        node.modified = now;
        let (freed, owner) = (before - content.pages(), node.owner);
        self.discount(owner, freed * PAGE, 0);
        Ok(())
    }
}
