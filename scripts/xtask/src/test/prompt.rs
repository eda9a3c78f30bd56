//! What somebody sees on the serial line of a system at its prompts.

use regex::Regex;

use super::boot::Bench;
use super::report::Outcome;
use crate::error::{Error, Result};
use crate::person::{PROMPT, Person};
use crate::qemu::args::Spec;
use crate::qemu::outcome::Verdict;

/// What all processes together may hold, in MiB.
const MEMORY_MIB: f64 = 24.0;
/// How often a processor may wake in a second.
const WAKES: u64 = 9;
const CPUS: u32 = 4;

/// What `top --once` says of a system at rest is within its bounds.
pub fn idle(bench: &Bench<'_>) -> Outcome {
    at_rest(bench).unwrap_or_else(Outcome::from)
}

fn at_rest(bench: &Bench<'_>) -> Result<Outcome> {
    let spec = Spec {
        cpus: CPUS,
        ..Spec::default()
    };
    let mut person = Person::sit_down(bench.tools(), &spec, Some(bench.log_path("idle")))?;
    person.until_line(PROMPT)?;
    person.until_serial(PROMPT)?;
    person.write("top --once\r")?;
    person.until_serial("\nup ")?;
    let said = person.until_serial(PROMPT)?;
    person.write("poweroff\r")?;
    person.until_end_of_machine()?;
    Ok(match judge(&said)? {
        wrong if wrong.is_empty() => Outcome::Passed,
        wrong => Outcome::Failed(format!("{}\n{said}", wrong.join("\n"))),
    })
}

/// `log -f` on the serial line shows what is logged from then on, while somebody else types on the screen, and Ctrl-C ends it.
pub fn log_follow(bench: &Bench<'_>) -> Outcome {
    match follow(bench) {
        Ok(Verdict::PoweredOff) => Outcome::Passed,
        Ok(verdict) => Outcome::Failed(format!("the end: {verdict}")),
        Err(error) => error.into(),
    }
}

fn follow(bench: &Bench<'_>) -> Result<Verdict> {
    const STARTED: &str = "PS/2 keyboard, layout us";
    let spec = Spec {
        cpus: 2,
        ..Spec::default()
    };
    let log = bench.log_path("log-follow");
    let mut person = Person::sit_down(bench.tools(), &spec, Some(log))?;
    person.until_line(PROMPT)?;
    person.until_serial(PROMPT)?;
    person.write("log -f -a drv.ps2 -l info\r")?;
    person.until_serial(STARTED)?;
    // The keyboard that this is typed on is started anew by it.
    person.run("services restart ps2")?;
    person.until_serial(STARTED)?;
    person.write("\x03")?;
    person.until_serial(PROMPT)?;
    person.write("echo $?\r")?;
    person.until_serial("\n130")?;
    person.until_end(&[&format!("{PROMPT} services restart ps2"), PROMPT])?;
    person.run("poweroff")?;
    person.until_end_of_machine()
}

/// What is not within its bounds.
fn judge(said: &str) -> Result<Vec<String>> {
    let pattern = |text: &str| Regex::new(text).map_err(|error| Error::Input(error.to_string()));
    let mut wrong = Vec::new();
    let memory = pattern(r"processes ([0-9.]+) MiB")?;
    let memory = memory
        .captures(said)
        .and_then(|found| found[1].parse::<f64>().ok());
    match memory {
        None => wrong.push("it does not say what the processes hold".into()),
        Some(mib) if mib >= MEMORY_MIB => wrong.push(format!("the processes hold {mib} MiB")),
        Some(_) => {}
    }
    // Number, share of the time, wakes, interrupts, threads that could run.
    let rows = pattern(r"(?m)^ *(\d+) +[0-9.]+ +(\d+) +\d+ +\d+ *$")?;
    let mut count = 0;
    for row in rows.captures_iter(said) {
        count += 1;
        if row[2].parse().is_ok_and(|wakes: u64| wakes > WAKES) {
            wrong.push(format!(
                "processor {} wakes {} times a second",
                &row[1], &row[2]
            ));
        }
    }
    if count != CPUS as usize {
        wrong.push(format!("it tells of {count} processors"));
    }
    Ok(wrong)
}

#[cfg(test)]
mod tests {
    use super::judge;

    #[test]
    fn what_is_beyond_a_bound_is_told() {
        let text = |mib: &str, wakes: &str| {
            let row =
                |cpu: u32| format!("  {cpu}     0.3        {wakes}             1         1\n");
            let rows: String = (0..4).map(row).collect();
            format!(
                "memory: 474 MiB of 496 MiB free; processes {mib} MiB, tables 348 KiB\n\n\
                 CPU  BUSY %  WAKES/s  INTERRUPTS/s  RUNNABLE\n{rows}\n 11      18    0    0.0  64.0 KiB  runs   top\n"
            )
        };
        assert!(judge(&text("23.9", "9")).unwrap().is_empty());
        assert_eq!(judge(&text("24.0", "9")).unwrap().len(), 1);
        assert_eq!(judge(&text("9.1", "10")).unwrap().len(), 4);
        assert_eq!(judge("").unwrap().len(), 2);
    }
}
