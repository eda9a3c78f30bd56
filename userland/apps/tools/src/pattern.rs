//! What `grep` looks for: regular expressions, or texts as they are.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use regex_automata::nfa::thompson;
use regex_automata::nfa::thompson::pikevm::{Cache, PikeVM};
use regex_automata::util::syntax;

/// The most bytes of a compiled expression.
const SIZE_MAX: usize = 1024 * 1024;

/// What is looked for.
#[derive(Debug)]
pub struct Pattern {
    machine: PikeVM,
    cache: Cache,
}

impl Pattern {
    /// A regular expression, or with `is_text` a text as it is.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn new(text: &str, is_text: bool, ignores_case: bool) -> Result<Self, String> {
        let text = if is_text { escaped(text) } else { text.into() };
        let syntax = syntax::Config::new()
            .unicode(false)
            .utf8(false)
            .case_insensitive(ignores_case);
        let machine = PikeVM::builder()
            .syntax(syntax)
            .thompson(
                thompson::Config::new()
                    .utf8(false)
                    .nfa_size_limit(Some(SIZE_MAX)),
            )
            .build(&text)
            .map_err(|error| format!("'{text}' is no regular expression: {error}"))?;
        let cache = machine.create_cache();
        Ok(Self { machine, cache })
    }

    /// Whether it is in a line.
    pub fn is_in(&mut self, line: &[u8]) -> bool {
        self.machine.is_match(&mut self.cache, line)
    }

    /// Where it is in a line: begins and ends.
    pub fn find_all(&mut self, line: &[u8]) -> Vec<(usize, usize)> {
        let found = self.machine.find_iter(&mut self.cache, line);
        found.map(|one| (one.start(), one.end())).collect()
    }
}

/// An expression that means a text.
fn escaped(text: &str) -> String {
    let mut all = String::new();
    for character in text.chars() {
        // Of others an escape may have a meaning of its own, as `\<`.
        if r"\.+*?()|[]{}^$#&-~".contains(character) {
            all.push('\\');
        }
        all.push(character);
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn expressions_are_found() {
        let cases = [
            ("^a.c$", "abc", true),
            ("^a.c$", "xabc", false),
            ("[0-9]+ms", "took 12ms", true),
            ("(a|b)*c", "c", true),
            ("ä", "ä", true),
        ];
        for (pattern, line, is_in) in cases {
            let mut pattern = Pattern::new(pattern, false, false).expect("it is right");
            assert_eq!(pattern.is_in(line.as_bytes()), is_in, "{line}");
        }
        let mut pattern = Pattern::new("a.C", true, true).expect("it is right");
        assert!(pattern.is_in(b"xA.cx") && !pattern.is_in(b"abc"));
        assert_eq!(pattern.find_all(b"a.c a.C"), [(0, 3), (4, 7)]);
        assert!(Pattern::new("(", false, false).is_err());
        assert!(Pattern::new("a{1000}{1000}", false, false).is_err());
    }

    proptest! {
        #[test]
        fn texts_mean_themselves(text in "[ -~]{1,12}", before in "[a-z]{0,5}") {
            let mut pattern = Pattern::new(&text, true, false).expect("every text is right");
            let line = format!("{before}{text}");
            prop_assert!(pattern.is_in(line.as_bytes()));
        }

        #[test]
        fn any_expression_is_taken_or_refused(text in "[a-c(){}|*+?.^$\\[\\]\\\\0-9]{0,16}") {
            if let Ok(mut pattern) = Pattern::new(&text, false, false) {
                pattern.is_in(b"abcabc");
            }
        }
    }
}
