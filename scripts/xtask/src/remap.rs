//! Which paths of this machine a build must not write down, and what stands for them instead.
//!
//! The compiler puts the paths of source files into messages of panics and into debug information. With these names the same sources
//! give the same bytes wherever they lie: the repository is [`WORKSPACE`], the crates of others are below [`CRATES`], and the library
//! of the language has the name that its makers give it when they build it, /rustc/COMMIT. `scripts/gdb` and `symbolize` know the names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::workspace::Workspace;

/// Stands for the root of the repository.
pub const WORKSPACE: &str = "/jsix";
/// Stands for the folder that the crates of others were unpacked in.
pub const CRATES: &str = "/crates";
/// Stands for the folder that is built in, when it does not lie in the repository.
const TARGET: &str = "/jsix/target";

/// The source of the language's own library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// Where it is.
    pub source: PathBuf,
    /// The commit that the compiler was made from.
    pub commit: String,
}

/// Paths and their names, the most particular last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remap {
    pairs: Vec<(PathBuf, String)>,
}

impl Remap {
    /// The paths that a build of `workspace` would show. `cargo` is the cargo that will build it, `library` the
    /// library's source, if it is here.
    ///
    /// # Errors
    /// Cargo cannot say where the crates are.
    pub fn find(
        workspace: &Workspace,
        mut cargo: Command,
        library: Option<Library>,
    ) -> Result<Self> {
        let mut pairs = vec![
            (workspace.target.clone(), TARGET.into()),
            (workspace.root.clone(), WORKSPACE.into()),
        ];
        if workspace.target.starts_with(&workspace.root) {
            pairs.swap(0, 1);
        }
        cargo
            .args(["metadata", "--format-version", "1", "--locked"])
            .arg("--manifest-path")
            .arg(workspace.root.join("Cargo.toml"));
        let output = cargo
            .output()
            .map_err(Error::io("run", cargo.get_program()))?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(Error::tool("cargo metadata", format!("failed: {reason}")));
        }
        let metadata: Value = serde_json::from_slice(&output.stdout)
            .map_err(|e| Error::tool("cargo metadata", format!("printed no JSON: {e}")))?;
        pairs.extend(
            folders_of_crates(&metadata, &workspace.root)
                .into_iter()
                .map(|folder| (folder, CRATES.into())),
        );
        if let Some(library) = library {
            let name = format!("/rustc/{}", library.commit);
            // Where packages put it: the compiler may name the folder that a link leads to.
            let real = library.source.canonicalize().ok();
            pairs.extend(real.map(|source| (source, name.clone())));
            pairs.push((library.source, name));
        }
        Ok(Self { pairs })
    }

    /// The arguments for the compiler. Of several that fit a path, it takes the last.
    pub fn flags(&self) -> impl Iterator<Item = String> {
        self.pairs
            .iter()
            .map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()))
    }
}

/// The folders that hold the packages which do not belong to the workspace at `root`.
fn folders_of_crates(metadata: &Value, root: &Path) -> BTreeSet<PathBuf> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages
        .filter(|package| package["source"].is_string())
        .filter_map(|package| package["manifest_path"].as_str())
        .filter_map(|manifest| Some(Path::new(manifest).parent()?.parent()?.to_path_buf()))
        .filter(|folder| folder != root)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{CRATES, Remap, folders_of_crates};
    use serde_json::json;
    use std::path::{Path, PathBuf};

    #[test]
    fn crates_of_others_are_found_wherever_they_were_unpacked() {
        let metadata = json!({"packages": [
            {"name": "kernel", "source": null, "manifest_path": "/r/kernel/Cargo.toml"},
            {"name": "acpi", "source": "registry+x", "manifest_path": "/h/registry/src/i-1/acpi-6.1.1/Cargo.toml"},
            {"name": "log", "source": "registry+x", "manifest_path": "/h/registry/src/i-1/log-0.4/Cargo.toml"},
            {"name": "spin", "source": "registry+y", "manifest_path": "/vendor/spin/Cargo.toml"},
        ]});
        let folders: Vec<PathBuf> = folders_of_crates(&metadata, Path::new("/r"))
            .into_iter()
            .collect();
        assert_eq!(
            folders,
            ["/h/registry/src/i-1", "/vendor"].map(PathBuf::from)
        );
        let remap = Remap {
            pairs: vec![("/a b".into(), CRATES.into())],
        };
        assert_eq!(
            remap.flags().collect::<Vec<_>>(),
            ["--remap-path-prefix=/a b=/crates"]
        );
    }
}
