//! The shell on the serial port, by somebody who types at a pseudo-terminal that `scripts/run` was started in.

use std::process::Command;

use super::boot::Bench;
use super::person::{Person, keys};
use super::report::Outcome;
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
    let mut person = Person::new(&mut command, PROMPT)?;
    let tried = person.wait_for_prompt().and_then(|()| all(&mut person));
    person.write(&bench.logs.join("shell-pty.log"))?;
    tried?;
    let status = person.leave("poweroff")?;
    Ok(match status.code() {
        Some(0) => Outcome::Passed,
        _ => Outcome::Failed(format!("scripts/run ended with {status} after poweroff")),
    })
}

fn all(person: &mut Person) -> Result<()> {
    editing(person)?;
    history(person)?;
    completion(person)?;
    language(person)?;
    jobs(person)?;
    interrupts(person)?;
    restarts(person)
}

/// Arrows, Backspace, Ctrl-A, E, K, W.
fn editing(person: &mut Person) -> Result<()> {
    person.edit("cho abd", "cho abd", "")?;
    person.edit(keys::CTRL_A, "", "cho abd")?;
    person.edit("e", "e", "cho abd")?;
    person.edit(keys::CTRL_E, "echo abd", "")?;
    person.edit(keys::BACKSPACE, "echo ab", "")?;
    person.edit("c", "echo abc", "")?;
    let shown = person.enter()?;
    person.compare("echo abc", &shown, &["abc"])?;
    person.edit("echo one two three", "echo one two three", "")?;
    person.edit(keys::CTRL_W, "echo one two ", "")?;
    person.edit(&keys::LEFT.repeat(5), "echo one", " two")?;
    person.edit(keys::CTRL_K, "echo one", "")?;
    person.edit("s", "echo ones", "")?;
    let shown = person.enter()?;
    person.compare("echo ones", &shown, &["ones"])
}

/// Lines from before: as they are, and changed.
fn history(person: &mut Person) -> Result<()> {
    person.edit(keys::UP, "echo ones", "")?;
    person.edit(keys::UP, "echo abc", "")?;
    person.edit(keys::DOWN, "echo ones", "")?;
    person.edit(keys::UP, "echo abc", "")?;
    person.edit("def", "echo abcdef", "")?;
    let shown = person.enter()?;
    person.compare("echo abcdef", &shown, &["abcdef"])?;
    person.edit(keys::UP, "echo abcdef", "")?;
    person.edit(keys::DOWN, "", "")
}

/// A command, a path, a file that was just made, and a choice of several.
fn completion(person: &mut Person) -> Result<()> {
    person.edit("hell", "hell", "")?;
    person.edit(keys::TAB, "hello ", "")?;
    person.edit("x", "hello x", "")?;
    let shown = person.enter()?;
    if shown.last().map(String::as_str) != Some("argument 1: x") {
        return Err(Error::tool("hello", format!("said {shown:?}")));
    }
    person.expect("echo to complete > long-name", &[])?;
    person.edit("cat lo", "cat lo", "")?;
    person.edit(keys::TAB, "cat long-name ", "")?;
    let shown = person.enter()?;
    person.compare("cat long-name", &shown, &["to complete"])?;
    person.expect("cp long-name long-other", &[])?;
    person.edit("cat l", "cat l", "")?;
    person.edit(keys::TAB, "cat long-", "")?;
    person.press(keys::TAB)?;
    person.wait("the two names", |screen| {
        let rows: Vec<String> = screen.rows(0, 80).collect();
        let is_choice = |row: &String| row.contains("long-name") && row.contains("long-other");
        rows.iter().any(is_choice).then_some(())
    })?;
    person.edit("o\t", "cat long-other ", "")?;
    let shown = person.enter()?;
    person.compare("cat long-other", &shown, &["to complete"])?;
    person.expect("rm long-name long-other", &[])
}

/// Pipes, files, quotes, variables, statuses.
fn language(person: &mut Person) -> Result<()> {
    person.expect("seq 1 100 | grep 9 | wc -l", &["19"])?;
    person.expect(
        "echo first > file; echo second >> file; cat file",
        &["first", "second"],
    )?;
    person.expect("sort -r < file | head -n 1", &["second"])?;
    person.expect("cat none 2> error; cat error", &["cat: none: not found"])?;
    person.expect("a='b  c'; echo $a \"$a\" '$a' \\$a", &["b c b  c $a $a"])?;
    person.expect("6s -c 'exit 42'; echo $?", &["42"])?;
    person.expect("false || echo no", &["no"])?;
    person.expect(
        "no-such-command",
        &["6s: no-such-command: there is no such command"],
    )?;
    person.expect("echo $?", &["127"])?;
    // A line that goes on in the next one.
    person.edit("echo 'over", "echo 'over", "")?;
    person.press(keys::ENTER)?;
    person.wait("the prompt of a line that goes on", |screen| {
        let (row, column) = screen.cursor_position();
        let last = screen.rows(0, column).nth(row.into())?;
        last.starts_with("...").then_some(())
    })?;
    person.press("two'")?;
    let shown = person.enter()?;
    person.compare("echo of two lines", &shown, &["over", "two"])
}

/// In the background, and back.
fn jobs(person: &mut Person) -> Result<()> {
    let shown = person.run("sleep 100 &")?;
    let number = shown.first().and_then(|row| row.strip_prefix("[1] "));
    let number = number.and_then(|number| number.parse::<u64>().ok());
    let Some(number) = number else {
        return Err(Error::tool("the shell", format!("said {shown:?} of a job")));
    };
    person.expect("jobs", &["[1] running: sleep 100"])?;
    person.expect(&format!("kill {number}; wait; echo $?"), &["143"])
}

/// Ctrl-C ends what would take longer than anybody waits here.
fn interrupts(person: &mut Person) -> Result<()> {
    for line in ["sleep 1000", "cat | wc", "yes > file"] {
        person.edit(line, line, "")?;
        person.press(keys::ENTER)?;
        // It has the terminal when the line of the prompt was left.
        person.wait("an empty row", |screen| {
            let (row, column) = screen.cursor_position();
            let last = screen.rows(0, 80).nth(row.into())?;
            (column == 0 && last.trim().is_empty()).then_some(())
        })?;
        interrupt(person)?;
        person.expect("echo $?", &["130"])?;
    }
    // On the line that is edited it forgets what was typed.
    person.edit("echo never", "echo never", "")?;
    interrupt(person)?;
    person.expect("rm file", &[])
}

fn interrupt(person: &mut Person) -> Result<()> {
    person.press(keys::CTRL_C)?;
    person.wait_for_next_prompt()
}

/// The terminal's driver and the files' service end, asked to or not, and the shell goes on.
fn restarts(person: &mut Person) -> Result<()> {
    person.expect("x=kept", &[])?;
    for service in ["uart", "tmpfs", "uart", "fb"] {
        person.run(&format!("services restart {service}"))?;
        person.expect("echo $x > file; cat < file", &["kept"])?;
    }
    for service in ["uart", "tmpfs", "logger", "uart"] {
        let number = process(person, service)?;
        person.run(&format!("kill {number}"))?;
        person.expect("echo $x > file; cat < file", &["kept"])?;
        while !process(person, service).is_ok_and(|next| next != number) {}
    }
    person.expect("pwd", &["/tmp"])
}

/// The number of a service's process.
fn process(person: &mut Person, service: &str) -> Result<u64> {
    let shown = person.run("services")?;
    let row = shown.iter().find(|row| row.starts_with(service));
    let number = row.and_then(|row| row.split_whitespace().nth(2)?.parse().ok());
    number.ok_or_else(|| Error::tool("services", format!("said {shown:?}")))
}
