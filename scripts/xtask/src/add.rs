//! Files that the developer puts into the boot archive: `--add FILE[=PATH]`.

use std::fs;
use std::path::PathBuf;

use object::LittleEndian;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader};

use crate::archive::{Content, PATH_MAX, Tree};
use crate::error::{Error, Result};
use crate::strip::strip_debug;

/// Where the archive is seen.
const ROOT: &str = "/boot/";
/// Where programs go.
const PROGRAMS: &str = "bin/";

/// A file to be put into the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition {
    /// The file on this machine.
    pub file: PathBuf,
    /// Where the system sees it, if that was said.
    pub path: Option<String>,
}

/// `FILE` or `FILE=PATH`: for clap. A `=` in the name of a file that exists as it is written is part of the name.
pub fn parse(text: &str) -> std::result::Result<Addition, String> {
    let (file, path) = match text.rsplit_once('=') {
        Some((file, path)) if !PathBuf::from(text).exists() => (file, Some(path.to_owned())),
        _ => (text, None),
    };
    if file.is_empty() {
        return Err("it names no file: --add FILE, or --add FILE=PATH".into());
    }
    Ok(Addition {
        file: file.into(),
        path,
    })
}

/// Puts `additions` into the tree. A file of the system's own is replaced, with a message.
pub fn insert(tree: &mut Tree, additions: &[Addition]) -> Result<()> {
    let mut added = Vec::new();
    for addition in additions {
        let shown = addition.file.display();
        if addition.file.is_dir() {
            return Err(Error::Input(format!(
                "--add {shown}: it is a folder; name its files one by one"
            )));
        }
        let data = fs::read(&addition.file).map_err(Error::io("read", &addition.file))?;
        let (data, is_program) = if data.starts_with(&elf::ELFMAG) {
            runs_here(&data).map_err(|reason| {
                Error::Input(format!("--add {shown}: it is a program, but {reason}"))
            })?;
            (strip_debug(&shown.to_string(), &data)?, true)
        } else {
            let is_script = data.starts_with(b"#!");
            (data, is_script)
        };
        let name = addition
            .file
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let path = place(addition.path.as_deref(), &name, is_program)
            .map_err(|reason| Error::Input(format!("--add {shown}: {reason}")))?;
        if added.contains(&path) {
            return Err(Error::Input(format!(
                "--add {shown}: another --add puts a file at {ROOT}{path} already"
            )));
        }
        let taken = |other: &String| {
            other.starts_with(&format!("{path}/")) || path.starts_with(&format!("{other}/"))
        };
        if let Some(other) = tree.keys().find(|other| taken(other)) {
            return Err(Error::Input(format!(
                "--add {shown}: {ROOT}{path} cannot be beside {ROOT}{other}: one of them would be both file and folder"
            )));
        }
        let content = Content::File { data, is_program };
        if tree.insert(path.clone(), content).is_some() {
            eprintln!("xtask: note: {shown} takes the place of the system's own {ROOT}{path}");
        }
        added.push(path);
    }
    Ok(())
}

/// The path in the archive.
fn place(
    wanted: Option<&str>,
    name: &str,
    is_program: bool,
) -> std::result::Result<String, String> {
    let path = match wanted {
        None if is_program => format!("{PROGRAMS}{name}"),
        None => name.to_owned(),
        Some(path) => {
            let inner = match path.strip_prefix(ROOT) {
                Some(inner) => inner,
                None if path.starts_with('/') => {
                    return Err(format!(
                        "{path} does not lie below {ROOT}, where the archive is"
                    ));
                }
                None => path,
            };
            if inner.is_empty() || inner.ends_with('/') {
                format!("{inner}{name}")
            } else {
                inner.to_owned()
            }
        }
    };
    let is_name = |part: &str| !part.is_empty() && part != "." && part != "..";
    if !path.split('/').all(is_name) || path.contains(['\0', '\n']) {
        return Err(format!("{path:?} is no path of a file"));
    }
    // `/boot/` and a byte for ustar's cut into two fields.
    let mut header = tar::Header::new_ustar();
    if path.len() + ROOT.len() > PATH_MAX || header.set_path(&path).is_err() {
        return Err(format!("the path {path} is too long for the archive"));
    }
    Ok(path)
}

/// Whether this ELF file is a program that jsix can start; else why not.
fn runs_here(data: &[u8]) -> std::result::Result<(), String> {
    let endian = LittleEndian;
    let header = FileHeader64::<LittleEndian>::parse(data)
        .map_err(|_| "not a 64-bit little-endian one".to_owned())?;
    if header.e_machine(endian) != elf::EM_X86_64 {
        return Err("not one for x86-64".into());
    }
    let kind = header.e_type(endian);
    if kind != elf::ET_EXEC && kind != elf::ET_DYN {
        return Err("not an executable one (an object file or a core dump)".into());
    }
    let segments = header
        .program_headers(endian, data)
        .map_err(|e| format!("a damaged one: {e}"))?;
    if segments
        .iter()
        .any(|segment| segment.p_type(endian) == elf::PT_INTERP)
    {
        return Err(
            "it wants a dynamic linker, which jsix does not have: link it statically \
             (docs/first-program.md)"
                .into(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Addition, insert, parse, place, runs_here};
    use crate::archive::{Content, Tree};
    use proptest::prelude::{any, prop, prop_assert, proptest};

    #[test]
    fn programs_go_to_bin_and_files_to_the_root() {
        assert_eq!(place(None, "x", true).unwrap(), "bin/x");
        assert_eq!(place(None, "x.txt", false).unwrap(), "x.txt");
        assert_eq!(place(Some("/boot/etc/"), "x", true).unwrap(), "etc/x");
        assert_eq!(place(Some("/boot/"), "x", true).unwrap(), "x");
        assert_eq!(place(Some("bin/y"), "x", false).unwrap(), "bin/y");
        for wrong in ["/tmp/x", "a//b", "../x", "/boot/./x", "a\nb"] {
            assert!(place(Some(wrong), "x", false).is_err(), "{wrong}");
        }
        assert!(place(Some(&"x".repeat(300)), "x", false).is_err());
    }

    #[test]
    fn a_program_of_this_machine_is_refused_with_the_reason() {
        // This program: in a builder of Nix, /bin/sh is a static one.
        let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let reason = runs_here(&file).unwrap_err();
        assert!(
            ["dynamic linker", "x86-64", "64-bit"]
                .iter()
                .any(|part| reason.contains(part)),
            "{reason}"
        );
    }

    #[test]
    fn what_cannot_be_added_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a=b");
        std::fs::write(&file, "text").unwrap();
        let text = file.display().to_string();
        assert_eq!(
            parse(&text).unwrap(),
            Addition {
                file: file.clone(),
                path: None
            }
        );
        let at = |path: &str| Addition {
            file: file.clone(),
            path: Some(path.into()),
        };
        let mut tree: Tree = [("bin/ls".to_owned(), Content::Link("tools".into()))].into();
        insert(&mut tree, &[at("etc/x"), at("bin/ls")]).unwrap();
        assert!(matches!(tree["bin/ls"], Content::File { .. }));
        assert!(insert(&mut tree, &[at("y"), at("y")]).is_err());
        assert!(insert(&mut tree, &[at("bin")]).is_err());
        assert!(insert(&mut tree, &[at("bin/ls/x")]).is_err());
        let gone = Addition {
            file: folder.path().join("gone"),
            path: None,
        };
        assert!(insert(&mut tree, &[gone]).is_err());
        let whole = Addition {
            file: folder.path().into(),
            path: None,
        };
        assert!(insert(&mut tree, &[whole]).is_err());
    }

    proptest! {
        #[test]
        fn bytes_from_anywhere_never_panic(mut data in prop::collection::vec(any::<u8>(), 4..200), path in "[a-z/.]{0,12}") {
            data[..4].copy_from_slice(b"\x7fELF");
            let _ = runs_here(&data);
            if let Ok(path) = place(Some(&path), "x", false) {
                prop_assert!(!path.starts_with('/') && !path.split('/').any(|part| part == ".." || part.is_empty()));
            }
        }
    }
}
