//! The shell on the serial port, by somebody who types at a pseudo-terminal that `scripts/run` was started in.

use std::process::Command;

use super::boot::Bench;
use super::report::Outcome;
use super::typist::{Typist, keys};
use crate::error::{Error, Result};

/// What the shell says when it waits for a command.
const PROMPT: &str = "jsix:/tmp> ";
/// The longest that the whole run may take, in seconds.
const LIMIT_S: &str = "600";

/// Sits down, tries everything, and switches the machine off.
pub fn test(bench: &Bench<'_>) -> Outcome {
    try_all(bench).unwrap_or_else(Outcome::from)
}

fn try_all(bench: &Bench<'_>) -> Result<Outcome> {
    let own = std::env::current_exe().map_err(Error::io("find", "xtask"))?;
    let mut command = Command::new(own);
    command.args(["run", "--no-build", "--headless", "--smp", "2"]);
    command.args(["--timeout", LIMIT_S]);
    command.current_dir(&bench.workspace.root);
    let mut typist = Typist::new(&mut command, PROMPT)?;
    let tried = typist.wait_for_prompt().and_then(|()| all(&mut typist));
    typist.write(&bench.logs.join("shell-pty.log"))?;
    tried?;
    let status = typist.leave("poweroff")?;
    Ok(match status.code() {
        Some(0) => Outcome::Passed,
        _ => Outcome::Failed(format!("scripts/run ended with {status} after poweroff")),
    })
}

fn all(typist: &mut Typist) -> Result<()> {
    editing(typist)?;
    history(typist)?;
    completion(typist)?;
    language(typist)?;
    jobs(typist)?;
    interrupts(typist)?;
    restarts(typist)
}

/// Arrows, Backspace, Ctrl-A, E, K, W.
fn editing(typist: &mut Typist) -> Result<()> {
    typist.edit("cho abd", "cho abd", "")?;
    typist.edit(keys::CTRL_A, "", "cho abd")?;
    typist.edit("e", "e", "cho abd")?;
    typist.edit(keys::CTRL_E, "echo abd", "")?;
    typist.edit(keys::BACKSPACE, "echo ab", "")?;
    typist.edit("c", "echo abc", "")?;
    let shown = typist.enter()?;
    typist.compare("echo abc", &shown, &["abc"])?;
    typist.edit("echo one two three", "echo one two three", "")?;
    typist.edit(keys::CTRL_W, "echo one two ", "")?;
    typist.edit(&keys::LEFT.repeat(5), "echo one", " two")?;
    typist.edit(keys::CTRL_K, "echo one", "")?;
    typist.edit("s", "echo ones", "")?;
    let shown = typist.enter()?;
    typist.compare("echo ones", &shown, &["ones"])
}

/// Lines from before: as they are, and changed.
fn history(typist: &mut Typist) -> Result<()> {
    typist.edit(keys::UP, "echo ones", "")?;
    typist.edit(keys::UP, "echo abc", "")?;
    typist.edit(keys::DOWN, "echo ones", "")?;
    typist.edit(keys::UP, "echo abc", "")?;
    typist.edit("def", "echo abcdef", "")?;
    let shown = typist.enter()?;
    typist.compare("echo abcdef", &shown, &["abcdef"])?;
    typist.edit(keys::UP, "echo abcdef", "")?;
    typist.edit(keys::DOWN, "", "")
}

/// A command, a path, a file that was just made, and a choice of several.
fn completion(typist: &mut Typist) -> Result<()> {
    typist.edit("hell", "hell", "")?;
    typist.edit(keys::TAB, "hello ", "")?;
    typist.edit("x", "hello x", "")?;
    let shown = typist.enter()?;
    if shown.last().map(String::as_str) != Some("argument 1: x") {
        return Err(Error::tool("hello", format!("said {shown:?}")));
    }
    typist.expect("echo to complete > long-name", &[])?;
    typist.edit("cat lo", "cat lo", "")?;
    typist.edit(keys::TAB, "cat long-name ", "")?;
    let shown = typist.enter()?;
    typist.compare("cat long-name", &shown, &["to complete"])?;
    typist.expect("cp long-name long-other", &[])?;
    typist.edit("cat l", "cat l", "")?;
    typist.edit(keys::TAB, "cat long-", "")?;
    typist.press(keys::TAB)?;
    typist.wait("the two names", |screen| {
        let rows: Vec<String> = screen.rows(0, 80).collect();
        let is_choice = |row: &String| row.contains("long-name") && row.contains("long-other");
        rows.iter().any(is_choice).then_some(())
    })?;
    typist.edit("o\t", "cat long-other ", "")?;
    let shown = typist.enter()?;
    typist.compare("cat long-other", &shown, &["to complete"])?;
    typist.expect("rm long-name long-other", &[])
}

/// Pipes, files, quotes, variables, statuses.
fn language(typist: &mut Typist) -> Result<()> {
    typist.expect("seq 1 100 | grep 9 | wc -l", &["19"])?;
    typist.expect(
        "echo first > file; echo second >> file; cat file",
        &["first", "second"],
    )?;
    typist.expect("sort -r < file | head -n 1", &["second"])?;
    typist.expect("cat none 2> error; cat error", &["cat: none: not found"])?;
    typist.expect("a='b  c'; echo $a \"$a\" '$a' \\$a", &["b c b  c $a $a"])?;
    typist.expect("6s -c 'exit 42'; echo $?", &["42"])?;
    typist.expect("false || echo no", &["no"])?;
    typist.expect(
        "no-such-command",
        &["6s: no-such-command: there is no such command"],
    )?;
    typist.expect("echo $?", &["127"])?;
    // What is typed while a program runs that does not read it is for the shell.
    typist.edit("sleep 1", "sleep 1", "")?;
    typist.press(keys::ENTER)?;
    typist.press("echo ahead\r")?;
    typist.wait_for_rows(&["jsix:/tmp> echo ahead", "ahead", "jsix:/tmp>"])?;
    typist.edit("sleep 1", "sleep 1", "")?;
    typist.press(keys::ENTER)?;
    typist.edit("echo not yet", "echo not yet", "")?;
    let shown = typist.enter()?;
    typist.compare("echo not yet", &shown, &["not yet"])?;
    // A line that goes on in the next one.
    typist.edit("echo 'over", "echo 'over", "")?;
    typist.press(keys::ENTER)?;
    typist.wait("the prompt of a line that goes on", |screen| {
        let (row, column) = screen.cursor_position();
        let last = screen.rows(0, column).nth(row.into())?;
        last.starts_with("> ").then_some(())
    })?;
    typist.press("two'")?;
    let shown = typist.enter()?;
    typist.compare("echo of two lines", &shown, &["over", "two"])
}

/// In the background, and back.
fn jobs(typist: &mut Typist) -> Result<()> {
    let shown = typist.run("sleep 100 &")?;
    let number = shown.first().and_then(|row| row.strip_prefix("[1] "));
    let number = number.and_then(|number| number.parse::<u64>().ok());
    let Some(number) = number else {
        return Err(Error::tool("the shell", format!("said {shown:?} of a job")));
    };
    typist.expect("jobs", &["[1] running: sleep 100"])?;
    typist.expect(&format!("kill {number}; wait; echo $?"), &["143"])
}

/// Ctrl-C ends what would take longer than anybody waits here.
fn interrupts(typist: &mut Typist) -> Result<()> {
    for line in ["sleep 1000", "cat | wc", "yes > file"] {
        typist.edit(line, line, "")?;
        typist.press(keys::ENTER)?;
        // It has the terminal when the line of the prompt was left.
        typist.wait("an empty row", |screen| {
            let (row, column) = screen.cursor_position();
            let last = screen.rows(0, 80).nth(row.into())?;
            (column == 0 && last.trim().is_empty()).then_some(())
        })?;
        interrupt(typist)?;
        typist.expect("echo $?", &["130"])?;
    }
    // On the line that is edited it forgets what was typed.
    typist.edit("echo never", "echo never", "")?;
    interrupt(typist)?;
    typist.expect("rm file", &[])
}

fn interrupt(typist: &mut Typist) -> Result<()> {
    typist.press(keys::CTRL_C)?;
    typist.wait_for_next_prompt()
}

/// The terminal's driver and the files' service end, asked to or not, and the shell goes on.
fn restarts(typist: &mut Typist) -> Result<()> {
    typist.expect("x=kept", &[])?;
    for service in ["uart", "tmpfs", "uart", "fb"] {
        typist.run(&format!("services restart {service}"))?;
        typist.expect("echo $x > file; cat < file", &["kept"])?;
    }
    for service in ["uart", "tmpfs", "logger", "uart"] {
        let number = process(typist, service)?;
        typist.run(&format!("kill {number}"))?;
        typist.expect("echo $x > file; cat < file", &["kept"])?;
        while !process(typist, service).is_ok_and(|next| next != number) {}
    }
    typist.expect("pwd", &["/tmp"])
}

/// The number of a service's process.
fn process(typist: &mut Typist, service: &str) -> Result<u64> {
    let shown = typist.run("services")?;
    let row = shown.iter().find(|row| row.starts_with(service));
    let number = row.and_then(|row| row.split_whitespace().nth(2)?.parse().ok());
    number.ok_or_else(|| Error::tool("services", format!("said {shown:?}")))
}
