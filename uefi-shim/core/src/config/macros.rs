//! Replaces `${NAME}` in a configuration file.
//!
//! A line that begins with `${NAME}=` defines a macro, wherever it stands in the file; every other
//! occurrence is replaced by its text. The text is not searched again, so that a macro cannot
//! refer to itself. This is how Limine does it; where Limine stops the boot (an unclosed `${`),
//! the text stays as it is and a warning says so.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Warning;

/// A macro use can multiply the size of a file; a line longer than this is left as it is.
const MAX_LINE: usize = 64 * 1024;

/// Replaces the macros of a file; gives its lines with their numbers, without the definitions.
pub fn expand(text: &str, warnings: &mut Vec<Warning>) -> Vec<(usize, String)> {
    let mut macros: Vec<(&str, &str)> = Vec::new();
    macros.push(("ARCH", "x86-64"));
    macros.push(("FW_TYPE", "UEFI"));
    let numbered = || (1_usize..).zip(text.split('\n'));
    for (_, line) in numbered() {
        if let Some((name, value)) = definition(line) {
            macros.push((name, value.trim_end_matches('\r')));
        }
    }
    numbered()
        .filter(|(_, line)| definition(line).is_none())
        .map(|(number, line)| (number, expand_line(line, number, &macros, warnings)))
        .collect()
}

fn definition(line: &str) -> Option<(&str, &str)> {
    line.trim_start_matches([' ', '\t'])
        .strip_prefix("${")?
        .split_once('}')
        .and_then(|(name, rest)| rest.strip_prefix('=').map(|value| (name, value)))
}

fn expand_line(
    line: &str,
    number: usize,
    macros: &[(&str, &str)],
    warnings: &mut Vec<Warning>,
) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, tail)) = after.split_once('}') else {
            warnings.push(Warning {
                line: number,
                text:
                    "a macro is opened by \"${\" and never closed by \"}\"; the text stays as it is"
                        .to_owned(),
            });
            break;
        };
        out.push_str(before);
        // The last definition counts, as in Limine.
        match macros.iter().rev().find(|(known, _)| *known == name) {
            Some((_, value)) => out.push_str(value),
            None => warnings.push(Warning {
                line: number,
                text: format!("the macro \"{name}\" is not defined; it is replaced by nothing"),
            }),
        }
        rest = tail;
        if out.len() > MAX_LINE {
            warnings.push(Warning {
                line: number,
                text: "macros make this line too long; it is left as it is".to_owned(),
            });
            return line.to_owned();
        }
    }
    out.push_str(rest);
    out
}
