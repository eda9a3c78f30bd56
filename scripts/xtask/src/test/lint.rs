//! The repository's own rules, which no compiler checks: see `RULES`.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::models;
use super::report::Outcome;
use crate::error::{Error, Result};
use crate::workspace::Workspace;

/// A file with more lines than this has to be cut.
const MAX_LINES: usize = 500;
/// The only places where `unsafe` code may stand.
const UNSAFE_PLACES: &[&str] = &[
    "kernel/src/",
    "kernel/crates/kboot/tests/aml.rs",
    "kernel/crates/ksync/src/arc.rs",
    "kernel/crates/ksync/src/keyed.rs",
    "kernel/crates/ksync/tests/arc.rs",
    "uefi-shim/conformance/",
    "uefi-shim/src/",
    "userland/apps/bench/",
    "userland/lib/spawn/src/random.rs",
    "userland/fake-kernel/src/memory.rs",
    "userland/sys/",
    "userland/tests/abi/",
    "userland/tests/crash/",
    "userland/tests/fuzz/",
    "userland/tests/spawned/",
    "userland/tests/spin/",
    "userland/tests/stress/",
    "userland/tests/test/",
    "scripts/xtask/src/qemu/machine.rs",
];
/// A SAFETY comment may stand this many lines above its `unsafe`, for long statements and comments.
const SAFETY_REACH: usize = 12;

type Rule = fn(&str, &str) -> Vec<(usize, String)>;

const RULES: &[Rule] = &[
    no_features,
    size,
    module_docs,
    unsafe_places,
    safety_comments,
    places_of_models,
];

/// Checks every Rust file that git knows or would add.
pub fn check(workspace: &Workspace) -> Result<Outcome> {
    let listing = Command::new("git")
        .arg("-C")
        .arg(&workspace.root)
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
            "*.rs",
        ])
        .output()
        .map_err(Error::io("run", "git"))?;
    if !listing.status.success() {
        let reason = String::from_utf8_lossy(&listing.stderr).trim().to_owned();
        return Err(Error::tool("git ls-files", format!("failed: {reason}")));
    }
    let names = String::from_utf8_lossy(&listing.stdout).into_owned();
    let mut wrong = Vec::new();
    for name in names.split('\0').filter(|name| !name.is_empty()) {
        let path: &Path = &workspace.root.join(name);
        // Deleted, and not yet so in the index.
        let Ok(text) = fs::read_to_string(path) else {
            continue;
        };
        for rule in RULES {
            wrong.extend(
                rule(name, &text)
                    .into_iter()
                    .map(|(line, reason)| format!("{name}:{line}: {reason}")),
            );
        }
    }
    Ok(if wrong.is_empty() {
        Outcome::Passed
    } else {
        Outcome::Failed(wrong.join("\n"))
    })
}

/// Stable Rust only.
fn no_features(_: &str, text: &str) -> Vec<(usize, String)> {
    let needle = concat!("#![", "feature(");
    code(text)
        .filter(|(_, line)| line.starts_with(needle))
        .map(|(at, _)| {
            (
                at,
                "no unstable features: this builds with stable Rust".into(),
            )
        })
        .collect()
}

/// Models that nobody looks for are not run.
fn places_of_models(name: &str, text: &str) -> Vec<(usize, String)> {
    let line = models::first_model(text).filter(|_| !models::is_place(name));
    let reason = "models for loom are run when they are in kernel/crates/NAME/tests/NAME.rs";
    line.map(|line| (line, reason.into())).into_iter().collect()
}

fn size(_: &str, text: &str) -> Vec<(usize, String)> {
    let lines = text.lines().count();
    if lines > MAX_LINES {
        vec![(lines, format!("{lines} lines; cut it below {MAX_LINES}"))]
    } else {
        Vec::new()
    }
}

/// Every file says first what it is for.
fn module_docs(name: &str, text: &str) -> Vec<(usize, String)> {
    let first = text
        .lines()
        .find(|line| !line.starts_with("#!") && !line.is_empty());
    let speaks_for_itself = ["build.rs", "/tests.rs"]
        .iter()
        .any(|end| name.ends_with(end));
    if speaks_for_itself || first.is_some_and(|line| line.starts_with("//!")) {
        Vec::new()
    } else {
        vec![(
            1,
            "begin with a `//!` line that says what this is for".into(),
        )]
    }
}

fn unsafe_places(name: &str, text: &str) -> Vec<(usize, String)> {
    if UNSAFE_PLACES.iter().any(|place| name.starts_with(place)) {
        return Vec::new();
    }
    code(text)
        .filter(|(_, line)| unsafe_kind(&without_strings(line)).is_some())
        .map(|(at, _)| {
            (
                at,
                "no unsafe code here: see UNSAFE_PLACES in xtask's lint".into(),
            )
        })
        .collect()
}

/// What clippy checks too, but not for code that the host's build leaves out.
fn safety_comments(_: &str, text: &str) -> Vec<(usize, String)> {
    let lines: Vec<&str> = text.lines().collect();
    code(text)
        .filter(|(_, line)| unsafe_kind(&without_strings(line)) == Some(Unsafe::Use))
        .filter(|&(at, _)| {
            let start = at.saturating_sub(SAFETY_REACH + 1);
            !lines
                .get(start..at)
                .unwrap_or_default()
                .iter()
                .any(|line| line.contains("SAFETY:"))
        })
        .map(|(at, _)| (at, "say above in a SAFETY comment why this is sound".into()))
        .collect()
}

#[derive(Debug, PartialEq, Eq)]
enum Unsafe {
    /// A block or an implementation: it promises something.
    Use,
    /// A function or a trait: it asks for something.
    Declaration,
}

/// What kind of unsafe code a line holds. Attributes (`#[unsafe(no_mangle)]`) are not meant.
fn unsafe_kind(line: &str) -> Option<Unsafe> {
    let words: Vec<&str> = line
        .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '{'))
        .filter(|word| !word.is_empty())
        .collect();
    words.windows(2).find_map(|pair| match pair {
        ["unsafe", next] if next.starts_with('{') || *next == "impl" => Some(Unsafe::Use),
        ["unsafe", "fn" | "trait" | "extern"] => Some(Unsafe::Declaration),
        _ => None,
    })
}

/// A line with its string literals emptied.
fn without_strings(line: &str) -> String {
    line.split('"').step_by(2).collect::<Vec<_>>().join("\"\"")
}

/// The lines that are code, trimmed, with their numbers from 1.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim()))
        .filter(|(_, line)| !line.starts_with("//") && !line.starts_with('"'))
}

#[cfg(test)]
mod tests {
    use super::{module_docs, no_features, safety_comments, size, unsafe_places};

    const BLOCK: &str = "let x = unsafe { f() };";

    #[test]
    fn unsafe_code_needs_a_place_and_a_reason() {
        assert_eq!(unsafe_places("kernel/abi/src/lib.rs", BLOCK).len(), 1);
        assert!(unsafe_places("kernel/src/main.rs", BLOCK).is_empty());
        assert!(unsafe_places("kernel/abi/src/lib.rs", "// unsafe { }").is_empty());
        assert!(unsafe_places("kernel/abi/src/lib.rs", "#![forbid(unsafe_code)]").is_empty());
        assert_eq!(safety_comments("", BLOCK).len(), 1);
        assert!(safety_comments("", &format!("// SAFETY: f is.\n{BLOCK}")).is_empty());
        assert_eq!(safety_comments("", "unsafe impl Send for X {}").len(), 1);
        assert!(safety_comments("", "pub unsafe fn f() {}").is_empty());
    }

    #[test]
    fn files_are_stable_short_and_introduced() {
        let feature = format!("#![{}(naked_functions)]", "feature");
        assert_eq!(no_features("", &feature).len(), 1);
        assert_eq!(size("", &"x\n".repeat(501)).len(), 1);
        assert!(size("", &"x\n".repeat(500)).is_empty());
        assert!(module_docs("a.rs", "#![no_std]\n\n//! Is.").is_empty());
        assert_eq!(module_docs("a.rs", "use x;").len(), 1);
    }

    #[test]
    fn the_page_on_locking_has_the_levels_in_their_order() {
        let kernel = include_str!("../../../../kernel/src/locks.rs");
        let page = include_str!("../../../../docs/locking.md");
        // `Name;` or `Name, shared;` on a line of its own, in the last block.
        let (_, list) = kernel.rsplit_once("levels! {").unwrap();
        let (list, _) = list.split_once("\n}").unwrap();
        let names = list.lines().map(str::trim);
        let names = names.filter(|line| line.ends_with(';') && !line.starts_with("//"));
        let names: Vec<_> = names
            .map(|line| line.trim_end_matches(';').trim_end_matches(", shared"))
            .collect();
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
        let rows: Vec<_> = rows.filter_map(|row| row.split_once('`')).collect();
        let rows: Vec<_> = rows.iter().map(|row| row.0).collect();
        assert_eq!(rows, names);
    }
}
