//! Where loom's models are: nothing else of their crates is built for loom.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::error::{Error, Result};

/// How the names of models begin.
pub const PREFIX: &str = "loom_";
/// The folder of the crates that have some.
const CRATES: &str = "kernel/crates";

/// A file with models: `kernel/crates/PACKAGE/tests/TEST.rs`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Models {
    /// The package.
    pub package: String,
    /// The file, without its ending.
    pub test: String,
}

/// The files with models below `root`.
pub fn files(root: &Path) -> Result<BTreeSet<Models>> {
    let mut found = BTreeSet::new();
    for package in names(&root.join(CRATES))? {
        let folder = root.join(CRATES).join(&package).join("tests");
        if !folder.is_dir() {
            continue;
        }
        for file in names(&folder)? {
            let path = folder.join(&file);
            let Some(test) = file.strip_suffix(".rs") else {
                continue;
            };
            let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
            if first_model(&text).is_some() {
                found.insert(Models {
                    package: package.clone(),
                    test: test.to_owned(),
                });
            }
        }
    }
    Ok(found)
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).map_err(Error::io("read", folder))?;
    entries
        .map(|entry| {
            let name = entry.map_err(Error::io("read", folder))?.file_name();
            Ok(name.to_string_lossy().into_owned())
        })
        .collect()
}

/// The line of the first model, counted from 1.
pub fn first_model(text: &str) -> Option<usize> {
    let is_model = |line: &str| {
        let rest = line.trim_start().strip_prefix("fn ");
        rest.is_some_and(|name| name.starts_with(PREFIX))
    };
    text.lines().position(is_model).map(|at| at + 1)
}

/// Whether [`files`] looks at a file of this name, from the root.
pub fn is_place(name: &str) -> bool {
    let mut rest = name
        .strip_prefix(CRATES)
        .unwrap_or_default()
        .split('/')
        .skip(1);
    let _package = rest.next();
    rest.next() == Some("tests") && rest.next().is_some() && rest.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::{files, first_model, is_place};
    use std::path::Path;

    #[test]
    fn models_are_told_from_what_only_names_them() {
        assert_eq!(first_model("#[test]\n    fn loom_a() {}\n"), Some(2));
        assert_eq!(first_model("// fn loom_a\nfn a() { loom_a(); }\n"), None);
    }

    #[test]
    fn a_place_is_a_file_of_tests_of_a_crate() {
        assert!(is_place("kernel/crates/ksync/tests/loom.rs"));
        assert!(!is_place("kernel/crates/ksync/tests/more/loom.rs"));
        assert!(!is_place("kernel/crates/ksync/src/loom.rs"));
        assert!(!is_place("userland/sys/tests/loom.rs"));
    }

    #[test]
    fn those_of_this_repository_are_found() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
        let found = files(root.unwrap()).unwrap();
        for package in ["klog", "kobj", "ksync", "ktrace"] {
            assert!(found.iter().any(|models| models.package == package));
        }
    }
}
