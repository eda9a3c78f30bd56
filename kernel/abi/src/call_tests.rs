//! The table as it is promised to programs.

use super::*;

/// How a kind is written in the golden table.
fn kind_text(kind: Kind) -> String {
    match kind {
        Kind::Handle { object, rights } => format!("{object:?}[{:#x}]", rights.0),
        Kind::OptionalHandle { object, rights } => format!("{object:?}?[{:#x}]", rights.0),
        Kind::HandleAndRights { object } => format!("{object:?}[]"),
        Kind::AnyHandle { rights } => format!("any[{:#x}]", rights.0),
        Kind::Consumed => "consumed".into(),
        Kind::Bytes { max } => format!("bytes<={max}"),
        Kind::Text { max } => format!("text<={max}"),
        Kind::Room { max } => format!("room<={max}"),
        Kind::Page => "page".into(),
        Kind::Address => "address".into(),
        Kind::Size => "size".into(),
        Kind::Bits { bits } => format!("bits {:#x}", bits.iter().fold(0, |set, bit| set | bit.1)),
        Kind::Below(count) => format!("<{count}"),
        Kind::Choice { first, end } => format!("{first}..{end}"),
        Kind::Tag => "tag".into(),
        Kind::Rights => "rights".into(),
        Kind::Value => "value".into(),
    }
}

fn line(call: &Call) -> String {
    let kinds: Vec<_> = call
        .arguments
        .iter()
        .map(|argument| kind_text(argument.kind))
        .collect();
    let output = match call.output {
        Output::Structure(structure) => format!("{} words", structure.fields.len()),
        other => format!("{other:?}").to_lowercase(),
    };
    let name = call.name;
    format!(
        "{:02x} {name}({}) {output}",
        call.number as u64,
        kinds.join(", ")
    )
}

/// Numbers, kinds of arguments, rights and results are the contract: a change here is a change of the ABI.
#[test]
fn golden_table() {
    let table: Vec<_> = CALLS.iter().map(|call| line(call)).collect();
    let golden: Vec<_> = include_str!("golden.txt").lines().collect();
    assert_eq!(table, golden);
    assert_eq!(
        crate::VERSION,
        5,
        "the golden table is that of another version"
    );
}

#[test]
fn numbers_find_their_line_and_all_others_are_unknown() {
    let mut calls = CALLS.iter().peekable();
    for number in 0..=0xffff {
        match calls.next_if(|call| call.number as u64 == number) {
            Some(call) => {
                assert_eq!(Sysno::try_from(number), Ok(call.number));
                assert_eq!(call.number.call().name, call.name);
            }
            None => assert_eq!(Sysno::try_from(number), Err(Error::UnknownCall)),
        }
        // What is a call in the low bits only is none: every bit above, alone and together with all others.
        for bit in 16..64 {
            for high in [1 << bit, u64::MAX << bit] {
                assert_eq!(Sysno::try_from(number | high), Err(Error::UnknownCall));
            }
        }
    }
    assert_eq!(calls.count(), 0, "numbers are ascending and below 0x10000");
}

#[test]
fn arguments_fit_in_registers_and_groups_in_their_numbers() {
    for call in CALLS {
        assert!(call.registers() <= 6, "{} has too many", call.name);
        for other in CALLS.iter().filter(|other| other.group != call.group) {
            assert_ne!(call.number as u64 >> 4, other.number as u64 >> 4);
        }
    }
}

#[test]
fn rights_and_errors_that_the_table_names_make_sense() {
    for call in CALLS {
        for argument in call.arguments {
            if let Kind::Handle { object, rights } | Kind::OptionalHandle { object, rights } =
                argument.kind
            {
                assert!(
                    Rights::of(object).contains(rights),
                    "{} asks for what no {object:?} has",
                    call.name
                );
            }
        }
        if call.is_infallible || call.output == Output::Never {
            assert_eq!(call.errors().count(), 0, "{} can fail", call.name);
        }
        for (index, error) in call.own_errors.iter().enumerate() {
            assert!(
                !call.own_errors[..index].contains(error),
                "{} lists twice",
                call.name
            );
        }
    }
}
