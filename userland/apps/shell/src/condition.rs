//! What `test` and `[` ask.
//!
//! | | |
//! |---|---|
//! | `TEXT`, `-n TEXT`, `-z TEXT` | it is not empty, not empty, empty |
//! | `A = B`, `A != B` | the texts are the same, or not |
//! | `A -eq B`, `-ne`, `-lt`, `-le`, `-gt`, `-ge` | numbers of 64 bits |
//! | `-e FILE`, `-f FILE`, `-d FILE`, `-s FILE` | it is there; is a file, a directory, a file that is not empty |
//! | `! ...` | the contrary |
//!
//! For `and` and `or` there are `&&` and `||`.

use alloc::format;
use alloc::string::String;

/// What a question about a file needs of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// It is a directory.
    pub is_directory: bool,
    /// Its size in bytes.
    pub size: u64,
}

/// Whether it is so. `file` says what is at a path.
///
/// # Errors
/// Why it is no question.
pub fn is_met(arguments: &[String], file: &dyn Fn(&str) -> Option<File>) -> Result<bool, String> {
    match arguments {
        [] => Ok(false),
        [text] => Ok(!text.is_empty()),
        [first, operator, second] if is_binary(operator) => compare(first, operator, second),
        [sign, rest @ ..] if sign == "!" => Ok(!is_met(rest, file)?),
        [operator, operand] => one(operator, operand, file),
        [_, operator, _] => Err(format!("'{operator}' compares nothing")),
        [_, _, _, more, ..] => Err(format!("'{more}' is too much")),
    }
}

/// Whether it stands between two things that are compared.
pub fn is_binary(operator: &str) -> bool {
    matches!(
        operator,
        "=" | "!=" | "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge"
    )
}

fn compare(first: &str, operator: &str, second: &str) -> Result<bool, String> {
    match operator {
        "=" => return Ok(first == second),
        "!=" => return Ok(first != second),
        _ => {}
    }
    let number = |text: &str| {
        let number = text.trim().parse::<i64>();
        number.map_err(|_| format!("'{text}' is no number"))
    };
    let (first, second) = (number(first)?, number(second)?);
    Ok(match operator {
        "-eq" => first == second,
        "-ne" => first != second,
        "-lt" => first < second,
        "-le" => first <= second,
        "-gt" => first > second,
        _ => first >= second,
    })
}

fn one(operator: &str, operand: &str, file: &dyn Fn(&str) -> Option<File>) -> Result<bool, String> {
    match operator {
        "-n" => Ok(!operand.is_empty()),
        "-z" => Ok(operand.is_empty()),
        "-e" => Ok(file(operand).is_some()),
        "-f" => Ok(file(operand).is_some_and(|file| !file.is_directory)),
        "-d" => Ok(file(operand).is_some_and(|file| file.is_directory)),
        "-s" => Ok(file(operand).is_some_and(|file| file.is_directory || file.size > 0)),
        _ => Err(format!("'{operator}' is no question")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn ask(arguments: &[&str]) -> Result<bool, String> {
        let arguments: Vec<String> = arguments.iter().map(|one| (*one).into()).collect();
        is_met(&arguments, &|path| match path {
            "/d" => Some(File {
                is_directory: true,
                size: 0,
            }),
            "/f" | "/empty" => Some(File {
                is_directory: false,
                size: if path == "/f" { 3 } else { 0 },
            }),
            _ => None,
        })
    }

    #[test]
    fn questions_are_answered() {
        let cases: [(&str, bool); 31] = [
            ("", false),
            ("a", true),
            ("-n", true),
            ("-n a", true),
            ("-z a", false),
            ("! a", false),
            ("! -z a", true),
            ("! ! a", true),
            ("a = a", true),
            ("a = b", false),
            ("a != b", true),
            ("! a = b", true),
            ("! = !", true),
            ("-n = -n", true),
            ("1 -eq 01", true),
            ("-5 -lt 3", true),
            ("3 -le 3", true),
            ("3 -gt 3", false),
            ("3 -ge 3", true),
            ("3 -ne 4", true),
            ("-9223372036854775808 -lt 9223372036854775807", true),
            ("-e /d", true),
            ("-e /n", false),
            ("-f /d", false),
            ("-f /f", true),
            ("-d /d", true),
            ("-d /f", false),
            ("-s /f", true),
            ("-s /empty", false),
            ("-s /n", false),
            ("! -e /n", true),
        ];
        for (text, expected) in cases {
            let arguments: Vec<&str> = text.split_whitespace().collect();
            assert_eq!(ask(&arguments), Ok(expected), "{text}");
        }
        assert_eq!(ask(&[""]), Ok(false));
        assert_eq!(ask(&["-z", ""]), Ok(true));
        assert_eq!(ask(&["", "=", ""]), Ok(true));
    }

    #[test]
    fn what_is_no_question_is_told() {
        assert_eq!(ask(&["a", "-eq", "1"]), Err("'a' is no number".into()));
        assert_eq!(ask(&["1", "-eq", ""]), Err("'' is no number".into()));
        assert_eq!(ask(&["-q", "a"]), Err("'-q' is no question".into()));
        assert_eq!(ask(&["a", "b", "c"]), Err("'b' compares nothing".into()));
        assert_eq!(ask(&["a", "=", "b", "-a"]), Err("'-a' is too much".into()));
    }

    proptest! {
        #[test]
        fn any_arguments_are_taken(arguments in vec(prop_oneof![
            Just("!"), Just("="), Just("-n"), Just("-eq"), Just("1"), Just(""), Just("-f"),
        ], 0..8)) {
            if let Err(text) = ask(&arguments) {
                prop_assert!(!text.is_empty());
            }
        }
    }
}
