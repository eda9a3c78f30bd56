//! `userland/include/jsix.h`: the system calls for programs in C, written from the table that the kernel and the programs in Rust are
//! built from.

mod constants;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;

use abi::call::{Argument, GROUPS, Kind, Output, Structure};
use abi::handle::RIGHTS;
use abi::{CALLS, Call, Error as AbiError, ObjectType};

use crate::abi_doc::returned;
use crate::error::{Error, Result};
use crate::test::report::Outcome;
use crate::workspace::Workspace;

const PATH: &str = "userland/include/jsix.h";
/// What stands before and after what is written here: how to enter the kernel, and the calls with messages.
const HEAD: &str = include_str!("c_header/head.h");
/// See [`HEAD`].
const ENTER: &str = include_str!("c_header/enter.h");
/// See [`HEAD`].
const MESSAGES: &str = include_str!("c_header/messages.h");

/// The longest line that is written where it can be broken.
const LINE_MAX: usize = 110;

/// Writes the header.
pub fn write(workspace: &Workspace) -> Result<()> {
    let path = workspace.root.join(PATH);
    fs::write(&path, header()).map_err(Error::io("write", &path))
}

/// Whether the committed header is that of the table.
pub fn check(workspace: &Workspace) -> Result<Outcome> {
    let path = workspace.root.join(PATH);
    let found = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    Ok(if found == header() {
        Outcome::Passed
    } else {
        Outcome::Failed(format!(
            "{PATH} is not that of kernel/abi/src/table.rs; write it with `cargo run -p xtask -- abi-doc`"
        ))
    })
}

/// Adds a line; a `String` takes all of them.
macro_rules! line {
    ($text:expr) => { $text.push('\n') };
    ($text:expr, $($argument:tt)+) => {{
        let _ = writeln!($text, $($argument)+);
    }};
}

fn header() -> String {
    let mut text = HEAD.to_owned();
    constants::write(&mut text);
    errors(&mut text);
    objects(&mut text);
    bits(&mut text);
    structures(&mut text);
    text.push_str(ENTER);
    for (group, about) in GROUPS {
        line!(text, "\n/* {group}: {} */", plain(about));
        for call in CALLS.iter().filter(|call| call.group == *group) {
            line!(
                text,
                "#define JSIX_CALL_{} {:#04x}",
                call.name.to_uppercase(),
                call.number as u64
            );
        }
        for call in CALLS.iter().filter(|call| call.group == *group) {
            stub(&mut text, call);
        }
    }
    text.push_str(MESSAGES);
    text
}

/// Documentation as the text of a comment.
fn plain(documentation: &str) -> String {
    let text = documentation
        .replace("[`abi::", "`abi::")
        .replace("`]", "`")
        .replace('`', "")
        .replace("*/", "* /");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A comment of lines that are not too long.
fn comment(text: &mut String, words: &str) {
    let mut at = "/*".len();
    text.push_str("/*");
    for word in words.split(' ') {
        if at + 1 + word.chars().count() > LINE_MAX {
            text.push_str("\n  ");
            at = 2;
        }
        text.push(' ');
        text.push_str(word);
        at += 1 + word.chars().count();
    }
    text.push_str(" */\n");
}

fn errors(text: &mut String) {
    line!(text, "\n/* Why a call had no effect. */");
    line!(text, "typedef uint64_t jsix_error;");
    line!(text, "#define JSIX_OK 0");
    for error in AbiError::ALL {
        let name = upper_snake(&format!("{error:?}"));
        line!(text, "#define JSIX_ERROR_{name} {}", error.number());
    }
    line!(text, "\n/* What an error means, in words. */");
    line!(
        text,
        "static inline const char *jsix_error_text(jsix_error error) {{"
    );
    line!(text, "    switch (error) {{");
    line!(text, "    case JSIX_OK: return \"no error\";");
    for error in AbiError::ALL {
        let name = upper_snake(&format!("{error:?}"));
        line!(
            text,
            "    case JSIX_ERROR_{name}: return {:?};",
            error.text()
        );
    }
    line!(
        text,
        "    default: return \"an error that this program does not know\";"
    );
    line!(text, "    }}\n}}");
}

/// `BadHandle` as `BAD_HANDLE`.
fn upper_snake(name: &str) -> String {
    let mut out = String::new();
    for (index, letter) in name.chars().enumerate() {
        if index != 0 && letter.is_uppercase() {
            out.push('_');
        }
        out.extend(letter.to_uppercase());
    }
    out
}

fn objects(text: &mut String) {
    line!(text, "\n/* Types of objects, as jsix_handle_info tells. */");
    for object in ObjectType::ALL {
        let name = upper_snake(&format!("{object:?}"));
        line!(text, "#define JSIX_OBJECT_{name} {}", object.number());
    }
    line!(text, "\n/* What a handle allows. */");
    for right in RIGHTS {
        line!(
            text,
            "#define JSIX_RIGHT_{} {:#x} /* {} */",
            right.name,
            right.rights.0,
            plain(right.text)
        );
    }
}

/// Sets of bits that calls take, by the names of the arguments.
fn bits(text: &mut String) {
    let mut seen = BTreeSet::new();
    line!(text, "\n/* Bits of arguments, by the arguments' names. */");
    for Argument { name, kind } in CALLS.iter().flat_map(|call| call.arguments) {
        let Kind::Bits { bits } = kind else { continue };
        for (bit, value) in *bits {
            let define = format!("#define JSIX_{}_{bit} {value:#x}", name.to_uppercase());
            if seen.insert(define.clone()) {
                line!(text, "{define}");
            }
        }
    }
}

/// `abi::handle::Info` as `jsix_handle_info_t`.
fn type_name(structure: &Structure) -> String {
    let module = structure.module.rsplit("::").next().unwrap_or_default();
    let name = upper_snake(structure.name).to_lowercase();
    if module == name {
        format!("jsix_{name}_t")
    } else {
        format!("jsix_{module}_{name}_t")
    }
}

fn structures(text: &mut String) {
    for structure in returned() {
        line!(text);
        comment(text, &plain(structure.documentation));
        line!(text, "typedef struct {{");
        for (name, meaning) in structure.fields {
            line!(text, "    uint64_t {name}; /* {} */", plain(meaning));
        }
        line!(text, "}} {};", type_name(structure));
    }
}

/// An argument as C declares it, and the words that it becomes.
fn parameter(argument: &Argument) -> (Vec<String>, Vec<String>) {
    let name = argument.name;
    let word = |kind: &str| (vec![format!("{kind} {name}")], vec![name.to_owned()]);
    let memory = |kind: &str| {
        (
            vec![format!("{kind}{name}"), format!("size_t {name}_len")],
            vec![format!("(uint64_t){name}"), format!("{name}_len")],
        )
    };
    match argument.kind {
        Kind::Handle { .. }
        | Kind::OptionalHandle { .. }
        | Kind::HandleAndRights { .. }
        | Kind::AnyHandle { .. }
        | Kind::Consumed => word("jsix_handle"),
        Kind::Bytes { .. } => memory("const void *"),
        Kind::Text { .. } => memory("const char *"),
        Kind::Room { .. } => memory("void *"),
        _ => word("uint64_t"),
    }
}

fn stub(text: &mut String, call: &Call) {
    // More registers than others have: see `messages.h`.
    let is_message = call
        .arguments
        .iter()
        .any(|argument| argument.kind == Kind::Tag);
    if is_message || call.output == Output::Message {
        return;
    }
    let (mut parameters, mut words) = (Vec::new(), Vec::new());
    for argument in call.arguments {
        let (more, registers) = parameter(argument);
        parameters.extend(more);
        words.extend(registers);
    }
    let place = match call.output {
        Output::Value => Some("uint64_t *value".to_owned()),
        Output::Handle => Some("jsix_handle *made".to_owned()),
        Output::Structure(structure) => Some(format!("{} *place", type_name(structure))),
        Output::Nothing | Output::Message | Output::Never => None,
    };
    if matches!(call.output, Output::Structure(_)) {
        words.push("(uint64_t)place".into());
    }
    let result = match call.output {
        Output::Never => "void",
        Output::Value if call.is_infallible => "uint64_t",
        _ if call.is_infallible => "void",
        _ => "jsix_error",
    };
    if !call.is_infallible {
        parameters.extend(place);
    }
    if parameters.is_empty() {
        parameters.push("void".into());
    }
    words.resize(6, "0".into());
    line!(text);
    comment(text, &plain(call.documentation));
    let before = if call.output == Output::Never {
        "JSIX_NORETURN "
    } else {
        ""
    };
    let start = format!("{before}static inline {result} jsix_{}(", call.name);
    let one_line = parameters.join(", ");
    if start.len() + one_line.len() <= LINE_MAX {
        line!(text, "{start}{one_line}) {{");
    } else {
        line!(text, "{start}\n    {}\n) {{", parameters.join(",\n    "));
    }
    let number = format!("JSIX_CALL_{}", call.name.to_uppercase());
    let enter = |value: &str| format!("jsix_syscall({number}, {}, {value})", words.join(", "));
    match call.output {
        Output::Never => line!(text, "    for (;;) {};", enter("0")),
        Output::Value if call.is_infallible => {
            line!(text, "    uint64_t value = 0;");
            line!(text, "    {};", enter("&value"));
            line!(text, "    return value;");
        }
        _ if call.is_infallible => line!(text, "    {};", enter("0")),
        Output::Value => line!(text, "    return {};", enter("value")),
        Output::Handle => line!(text, "    return {};", enter("made")),
        _ => line!(text, "    return {};", enter("0")),
    }
    line!(text, "}}");
}

#[cfg(test)]
mod tests {
    use super::{header, type_name, upper_snake};
    use crate::abi_doc::returned;
    use abi::{CALLS, Error};

    #[test]
    fn every_call_error_and_structure_is_in_the_header() {
        let text = header();
        for call in CALLS {
            let stub = format!(" jsix_{}(", call.name);
            assert_eq!(text.matches(&stub).count(), 1, "{stub}");
            let number = format!("JSIX_CALL_{} ", call.name.to_uppercase());
            assert_eq!(text.matches(&number).count(), 1, "{number}");
        }
        for error in Error::ALL {
            let name = format!("JSIX_ERROR_{} ", upper_snake(&format!("{error:?}")));
            assert!(text.contains(&name), "{name}");
        }
        for structure in returned() {
            let end = format!("}} {};\n", type_name(structure));
            assert_eq!(text.matches(&end).count(), 1, "{end}");
        }
    }

    #[test]
    fn names_are_those_of_c() {
        assert_eq!(upper_snake("BadHandle"), "BAD_HANDLE");
        assert_eq!(upper_snake("VmArea"), "VM_AREA");
    }
}
