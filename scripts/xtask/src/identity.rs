//! What a build is called: the commit that it was made from, and a hash of what it put into the image.
//!
//! The kernel prints the name in its first line, and `/boot/build` holds it. Two images with the same name hold the same kernel and
//! the same programs.

use std::env;
use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};

use blake2::{Blake2b512, Digest};
use object::{Object, ObjectSection};

use crate::error::{Error, Result};

/// The section of the kernel that holds the name, and its size in bytes (`kernel/src/identity.rs`).
const SECTION: &str = ".build";
/// See [`SECTION`].
const SIZE: usize = 64;
/// The time of builds that have no commit: the first that FAT can tell, 1980-01-01.
const EARLIEST_S: u64 = 315_532_800;
/// The name of the commit where nothing says which it is.
const UNKNOWN: &str = "unknown";
/// How much of a commit's and of the contents' hash is shown, in digits.
const COMMIT_DIGITS: usize = 12;
/// See [`COMMIT_DIGITS`].
const CONTENTS_DIGITS: usize = 16;

/// The commit that is being built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The start of its hash, with `+changes` where files differ from it; `unknown` without git.
    pub name: String,
    /// Its time in seconds since 1970: that of every file in what is made.
    pub time_s: u64,
}

impl Commit {
    /// `$JSIX_COMMIT` and `$SOURCE_DATE_EPOCH`, or what git says of the folder `root`.
    ///
    /// # Errors
    /// A variable is set to what makes no sense.
    pub fn find(root: &Path) -> Result<Self> {
        let time = env::var("SOURCE_DATE_EPOCH").ok();
        let time_s = match time.as_deref().map(str::parse) {
            Some(Ok(time_s)) => Some(time_s),
            Some(Err(_)) => {
                return Err(Error::Input(format!(
                    "SOURCE_DATE_EPOCH is {:?}: it must be a number of seconds since 1970",
                    time.unwrap_or_default()
                )));
            }
            None => None,
        };
        let name = env::var("JSIX_COMMIT").ok();
        if let Some(name) = name.as_deref().map(str::trim) {
            let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-+.".contains(&byte);
            if name.is_empty() || !name.bytes().all(is_word) {
                return Err(Error::Input(format!(
                    "JSIX_COMMIT is {name:?}: it must be the hash of a commit"
                )));
            }
        }
        let name = name.map(|name| shorten(name.trim()));
        let from_git = || git(root, &["rev-parse", "HEAD"]).map(|hash| named(root, &hash));
        let time_of_git = || git(root, &["log", "-1", "--format=%ct"])?.parse().ok();
        Ok(Self {
            name: name.or_else(from_git).unwrap_or_else(|| UNKNOWN.to_owned()),
            time_s: time_s
                .or_else(time_of_git)
                .unwrap_or(EARLIEST_S)
                .max(EARLIEST_S),
        })
    }

    /// Whether the files are those of a commit.
    pub fn is_clean(&self) -> bool {
        !self.name.contains('+') && self.name != UNKNOWN
    }

    /// The name of what was built: this commit and `contents`, in the order given.
    pub fn identity<'a>(&self, contents: impl Iterator<Item = (&'a str, &'a [u8])>) -> Identity {
        let mut hash = Blake2b512::new();
        for (path, data) in contents {
            for part in [path.as_bytes(), data] {
                hash.update((part.len() as u64).to_le_bytes());
                hash.update(part);
            }
        }
        let mut contents = hex(&hash.finalize());
        contents.truncate(CONTENTS_DIGITS);
        Identity {
            commit: self.clone(),
            contents,
        }
    }
}

fn named(root: &Path, hash: &str) -> String {
    let changed = git(root, &["status", "--porcelain"]).is_none_or(|text| !text.is_empty());
    let mut name = shorten(hash);
    if changed {
        name.push_str("+changes");
    }
    name
}

/// The start of a hash, and what follows its digits, as in `HASH-dirty`.
fn shorten(name: &str) -> String {
    let digits = name.bytes().take_while(u8::is_ascii_hexdigit).count();
    let (hash, rest) = name.split_at(digits);
    let hash = hash.get(..COMMIT_DIGITS).unwrap_or(hash);
    let rest = if rest == "-dirty" { "+changes" } else { rest };
    format!("{hash}{rest}").chars().take(24).collect()
}

fn git(root: &Path, words: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(words)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

/// What a build is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// What it was made from.
    pub commit: Commit,
    /// The start of a BLAKE2b hash of what it put into the image, before this name was written into it.
    pub contents: String,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.commit.name, self.contents)
    }
}

impl Identity {
    /// Writes the name into `image`, a copy of the kernel `elf` that holds at least what is loaded of it.
    ///
    /// # Errors
    /// The kernel has no place for it.
    pub fn stamp(&self, elf: &[u8], image: &mut [u8]) -> Result<()> {
        let range = object::File::parse(elf).ok().and_then(|file| {
            let (offset, size) = file.section_by_name(SECTION)?.file_range()?;
            let start = usize::try_from(offset).ok()?;
            (size == SIZE as u64).then_some(start..start.checked_add(SIZE)?)
        });
        let place = range.and_then(|range| image.get_mut(range));
        let place = place.ok_or_else(|| {
            Error::Input(format!(
                "the kernel has no section {SECTION} of {SIZE} bytes for the name of the build"
            ))
        })?;
        place.fill(0);
        let text = self.to_string();
        for (to, from) in place.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        Ok(())
    }
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The BLAKE2b hash of `data`, as `limine.conf` has it behind a path.
pub fn blake2b(data: &[u8]) -> String {
    hex(&Blake2b512::digest(data))
}

#[cfg(test)]
mod tests {
    use super::{Commit, SIZE, git, named, shorten};
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};
    use std::fs;

    fn commit(name: &str) -> Commit {
        Commit {
            name: name.into(),
            time_s: 0,
        }
    }

    #[test]
    fn a_changed_tree_is_marked() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let run = |words: &[&str]| git(root, words).unwrap();
        run(&["init", "--quiet"]);
        fs::write(root.join("a"), "1").unwrap();
        run(&["add", "a"]);
        run(&[
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
            "commit",
            "--quiet",
            "-m",
            "a",
        ]);
        let hash = run(&["rev-parse", "HEAD"]);
        assert_eq!(named(root, &hash), hash[..12]);
        fs::write(root.join("a"), "2").unwrap();
        assert_eq!(named(root, &hash), format!("{}+changes", &hash[..12]));
        assert_eq!(shorten(&format!("{hash}-dirty")), named(root, &hash));
        assert_eq!(shorten("unknown"), "unknown");
    }

    proptest! {
        #[test]
        fn other_contents_have_another_name(
            files in prop::collection::vec(("[ab]{0,3}", prop::collection::vec(0_u8..2, 0..3)), 0..4),
            others in prop::collection::vec(("[ab]{0,3}", prop::collection::vec(0_u8..2, 0..3)), 0..4)
        ) {
            let name = |files: &[(String, Vec<u8>)]| {
                let files = files.iter().map(|(path, data)| (path.as_str(), data.as_slice()));
                commit("0123").identity(files).to_string()
            };
            prop_assert_eq!(name(&files) == name(&others), files == others);
        }

        #[test]
        fn no_kernel_makes_the_stamp_panic(data in prop::collection::vec(any::<u8>(), 0..300)) {
            let identity = commit(&"x".repeat(24)).identity(std::iter::empty());
            prop_assert!(identity.to_string().len() < SIZE);
            prop_assert!(identity.stamp(&data, &mut data.clone()).is_err());
        }
    }
}
