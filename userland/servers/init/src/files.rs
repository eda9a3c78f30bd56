//! The file service over the archive: what is asked, and what the archive answers.

use alloc::string::String;
use alloc::vec::Vec;

use protocols::Fault;
use protocols::files::{
    Answer, Entry as Named, FileAnswer, FileRequest, How, IO_MAX, Info, Request,
};

use crate::archive::{self, Archive, Entry};

/// Bytes of a page of a directory's entries, as they are encoded.
const PAGE: usize = 440;
/// The most that an entry takes beside its name.
const ENTRY: usize = 26;

/// What is to be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// This.
    Answer(Answer),
    /// A handle of an open file, by its number, and this about it.
    Open {
        /// Its number.
        number: usize,
        /// About it.
        info: Info,
    },
}

/// Answers a request to the service.
///
/// # Errors
/// Why it cannot be done: nothing in an archive can be changed.
pub fn answer(archive: &Archive, request: &Request) -> Result<Reply, Fault> {
    match request {
        Request::Open { path, how } => match (archive.find(path), how) {
            (Ok(Entry::Directory(_)), _) => Err(Fault::IsDirectory),
            (Ok(entry @ Entry::File { number, .. }), How::Read) => Ok(Reply::Open {
                number,
                info: entry.info(),
            }),
            (Ok(Entry::File { .. }), How::New) => Err(Fault::Exists),
            (Ok(Entry::File { .. }), _)
            | (Err(Fault::NotFound), How::Create | How::Append | How::New) => Err(Fault::ReadOnly),
            (Err(fault), _) => Err(fault),
        },
        Request::Stat { path } => Ok(Reply::Answer(Answer::Info(archive.find(path)?.info()))),
        Request::List { path, after } => {
            let mut entries = Vec::new();
            let mut room = PAGE;
            for (name, entry) in archive.list(path, after)? {
                let Some(left) = room.checked_sub(name.len() + ENTRY) else {
                    break;
                };
                room = left;
                entries.push(Named {
                    name: String::from(name),
                    info: entry.info(),
                });
            }
            Ok(Reply::Answer(Answer::Entries(entries)))
        }
        Request::Remove { path } => archive.find(path).and(Err(Fault::ReadOnly)),
        Request::MakeDirectory { path } => {
            archive::check(path)?;
            match archive.find(path) {
                Ok(_) => Err(Fault::Exists),
                Err(Fault::NotFound) => Err(Fault::ReadOnly),
                Err(fault) => Err(fault),
            }
        }
        Request::Rename { from, to } => {
            archive::check(to)?;
            archive.find(from).and(Err(Fault::ReadOnly))
        }
    }
}

/// Answers a request to an open file, but for [`FileRequest::Map`].
///
/// # Errors
/// `ReadOnly` for what would change it; `NotFound` for a number that no file has.
pub fn answer_open(
    archive: &Archive,
    number: usize,
    request: &FileRequest,
) -> Result<FileAnswer, Fault> {
    let entry = archive.file(number).ok_or(Fault::NotFound)?;
    let Entry::File { data, .. } = entry else {
        return Err(Fault::IsDirectory);
    };
    match request {
        FileRequest::Read { offset, len } => {
            let start = usize::try_from(*offset)
                .unwrap_or(usize::MAX)
                .min(data.len());
            let len = (*len as usize).min(IO_MAX).min(data.len() - start);
            let bytes = data.get(start..start + len).unwrap_or_default();
            Ok(FileAnswer::Bytes(bytes.to_vec()))
        }
        FileRequest::Info | FileRequest::Map => Ok(FileAnswer::Info(entry.info())),
        FileRequest::Write { .. } | FileRequest::Truncate { .. } => Err(Fault::ReadOnly),
    }
}
