//! The kernel's trace on the host: from what the machine sent to a file for Perfetto or `chrome://tracing`, and to a picture.
//!
//! [`recording`] decodes, [`timeline`] tells from the events what each processor and each thread did when, [`chrome`] writes that
//! down, [`check`] reads it back and says whether it can be true, [`svg`] draws it. docs/tracing.md is about all of it.

pub mod check;
mod chrome;
mod recording;
mod svg;
mod timeline;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{Error, Result};
use recording::Recording;

/// The port of QEMU's debug console, named to the kernel as `trace-port`.
const PORT: u16 = 0xe9;

/// Where QEMU leaves the trace of a run: a file in a folder of its own.
#[derive(Debug)]
pub struct Tap {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Tap {
    /// Makes the folder.
    pub fn new() -> Result<Self> {
        let folder = tempfile::tempdir();
        let folder = folder.map_err(Error::io("create a folder in", std::env::temp_dir()))?;
        let path = folder.path().join("trace");
        Ok(Self {
            _folder: folder,
            path,
        })
    }

    /// More arguments for QEMU.
    pub fn arguments(&self) -> Vec<String> {
        // QEMU takes a comma for its own unless it is doubled.
        let path = self.path.display().to_string().replace(',', ",,");
        vec![
            "-chardev".into(),
            format!("file,id=trace0,path={path}"),
            "-device".into(),
            format!("isa-debugcon,iobase={PORT:#x},chardev=trace0"),
        ]
    }

    /// The words of the kernel's command line that ask for these kinds of events, all if none are named.
    pub fn words(kinds: Option<&str>) -> Result<String> {
        let kinds = kinds.unwrap_or("all");
        if let Err(word) = ktrace::Kinds::parse(kinds) {
            let known: Vec<&str> = ktrace::Group::ALL.iter().map(|(_, name)| *name).collect();
            return Err(Error::Input(format!(
                "there is no kind '{word}' of trace events; the kinds are: {}",
                known.join(",")
            )));
        }
        Ok(format!("trace={kinds} trace-port={PORT:#x}"))
    }

    /// What the machine wrote, which has ended; or else what is in its console's text, of a kernel that found no port.
    pub fn read(&self, console: &str) -> Result<Vec<u8>> {
        let bytes = fs::read(&self.path).map_err(Error::io("read", &self.path))?;
        Ok(if bytes.is_empty() {
            console.as_bytes().to_vec()
        } else {
            bytes
        })
    }
}

/// Makes the JSON document of what a machine sent: the bytes of the port, or a console's text.
pub fn document(bytes: &[u8]) -> Result<Value> {
    let recording = Recording::read(bytes).map_err(Error::Input)?;
    let document = chrome::document(&timeline::Timeline::new(&recording));
    // What is written can be relied on.
    check::check(&document)
        .map_err(|wrong| Error::Input(format!("the trace contradicts itself: {wrong}")))?;
    Ok(document)
}

/// Writes the trace in `bytes` to `path`: as a picture if its name ends with `.svg`, else as JSON. Says what it wrote.
pub fn write(path: &Path, bytes: &[u8]) -> Result<String> {
    let document = document(bytes)?;
    let summary = check::check(&document).map_err(Error::Input)?;
    if path.extension().is_some_and(|end| end == "svg") {
        draw(&document, path, svg::Window::default())?;
    } else {
        fs::write(path, document.to_string()).map_err(Error::io("write", path))?;
    }
    Ok(summary.to_string())
}

fn draw(document: &Value, path: &Path, window: svg::Window) -> Result<()> {
    let picture = svg::draw(document, window).map_err(Error::Input)?;
    fs::write(path, picture).map_err(Error::io("write", path))
}

/// `xtask trace`: makes JSON or a picture of what was recorded before: a console's log, the bytes of the port, or such a JSON file.
pub fn convert(args: &crate::cli::TraceArgs) -> Result<()> {
    let bytes = fs::read(&args.input).map_err(Error::io("read", &args.input))?;
    let is_json = bytes.first() == Some(&b'{') && !bytes.starts_with(recording::OPEN.as_bytes());
    let document = if is_json {
        serde_json::from_slice(&bytes)
            .map_err(|e| Error::Input(format!("{} is no JSON: {e}", args.input.display())))?
    } else {
        document(&bytes)?
    };
    let summary = check::check(&document).map_err(Error::Input)?;
    if args.output.extension().is_some_and(|end| end == "svg") {
        let window = svg::Window {
            start_us: args.from,
            len_us: args.len,
        };
        draw(&document, &args.output, window)?;
    } else {
        fs::write(&args.output, document.to_string()).map_err(Error::io("write", &args.output))?;
    }
    eprintln!("xtask: {summary}; written to {}", args.output.display());
    Ok(())
}

#[cfg(test)]
mod tests;
