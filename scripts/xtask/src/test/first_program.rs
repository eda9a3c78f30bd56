//! Does what `docs/first-program.md` tells a reader to do, in an empty folder: its `sh` blocks are run in their order, and what a `text` block
//! shows must come from the block before it.

use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::boot::Bench;
use super::report::Outcome;
use crate::error::{Error, Result};
use crate::workspace::Workspace;

const PAGE: &str = "docs/first-program.md";
/// How long one block may take: it may build the system.
const LIMIT: Duration = Duration::from_secs(1800);

/// Commands, and the lines that they must print, in this order.
#[derive(Debug, Default, PartialEq, Eq)]
struct Step {
    commands: String,
    expected: Vec<String>,
}

/// Runs the page.
pub fn test(bench: &Bench<'_>) -> Outcome {
    run(bench.workspace).unwrap_or_else(Outcome::from)
}

fn run(workspace: &Workspace) -> Result<Outcome> {
    let page = workspace.root.join(PAGE);
    let page = fs::read_to_string(&page).map_err(Error::io("read", &page))?;
    for path in ["rust/src/main.rs", "c/main.c"] {
        let path = workspace.root.join("userland/templates").join(path);
        let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        if !page.contains(text.trim_end()) {
            let path = path.display();
            return Ok(Outcome::Failed(format!("{PAGE} does not show {path}")));
        }
    }
    let folder = tempfile::tempdir().map_err(Error::io("create a folder in", "/tmp"))?;
    symlink(&workspace.root, folder.path().join("jsix")).map_err(Error::io("link", "jsix"))?;
    for step in steps(&page) {
        let (output, is_good) = shell(folder.path(), &step.commands)?;
        let commands = step.commands.trim();
        if !is_good {
            return Ok(Outcome::Failed(format!("failed: {commands}\n{output}")));
        }
        if let Some(line) = missing(&output, &step.expected) {
            return Ok(Outcome::Failed(format!(
                "no line \"{line}\" from: {commands}\n{output}"
            )));
        }
    }
    Ok(Outcome::Passed)
}

/// The page's blocks of commands with what they show.
fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut block: Option<&str> = None;
    for line in page.lines() {
        match (block, line.strip_prefix("```")) {
            (None, Some(kind)) => {
                block = Some(kind);
                if kind == "sh" {
                    steps.push(Step::default());
                }
            }
            (Some(_), Some(_)) => block = None,
            (Some("sh"), None) => {
                if let Some(step) = steps.last_mut() {
                    step.commands.push_str(line);
                    step.commands.push('\n');
                }
            }
            (Some("text"), None) => {
                if let Some(step) = steps.last_mut() {
                    step.expected.push(line.to_owned());
                }
            }
            _ => {}
        }
    }
    steps
}

/// The first line that does not come after those before it.
fn missing<'a>(output: &str, expected: &'a [String]) -> Option<&'a str> {
    let mut lines = output.lines();
    expected
        .iter()
        .find(|wanted| !lines.any(|line| line.trim_end().ends_with(wanted.as_str())))
        .map(String::as_str)
}

/// What a shell prints that runs commands in a folder, and whether all of them did.
fn shell(folder: &Path, commands: &str) -> Result<(String, bool)> {
    let script = format!("exec 2>&1\n{commands}");
    let mut child = Command::new("sh")
        .args(["-e", "-c", &script])
        .current_dir(folder)
        // As a reader's shell has them: without what cargo has set for this program.
        .env_remove("CARGO")
        .env_remove("CARGO_MANIFEST_DIR")
        .env_remove("RUSTUP_TOOLCHAIN")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(Error::io("run", "sh"))?;
    let stdout = child.stdout.take();
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stdout) = stdout {
            // What could be read until an error counts.
            let _ = stdout.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let start = Instant::now();
    let status = loop {
        match child.try_wait().map_err(Error::io("wait for", "sh"))? {
            Some(status) => break Some(status),
            None if start.elapsed() > LIMIT => {
                child.kill().map_err(Error::io("end", "sh"))?;
                child.wait().map_err(Error::io("wait for", "sh"))?;
                break None;
            }
            None => std::thread::sleep(Duration::from_millis(100)),
        }
    };
    let output = reader.join().unwrap_or_default();
    Ok((output, status.is_some_and(|status| status.success())))
}

#[cfg(test)]
mod tests {
    use super::{Step, missing, shell, steps};

    #[test]
    fn blocks_are_found_in_their_order() {
        let page = "a\n```sh\ncd x\nmake\n```\n```rust\nsh\n```\n```text\nhello\nworld\n```\n\n```sh\nls\n```\n";
        let step = |commands: &str, expected: &[&str]| Step {
            commands: commands.into(),
            expected: expected.iter().map(|&line| line.into()).collect(),
        };
        assert_eq!(
            steps(page),
            [step("cd x\nmake\n", &["hello", "world"]), step("ls\n", &[])]
        );
    }

    #[test]
    fn the_page_has_steps_for_both_languages() {
        let steps = steps(include_str!("../../../../docs/first-program.md"));
        let shows = steps.iter().filter(|step| !step.expected.is_empty());
        assert_eq!(shows.count(), 2);
        assert!(steps.len() >= 5);
    }

    #[test]
    fn lines_must_come_in_their_order() {
        let output = "x\nlog: one \r\ntwo\n";
        let lines = |lines: &[&str]| {
            lines
                .iter()
                .map(|&line| line.to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(missing(output, &lines(&["one", "two"])), None);
        assert_eq!(missing(output, &lines(&["two", "one"])), Some("one"));
    }

    #[test]
    fn a_shell_tells_what_failed() {
        let folder = std::env::temp_dir();
        let (output, is_good) = shell(&folder, "echo a\nfalse\necho b\n").unwrap();
        assert_eq!((output.as_str(), is_good), ("a\n", false));
        let (output, is_good) = shell(&folder, "echo c >&2\n").unwrap();
        assert_eq!((output.as_str(), is_good), ("c\n", true));
    }
}
