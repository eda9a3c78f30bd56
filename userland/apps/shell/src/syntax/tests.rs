mod trees;

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
        form: Form::Value,
        is_quoted,
    }
}

fn simple(command: &Command) -> &Simple {
    match command {
        Command::Simple(simple) => simple,
        other => panic!("{other:?} is not simple"),
    }
}

/// The words of the only command of a text.
fn words(line: &str) -> Vec<Vec<Part>> {
    let script = parse(line).expect("it has a meaning");
    let [chain] = script.0.as_slice() else {
        panic!("{script:?} is not one chain");
    };
    let words = &simple(&chain.first.commands[0]).words;
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
    let command = simple(&third.first.commands[0]);
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
    assert_eq!(error("if a; then"), SyntaxErrorKind::Missing("fi"));
    assert_eq!(error("if a\n"), SyntaxErrorKind::Missing("then"));
    assert_eq!(error("if a; b; fi"), SyntaxErrorKind::Expected("then"));
    assert_eq!(error("if; then a; fi"), SyntaxErrorKind::NoCommand(';'));
    assert_eq!(
        error("while a; do done"),
        SyntaxErrorKind::NoCommandBefore("done")
    );
    assert_eq!(error("a; fi"), SyntaxErrorKind::UnexpectedWord("fi"));
    assert_eq!(error("a; then b"), SyntaxErrorKind::UnexpectedWord("then"));
    assert_eq!(error("a | fi"), SyntaxErrorKind::NoCommandBefore("fi"));
    assert_eq!(error("for 1 in a; do b; done"), SyntaxErrorKind::BadName);
    assert_eq!(error("case a in b) c;;"), SyntaxErrorKind::Missing("esac"));
    assert_eq!(error("case a in b c) d"), SyntaxErrorKind::Expected(")"));
    assert_eq!(error("(a"), SyntaxErrorKind::Missing(")"));
    assert_eq!(error("a )"), SyntaxErrorKind::Unexpected(')'));
    assert_eq!(error("{ a; "), SyntaxErrorKind::Missing("}"));
    assert_eq!(error("f() a"), SyntaxErrorKind::Expected("{"));
    assert_eq!(error("f()"), SyntaxErrorKind::Missing("{"));
    assert_eq!(error("echo $(a"), SyntaxErrorKind::Missing(")"));
    assert_eq!(error("echo $((1 + 2)"), SyntaxErrorKind::Missing("))"));
    assert_eq!(error("echo ${a:-b"), SyntaxErrorKind::OpenBrace);
    assert_eq!(error("echo ${a:b}"), SyntaxErrorKind::BadName);
    assert_eq!(error("cat <<E\na\n"), SyntaxErrorKind::OpenHere);
    let wrong = parse("a\nif b\nthen c\n\n").expect_err("wrong");
    assert!(wrong.is_incomplete() && wrong.line == 2);
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

#[test]
fn compounds_are_printed_on_one_line() {
    let cases = [
        (
            "if a\nthen b\nelif c; then d & else\n e; fi >f",
            "if a; then b; elif c; then d & else e; fi > f",
        ),
        ("while a; do\n b\n done", "while a; do b; done"),
        ("until a && b; do c; done", "until a && b; do c; done"),
        ("for x in a b\ndo c; done", "for x in a b; do c; done"),
        ("for x do c; done", "for x; do c; done"),
        ("for x in; do c; done", "for x in; do c; done"),
        (
            "case $a in\n(b|c) d;;\n*) e\n esac",
            "case ${a} in (b | c) d ;; (*) e ;; esac",
        ),
        ("case a in b) ;; esac", "case a in (b) ;; esac"),
        ("f ( )\n{ a\n}", "f() { a; }"),
        ("(a;b)|(c&)", "( a; b ) | ( c & )"),
        ("{ a; } 2>&1 >&2", "{ a; } 2>&1 >&2"),
        ("echo if then done", "echo if then done"),
        ("> f if a", "> f if a"),
        ("{ { a; } }", "{ { a; }; }"),
        (
            "echo \"a$(b \"c\" `)$((1+$x))\"",
            "echo 'a'\"$( b 'c' ` )\"\"$((1+${x}))\"",
        ),
        (
            "echo ${a:-b c} \"${a:+}}\" ${#a} ${#} ${a=}",
            "echo ${a:-b c} \"${a:+}\"'}' ${#a} ${#} ${a=}",
        ),
        (
            "echo $(case a in a) b;; esac)",
            "echo $( case a in (a) b ;; esac )",
        ),
        ("echo $( (a) )", "echo $( ( a ) )"),
        ("cat <<E; b\n$x\nE\n", "cat <<END; b"),
    ];
    for (text, expected) in cases {
        let printed = printed_first_line(text);
        assert_eq!(printed, expected, "{text}");
    }
}

fn printed_first_line(text: &str) -> String {
    let script = parse(text).expect(text);
    let flat: Vec<String> = script
        .0
        .iter()
        .map(|chain| {
            let text = chain.to_string();
            text.lines().next().unwrap_or_default().to_owned()
        })
        .collect();
    flat.join("; ")
}

#[test]
fn here_documents_are_read_behind_the_line() {
    let text = "cat <<A <<'B' | {\na $x \\$y\nA\nb $x\nB\ncat <<-C; }\n\tc\n\tC\nd";
    let script = parse(text).expect("right");
    let [first, second] = script.0.as_slice() else {
        panic!("{script:?}");
    };
    assert_eq!((first.line, second.line), (1, 9));
    let cat = simple(&first.first.commands[0]);
    assert_eq!(
        cat.redirects[0].target.0,
        [quoted("a "), variable("x", true), quoted(" $y\n")]
    );
    assert_eq!(cat.redirects[1].target.0, [quoted("b $x\n")]);
    let Command::Compound(group) = &first.first.commands[1] else {
        panic!("{first:?}");
    };
    let CompoundKind::Group(body) = &group.kind else {
        panic!("{group:?}");
    };
    let inner = simple(&body.0[0].first.commands[0]);
    assert_eq!(inner.redirects[0].target.0, [quoted("c\n")]);
    assert_eq!(
        parse(&script.to_string()).map(|script| script.0.len()),
        Ok(2)
    );
}

#[test]
fn lines_are_told_of_commands_within_others() {
    let script = parse("\nif a\nthen\n\n  b\n  c\nfi; d").expect("right");
    let Command::Compound(compound) = &script.0[0].first.commands[0] else {
        panic!("{script:?}");
    };
    let CompoundKind::If { branches, .. } = &compound.kind else {
        panic!("{compound:?}");
    };
    let lines: Vec<_> = branches[0].1.0.iter().map(|chain| chain.line).collect();
    assert_eq!((lines, script.0[1].line), (vec![5, 6], 7));
    assert_eq!(parse(&script.to_string()), Ok(script));
}

#[test]
fn what_lies_too_deep_is_refused() {
    for open in [
        "(", "{ ", "if ", "while ", "$(", "${a:-", "$((", "\"$(", "f()", "case $(",
    ] {
        let text = open.repeat(100_000);
        let error = parse(&text).expect_err(open);
        assert!(
            matches!(
                error.kind,
                SyntaxErrorKind::TooDeep | SyntaxErrorKind::Expected(_)
            ),
            "{open} {error}"
        );
    }
    let nested = |count: usize| format!("{}a{}", "{ ".repeat(count), "; }".repeat(count));
    assert!(parse(&nested(DEPTH_MAX)).is_ok());
    assert_eq!(error(&nested(DEPTH_MAX + 1)), SyntaxErrorKind::TooDeep);
}
