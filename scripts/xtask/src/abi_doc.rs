//! `docs/abi.md`: the system calls, written from the table that the kernel and the programs are built from.

use std::fmt::Write;
use std::fs;

use abi::call::{GROUPS, Kind, Output, Structure};
use abi::handle::RIGHTS;
use abi::{CALLS, Call, Error as AbiError, ObjectType, Rights};

use crate::error::{Error, Result};
use crate::test::report::Outcome;
use crate::workspace::Workspace;

const PATH: &str = "docs/abi.md";
/// Registers of the arguments, in their order.
const REGISTERS: [&str; 6] = ["RDI", "RSI", "RDX", "R10", "R8", "R9"];
/// Every structure that crosses the border: those that calls return, each once, in the order of the calls.
pub fn returned() -> Vec<&'static Structure> {
    let mut structures = Vec::new();
    for call in CALLS {
        if let Output::Structure(structure) = call.output
            && !structures.contains(&structure)
        {
            structures.push(structure);
        }
    }
    structures
}

/// Writes the document.
pub fn write(workspace: &Workspace) -> Result<()> {
    let path = workspace.root.join(PATH);
    fs::write(&path, document()).map_err(Error::io("write", &path))
}

/// Whether the committed document is that of the table.
pub fn check(workspace: &Workspace) -> Result<Outcome> {
    let path = workspace.root.join(PATH);
    let found = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    Ok(if found == document() {
        Outcome::Passed
    } else {
        Outcome::Failed(format!(
            "{PATH} is not that of kernel/abi/src/table.rs; write it with `cargo run -p xtask -- abi-doc`"
        ))
    })
}

fn document() -> String {
    let mut text = String::new();
    introduction(&mut text);
    calls(&mut text);
    objects(&mut text);
    structures(&mut text);
    errors(&mut text);
    text
}

/// Adds lines; a `String` takes all of them.
macro_rules! line {
    ($text:expr) => { $text.push('\n') };
    ($text:expr, $($argument:tt)+) => {{
        let _ = writeln!($text, $($argument)+);
    }};
}

fn introduction(text: &mut String) {
    line!(
        text,
        "<!-- Written by `cargo run -p xtask -- abi-doc` from kernel/abi/src/table.rs. Do not edit. -->

# System calls

ABI version {}.

A program makes a call by `SYSCALL`, with the number in `RAX` and arguments in {}. The error comes back in `RAX`
(0: none), a value or a handle in `RDX` (0 if there is none). `RCX` and `R11` are lost; all other registers are kept.

All arguments are decoded and checked in the order of their registers before a call does anything, so that the first wrong
one gives the error, and a call that fails has no effect. (Memory that a structure was to be written to may be partly written
after `BadAddress`.) Registers that a call does not take may hold anything.

## Versions

`abi_version` returns the version that the kernel speaks, and the auxiliary vector has it too. It rises with every change that
an existing program could notice; [CHANGELOG.md](../CHANGELOG.md) tells what changed. The number of `abi_version` is 0 for
ever. Numbers that are not in the table below are reserved: they return `UnknownCall` and do nothing. New calls
take reserved numbers of their group; no number is used again for another call.

## Kinds of arguments

| kind | what it is | else |
|---|---|---|
| handle | of an object of the type named, with the right named | `BadHandle`, `WrongType`, `AccessDenied`, looked for in this order |
| bytes, text | address and length of readable memory, in two registers; text is UTF-8 | `BadAddress`, `InvalidArgument` |
| room | address and length of memory that the call writes to, in two registers | `BadAddress`, `InvalidArgument` |
| page | an address in user space, at most {:#x}, and a multiple of {} | `InvalidArgument` |
| address | an address in user space, at most {:#x} | `InvalidArgument` |
| size | bytes, a multiple of {} | `InvalidArgument` |
| bits | a set of the bits named, no others | `InvalidArgument` |
| number below n, from m to n | one of the numbers from 0 or m on | `InvalidArgument` |
| place | the address, a multiple of 8, that a structure is written to | `BadAddress` |
| rights | a set of rights; other bits mean nothing | |
| value | any number | |

## Calls
",
        abi::VERSION,
        REGISTERS.map(|name| format!("`{name}`")).join(", "),
        abi::USER_END,
        abi::PAGE_SIZE,
        abi::USER_END,
        abi::PAGE_SIZE,
    );
}

fn calls(text: &mut String) {
    line!(text, "| number | call | returns |\n|---|---|---|");
    for call in CALLS {
        let names: Vec<_> = call
            .arguments
            .iter()
            .map(|argument| argument.name)
            .collect();
        line!(
            text,
            "| {:#04x} | [`{}`](#{})`({})` | {} |",
            call.number as u64,
            call.name,
            call.name,
            names.join(", "),
            returns(call)
        );
    }
    for (group, about) in GROUPS {
        line!(text, "\n## {group}\n\n{}", about.trim());
        for call in CALLS.iter().filter(|call| call.group == *group) {
            describe(text, call);
        }
    }
}

fn returns(call: &Call) -> String {
    match call.output {
        Output::Nothing => "nothing".into(),
        Output::Value => "a value".into(),
        Output::Handle => "a handle".into(),
        Output::Structure(structure) => format!("`{}`", path(structure)),
        Output::Message => "a message".into(),
        Output::Never => "never".into(),
    }
}

fn describe(text: &mut String, call: &Call) {
    line!(text, "\n### {}\n", call.name);
    let documentation = call
        .documentation
        .replace("[`abi::", "`abi::")
        .replace("`]", "`");
    line!(
        text,
        "Number {:#04x}. {}\n",
        call.number as u64,
        documentation.trim()
    );
    if call.registers() != 0 {
        line!(text, "| register | argument | kind |\n|---|---|---|");
    }
    let mut registers = REGISTERS.iter();
    for argument in call.arguments {
        let taken = registers.by_ref().take(argument.kind.registers());
        let names: Vec<_> = taken.copied().collect();
        line!(
            text,
            "| {} | `{}` | {} |",
            names.join(", "),
            argument.name,
            kind(argument.kind)
        );
    }
    if let (Output::Structure(structure), Some(register)) = (call.output, registers.next()) {
        line!(text, "| {register} | place | of a `{}` |", path(structure));
    }
    if call.registers() != 0 {
        line!(text);
    }
    let errors: Vec<AbiError> = call.errors().collect();
    let mut names: Vec<_> = AbiError::ALL
        .iter()
        .filter(|error| errors.contains(error))
        .collect();
    names.sort_by_key(|error| error.number());
    let names: Vec<_> = names.iter().map(|error| format!("`{error:?}`")).collect();
    let names = if names.is_empty() {
        "none".into()
    } else {
        names.join(", ")
    };
    line!(text, "Returns: {}. Errors: {names}.", returns(call));
}

fn kind(kind: Kind) -> String {
    match kind {
        Kind::Handle { object, rights } => {
            format!("handle of a `{object:?}` with {}", names(rights))
        }
        Kind::OptionalHandle { object, rights } => {
            format!(
                "handle of an `{object:?}` with {}, or 0 for none",
                names(rights)
            )
        }
        Kind::HandleAndRights { object } => format!("handle of a `{object:?}`; its rights count"),
        Kind::AnyHandle { rights } => format!("handle of any type with {}", names(rights)),
        Kind::Consumed => "handle of any type".into(),
        Kind::Bytes { max } => format!("bytes, at most {max}"),
        Kind::Text { max } => format!("text, at most {max} bytes"),
        Kind::Room { max } => format!("room, at most {max} bytes"),
        Kind::Page => "page".into(),
        Kind::Address => "address".into(),
        Kind::Size => "size".into(),
        Kind::Bits { bits } => {
            let bits: Vec<_> = bits
                .iter()
                .map(|(name, bit)| format!("`{name}` ({bit:#x})"))
                .collect();
            format!("bits: {}", bits.join(", "))
        }
        Kind::Below(count) => format!("number below {count}"),
        Kind::Choice { first, end } => format!("number from {first} to {}", end - 1),
        Kind::Tag => "tag of a message".into(),
        Kind::Rights => "rights".into(),
        Kind::Value => "value".into(),
    }
}

fn names(rights: Rights) -> String {
    let names = RIGHTS.iter().filter(|right| rights.contains(right.rights));
    names
        .map(|right| format!("`{}`", right.name))
        .collect::<Vec<_>>()
        .join(", ")
}

fn objects(text: &mut String) {
    line!(
        text,
        "\n## Objects and rights\n\nA handle has some of the rights of its type; rights can be taken away, never added.\n\n\
         | right | bit | objects | allows |\n|---|---|---|---|"
    );
    for right in RIGHTS {
        let types: Vec<_> = ObjectType::ALL
            .iter()
            .filter(|object| right.types.contains(object))
            .collect();
        let types: Vec<_> = types.iter().map(|object| format!("{object:?}")).collect();
        line!(
            text,
            "| `{}` | {} | {} | {} |",
            right.name,
            right.rights.0.trailing_zeros(),
            types.join(", "),
            right.text
        );
    }
}

fn path(structure: &Structure) -> String {
    format!("{}::{}", structure.module, structure.name)
}

fn structures(text: &mut String) {
    line!(text, "\n## Structures\n\nWords of 64 bits, in this order.");
    for structure in returned() {
        line!(
            text,
            "\n### `{}`\n\n{}\n",
            path(structure),
            structure.documentation.trim()
        );
        line!(text, "| offset | word | |\n|---|---|---|");
        for (index, (name, meaning)) in structure.fields.iter().enumerate() {
            line!(text, "| {} | `{name}` | {} |", index * 8, meaning.trim());
        }
    }
}

fn errors(text: &mut String) {
    line!(
        text,
        "\n## Errors\n\n| number | error | meaning |\n|---|---|---|"
    );
    for error in AbiError::ALL {
        line!(
            text,
            "| {} | `{error:?}` | {} |",
            error.number(),
            error.text()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{document, path};
    use abi::call::Output;
    use abi::{CALLS, Error};

    #[test]
    fn every_call_error_and_structure_is_in_the_document() {
        let text = document();
        for call in CALLS {
            assert!(
                text.contains(&format!("### {}\n", call.name)),
                "{}",
                call.name
            );
            if let Output::Structure(structure) = call.output {
                let title = format!("### `{}`\n", path(structure));
                assert_eq!(text.matches(&title).count(), 1, "{title}");
            }
        }
        for error in Error::ALL {
            assert!(text.contains(&format!("| `{error:?}` |")), "{error:?}");
        }
    }
}
