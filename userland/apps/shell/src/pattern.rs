//! Patterns of names: `*`, `?`, `[a-z]`, `[!a-z]`. Time is bounded by the product of the lengths.

/// A character of a word, and whether it stands for itself because it was quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// The character.
    pub character: char,
    /// It is no part of a pattern.
    pub is_quoted: bool,
}

impl Symbol {
    fn is(self, character: char) -> bool {
        !self.is_quoted && self.character == character
    }
}

/// Whether there is anything in the symbols but characters that stand for themselves.
pub fn is_pattern(symbols: &[Symbol]) -> bool {
    symbols
        .iter()
        .any(|symbol| symbol.is('*') || symbol.is('?') || symbol.is('['))
}

/// Whether a name is one that a pattern means.
pub fn matches(pattern: &[Symbol], name: &str) -> bool {
    let mut pattern_left = pattern;
    let mut name_left = name;
    // What to go back to: behind the last `*`, with one character more taken by it.
    let mut retry: Option<(&[Symbol], &str)> = None;
    loop {
        if let [first, rest @ ..] = pattern_left
            && first.is('*')
        {
            pattern_left = rest;
            retry = Some((rest, name_left));
            continue;
        }
        let mut characters = name_left.chars();
        match (one(pattern_left, characters.next()), characters.as_str()) {
            (Step::Matched(rest), name_rest) => {
                pattern_left = rest;
                name_left = name_rest;
            }
            (Step::End, _) => return true,
            (Step::Different, _) => {
                let Some((after_star, taken)) = retry else {
                    return false;
                };
                let mut taken = taken.chars();
                if taken.next().is_none() {
                    return false;
                }
                pattern_left = after_star;
                name_left = taken.as_str();
                retry = Some((after_star, name_left));
            }
        }
    }
}

enum Step<'a> {
    /// The character is right; the pattern goes on here.
    Matched(&'a [Symbol]),
    /// Pattern and name have come to their ends.
    End,
    /// It is not right.
    Different,
}

/// Compares a character, or the end of the name, with the begin of a pattern, which is no `*`.
fn one(pattern: &[Symbol], character: Option<char>) -> Step<'_> {
    let ([first, rest @ ..], Some(character)) = (pattern, character) else {
        return match (pattern, character) {
            ([], None) => Step::End,
            _ => Step::Different,
        };
    };
    if first.is('?') {
        return Step::Matched(rest);
    }
    if first.is('[')
        && let Some((set, rest)) = split_set(rest)
    {
        return match is_in_set(set, character) {
            true => Step::Matched(rest),
            false => Step::Different,
        };
    }
    match first.character == character {
        true => Step::Matched(rest),
        false => Step::Different,
    }
}

/// The inside of a set, and what follows it; a `[` without an end stands for itself. The first character is never the end.
fn split_set(inside: &[Symbol]) -> Option<(&[Symbol], &[Symbol])> {
    let negation = usize::from(inside.first().is_some_and(|first| first.is('!')));
    let end = inside
        .iter()
        .skip(negation + 1)
        .position(|symbol| symbol.is(']'))?;
    let (set, rest) = inside.split_at_checked(negation + 1 + end)?;
    Some((set, rest.get(1..)?))
}

fn is_in_set(set: &[Symbol], character: char) -> bool {
    let (is_negated, mut left) = match set {
        [first, rest @ ..] if first.is('!') => (true, rest),
        _ => (false, set),
    };
    let mut is_in = false;
    while let [first, rest @ ..] = left {
        match rest {
            [dash, last, rest @ ..] if dash.is('-') => {
                is_in |= (first.character..=last.character).contains(&character);
                left = rest;
            }
            _ => {
                is_in |= first.character == character;
                left = rest;
            }
        }
    }
    is_in != is_negated
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn symbols(text: &str) -> Vec<Symbol> {
        let plain = |character| Symbol {
            character,
            is_quoted: false,
        };
        text.chars().map(plain).collect()
    }

    #[test]
    fn sets_and_ranges() {
        let cases = [
            ("[abc]x", "bx", true),
            ("[a-c]", "d", false),
            ("[!a-c]", "d", true),
            ("[]]", "]", true),
            ("[a-]", "-", true),
            ("[", "[", true),
            ("[a", "[a", true),
            ("*.r?", "main.rs", true),
            ("*.r?", "main.r", false),
            ("**", "", true),
            ("ä?", "äö", true),
        ];
        for (pattern, name, is_match) in cases {
            assert_eq!(
                matches(&symbols(pattern), name),
                is_match,
                "{pattern} {name}"
            );
        }
        let quoted = [Symbol {
            character: '*',
            is_quoted: true,
        }];
        assert!(matches(&quoted, "*") && !matches(&quoted, "a") && !is_pattern(&quoted));
    }

    /// What a pattern of stars, question marks and letters means, said in another way.
    fn model(pattern: &[char], name: &[char]) -> bool {
        match (pattern, name) {
            ([], []) => true,
            (['*', rest @ ..], _) => (0..=name.len()).any(|taken| model(rest, &name[taken..])),
            (['?', rest @ ..], [_, name @ ..]) => model(rest, name),
            ([one, rest @ ..], [other, name @ ..]) => one == other && model(rest, name),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn stars_are_as_the_model_says(pattern in "[ab*?]{0,8}", name in "[ab]{0,10}") {
            let expected = model(
                &pattern.chars().collect::<Vec<_>>(),
                &name.chars().collect::<Vec<_>>(),
            );
            prop_assert_eq!(matches(&symbols(&pattern), &name), expected);
        }

        #[test]
        fn any_pattern_is_taken(pattern in "[ab*?!\\[\\]-]{0,12}", name in any::<String>()) {
            matches(&symbols(&pattern), &name);
        }
    }
}
