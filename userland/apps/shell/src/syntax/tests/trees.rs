//! Trees of any kind, and texts of any kind.

use std::rc::Rc;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::syntax::{
    Action, Chain, Command, Compound, CompoundKind, Form, Part, Pipeline, Redirect, RedirectKind,
    Script, Simple, When, Word, parse,
};

/// What lies within parts, in which scripts lie.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Plain,
    /// Within `${...}`.
    Braces,
    /// Within quotes.
    Quotes,
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[A-Za-z_][A-Za-z0-9_]{0,6}", "[0-9]{1,3}", "[?#@*$!]"]
}

fn part(place: Place, script: BoxedStrategy<Script>) -> BoxedStrategy<Part> {
    let is_quoted = match place {
        Place::Quotes => Just(true).boxed(),
        _ => any::<bool>().boxed(),
    };
    let plain = match place {
        Place::Plain => "[a-zA-Z0-9./*?\\[\\]=:,+%@^-]{1,6}"
            .prop_map(Part::Text)
            .boxed(),
        Place::Braces => "[a-z ;|&()<>#=]{1,6}".prop_map(Part::Text).boxed(),
        Place::Quotes => "[a-z +*]{1,6}".prop_map(Part::Quoted).boxed(),
    };
    let variable = (name(), is_quoted.clone()).prop_map(|(name, is_quoted)| Part::Variable {
        name,
        form: Form::Value,
        is_quoted,
    });
    let length = ("[a-z]{1,3}", is_quoted.clone()).prop_map(|(name, is_quoted)| Part::Variable {
        name,
        form: Form::Length,
        is_quoted,
    });
    let quoted = prop_oneof![
        any::<String>().prop_map(Part::Quoted),
        "[a-z '\"$}`\n\\\\]{0,6}".prop_map(Part::Quoted),
    ];
    let substitution = (script, is_quoted).prop_map(|(script, is_quoted)| Part::Substitution {
        script: Rc::new(script),
        is_quoted,
    });
    prop_oneof![
        6 => plain,
        4 => quoted,
        4 => variable,
        1 => length,
        1 => substitution,
    ]
    .boxed()
}

/// Parts that are not read as one.
fn joined(parts: Vec<Part>) -> Word {
    let mut word = Word::default();
    for part in parts {
        match (word.0.last(), &part) {
            (Some(Part::Text(_)), Part::Text(_)) | (Some(Part::Quoted(_)), Part::Quoted(_)) => {}
            // A text in quotes has parts that are not empty.
            _ => word.0.push(part),
        }
    }
    word
}

/// Parts that were read within quotes: at least one, and empty ones only alone.
fn quoted_word(script: BoxedStrategy<Script>) -> impl Strategy<Value = Word> {
    vec(part(Place::Quotes, script), 1..3).prop_map(|mut parts| {
        if parts.len() > 1 {
            parts.retain(|part| *part != Part::Quoted(String::new()));
        }
        if parts.is_empty() {
            parts.push(Part::Quoted(String::new()));
        }
        joined(parts)
    })
}

fn or(script: BoxedStrategy<Script>) -> impl Strategy<Value = Part> {
    let action = prop_oneof![
        Just(Action::Default),
        Just(Action::Assign),
        Just(Action::Fail),
        Just(Action::Alternative),
    ];
    let word = prop_oneof![
        vec(part(Place::Braces, script.clone()), 0..3).prop_map(|parts| (joined(parts), false)),
        quoted_word(script).prop_map(|word| (word, true)),
    ];
    let name = "[A-Za-z_][A-Za-z0-9_]{0,6}";
    (name, action, any::<bool>(), word).prop_map(|(name, action, is_empty_none, of)| {
        let (word, is_quoted) = of;
        Part::Variable {
            name,
            form: Form::Or {
                action,
                is_empty_none,
                word,
            },
            is_quoted,
        }
    })
}

/// Words of which no two neighbours would be read as one part.
fn word(script: &BoxedStrategy<Script>) -> BoxedStrategy<Word> {
    let script = script.clone();
    let is_home = prop::option::of(Just(Part::Home));
    let number =
        ("[a-z0-9+ *-]{0,6}", any::<bool>()).prop_map(|(text, is_quoted)| Part::Arithmetic {
            text: Word(vec![Part::Quoted(text)]),
            is_quoted,
        });
    let one = prop_oneof![
        8 => part(Place::Plain, script.clone()),
        1 => or(script),
        1 => number,
    ];
    (is_home, vec(one, 1..5))
        .prop_map(|(home, parts)| {
            let home = home.into_iter();
            let parts = home
                .flat_map(|home| [home, Part::Text("/".into())])
                .chain(parts);
            joined(parts.collect())
        })
        .boxed()
}

fn redirect(script: &BoxedStrategy<Script>) -> impl Strategy<Value = Redirect> + use<> {
    let kind = prop_oneof![
        Just(RedirectKind::Input),
        Just(RedirectKind::Output),
        Just(RedirectKind::Append),
        Just(RedirectKind::Error),
        Just(RedirectKind::AppendError),
    ];
    let without = prop_oneof![
        Just(RedirectKind::ErrorToOutput),
        Just(RedirectKind::OutputToError)
    ];
    let here = quoted_word(script.clone()).prop_map(|mut word| {
        // Its last line has an end; nothing at all is no part.
        match word.0.as_slice() {
            [Part::Quoted(text)] if text.is_empty() => word.0.clear(),
            [.., Part::Quoted(text)] if text.ends_with('\n') => {}
            _ => match word.0.last_mut() {
                Some(Part::Quoted(text)) => text.push('\n'),
                _ => word.0.push(Part::Quoted("\n".into())),
            },
        }
        word
    });
    prop_oneof![
        8 => (kind, word(script)).prop_map(|(kind, target)| Redirect { kind, target }),
        2 => without.prop_map(|kind| Redirect {
            kind,
            target: Word::default()
        }),
        1 => here.prop_map(|target| Redirect {
            kind: RedirectKind::Here,
            target
        }),
    ]
}

fn simple(script: &BoxedStrategy<Script>) -> impl Strategy<Value = Command> + use<> {
    let name = "[A-Za-z_][A-Za-z0-9_]{0,6}";
    // The first word must not look like an assignment, or like a word of the language.
    let first = ("[a-z]{0,4}[./x]", vec(word(script), 0..4)).prop_map(|(first, mut words)| {
        words.insert(0, Word(vec![Part::Text(first)]));
        words
    });
    let assignments = vec((name, word(script)), 0..3);
    (assignments, first, vec(redirect(script), 0..3)).prop_map(|(assignments, words, redirects)| {
        Command::Simple(Simple {
            assignments,
            words,
            redirects,
        })
    })
}

fn compound(script: &BoxedStrategy<Script>) -> impl Strategy<Value = Compound> + use<> {
    let one = script.clone();
    let goes_on = prop_oneof![Just(When::Success), Just(When::Failure)];
    let branches = vec((one.clone(), one.clone()), 1..3);
    let arm = (vec(word(script), 1..3), one.clone());
    let kind = prop_oneof![
        one.clone().prop_map(CompoundKind::Group),
        one.clone().prop_map(CompoundKind::Subshell),
        (branches, prop::option::of(one.clone())).prop_map(|(branches, otherwise)| {
            CompoundKind::If {
                branches,
                otherwise,
            }
        }),
        (goes_on, one.clone(), one.clone()).prop_map(|(goes_on, condition, body)| {
            CompoundKind::Loop {
                goes_on,
                condition,
                body,
            }
        }),
        ("[a-z]{1,3}", prop::option::of(vec(word(script), 0..3)), one)
            .prop_map(|(name, words, body)| CompoundKind::For { name, words, body }),
        (word(script), vec(arm, 0..3)).prop_map(|(word, arms)| CompoundKind::Case { word, arms }),
    ];
    (kind, vec(redirect(script), 0..2)).prop_map(|(kind, redirects)| Compound { kind, redirects })
}

fn command(script: &BoxedStrategy<Script>) -> impl Strategy<Value = Command> + use<> {
    let function = ("[a-z]{1,3}_", compound(script)).prop_map(|(name, body)| Command::Function {
        name,
        body: Rc::new(body),
    });
    prop_oneof![
        6 => simple(script),
        3 => compound(script).prop_map(Command::Compound),
        1 => function,
    ]
}

fn list(command: BoxedStrategy<Command>) -> impl Strategy<Value = Script> {
    let pipeline =
        (any::<[bool; 2]>(), vec(command, 1..3)).prop_map(|([is_timed, is_negated], commands)| {
            Pipeline {
                is_timed,
                is_negated,
                commands,
            }
        });
    let when = prop_oneof![Just(When::Success), Just(When::Failure)];
    let pipeline = pipeline.boxed();
    let chain = (
        pipeline.clone(),
        vec((when, pipeline), 0..2),
        any::<bool>(),
        1..4usize,
    );
    let chain = chain.prop_map(|(first, rest, is_background, line)| Chain {
        first,
        rest,
        is_background,
        line,
    });
    vec(chain, 1..3).prop_map(Script)
}

fn script() -> BoxedStrategy<Script> {
    let none = Just(Script::default()).boxed();
    let leaf = list(simple(&none).boxed()).boxed();
    leaf.prop_recursive(3, 24, 3, |inner| list(command(&inner.boxed()).boxed()))
        .boxed()
}

/// A tree without the lines in it.
fn shape(script: &Script) -> String {
    let text = format!("{script:?}");
    let mut pieces = text.split("line: ");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |shape, piece| {
        shape + piece.trim_start_matches(|digit: char| digit.is_ascii_digit())
    })
}

fn comes_back(text: &str) -> Result<(), TestCaseError> {
    let Ok(script) = parse(text) else {
        return Ok(());
    };
    let printed = script.to_string();
    let again = parse(&printed);
    prop_assert!(again.is_ok(), "{text:?} as {printed:?}: {again:?}");
    let again = again.expect("it was read");
    prop_assert_eq!(shape(&again), shape(&script), "{:?} as {:?}", text, printed);
    // Lines that are joined are not told by the tree.
    if !text.contains("\\\n") {
        prop_assert_eq!(again, script, "{:?} as {:?}", text, printed);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn trees_come_back(script in script()) {
        let text = script.to_string();
        let again = parse(&text);
        prop_assert!(again.is_ok(), "{text}: {again:?}");
        let again = again.expect("it was read");
        prop_assert_eq!(shape(&again), shape(&script), "{}", text);
    }
}

proptest! {
    #[test]
    fn what_is_read_comes_back(text in "[a-z '\"\\\\$#;&|<>{}()=!~*:+\n0-2-]{0,40}") {
        comes_back(&text)?;
    }

    #[test]
    fn what_is_made_of_words_comes_back(words in vec(prop_oneof![
        Just("if"), Just("then"), Just("fi"), Just("else"), Just("while"), Just("do"), Just("done"), Just("for"), Just("x"), Just("in"),
        Just("case"), Just("esac"), Just("{"), Just("}"), Just("("), Just(")"), Just(";"), Just(";;"), Just("\n"), Just("&"), Just("|"),
        Just("$("), Just("$(("), Just("))"), Just("${x:-"), Just("\""), Just("a"), Just("<<x"), Just(">"), Just("!"), Just("f()"),
    ], 0..24)) {
        comes_back(&words.join(" "))?;
        comes_back(&words.concat())?;
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        if let Err(error) = parse(&text) {
            prop_assert!(error.line >= 1 && !error.to_string().is_empty());
        }
    }
}
