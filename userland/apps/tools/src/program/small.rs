//! Small commands.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use ipc::{Failure, Link};
use protocols::Fault;
use protocols::clock::{self, Clock};
use protocols::keyboard::{self, Keyboard};
use tools::date::Date;
use tools::number::duration;
use tools::options::Given;

use super::io::number;
use super::{Entry, Failed, Tool, entry, flag};

/// How long a service is waited for, in nanoseconds.
const PATIENCE_NS: u64 = 5_000_000_000;

pub const COMMANDS: &[Entry] = &[
    entry(
        "echo",
        "shows its arguments; with -n first, without the end of the line",
        "[-n] [TEXT ...]",
        &[],
        echo,
    ),
    entry("sleep", "waits", "TIME (1, 0.5, 100ms, 2m)", &[], sleep),
    entry(
        "date",
        "shows the date and time (UTC), or sets them",
        "",
        &[
            flag(
                's',
                "set",
                "TIME",
                "sets the clock, as to \"2026-11-29 02:30\"",
            ),
            flag('u', "seconds", "", "as seconds since 1970"),
        ],
        date,
    ),
    entry(
        "layout",
        "shows the layout of the keyboard, or sets it (us, uk, de, fr, no, se, jp, dvorak, dvp, colemak)",
        "[NAME]",
        &[],
        layout,
    ),
    entry("clear", "clears the screen", "", &[], clear),
    entry("true", "ends with status 0", "", &[], |_, _| Ok(0)),
    entry("false", "ends with status 1", "", &[], |_, _| Ok(1)),
    entry("env", "shows the environment", "", &[], env),
    entry(
        "yes",
        "shows a text again and again",
        "[TEXT ...]",
        &[],
        yes,
    ),
    entry("seq", "counts", "[FIRST [STEP]] LAST", &[], seq),
];

fn echo(tool: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    let (words, end) = match given.arguments.split_first() {
        Some((first, rest)) if first == "-n" => (rest, ""),
        _ => (given.arguments.as_slice(), "\n"),
    };
    tool.out.write(words.join(" ").as_bytes())?;
    tool.out.write(end.as_bytes())?;
    Ok(0)
}

fn sleep(_: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    let [time] = given.arguments.as_slice() else {
        return Err("one time is needed".into());
    };
    let ns = duration(time).ok_or_else(|| format!("'{time}' is no time"))?;
    sys::time::sleep(ns);
    Ok(0)
}

fn date(tool: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    let mut clock = Link::<Clock>::new(tool.directory()?, clock::NAME);
    let mut ask = |request: &clock::Request| {
        let answer = clock.call(request, Vec::new(), sys::time::after(PATIENCE_NS));
        answer.map_err(|failure| format!("the clock: {failure}"))
    };
    if let Some(text) = given.value('s') {
        let date = Date::parse(text).ok_or_else(|| format!("'{text}' is no date"))?;
        let seconds = date.seconds();
        ask(&clock::Request::Set { seconds })?;
        return Ok(0);
    }
    let (clock::Answer::Time { wall, .. }, _) = ask(&clock::Request::Now)? else {
        return Err("the clock gave no time".into());
    };
    let seconds = wall / 1_000_000_000;
    let date = Date::of_seconds(seconds);
    let text = match given.has('u') {
        true => seconds.to_string(),
        false => format!("{} {date} UTC", date.weekday()),
    };
    tool.out.line(&text)?;
    Ok(0)
}

fn layout(tool: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    let mut keyboard = Link::<Keyboard>::new(tool.directory()?, keyboard::NAME);
    let mut ask = |request: &keyboard::Request| {
        keyboard.call(request, Vec::new(), sys::time::after(PATIENCE_NS))
    };
    let name = match given.arguments.as_slice() {
        [] => match ask(&keyboard::Request::Layout) {
            Ok((keyboard::Answer::Layout(name), _)) => name,
            Ok((keyboard::Answer::Done, _)) => return Err("the keyboard did not say".into()),
            Err(failure) => return Err(format!("the keyboard: {failure}")),
        },
        [name] => {
            let name = name.clone();
            return match ask(&keyboard::Request::SetLayout { name: name.clone() }) {
                Ok(_) => Ok(0),
                Err(Failure::Fault(Fault::NotFound)) => Err(format!("there is no layout '{name}'")),
                Err(failure) => Err(format!("the keyboard: {failure}")),
            };
        }
        _ => return Err("one name is needed".into()),
    };
    tool.out.line(&name)?;
    Ok(0)
}

fn clear(tool: &mut Tool<'_>, _: &Given) -> Result<u64, Failed> {
    tool.out.write(b"\x1b[H\x1b[2J\x1b[3J")?;
    Ok(0)
}

fn env(tool: &mut Tool<'_>, _: &Given) -> Result<u64, Failed> {
    let context = tool.context;
    for (name, value) in context.environment() {
        tool.out.line(&format!("{name}={value}"))?;
    }
    Ok(0)
}

fn yes(tool: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    let text = match given.arguments.is_empty() {
        true => String::from("y"),
        false => given.arguments.join(" "),
    };
    loop {
        tool.out.line(&text)?;
    }
}

fn seq(tool: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    let (first, step, last) = match given.arguments.as_slice() {
        [last] => (1, 1, number(last)?),
        [first, last] => (number(first)?, 1, number(last)?),
        [first, step, last] => (number(first)?, number(step)?, number(last)?),
        _ => return Err("one to three numbers are needed".into()),
    };
    if step == 0 {
        return Err("the step cannot be 0".into());
    }
    let mut next = Some(first).filter(|first| *first <= last);
    while let Some(now) = next {
        tool.out.line(&now.to_string())?;
        next = now.checked_add(step).filter(|next| *next <= last);
    }
    Ok(0)
}
