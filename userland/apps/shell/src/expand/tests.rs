use std::collections::BTreeMap;

use super::*;
use crate::syntax::{Command, parse};

/// Variables that were set, besides those that are fixed.
#[derive(Default)]
struct Fixed {
    set: BTreeMap<String, String>,
    arguments: Vec<String>,
}

impl World for Fixed {
    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "A" => Some("one  two".into()),
            "P" => Some("*.rs".into()),
            "HOME" => Some("/h o".into()),
            "?" => Some("3".into()),
            "E" => Some(String::new()),
            other => self.set.get(other).cloned(),
        }
    }

    fn arguments(&self) -> &[String] {
        &self.arguments
    }

    fn set(&mut self, name: &str, value: &str) -> bool {
        self.set.insert(name.into(), value.into());
        value != "no room"
    }

    /// What is written is the text of the commands, twice the end of a line, and `many` is too much.
    fn output(&mut self, script: &Script) -> Result<String> {
        match script.to_string().as_str() {
            "many" => Ok("x".repeat(BYTES_MAX)),
            "end" => Err(ExpandError::Ended),
            text => Ok(format!("{text}\n\n")),
        }
    }

    fn entries(&self, directory: &str) -> Vec<String> {
        let names: &[&str] = match directory {
            "" => &["b.rs", "a.rs", ".hidden", "src", "x y.rs"],
            "src/" | "/src/" => &["m.rs", "n.c"],
            "/" => &["src", "tmp"],
            _ => &[],
        };
        names.iter().map(|name| (*name).into()).collect()
    }
}

fn try_expanded(line: &str) -> Result<Vec<String>> {
    let script = parse(line).expect("it has a meaning");
    let Command::Simple(simple) = &script.0[0].first.commands[0] else {
        panic!("{script:?} is not simple");
    };
    let mut world = Fixed {
        arguments: vec!["x y".into(), "z".into()],
        ..Fixed::default()
    };
    words(&simple.words, &mut world)
}

fn expanded(line: &str) -> Vec<String> {
    try_expanded(line).expect("it stands for something")
}

#[test]
fn variables_fall_into_fields_unless_quoted() {
    assert_eq!(expanded("e $A"), ["e", "one", "two"]);
    assert_eq!(expanded("e \"$A\""), ["e", "one  two"]);
    assert_eq!(expanded("e x${A}y"), ["e", "xone", "twoy"]);
    assert_eq!(expanded("e $NONE \"$NONE\" ''"), ["e", "", ""]);
    assert_eq!(expanded("e ~ ~/x \"~\""), ["e", "/h o", "/h o/x", "~"]);
    assert_eq!(expanded("e $? $# $1 $2 $3"), ["e", "3", "2", "x", "y", "z"]);
    assert_eq!(expanded("e a\"$@\"b"), ["e", "ax y", "zb"]);
    assert_eq!(expanded("e \"$*\""), ["e", "x y z"]);
}

#[test]
fn patterns_become_names() {
    assert_eq!(expanded("e *.rs"), ["e", "a.rs", "b.rs", "x y.rs"]);
    assert_eq!(expanded("e $P"), ["e", "a.rs", "b.rs", "x y.rs"]);
    assert_eq!(expanded("e '*'.rs \\*"), ["e", "*.rs", "*"]);
    assert_eq!(expanded("e */*.rs /*/n.?"), ["e", "src/m.rs", "/src/n.c"]);
    assert_eq!(expanded("e .h*"), ["e", ".hidden"]);
    assert_eq!(expanded("e *.none"), ["e", "*.none"]);
    assert_eq!(expanded("e */none"), ["e", "*/none"]);
}

#[test]
fn what_stands_for_a_variable_without_a_value() {
    let cases: [(&str, &[&str]); 16] = [
        ("e ${N:-a b} ${N:-\"a b\"}", &["e", "a", "b", "a b"]),
        (
            "e \"${N:-a  b}\" \"${E:-c}\" \"${E-c}\"",
            &["e", "a  b", "c", ""],
        ),
        ("e ${A:-x}", &["e", "one", "two"]),
        ("e ${A:+x y} ${N:+x} \"${N:+x}\"", &["e", "x", "y", ""]),
        ("e ${E:+x} ${E+y}", &["e", "y"]),
        ("e ${N:=a b} \"$N\"", &["e", "a", "b", "a b"]),
        ("e ${N=$A}$N", &["e", "one", "twoone", "two"]),
        ("e ${N:-${M:-$(echo x)}}", &["e", "echo", "x"]),
        ("e ${#A} ${#N} ${#1} ${#}", &["e", "8", "0", "3", "2"]),
        ("e ${3:-none} ${1:-none}", &["e", "none", "x", "y"]),
        ("e x${N:-}y ${N:-}", &["e", "xy"]),
        ("e ${N:-*.rs}", &["e", "a.rs", "b.rs", "x y.rs"]),
        ("e ${N:-'*'.rs} \"${N:-*.rs}\"", &["e", "*.rs", "*.rs"]),
        ("e ${N:-\"$@\"}", &["e", "x y", "z"]),
        ("e ${N:-~/a}", &["e", "/h o/a"]),
        ("e \"${N:-it's \\} \\\"}\"", &["e", "it's } \""]),
    ];
    for (line, expected) in cases {
        assert_eq!(expanded(line), expected, "{line}");
    }
}

#[test]
fn what_commands_write_loses_its_last_ends_of_lines() {
    assert_eq!(expanded("e $(a b)c"), ["e", "a", "bc"]);
    assert_eq!(expanded("e \"$(a b)\"c"), ["e", "a bc"]);
    assert_eq!(expanded("e \"<$(a \"$(b)\")>\""), ["e", "<a \"$( b )\">"]);
    assert_eq!(expanded("e $(a\nb)"), ["e", "a", "b"]);
    assert_eq!(try_expanded("e $(end)"), Err(ExpandError::Ended));
}

#[test]
fn numbers_are_calculated() {
    assert_eq!(expanded("e $((1 + 2)) \"$(( $# * 3 ))\""), ["e", "3", "6"]);
    assert_eq!(
        expanded("e $((N = 4)) $N $((N += 1)) $((N))"),
        ["e", "4", "4", "5", "5"]
    );
    assert_eq!(expanded("e $((${N:-5} * $((2 + 1))))"), ["e", "15"]);
    assert_eq!(
        try_expanded("e $((1 / 0))"),
        Err(ExpandError::Arithmetic(ArithmeticError::ZeroDivision))
    );
}

#[test]
fn errors_are_told() {
    let unset = |name: &str, text: &str| ExpandError::Unset {
        name: name.into(),
        text: text.into(),
    };
    assert_eq!(try_expanded("e ${N:?}"), Err(unset("N", "")));
    assert_eq!(
        try_expanded("e ${E:?is $A}"),
        Err(unset("E", "is one  two"))
    );
    assert_eq!(expanded("e ${E?no} ${A:?no}"), ["e", "one", "two"]);
    assert_eq!(
        try_expanded("e ${N:=no room}"),
        Err(ExpandError::NoRoom("N".into()))
    );
    assert_eq!(
        try_expanded("e ${7:=x}"),
        Err(ExpandError::NoVariable("7".into()))
    );
    assert_eq!(try_expanded("e $(many)"), Err(ExpandError::TooLong));
    assert_eq!(try_expanded("e ${N:=$(many)}"), Err(ExpandError::TooLong));
}

#[test]
fn arguments_are_bounded() {
    // Empty ones count, too.
    let mut world = Fixed {
        arguments: vec![String::new(); 100],
        ..Fixed::default()
    };
    let words_of = |count: usize| {
        let word = Word(vec![Part::Variable {
            name: "@".into(),
            form: Form::Value,
            is_quoted: true,
        }]);
        vec![word; count]
    };
    assert_eq!(
        words(&words_of(10), &mut world).map(|all| all.len()),
        Ok(1000)
    );
    assert_eq!(
        words(&words_of(1000), &mut world),
        Err(ExpandError::TooLong)
    );
}
