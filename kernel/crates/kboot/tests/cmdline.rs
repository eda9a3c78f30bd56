//! Command lines as boot loaders pass them.

use kboot::cmdline::{Argument, CommandLine, commands};
use proptest::prelude::*;

fn words(value: &str) -> Vec<Vec<&str>> {
    commands(value)
        .map(|command| command.words().collect())
        .collect()
}

#[test]
fn the_options_of_the_kernel() {
    let line = CommandLine::new(
        "  cmd=\"hello a; 'b c' d\" log=debug\tqemu-exit=0xf4 maxcpus=4 ktest fb=off log=info ",
    );
    assert_eq!(line.get("cmd"), Some("hello a; 'b c' d"));
    assert_eq!(line.get("log"), Some("info"), "the last one counts");
    assert_eq!(line.number("qemu-exit"), Some(0xf4));
    assert_eq!(line.number("maxcpus"), Some(4));
    assert_eq!((line.number("log"), line.number("none")), (None, None));
    assert!(line.flag("ktest") && !line.flag("fb") && !line.flag("none"));
    assert_eq!(line.get("ktest"), None);
    assert_eq!(line.iter().count(), 7);
    assert_eq!(
        words(line.get("cmd").unwrap()),
        [vec!["hello", "a"], vec!["b c", "d"]]
    );
}

#[test]
fn odd_lines() {
    let all = |text| {
        CommandLine::new(text)
            .iter()
            .map(|a| (a.key, a.value))
            .collect::<Vec<_>>()
    };
    assert_eq!(all(""), []);
    assert_eq!(all("a=\"b"), [("a", Some("b"))]);
    assert_eq!(all("a=\"b\"c=d"), [("a", Some("b")), ("c", Some("d"))]);
    assert_eq!(
        all("=x a= b=c=d"),
        [("", Some("x")), ("a", Some("")), ("b", Some("c=d"))]
    );
    assert_eq!(all("a\"b c\""), [("a\"b", None), ("c\"", None)]);
    assert_eq!(CommandLine::new("n=+4").number("n"), None);
}

#[test]
fn odd_commands() {
    assert_eq!(words(""), Vec::<Vec<&str>>::new());
    assert_eq!(words(" ; ;; a ;"), [vec!["a"]]);
    assert_eq!(words("a;b"), [vec!["a"], vec!["b"]]);
    assert_eq!(
        words("echo 'a; b' \"c;'d\"; e"),
        [vec!["echo", "a; b", "c;'d"], vec!["e"]]
    );
    assert_eq!(words("echo 'open; b"), [vec!["echo", "open; b"]]);
    assert_eq!(words("it's here; x"), [vec!["it's", "here"], vec!["x"]]);
    assert_eq!(words("''"), [vec![""]]);
    let lines: Vec<_> = commands(" a 'b' ;c ")
        .map(|command| command.line())
        .collect();
    assert_eq!(lines, ["a 'b'", "c"]);
}

proptest! {
    #[test]
    fn options_come_back(
        options in proptest::collection::vec(("[a-z][a-z-]{0,6}", proptest::option::of("[^\"]{0,10}")), 0..8),
    ) {
        let text: Vec<_> = options
            .iter()
            .map(|(key, value)| match value {
                Some(value) => format!("{key}=\"{value}\""),
                None => key.clone(),
            })
            .collect();
        let text = text.join(" ");
        let found: Vec<_> = CommandLine::new(&text).iter().collect();
        let expected: Vec<_> =
            options.iter().map(|(key, value)| Argument { key, value: value.as_deref() }).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn commands_come_back(
        list in proptest::collection::vec(proptest::collection::vec("[^']{0,8}", 1..4), 0..5),
    ) {
        let quote = |words: &Vec<String>| words.iter().map(|w| format!("'{w}'")).collect::<Vec<_>>().join(" ");
        let text = list.iter().map(quote).collect::<Vec<_>>().join(";");
        prop_assert_eq!(words(&text), list);
    }

    #[test]
    fn any_text_is_survived_and_ends(text in "\\PC{0,60}", syntax in "[a=\"'; \t]{0,40}") {
        for text in [&text, &syntax] {
            prop_assert!(CommandLine::new(text).iter().count() <= text.len());
            let words: usize = commands(text).map(|command| command.words().count()).sum();
            prop_assert!(words <= text.len());
        }
    }
}
