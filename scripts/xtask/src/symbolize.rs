//! Turns symbolizer markup into names: `{{{bt:0:3:0xffff...}}}` becomes function, file and line.
//!
//! Works on a stream: whatever is no markup passes through as it came, without waiting for the end
//! of its line.

use std::collections::HashMap;
use std::path::Path;

use addr2line::Loader;
use klog::markup::{self, Frame};

use crate::kernel::Kernel;
use crate::remap;
use crate::workspace::Workspace;

const OPEN: &[u8] = b"{{{";
/// A line with an open brace is held back until it ends; a longer one is not ours.
const MAX_HELD: usize = 4096;

/// A filter for console text.
pub struct Symbolizer<'a> {
    workspace: &'a Workspace,
    kernel: &'a str,
    modules: HashMap<String, Option<Loader>>,
    held: Vec<u8>,
    /// Something of the current line was shown already.
    started: bool,
}

impl<'a> Symbolizer<'a> {
    /// Names of `kernel` (a package) and of the user programs, as built in `workspace`.
    pub fn new(workspace: &'a Workspace, kernel: &'a str) -> Self {
        Self {
            workspace,
            kernel,
            modules: HashMap::new(),
            held: Vec::new(),
            started: false,
        }
    }

    /// For text of the jsix kernel.
    pub fn jsix(workspace: &'a Workspace) -> Self {
        Self::new(workspace, Kernel::Jsix.file())
    }

    /// Takes a piece of the stream and gives back what can be shown already.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(bytes);
        let mut out = Vec::new();
        let held = std::mem::take(&mut self.held);
        let mut rest = held.as_slice();
        while let Some(newline) = rest.iter().position(|&byte| byte == b'\n') {
            let (line, after) = rest.split_at(newline + 1);
            self.line(line, &mut out);
            self.started = false;
            rest = after;
        }
        let keep = if rest.len() > MAX_HELD {
            rest.len()
        } else {
            may_open_at(rest).unwrap_or(rest.len())
        };
        let (show, hold) = rest.split_at(keep);
        out.extend_from_slice(show);
        self.started |= !show.trim_ascii().is_empty();
        self.held = hold.to_vec();
        out
    }

    /// What was held back, at the end of the stream.
    pub fn finish(&mut self) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        let mut out = Vec::new();
        self.line(&held, &mut out);
        out
    }

    /// All of `text`.
    pub fn text(&mut self, text: &str) -> String {
        let mut out = self.push(text.as_bytes());
        out.extend(self.finish());
        String::from_utf8_lossy(&out).into_owned()
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let text = String::from_utf8_lossy(line);
        let mut from = 0;
        for found in markup::parse_all(&text) {
            out.extend_from_slice(
                text.get(from..found.range.start)
                    .unwrap_or_default()
                    .as_bytes(),
            );
            let start = text.get(..found.range.start).unwrap_or_default();
            let frame = self.frame(&found.frame, !self.started && start.trim().is_empty());
            out.extend_from_slice(frame.as_bytes());
            from = found.range.end;
        }
        if from == 0 {
            out.extend_from_slice(line);
        } else {
            out.extend_from_slice(text.get(from..).unwrap_or_default().as_bytes());
        }
    }

    /// A frame as text: one line, and one more for each function that was inlined into it, unless
    /// other text stands before it.
    fn frame(&mut self, frame: &Frame<'_>, alone: bool) -> String {
        let margin = if alone { "  " } else { "" };
        let head = format!("{margin}#{} {:#018x}", frame.frame, frame.address);
        let module = frame.module.unwrap_or(self.kernel);
        // A return address names the line after the call; the call itself is what matters.
        let probe = frame.address.saturating_sub(u64::from(frame.frame > 0));
        match self.names(module, probe) {
            Some(names) => {
                let indent = format!("\r\n{:width$} ", "", width = head.len() - 2);
                let names = names
                    .iter()
                    .enumerate()
                    .map(|(i, name)| {
                        let inlined = i + 1 < names.len();
                        format!("{name}{}", if inlined { " (inlined)" } else { "" })
                    })
                    .collect::<Vec<_>>();
                let separator = if alone { &indent } else { ", in " };
                format!("{head} {}", names.join(separator))
            }
            None => format!("{head} ({module}: no symbol)"),
        }
    }

    fn names(&mut self, module: &str, address: u64) -> Option<Vec<String>> {
        let path = self.workspace.elf(module);
        let root = self.workspace.root.clone();
        let loader = self
            .modules
            .entry(module.to_owned())
            .or_insert_with(|| Loader::new(&path).ok())
            .as_ref()?;
        let mut names = Vec::new();
        let mut frames = loader.find_frames(address).ok()?;
        while let Ok(Some(frame)) = frames.next() {
            let function = match &frame.function {
                Some(function) => function
                    .demangle()
                    .map_or_else(|_| "?".into(), |n| n.into_owned()),
                None => break,
            };
            let place = frame
                .location
                .and_then(|location| {
                    let file = shorten(location.file?, &root);
                    Some(
                        location
                            .line
                            .map_or(file.clone(), |line| format!("{file}:{line}")),
                    )
                })
                .unwrap_or_else(|| "?".into());
            names.push(format!("{} at {place}", without_hash(&function)));
        }
        if names.is_empty() {
            let symbol = loader.find_symbol(address)?;
            let name = addr2line::demangle_auto(symbol.into(), None);
            names.push(without_hash(&name).to_owned());
        }
        Some(names)
    }
}

/// `crate::f::h0123456789abcdef` without its last part.
fn without_hash(name: &str) -> &str {
    match name.rsplit_once("::h") {
        Some((plain, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            plain
        }
        _ => name,
    }
}

/// A source path relative to the repository, or to the library that it comes from.
fn shorten(file: &str, root: &Path) -> String {
    for start in [root, Path::new(remap::WORKSPACE), Path::new(remap::CRATES)] {
        if let Ok(relative) = Path::new(file).strip_prefix(start) {
            return relative.display().to_string();
        }
    }
    match file.split_once("/library/") {
        Some((_, rest)) => rest.to_owned(),
        None => file.to_owned(),
    }
}

/// Where markup starts, or may start with what comes next, in a line without its end.
fn may_open_at(line: &[u8]) -> Option<usize> {
    if let Some(at) = line.windows(OPEN.len()).position(|window| window == OPEN) {
        return Some(at);
    }
    (1..OPEN.len())
        .rev()
        .find(|&count| OPEN.get(..count).is_some_and(|start| line.ends_with(start)))
        .map(|count| line.len() - count)
}

#[cfg(test)]
mod tests {
    use super::{Symbolizer, shorten, without_hash};
    use crate::workspace::Workspace;
    use object::{Object, ObjectSymbol};
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};
    use std::path::{Path, PathBuf};

    fn nowhere() -> Workspace {
        Workspace {
            root: PathBuf::from("/nowhere"),
            target: PathBuf::from("/nowhere/target"),
            programs: Vec::new(),
        }
    }

    #[test]
    fn an_address_without_a_file_stays_readable() {
        let workspace = nowhere();
        let mut symbolizer = Symbolizer::jsix(&workspace);
        assert_eq!(
            symbolizer.text("CPU 0\r\n{{{bt:0:1:0x200010:hello}}}\r\nend"),
            "CPU 0\r\n  #1 0x0000000000200010 (hello: no symbol)\r\nend"
        );
    }

    /// Names a function of the test binary, which is an ELF file with debug information at hand.
    #[test]
    fn a_function_gets_its_name_file_and_line() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace {
            target: dir.path().to_path_buf(),
            root: Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../..")
                .canonicalize()
                .unwrap(),
            programs: Vec::new(),
        };
        let elf = workspace.elf("tests");
        std::fs::create_dir_all(elf.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(std::env::current_exe().unwrap(), &elf).unwrap();

        let data = std::fs::read(&elf).unwrap();
        let file = object::File::parse(&*data).unwrap();
        let here = file
            .symbols()
            .find(|symbol| {
                symbol
                    .name()
                    .is_ok_and(|name| name.contains("a_known_function"))
            })
            .unwrap();
        let at = |frame: u32, address: u64| {
            Symbolizer::jsix(&workspace)
                .text(&format!("{{{{{{bt:0:{frame}:{address:#x}:tests}}}}}}"))
        };
        let (start, end) = (here.address(), here.address() + here.size());
        let expected = "a_known_function at scripts/xtask/src/symbolize.rs:";
        assert!(at(0, start).contains(expected), "{}", at(0, start));
        // A call as the last instruction of a function returns to the next one.
        let expected = expected.trim_end_matches(':');
        assert!(at(1, end).contains(expected), "{}", at(1, end));
        assert!(!at(0, end).contains(expected), "{}", at(0, end));
    }

    #[inline(never)]
    extern "C" fn a_known_function(value: u64) -> u64 {
        std::hint::black_box(value) + 1
    }

    #[test]
    fn names_lose_their_hash() {
        assert_eq!(a_known_function(1), 2);
        assert_eq!(without_hash("core::f::h0123456789abcdef"), "core::f");
        assert_eq!(without_hash("a::h1"), "a::h1");
    }

    #[test]
    fn paths_are_relative_to_what_the_reader_knows() {
        let root = Path::new("/src/jsix");
        assert_eq!(
            shorten("/src/jsix/kernel/src/main.rs", root),
            "kernel/src/main.rs"
        );
        assert_eq!(
            shorten("/jsix/userland/sys/src/lib.rs", root),
            "userland/sys/src/lib.rs"
        );
        let registry = "/crates/talc-5.1.0/src/lib.rs";
        assert_eq!(shorten(registry, root), "talc-5.1.0/src/lib.rs");
        assert_eq!(
            shorten("/rustc/0123abc/library/core/src/a.rs", root),
            "core/src/a.rs"
        );
    }

    proptest! {
        #[test]
        fn how_the_stream_is_cut_does_not_matter(
            text in "([a-z{}\r\n]|\\{\\{\\{bt:0:1:0x12\\}\\}\\}){0,60}",
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)
        ) {
            let workspace = nowhere();
            let whole = Symbolizer::jsix(&workspace).text(&text);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let mut symbolizer = Symbolizer::jsix(&workspace);
            let mut out = Vec::new();
            for pair in cuts.windows(2) {
                out.extend(symbolizer.push(&text.as_bytes()[pair[0]..pair[1]]));
            }
            out.extend(symbolizer.finish());
            prop_assert_eq!(String::from_utf8(out).unwrap(), whole);
        }

        #[test]
        fn bytes_without_markup_pass_unchanged(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let workspace = nowhere();
            let mut symbolizer = Symbolizer::jsix(&workspace);
            let mut out = symbolizer.push(&bytes);
            out.extend(symbolizer.finish());
            prop_assert_eq!(out, bytes);
        }
    }
}
