//! All files that a process may use.

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

use ipc::{Directory, Failure, Link};
use protocols::files::{Answer, Entry, Files as Protocol, How, Info, Kind, Request};
use protocols::{Fault, WireError};
use sys::Context;
use sys::object::Owned;

use crate::path::{normalise, within};
use crate::{File, FileError};

/// Where file services are seen.
const MOUNTS: [(&str, &str); 2] = [("/boot", "files.boot"), ("/tmp", "files.tmp")];
/// How long a service is waited for that is not there, in nanoseconds: long enough to be started again.
const PATIENCE_NS: u64 = 5_000_000_000;
/// How often something is asked for that does no harm when it is done twice.
const TRIES: usize = 3;

/// All files that a process may use, and the directory from which relative paths are seen.
pub struct Files {
    mounts: Vec<(&'static str, RefCell<Link<Protocol>>)>,
    current: String,
}

impl Files {
    /// Those that the service directory knows; the current directory is that of the variable `PWD`, or the root.
    ///
    /// # Errors
    /// When the directory's handle cannot be duplicated.
    pub fn of(context: &Context, directory: &Directory) -> Result<Self, Failure> {
        let mut mounts = Vec::new();
        for (at, service) in MOUNTS {
            let link = Link::new(directory.duplicate()?, service);
            mounts.push((at, RefCell::new(link)));
        }
        let current = context.env("PWD").unwrap_or("/");
        let current = normalise("/", current).unwrap_or_else(|_| String::from("/"));
        Ok(Self { mounts, current })
    }

    /// The current directory.
    pub fn current(&self) -> &str {
        &self.current
    }

    /// Changes the current directory.
    ///
    /// # Errors
    /// What the service says; `NotDirectory`.
    pub fn set_current(&mut self, path: &str) -> Result<(), FileError> {
        let whole = self.absolute(path)?;
        match self.stat(path)?.kind {
            Kind::Directory => {
                self.current = whole;
                Ok(())
            }
            Kind::File => Err(FileError::new(path, Fault::NotDirectory)),
        }
    }

    /// The absolute path that a path means.
    ///
    /// # Errors
    /// Why it is none.
    pub fn absolute(&self, path: &str) -> Result<String, FileError> {
        normalise(&self.current, path).map_err(|error| FileError::new(path, error))
    }

    /// The service of an absolute path, and the path there.
    fn mount<'a>(&self, whole: &'a str) -> Option<(usize, &'a str)> {
        let mut mounts = self.mounts.iter().enumerate();
        mounts.find_map(|(index, (at, _))| Some((index, within(whole, at)?)))
    }

    /// Asks a service. What does no harm when it is done twice is asked again if the service died meanwhile; what does is asked once,
    /// of a service that has just answered: so one that has died and come back since it was asked last is not seen.
    fn ask(
        &self,
        path: &str,
        index: usize,
        request: &Request,
    ) -> Result<(Answer, Vec<Owned>), FileError> {
        let is_repeatable = match request {
            Request::Stat { .. } | Request::List { .. } => true,
            Request::Open { how, .. } => *how != How::New,
            Request::Remove { .. } | Request::MakeDirectory { .. } | Request::Rename { .. } => {
                false
            }
        };
        if !is_repeatable {
            let path = String::from("/");
            self.ask_often(&path, index, &Request::Stat { path: path.clone() }, TRIES)?;
        }
        let tries = if is_repeatable { TRIES } else { 1 };
        self.ask_often(path, index, request, tries)
    }

    fn ask_often(
        &self,
        path: &str,
        index: usize,
        request: &Request,
        mut tries: usize,
    ) -> Result<(Answer, Vec<Owned>), FileError> {
        let Some((_, link)) = self.mounts.get(index) else {
            return Err(FileError::new(path, Fault::NotFound));
        };
        let mut link = link.borrow_mut();
        loop {
            let until = sys::call::clock_read().saturating_add(PATIENCE_NS);
            // The wait is for the service to be there, not for its answer.
            let result = match link.mailbox(until) {
                Ok(_) => link.call(request, Vec::new(), abi::NEVER),
                Err(failure) => Err(failure),
            };
            tries -= 1;
            match result {
                Err(failure) if failure.is_closed() && tries > 0 => {}
                result => return result.map_err(|failure| FileError::new(path, failure)),
            }
        }
    }

    /// Asks the service of a path. Nothing but the names of services can be in the root.
    fn on(
        &self,
        path: &str,
        in_root: Fault,
        request: impl FnOnce(String) -> Request,
    ) -> Result<(Answer, Vec<Owned>), FileError> {
        let whole = self.absolute(path)?;
        match self.mount(&whole) {
            Some((index, rest)) => self.ask(path, index, &request(rest.into())),
            None => Err(FileError::new(path, in_root)),
        }
    }

    /// Opens a file.
    ///
    /// # Errors
    /// What the service says.
    pub fn open(&self, path: &str, how: How) -> Result<File, FileError> {
        let whole = self.absolute(path)?;
        let in_root = match (whole.as_str(), how) {
            ("/", _) => Fault::IsDirectory,
            (_, How::Read | How::Write) => Fault::NotFound,
            _ => Fault::ReadOnly,
        };
        let request = |path| Request::Open { path, how };
        match self.on(path, in_root, request)? {
            (Answer::Info(info), handles) => File::new(path, info, handles, how == How::Append),
            _ => Err(wrong(path)),
        }
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// What the service says.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        self.open(path, How::Read)?.read_to_vec()
    }

    /// About a file or directory.
    ///
    /// # Errors
    /// What the service says.
    pub fn stat(&self, path: &str) -> Result<Info, FileError> {
        if self.absolute(path)? == "/" {
            return Ok(root(self.mounts.len()));
        }
        match self.on(path, Fault::NotFound, |path| Request::Stat { path })? {
            (Answer::Info(info), _) => Ok(info),
            _ => Err(wrong(path)),
        }
    }

    /// The entries of a directory, in order.
    ///
    /// # Errors
    /// What the service says.
    pub fn read_dir(&self, path: &str) -> Result<Vec<Entry>, FileError> {
        let whole = self.absolute(path)?;
        if whole == "/" {
            let names = self.mounts.iter().map(|(at, _)| Entry {
                name: String::from(at.trim_start_matches('/')),
                info: root(0),
            });
            return Ok(names.collect());
        }
        let Some((index, rest)) = self.mount(&whole) else {
            return Err(FileError::new(path, Fault::NotFound));
        };
        let mut all: Vec<Entry> = Vec::new();
        loop {
            let after = all.last().map(|entry| entry.name.clone());
            let request = Request::List {
                path: rest.into(),
                after: after.unwrap_or_default(),
            };
            match self.ask(path, index, &request)? {
                (Answer::Entries(entries), _) if entries.is_empty() => return Ok(all),
                (Answer::Entries(entries), _) => all.extend(entries),
                _ => return Err(wrong(path)),
            }
        }
    }

    /// Removes a file or an empty directory.
    ///
    /// # Errors
    /// What the service says.
    pub fn remove(&self, path: &str) -> Result<(), FileError> {
        self.on(path, Fault::NotFound, |path| Request::Remove { path })
            .map(drop)
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// What the service says.
    pub fn make_directory(&self, path: &str) -> Result<(), FileError> {
        let in_root = match self.absolute(path)?.as_str() {
            "/" => Fault::Exists,
            _ => Fault::ReadOnly,
        };
        self.on(path, in_root, |path| Request::MakeDirectory { path })
            .map(drop)
    }

    /// Gives a file or directory another name; from one service to another a file is copied.
    ///
    /// # Errors
    /// What the services say.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), FileError> {
        let (whole_from, whole_to) = (self.absolute(from)?, self.absolute(to)?);
        match (self.mount(&whole_from), self.mount(&whole_to)) {
            (Some((index, from_there)), Some((other, to_there))) if index == other => {
                let request = Request::Rename {
                    from: from_there.into(),
                    to: to_there.into(),
                };
                self.ask(from, index, &request).map(drop)
            }
            _ => {
                self.copy(from, to)?;
                self.remove(from)
            }
        }
    }

    /// Copies a file; returns how many bytes it has.
    ///
    /// # Errors
    /// What the services say; `InvalidArgument` for a file onto itself.
    pub fn copy(&self, from: &str, to: &str) -> Result<u64, FileError> {
        if self.absolute(from)? == self.absolute(to)? {
            return Err(FileError::new(to, Fault::InvalidArgument));
        }
        let bytes = self.read(from)?;
        self.open(to, How::Create)?.write_all(&bytes)?;
        Ok(bytes.len() as u64)
    }
}

/// About the root, and directories that are only names there.
fn root(entries: usize) -> Info {
    Info {
        kind: Kind::Directory,
        size: entries as u64,
        is_program: false,
        modified: 0,
    }
}

fn wrong(path: &str) -> FileError {
    FileError::new(path, Failure::Wire(WireError::Malformed))
}
