//! Makes the boot archive: a tar file (ustar) compressed with zstd, the same bytes for the same input.
//!
//! It holds every program with its symbols, the files below `userland/archive`, and what the developer adds. The system sees it as
//! `/boot`; docs/services.md says what lies where.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::add::{self, Addition};
use crate::error::{Error, Result};
use crate::identity::Identity;
use crate::strip::strip_debug;
use crate::workspace::{INIT, Workspace};

/// The name of the boot module.
pub const MODULE: &str = "archive";

/// The file with the name of the build.
const IDENTITY: &str = "build";

/// Files that go into the archive as they are, from the root of the repository.
const FILES: &str = "userland/archive";

/// The longest path, as the protocol of files has it.
pub const PATH_MAX: usize = 255;

/// Something in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A file.
    File {
        /// Its bytes.
        data: Vec<u8>,
        /// Whether it may be run.
        is_program: bool,
    },
    /// Another name for what lies beside it.
    Link(String),
}

/// What the archive holds, by path.
pub type Tree = BTreeMap<String, Content>;

/// What the boot archive of what was built holds, with `additions`.
pub fn tree(workspace: &Workspace, additions: &[Addition]) -> Result<Tree> {
    let mut tree = Tree::new();
    for program in &workspace.programs {
        if program.name == INIT {
            continue;
        }
        let elf = workspace.elf(&program.name);
        let data = fs::read(&elf).map_err(Error::io("read", &elf))?;
        let content = Content::File {
            data: strip_debug(&elf.display().to_string(), &data)?,
            is_program: true,
        };
        insert(&mut tree, program.folder, &program.name, content)?;
        for link in &program.links {
            let content = Content::Link(program.name.clone());
            insert(&mut tree, program.folder, link, content)?;
        }
    }
    let root = workspace.root.join(FILES);
    for file in files_below(&root)? {
        let data = fs::read(&file).map_err(Error::io("read", &file))?;
        let path = file.strip_prefix(&root).unwrap_or(&file);
        let content = Content::File {
            data,
            is_program: false,
        };
        tree.insert(path.display().to_string(), content);
    }
    add::insert(&mut tree, additions)?;
    Ok(tree)
}

/// The files of the archive of what was built, by path.
pub fn files(workspace: &Workspace) -> Result<Vec<(String, Vec<u8>)>> {
    let tree = tree(workspace, &[])?.into_iter();
    Ok(tree
        .filter_map(|(path, content)| match content {
            Content::File { data, .. } => Some((path, data)),
            Content::Link(_) => None,
        })
        .collect())
}

/// Puts a file with the name of the build into the tree.
///
/// # Errors
/// There is such a file already.
pub fn add_identity(tree: &mut Tree, identity: &Identity) -> Result<()> {
    let content = Content::File {
        data: format!("{identity}\n").into_bytes(),
        is_program: false,
    };
    match tree.insert(IDENTITY.to_owned(), content) {
        None => Ok(()),
        Some(_) => Err(Error::Input(format!(
            "/boot/{IDENTITY} is made by the build: give the file another name"
        ))),
    }
}

/// The boot archive: the tree as a compressed tar file.
pub fn pack(tree: &Tree, time_s: u64) -> Result<Vec<u8>> {
    let tar = tar(tree, time_s)?;
    Ok(compress_to_vec(tar.as_slice(), CompressionLevel::Fastest))
}

/// Two programs of one name would hide one another.
fn insert(tree: &mut Tree, folder: &str, name: &str, content: Content) -> Result<()> {
    let path = format!("{folder}/{name}");
    if tree.contains_key(&path) {
        return Err(Error::Input(format!(
            "two programs or links would be {path} in the archive: rename one"
        )));
    }
    tree.insert(path, content);
    Ok(())
}

/// All files below a folder; none if there is no such folder.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        if !folder.exists() {
            continue;
        }
        for entry in fs::read_dir(&folder).map_err(Error::io("read", &folder))? {
            let path = entry.map_err(Error::io("read", &folder))?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The tree as a tar file: paths in order, without owner, all of one time. Folders are not named: they are where files are.
pub fn tar(tree: &Tree, time_s: u64) -> Result<Vec<u8>> {
    write_tar(tree, time_s).map_err(|e| Error::Input(format!("cannot make the archive: {e}")))
}

fn write_tar(tree: &Tree, time_s: u64) -> std::io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in tree {
        let mut header = tar::Header::new_ustar();
        header.set_path(path)?;
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(time_s);
        match content {
            Content::File { data, is_program } => {
                header.set_entry_type(tar::EntryType::Regular);
                header.set_mode(if *is_program { 0o555 } else { 0o444 });
                header.set_size(data.len() as u64);
                header.set_cksum();
                builder.append(&header, data.as_slice())?;
            }
            Content::Link(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_mode(0o777);
                header.set_size(0);
                header.set_link_name(target)?;
                header.set_cksum();
                builder.append(&header, std::io::empty())?;
            }
        }
    }
    builder.into_inner()
}

#[cfg(test)]
mod tests {
    use super::{Content, Tree, pack, tar as write};
    use proptest::prelude::{any, prop, prop_assert, proptest};
    use std::io::Read;

    proptest! {
        #[test]
        fn what_is_packed_comes_out_again(
            files in prop::collection::btree_map("[a-z]{1,20}(/[a-z][a-z.]{0,59}){0,3}", prop::collection::vec(any::<u8>(), 0..2000), 0..8)
        ) {
            let tree: Tree = files
                .into_iter()
                .map(|(path, data)| (path, Content::File { data, is_program: true }))
                .chain([("link".to_owned(), Content::Link("target".into()))])
                .collect();
            let tar = write(&tree, 12).unwrap();
            let packed = pack(&tree, 12).unwrap();
            prop_assert!(packed == pack(&tree, 12).unwrap());
            let mut unpacked = Vec::with_capacity(tar.len());
            ruzstd::decoding::FrameDecoder::new().decode_all_to_vec(&packed, &mut unpacked).unwrap();
            prop_assert!(unpacked == tar);
            let mut archive = tar::Archive::new(unpacked.as_slice());
            let mut found = Tree::new();
            for entry in archive.entries().unwrap() {
                let mut entry = entry.unwrap();
                let path = entry.path().unwrap().display().to_string();
                let content = match entry.link_name().unwrap() {
                    Some(target) => Content::Link(target.display().to_string()),
                    None => {
                        let mut data = Vec::new();
                        entry.read_to_end(&mut data).unwrap();
                        Content::File { data, is_program: entry.header().mode().unwrap() & 0o111 != 0 }
                    }
                };
                found.insert(path, content);
            }
            prop_assert!(found == tree);
        }
    }
}
