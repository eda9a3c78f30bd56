//! Commands for texts.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use files::How;
use tools::lines::{Counts, Splitter, leading_number};
use tools::options::Given;
use tools::pattern::Pattern;

use super::{Entry, Failed, Tool, entry, flag};

pub const COMMANDS: &[Entry] = &[
    entry(
        "cat",
        "shows files one after the other",
        "[FILE ...]",
        &[flag('n', "number", "", "numbers the lines")],
        cat,
    ),
    entry(
        "grep",
        "shows lines in which an expression is found",
        "EXPRESSION [FILE ...]",
        &[
            flag(
                'i',
                "ignore-case",
                "",
                "large and small letters are the same",
            ),
            flag('v', "invert", "", "lines in which it is not found"),
            flag('n', "number", "", "with the numbers of the lines"),
            flag('c', "count", "", "only how many lines"),
            flag('q', "quiet", "", "nothing: only the status tells"),
            flag('F', "fixed", "", "the expression is a text as it is"),
        ],
        grep,
    ),
    entry(
        "wc",
        "counts lines, words and bytes",
        "[FILE ...]",
        &[
            flag('l', "lines", "", "only lines"),
            flag('w', "words", "", "only words"),
            flag('c', "bytes", "", "only bytes"),
            flag('m', "characters", "", "only characters"),
        ],
        wc,
    ),
    entry(
        "head",
        "shows the first lines",
        "[FILE ...]",
        &[
            flag('n', "lines", "COUNT", "so many, instead of 10"),
            flag('c', "bytes", "COUNT", "so many bytes instead"),
        ],
        head,
    ),
    entry(
        "tail",
        "shows the last lines",
        "[FILE ...]",
        &[flag('n', "lines", "COUNT", "so many, instead of 10")],
        tail,
    ),
    entry(
        "sort",
        "sorts lines",
        "[FILE ...]",
        &[
            flag('r', "reverse", "", "the last one first"),
            flag('n', "numeric", "", "by the numbers that they begin with"),
            flag('u', "unique", "", "each line once"),
        ],
        sort,
    ),
    entry(
        "uniq",
        "leaves out lines that are the same as those before",
        "[FILE ...]",
        &[flag('c', "count", "", "with how many there were")],
        uniq,
    ),
    entry(
        "tee",
        "shows its input, and writes it to files",
        "[FILE ...]",
        &[flag('a', "append", "", "behind what is there")],
        tee,
    ),
    entry(
        "hexdump",
        "shows bytes as numbers",
        "[FILE ...]",
        &[flag('n', "bytes", "COUNT", "so many at most")],
        hexdump,
    ),
];

/// Hands each line of files to `each`, with the name of the file, and at the end of a file nothing. The rest of a file is left out when
/// that says false; the end is told all the same.
fn lines(
    tool: &mut Tool<'_>,
    names: &[String],
    mut each: impl FnMut(&mut Tool<'_>, &str, Option<&[u8]>) -> Result<bool, Failed>,
) -> Result<(), Failed> {
    let mut splitter = Splitter::default();
    tool.read(names, |tool, name, piece| {
        if piece.is_empty() {
            if let Some(rest) = core::mem::take(&mut splitter).rest() {
                each(tool, name, Some(&rest))?;
            }
            each(tool, name, None)?;
            return Ok(true);
        }
        let mut result = Ok(true);
        let goes_on = splitter.push(piece, |line| {
            result = each(tool, name, Some(line));
            matches!(result, Ok(true))
        });
        let result = result?;
        if !goes_on {
            splitter = Splitter::default();
            each(tool, name, None)?;
        }
        Ok(result)
    })
}

fn write_line(tool: &mut Tool<'_>, line: &[u8]) -> Result<(), Failed> {
    tool.out.write(line)?;
    tool.out.write(b"\n")
}

fn cat(tool: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    let mut number = 0u64;
    match given.has('n') {
        false => tool.read(&given.arguments, |tool, _, piece| {
            tool.out.write(piece).map(|()| true)
        })?,
        true => lines(tool, &given.arguments, |tool, _, line| {
            if let Some(line) = line {
                number += 1;
                tool.out.write(format!("{number:6}  ").as_bytes())?;
                write_line(tool, line)?;
            }
            Ok(true)
        })?,
    }
    Ok(tool.status)
}

fn grep(tool: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    let Some((expression, names)) = given.arguments.split_first() else {
        return Err("an expression is missing".into());
    };
    let mut pattern = Pattern::new(expression, given.has('F'), given.has('i'))?;
    let (is_count, is_quiet, is_named) = (given.has('c'), given.has('q'), names.len() > 1);
    let (mut found_any, mut found, mut number) = (false, 0u64, 0u64);
    lines(tool, names, |tool, name, line| {
        let prefix = if is_named {
            format!("{name}:")
        } else {
            String::new()
        };
        let Some(line) = line else {
            if is_count && !is_quiet {
                tool.out.line(&format!("{prefix}{found}"))?;
            }
            (found, number) = (0, 0);
            return Ok(true);
        };
        number += 1;
        if pattern.is_in(line) == given.has('v') {
            return Ok(true);
        }
        found_any = true;
        found += 1;
        if !is_count && !is_quiet {
            tool.out.write(prefix.as_bytes())?;
            if given.has('n') {
                tool.out.write(format!("{number}:").as_bytes())?;
            }
            write_line(tool, line)?;
        }
        Ok(!is_quiet)
    })?;
    Ok(match (tool.status, found_any) {
        (0, true) => 0,
        (0, false) => 1,
        _ => 2,
    })
}

fn wc(tool: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    let mut all: Vec<(String, Counts)> = Vec::new();
    let mut counts = Counts::default();
    tool.read(&given.arguments, |_, name, piece| {
        counts.add(piece);
        if piece.is_empty() {
            let name = if name == "-" { "" } else { name };
            all.push((name.into(), core::mem::take(&mut counts)));
        }
        Ok(true)
    })?;
    if all.len() > 1 {
        let sum = all.iter().map(|(_, counts)| *counts);
        let sum = sum.fold(Counts::default(), Counts::sum);
        all.push(("total".into(), sum));
    }
    let mut chosen: Vec<char> = "lwmc".chars().filter(|flag| given.has(*flag)).collect();
    if chosen.is_empty() {
        chosen = Vec::from(['l', 'w', 'c']);
    }
    let number = |counts: &Counts, flag: char| match flag {
        'l' => counts.lines,
        'w' => counts.words,
        'm' => counts.characters,
        _ => counts.bytes,
    };
    let numbers = all
        .iter()
        .flat_map(|(_, counts)| chosen.iter().map(|flag| number(counts, *flag)));
    let width = numbers.max().unwrap_or(0).to_string().len();
    for (name, counts) in &all {
        let numbers = chosen
            .iter()
            .map(|flag| format!("{:width$}", number(counts, *flag)));
        let line = numbers.collect::<Vec<_>>().join(" ");
        tool.out.line(format!("{line} {name}").trim_end())?;
    }
    Ok(tool.status)
}

/// Shows which file comes, if there are several.
fn title(tool: &mut Tool<'_>, given: &Given, name: &str) -> Result<(), Failed> {
    match given.arguments.len() > 1 {
        true => tool.out.line(&format!("==> {name} <==")),
        false => Ok(()),
    }
}

fn head(tool: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    let wanted = given.number('n', 10)?;
    if given.has('c') {
        let wanted = given.number('c', 0)?;
        let mut left = wanted;
        tool.read(&given.arguments, |tool, _, piece| {
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
            tool.out.write(piece.get(..count).unwrap_or_default())?;
            left -= count as u64;
            let goes_on = left > 0 && !piece.is_empty();
            if !goes_on {
                left = wanted;
            }
            Ok(goes_on)
        })?;
        return Ok(tool.status);
    }
    let (mut shown, mut is_begin) = (0, true);
    lines(tool, &given.arguments, |tool, name, line| {
        if core::mem::take(&mut is_begin) {
            title(tool, given, name)?;
        }
        let Some(line) = line else {
            (shown, is_begin) = (0, true);
            return Ok(true);
        };
        if shown < wanted {
            write_line(tool, line)?;
            shown += 1;
        }
        // With the last one, the rest is not read.
        Ok(shown < wanted)
    })?;
    Ok(tool.status)
}

fn tail(tool: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    let wanted = usize::try_from(given.number('n', 10)?).unwrap_or(usize::MAX);
    let mut last: VecDeque<Vec<u8>> = VecDeque::new();
    lines(tool, &given.arguments, |tool, name, line| {
        if let Some(line) = line {
            last.push_back(line.into());
            if last.len() > wanted {
                last.pop_front();
            }
            return Ok(true);
        }
        title(tool, given, name)?;
        last.drain(..)
            .try_for_each(|line| write_line(tool, &line))?;
        Ok(true)
    })?;
    Ok(tool.status)
}

fn sort(tool: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    lines(tool, &given.arguments, |_, _, line| {
        all.extend(line.map(Vec::from));
        Ok(true)
    })?;
    match given.has('n') {
        true => all.sort_by(|one, other| {
            let numbers = leading_number(one).cmp(&leading_number(other));
            numbers.then_with(|| one.cmp(other))
        }),
        false => all.sort(),
    }
    if given.has('r') {
        all.reverse();
    }
    if given.has('u') {
        all.dedup();
    }
    all.iter().try_for_each(|line| write_line(tool, line))?;
    Ok(tool.status)
}

fn uniq(tool: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    let mut last: Option<(Vec<u8>, u64)> = None;
    let show = |tool: &mut Tool<'_>, (line, count): (Vec<u8>, u64)| {
        if given.has('c') {
            tool.out.write(format!("{count:6} ").as_bytes())?;
        }
        write_line(tool, &line)
    };
    lines(tool, &given.arguments, |tool, _, line| {
        match (&mut last, line) {
            (_, None) => {}
            (Some((before, count)), Some(line)) if before == line => *count += 1,
            (last, Some(line)) => {
                if let Some(before) = last.replace((line.into(), 1)) {
                    show(tool, before)?;
                }
            }
        }
        Ok(true)
    })?;
    if let Some(last) = last {
        show(tool, last)?;
    }
    Ok(tool.status)
}

fn tee(tool: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    let files = tool.files()?;
    let how = if given.has('a') {
        How::Append
    } else {
        How::Create
    };
    let mut opened = Vec::new();
    for name in &given.arguments {
        match files.open(name, how) {
            Ok(file) => opened.push(file),
            Err(error) => tool.complain(&error.to_string()),
        }
    }
    tool.read(&[], |tool, _, piece| {
        for file in &mut opened {
            file.write_all(piece).map_err(|error| error.to_string())?;
        }
        tool.out.write(piece).map(|()| true)
    })?;
    Ok(tool.status)
}

fn hexdump(tool: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    let mut left = given.number('n', u64::MAX)?;
    let mut offset = 0u64;
    let mut row: Vec<u8> = Vec::new();
    let show = |tool: &mut Tool<'_>, offset: u64, row: &[u8]| {
        let numbers: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
        let text = row.iter().map(|byte| match byte {
            0x20..=0x7e => char::from(*byte),
            _ => '.',
        });
        let text: String = text.collect();
        tool.out
            .line(&format!("{offset:08x}  {:47}  {text}", numbers.join(" ")))
    };
    tool.read(&given.arguments, |tool, _, piece| {
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
        left -= count as u64;
        for byte in piece.iter().take(count) {
            row.push(*byte);
            if row.len() == 16 {
                show(tool, offset, &row)?;
                offset += 16;
                row.clear();
            }
        }
        Ok(left > 0)
    })?;
    if !row.is_empty() {
        show(tool, offset, &row)?;
    }
    Ok(tool.status)
}
