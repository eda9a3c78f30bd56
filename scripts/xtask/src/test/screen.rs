//! Somebody sits at the machine, types on its PS/2 keyboard into the shell on the screen, and reads the screen.

use super::boot::Bench;
use super::report::Outcome;
use crate::error::{Error, Result};
use crate::person::{PROMPT, Person};
use crate::qemu::args::{Engine, Spec};
use crate::qemu::outcome::Verdict;

/// How often the view is moved up at most: half a screen each time.
const PAGES: usize = 30;

/// Types, and looks.
pub fn test(bench: &Bench<'_>) -> Outcome {
    match sit(bench) {
        Ok(Verdict::PoweredOff) => Outcome::Passed,
        Ok(verdict) => Outcome::Failed(format!("the end: {verdict}")),
        Err(error) => error.into(),
    }
}

fn sit(bench: &Bench<'_>) -> Result<Verdict> {
    let spec = Spec {
        cpus: 2,
        memory_mib: 256,
        ..Spec::default()
    };
    let mut person = Person::sit_down(bench.tools(), &spec, Some(bench.log_path("screen")))?;
    person.until_line(PROMPT)?;
    person.run("echo \"It's A_b {c}\" | wc -w")?;
    person.until_end(&["3", PROMPT])?;
    let steps: [fn(&mut Person) -> Result<()>; 6] =
        [locks, repeat, history, interrupt, layouts, scrollback];
    for step in steps {
        step(&mut person)?;
    }
    person.run("poweroff")?;
    person.until_end_of_machine()
}

/// What the service of the screen may take, in percent, of a processor that executes one instruction a nanosecond.
const SHARE_MAX: f64 = 1.0;
/// Lines of the log scroll by: 16 of them, five times a second.
const SCROLL: &str = "while log -n 16; do sleep .2; done";
/// How often they come in five seconds at least.
const ROUNDS_MIN: f64 = 20.0;

/// While lines scroll over the screen, its service takes little of a processor. Instructions are counted: other boots do not matter.
pub fn scroll(bench: &Bench<'_>) -> Outcome {
    scrolls(bench).unwrap_or_else(Outcome::from)
}

fn scrolls(bench: &Bench<'_>) -> Result<Outcome> {
    let spec = Spec {
        engine: Engine::TcgCounting,
        is_quick: true,
        ..Spec::default()
    };
    let log = bench.log_path("screen-scroll");
    let mut person = Person::sit_down(bench.tools(), &spec, Some(log))?;
    person.until_line(PROMPT)?;
    person.until_serial(PROMPT)?;
    person.run(SCROLL)?;
    person.until("lines that scroll", |lines| {
        lines.iter().filter(|line| line.contains("INFO")).count() > lines.len() / 2
    })?;
    person.write("top --once --delay 5; ps\r")?;
    person.until_serial("\nup ")?;
    let said = person.until_serial(PROMPT)?;
    person.write("poweroff\r")?;
    person.until_end_of_machine()?;
    Ok(match judge(&said) {
        Ok(()) => Outcome::Passed,
        Err(wrong) => Outcome::Failed(format!("{wrong}\n{said}")),
    })
}

/// Whether the screen's share is within its bound, and lines came meanwhile: each round is two processes, `log` and `sleep`.
fn judge(said: &str) -> core::result::Result<(), String> {
    let row = |name: &str| {
        let mut rows = said.lines().map(str::split_whitespace);
        rows.find_map(|words| {
            let words: Vec<&str> = words.collect();
            (words.last() == Some(&name)).then_some(words)
        })
    };
    let number = |name: &str, column: usize| {
        let row = row(name)?;
        row.get(column)?.parse::<f64>().ok()
    };
    let (Some(share), Some(top), Some(ps)) =
        (number("drv.fb", 3), number("top", 0), number("ps", 0))
    else {
        return Err("not what top and ps say".into());
    };
    let rounds = (ps - top) / 2.0;
    if rounds < ROUNDS_MIN {
        return Err(format!("lines came {rounds} times only"));
    }
    if share > SHARE_MAX {
        return Err(format!("the screen takes {share} % of the processor"));
    }
    Ok(())
}

/// Takes back what was typed at the prompt.
fn clear(person: &mut Person) -> Result<()> {
    person.press(&["ctrl", "u"])?;
    person.until_line(PROMPT)
}

/// Presses keys, which make of the line behind the prompt this.
fn line(person: &mut Person, keys: &[&[&str]], becomes: &str) -> Result<()> {
    for keys in keys {
        person.press(keys)?;
    }
    person.until_line(&format!("{PROMPT} {becomes}"))
}

/// Caps Lock turns letters round, and no other keys; held down it changes once.
fn locks(person: &mut Person) -> Result<()> {
    let lock: &[&str] = &["caps_lock"];
    line(person, &[lock, &["a"]], "A")?;
    line(person, &[&["shift", "b"], &["1"]], "Ab1")?;
    line(person, &[lock, &["c"]], "Ab1c")?;
    person.hold("caps_lock", 4)?;
    line(person, &[&["d"]], "Ab1cD")?;
    line(person, &[lock, &["e"]], "Ab1cDe")?;
    clear(person)
}

/// A key that is held comes again and again.
fn repeat(person: &mut Person) -> Result<()> {
    person.hold("x", 6)?;
    line(person, &[], "xxxxxx")?;
    person.hold("backspace", 4)?;
    line(person, &[], "xx")?;
    clear(person)
}

/// Arrows go through what was typed before, and through the line.
fn history(person: &mut Person) -> Result<()> {
    person.run("echo one")?;
    person.until_end(&["one", PROMPT])?;
    person.run("echo two")?;
    person.until_end(&["two", PROMPT])?;
    line(person, &[&["up"]], "echo two")?;
    line(person, &[&["up"]], "echo one")?;
    line(person, &[&["down"]], "echo two")?;
    line(person, &[&["up"]], "echo one")?;
    // Where the cursor is shows by what is typed there.
    line(
        person,
        &[&["left"], &["left"], &["left"], &["a"]],
        "echo aone",
    )?;
    line(person, &[&["right"], &["delete"]], "echo aoe")?;
    line(person, &[&["home"], &["delete"]], "cho aoe")?;
    line(person, &[&["e"]], "echo aoe")?;
    line(person, &[&["end"], &["shift", "z"]], "echo aoeZ")?;
    person.press(&["ret"])?;
    person.until_end(&["aoeZ", PROMPT])
}

/// Ctrl-C ends what runs.
fn interrupt(person: &mut Person) -> Result<()> {
    person.run("echo begin; sleep 1000; echo never")?;
    person.until_end(&["begin"])?;
    person.press(&["ctrl", "c"])?;
    person.until("a prompt after Ctrl-C", |lines| {
        let mut last = lines.iter().rev().filter(|line| !line.is_empty());
        last.next().is_some_and(|line| line == PROMPT)
    })?;
    person.run("echo $?")?;
    person.until_end(&["130", PROMPT])
}

/// The layout of the keyboard is changed, and back.
fn layouts(person: &mut Person) -> Result<()> {
    person.run("layout de")?;
    person.until_end(&[&format!("{PROMPT} layout de"), PROMPT])?;
    line(person, &[&["y"], &["z"]], "zy")?;
    line(person, &[&["semicolon"], &["minus"]], "zyöß")?;
    line(person, &[&["shift", "2"], &["alt_r", "q"]], "zyöß\"@")?;
    clear(person)?;
    line(person, &[&["l"], &["a"]], "la")?;
    line(person, &[&["z"], &["o"]], "layo")?;
    line(person, &[&["u"], &["t"]], "layout")?;
    line(person, &[&["spc"], &["u"], &["s"]], "layout us")?;
    person.press(&["ret"])?;
    person.until_end(&[&format!("{PROMPT} layout us"), PROMPT])?;
    person.run("layout")?;
    person.until_end(&["us", PROMPT])
}

/// What has left the screen at its top can be looked at, and a key brings the present back.
fn scrollback(person: &mut Person) -> Result<()> {
    person.run("seq 300")?;
    person.until_end(&["300", PROMPT])?;
    let begin = format!("{PROMPT} seq 300");
    for page in 0.. {
        if person.lines().contains(&begin) {
            break;
        }
        if page == PAGES {
            return Err(Error::Input("the view does not come to the begin".into()));
        }
        let before = person.lines().to_vec();
        person.press(&["shift", "pgup"])?;
        person.until("the view to move", |lines| lines != before)?;
    }
    let before = person.lines().to_vec();
    person.press(&["shift", "pgdn"])?;
    person.until("the view to move back", |lines| lines != before)?;
    line(person, &[&["x"]], "x")?;
    clear(person)
}

#[cfg(test)]
mod tests {
    use super::judge;

    #[test]
    fn a_share_that_is_too_large_is_told() {
        let text = |share: &str, last: u32| {
            format!(
                "PID  THREAD  CPU  CPU %    MEMORY  STATE  NAME\n\
                 8      12    0   {share}   1.6 MiB  waits  drv.fb\n\
                 18      23    0    0.0  60.0 KiB  runs   top\n\
                 PID  PARENT  THREADS    MEMORY  CPU s  SWITCHES  NAME\n\
                 8       1        1   1.6 MiB  0.058       173  drv.fb\n\
                 {last}      10        1  64.0 KiB  0.000         1  ps\n"
            )
        };
        assert_eq!(judge(&text("1.0", 58)), Ok(()));
        assert!(judge(&text("1.1", 58)).is_err());
        assert!(judge(&text("0.2", 57)).is_err(), "too few lines");
        assert!(judge("").is_err());
    }
}
