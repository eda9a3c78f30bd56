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

#[derive(Debug)]
struct Node {
    what: What,
    modified: u64,
    /// It is in a directory.
    is_linked: bool,
    /// How often it is open.
    opens: u32,
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
        };
        Self {
            nodes: BTreeMap::from([(ROOT, root)]),
            next: ROOT + 1,
            limits,
            bytes: NODE_COST,
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
    pub fn make_file(&mut self, path: &str, now: u64) -> Result<Number, Fault> {
        self.make(path, What::File(Content::default()), now)
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// As [`Self::make_file`].
    pub fn make_directory(&mut self, path: &str, now: u64) -> Result<Number, Fault> {
        self.make(path, What::Directory(BTreeMap::new()), now)
    }

    fn make(&mut self, path: &str, what: What, now: u64) -> Result<Number, Fault> {
        match self.find(path) {
            Err(Fault::NotFound) => {}
            Ok(_) => return Err(Fault::Exists),
            Err(fault) => return Err(fault),
        }
        let (directory, name) = split(path)?;
        let directory = self.find(directory)?;
        self.entries(directory)?;
        if self.nodes.len() >= self.limits.nodes || self.bytes + NODE_COST > self.limits.bytes {
            return Err(Fault::NoRoom);
        }
        let number = self.next;
        self.next += 1;
        self.bytes += NODE_COST;
        let node = Node {
            what,
            modified: now,
            is_linked: true,
            opens: 0,
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
        self.bytes -= NODE_COST + pages * PAGE;
        self.nodes.remove(&number);
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
        if self.bytes + added > self.limits.bytes {
            return Err(Fault::NoRoom);
        }
        let node = self.node_mut(number)?;
        let What::File(content) = &mut node.what else {
            return Err(Fault::IsDirectory);
        };
        content.write(offset, bytes)?;
        node.modified = now;
        let size = content.size();
        self.bytes += added;
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
        let freed = before - content.pages();
        self.bytes -= freed * PAGE;
        Ok(())
    }
}
