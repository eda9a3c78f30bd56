use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn text(text: &str) -> Part {
    Part::Text(text.into())
}

fn quoted(text: &str) -> Part {
    Part::Quoted(text.into())
}

fn variable(name: &str, is_quoted: bool) -> Part {
    Part::Variable {
        name: name.into(),
        is_quoted,
    }
}

/// The words of the only command of a text.
fn words(line: &str) -> Vec<Vec<Part>> {
    let script = parse(line).expect("it has a meaning");
    let [chain] = script.0.as_slice() else {
        panic!("{script:?} is not one chain");
    };
    let words = &chain.first.commands[0].words;
    words.iter().map(|word| word.0.clone()).collect()
}

fn error(line: &str) -> SyntaxErrorKind {
    parse(line).expect_err("it has no meaning").kind
}

#[test]
fn words_are_cut_and_unquoted() {
    assert_eq!(
        words(r#"ls -l 'a b'c "d $X e"  ~/f ~g \* *.rs"#),
        [
            vec![text("ls")],
            vec![text("-l")],
            vec![quoted("a b"), text("c")],
            vec![quoted("d "), variable("X", true), quoted(" e")],
            vec![Part::Home, text("/f")],
            vec![text("~g")],
            vec![quoted("*")],
            vec![text("*.rs")],
        ]
    );
    assert_eq!(
        words("echo '' $? ${A}b $1x $ # c ' d"),
        [
            vec![text("echo")],
            vec![quoted("")],
            vec![variable("?", false)],
            vec![variable("A", false), text("b")],
            vec![variable("1", false), text("x")],
            vec![text("$")],
        ]
    );
    assert_eq!(words("a\\\nb c\\\n d")[0], [text("ab")]);
    assert_eq!(words("a#b"), [[text("a#b")]]);
}

#[test]
fn operators_bind_as_they_should() {
    let script = parse("a | b && ! c || d & e; A=1 B='x y' f <in >>out 2>&1\ng").expect("right");
    let [first, second, third, fourth] = script.0.as_slice() else {
        panic!("{script:?}");
    };
    assert!(first.is_background && first.first.commands.len() == 2);
    assert_eq!(first.rest.len(), 2);
    assert!(first.rest[0].0 == When::Success && first.rest[0].1.is_negated);
    assert!(!second.is_background);
    let command = &third.first.commands[0];
    assert_eq!(command.assignments.len(), 2);
    let kinds: Vec<_> = command.redirects.iter().map(|one| one.kind).collect();
    assert_eq!(
        kinds,
        [
            RedirectKind::Input,
            RedirectKind::Append,
            RedirectKind::ErrorToOutput
        ]
    );
    assert_eq!(fourth.line, 2);
}

#[test]
fn errors_say_what_is_wrong() {
    assert_eq!(error("echo 'a"), SyntaxErrorKind::OpenQuote('\''));
    assert_eq!(error("echo \"a\\"), SyntaxErrorKind::OpenQuote('"'));
    assert_eq!(error("a |"), SyntaxErrorKind::OpenPipeline);
    assert_eq!(error("a && # b\n"), SyntaxErrorKind::OpenPipeline);
    assert_eq!(error("a \\"), SyntaxErrorKind::OpenLine);
    assert_eq!(error("a \\\n"), SyntaxErrorKind::OpenLine);
    assert_eq!(error("${a"), SyntaxErrorKind::OpenBrace);
    assert_eq!(error("${a b}"), SyntaxErrorKind::BadName);
    assert_eq!(error("a >"), SyntaxErrorKind::NoTarget);
    assert_eq!(error("| a"), SyntaxErrorKind::NoCommand('|'));
    assert_eq!(error("a ;; b"), SyntaxErrorKind::NoCommand(';'));
    assert_eq!(error("a (b)"), SyntaxErrorKind::Unexpected('('));
    assert_eq!(parse("a\n\nb | | c").expect_err("wrong").line, 3);
}

#[test]
fn a_negation_may_end_with_a_joined_line() {
    let script = parse("!\\\n a").expect("right");
    assert!(script.0[0].first.is_negated);
    assert!(parse("a\n!\\\n;a").is_err());
}

#[test]
fn a_name_may_lie_on_joined_lines() {
    assert_eq!(parse("a\\\nb=c"), parse("ab=c"));
}

fn part() -> impl Strategy<Value = Part> {
    let name = prop_oneof!["[A-Za-z_][A-Za-z0-9_]{0,6}", "[0-9]{1,3}", "[?#@*$!]"];
    prop_oneof![
        "[a-zA-Z0-9./*?\\[\\]=:,+%@^-]{1,6}".prop_map(Part::Text),
        any::<String>().prop_map(Part::Quoted),
        "[a-z '\"$\\\\`\n]{0,6}".prop_map(Part::Quoted),
        (name, any::<bool>()).prop_map(|(name, is_quoted)| Part::Variable { name, is_quoted }),
    ]
}

/// Words of which no two neighbours would be read as one part.
fn word() -> impl Strategy<Value = Word> {
    let is_home = prop::option::of(Just(Part::Home));
    (is_home, vec(part(), 1..5)).prop_map(|(home, parts)| {
        let mut word = Word::default();
        if let Some(home) = home {
            word.0.push(home);
            word.0.push(Part::Text("/".into()));
        }
        for part in parts {
            match (word.0.last(), &part) {
                (Some(Part::Text(_)), Part::Text(_)) | (Some(Part::Quoted(_)), Part::Quoted(_)) => {
                }
                _ => word.0.push(part),
            }
        }
        word
    })
}

fn command() -> impl Strategy<Value = Command> {
    let name = "[A-Za-z_][A-Za-z0-9_]{0,6}";
    // The first word must not look like an assignment, or like `!`.
    let first = ("[a-z/.]{1,8}", vec(word(), 0..4)).prop_map(|(first, mut words)| {
        words.insert(0, Word(vec![Part::Text(first)]));
        words
    });
    let kind = prop_oneof![
        Just(RedirectKind::Input),
        Just(RedirectKind::Output),
        Just(RedirectKind::Append),
        Just(RedirectKind::Error),
        Just(RedirectKind::AppendError),
    ];
    let redirect = prop_oneof![
        4 => (kind, word()).prop_map(|(kind, target)| Redirect { kind, target }),
        1 => Just(Redirect {
            kind: RedirectKind::ErrorToOutput,
            target: Word::default()
        }),
    ];
    (vec((name, word()), 0..3), first, vec(redirect, 0..3)).prop_map(
        |(assignments, words, redirects)| Command {
            assignments,
            words,
            redirects,
        },
    )
}

fn script() -> impl Strategy<Value = Script> {
    let pipeline =
        (any::<bool>(), vec(command(), 1..4)).prop_map(|(is_negated, commands)| Pipeline {
            is_negated,
            commands,
        });
    let when = prop_oneof![Just(When::Success), Just(When::Failure)];
    let pipeline = pipeline.boxed();
    let chain = (
        pipeline.clone(),
        vec((when, pipeline), 0..3),
        any::<bool>(),
        0..3usize,
    );
    vec(chain, 0..4).prop_map(|chains| {
        let mut script = Script::default();
        let mut line = 1;
        for (first, rest, is_background, gap) in chains {
            // Where it lies depends on what is before it: the printed form says so.
            let mut chain = Chain {
                first,
                rest,
                is_background,
                line: 1,
            };
            line += gap;
            chain.line = line;
            line += Script(vec![Chain {
                line: 1,
                ..chain.clone()
            }])
            .to_string()
            .matches('\n')
            .count();
            script.0.push(chain);
        }
        script
    })
}

proptest! {
    #[test]
    fn trees_come_back(script in script()) {
        let text = script.to_string();
        prop_assert_eq!(parse(&text), Ok(script), "{}", text);
    }

    #[test]
    fn what_is_read_comes_back(text in "[a-z '\"\\\\$#;&|<>{}=!~*\n0-2]{0,40}") {
        if let Ok(script) = parse(&text) {
            let again = parse(&script.to_string());
            // Lines can be joined by a backslash: where chains lie is not told by the tree alone.
            let no_lines = |mut script: Script| {
                script.0.iter_mut().for_each(|chain| chain.line = 0);
                script
            };
            prop_assert_eq!(again.map(no_lines), Ok(no_lines(script)));
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        if let Err(error) = parse(&text) {
            prop_assert!(error.line >= 1 && !error.to_string().is_empty());
        }
    }
}
