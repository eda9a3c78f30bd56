//! Symbolizer markup: addresses in console text that the host turns into names.
//!
//! The kernel prints `{{{bt:<cpu>:<frame>:0x<address>}}}` for a frame of its own and
//! `{{{bt:<cpu>:<frame>:0x<address>:<module>}}}` for one of a user program, one frame a line. The
//! host finds them with [`parse`], whatever else stands on the line, and prints names instead. Both
//! sides use this module, so they cannot disagree.

use core::fmt;
use core::ops::Range;

const OPEN: &str = "{{{bt:";
const CLOSE: &str = "}}}";

/// One frame of a backtrace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The processor whose stack this is, by the kernel's own numbering.
    pub cpu: u32,
    /// The depth: 0 is the innermost frame.
    pub frame: u32,
    /// The address to name: the instruction itself in frame 0, a return address in the others.
    pub address: u64,
    /// The boot module that the address belongs to; `None` for the kernel. Characters other than
    /// ASCII letters, digits and `_-./+@` are written as `_`.
    pub module: Option<&'a str>,
}

impl fmt::Display for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{OPEN}{}:{}:{:#x}", self.cpu, self.frame, self.address)?;
        if let Some(module) = self.module {
            f.write_str(":")?;
            for c in module.chars() {
                fmt::Write::write_char(f, if is_module_char(c) { c } else { '_' })?;
            }
        }
        f.write_str(CLOSE)
    }
}

/// A frame found in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    /// What it says.
    pub frame: Frame<'a>,
    /// Where the markup stands in the line, in bytes.
    pub range: Range<usize>,
}

/// Finds the first well-formed markup in `line`; malformed ones before it are skipped.
pub fn parse(line: &str) -> Option<Found<'_>> {
    let mut from = 0;
    loop {
        let rest = line.get(from..)?;
        let start = from.checked_add(rest.find(OPEN)?)?;
        let body_start = start.checked_add(OPEN.len())?;
        let body = line.get(body_start..)?;
        if let Some(length) = body.find(CLOSE)
            && let Some(frame) = body.get(..length).and_then(parse_body)
        {
            let end = body_start.checked_add(length)?.checked_add(CLOSE.len())?;
            return Some(Found {
                frame,
                range: start..end,
            });
        }
        from = start.checked_add(1)?;
    }
}

/// All well-formed markup in `line`, from left to right.
pub fn parse_all(line: &str) -> impl Iterator<Item = Found<'_>> {
    let mut from = 0;
    core::iter::from_fn(move || {
        let found = parse(line.get(from..)?)?;
        let range = found.range.start.checked_add(from)?..found.range.end.checked_add(from)?;
        from = range.end;
        Some(Found {
            frame: found.frame,
            range,
        })
    })
}

/// `<cpu>:<frame>:0x<address>[:<module>]`.
fn parse_body(body: &str) -> Option<Frame<'_>> {
    let mut parts = body.split(':');
    let cpu = decimal(parts.next()?)?;
    let frame = decimal(parts.next()?)?;
    let digits = parts.next()?.strip_prefix("0x")?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let address = u64::from_str_radix(digits, 16).ok()?;
    let module = parts.next();
    if parts.next().is_some() || !module.unwrap_or("").chars().all(is_module_char) {
        return None;
    }
    Some(Frame {
        cpu,
        frame,
        address,
        module,
    })
}

/// Digits only: `parse` of the standard library would take a sign too.
fn decimal(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

fn is_module_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-./+@".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_text_is_the_one_that_the_host_knows() {
        let kernel = Frame {
            cpu: 3,
            frame: 0,
            address: 0xffff_ffff_8000_1234,
            module: None,
        };
        assert_eq!(kernel.to_string(), "{{{bt:3:0:0xffffffff80001234}}}");
        let user = Frame {
            cpu: 0,
            frame: 12,
            address: 0x20_0000,
            module: Some("he llo"),
        };
        assert_eq!(user.to_string(), "{{{bt:0:12:0x200000:he_llo}}}");
    }

    #[test]
    fn what_is_malformed_is_skipped() {
        for line in [
            "",
            "{{{bt:",
            "{{{bt:}}}",
            "{{{bt:1:2}}}",
            "{{{bt:+1:2:0x3}}}",
            "{{{bt:1:2:3}}}",
            "{{{bt:1:2:0x}}}",
            "{{{bt:1:2:0x+3}}}",
            "{{{bt:1:2:0x3:a:b}}}",
            "{{{bt:1:2:0x10000000000000000}}}",
            "{{{bt:4294967296:2:0x3}}}",
            "{{{bt:1:2:0x3:a b}}}",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
        let found = parse("é {{{bt:1:2}}} {{{bt:{{{bt:1:2:0x3}}} x").unwrap();
        assert_eq!(
            found.frame,
            Frame {
                cpu: 1,
                frame: 2,
                address: 3,
                module: None
            }
        );
        assert_eq!(found.range, 22..38);
    }

    prop_compose! {
        fn frames()(
            cpu: u32,
            frame: u32,
            address: u64,
            module in proptest::option::of("[a-zA-Z0-9_./+@-]{0,12}"),
        ) -> (u32, u32, u64, Option<String>) {
            (cpu, frame, address, module)
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_found_again(
            list in proptest::collection::vec((frames(), "[^{}]{0,8}"), 0..4),
            before in "[^{]{0,20}",
        ) {
            let mut line = before;
            let mut expected = Vec::new();
            for ((cpu, frame, address, module), after) in &list {
                let frame = Frame { cpu: *cpu, frame: *frame, address: *address, module: module.as_deref() };
                let text = frame.to_string();
                expected.push(Found { frame, range: line.len()..line.len() + text.len() });
                line.push_str(&text);
                line.push_str(after);
            }
            prop_assert_eq!(parse(&line), expected.first().cloned());
            prop_assert_eq!(parse_all(&line).collect::<Vec<_>>(), expected);
        }

        #[test]
        fn any_text_is_survived(line in ".{0,80}", braces in "[{}bt:0-9x]{0,60}") {
            for text in [&line, &braces] {
                for found in parse_all(text) {
                    let again = found.frame.to_string();
                    prop_assert_eq!(parse(&again).map(|f| f.range), Some(0..again.len()));
                }
            }
        }
    }
}
