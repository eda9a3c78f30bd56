use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::syntax::{RedirectKind, parse};
use crate::variables::Variables;

/// A host whose only programs are `echo` and `interrupt`, with files in memory.
#[derive(Default)]
struct Fake {
    state: State,
    variables: Variables,
    arguments: Vec<String>,
    output: String,
    errors: String,
    files: BTreeMap<String, String>,
    /// Rounds that are left before somebody interrupts.
    patience: Option<u32>,
    is_interrupted: bool,
}

impl World for Fake {
    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "?" => Some(self.state.status.to_string()),
            name => self.variables.get(name).map(String::from),
        }
    }

    fn arguments(&self) -> &[String] {
        &self.arguments
    }

    fn entries(&self, _: &str) -> Vec<String> {
        vec![]
    }

    fn set(&mut self, name: &str, value: &str) -> bool {
        self.variables.set(name, value)
    }

    fn output(&mut self, script: &Script) -> Result<String, ExpandError> {
        let before = core::mem::take(&mut self.output);
        run_substitution(self, script);
        if self.is_interrupted || self.state.flow.is_some() {
            return Err(ExpandError::Ended);
        }
        Ok(core::mem::replace(&mut self.output, before))
    }
}

impl Host for Fake {
    type Streams = (Option<String>, String);
    type Snapshot = (State, Variables, Vec<String>);

    fn state(&mut self) -> &mut State {
        &mut self.state
    }

    fn is_interrupted(&mut self) -> bool {
        if let Some(patience) = &mut self.patience {
            *patience = patience.saturating_sub(1);
            self.is_interrupted |= *patience == 0;
        }
        self.is_interrupted
    }

    fn file(&self, _: &str) -> Option<condition::File> {
        None
    }

    fn complain(&mut self, text: &str) {
        self.errors += &format!("{}: {text}\n", self.state.line);
    }

    fn simple(&mut self, command: &Simple) -> u64 {
        self.state.substitution = None;
        let words = match expand::words(&command.words, self) {
            Ok(words) => words,
            Err(error) => return refuse(self, &error),
        };
        for (name, value) in &command.assignments {
            match expand::single(value, self) {
                Ok(value) => assert!(self.variables.set(name, &value)),
                Err(error) => return refuse(self, &error),
            }
        }
        let Some((name, arguments)) = words.split_first() else {
            return self.state.substitution.unwrap_or(0);
        };
        if let Some(function) = self.state.functions.get(name).cloned() {
            return call(self, &function, arguments.to_vec());
        }
        if let Some(status) = builtin(self, name, arguments) {
            return status;
        }
        match name.as_str() {
            "echo" => {
                let line = arguments.join(" ") + "\n";
                let file = command.redirects.first().map(|redirect| &redirect.target);
                match file.map(|file| expand::single(file, self).expect("a name")) {
                    Some(file) => *self.files.entry(file).or_default() += &line,
                    None => self.output += &line,
                }
                0
            }
            "shift" => {
                self.arguments.remove(0);
                0
            }
            "interrupt" => {
                self.is_interrupted = true;
                130
            }
            _ => 127,
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline) -> u64 {
        for command in &pipeline.commands {
            let snapshot = self.begin_subshell();
            self.state.status = run_command(self, command);
            self.end_subshell(snapshot);
        }
        self.state.status
    }

    fn timed(&mut self, run: impl FnOnce(&mut Self) -> u64) -> u64 {
        let status = run(self);
        self.errors += &format!("timed {status}\n");
        status
    }

    fn background(&mut self, chain: &Chain) {
        self.output += &format!("[{chain}]\n");
        self.state.status = 0;
    }

    fn redirect(&mut self, redirects: &[Redirect]) -> Result<Self::Streams, String> {
        let redirect = &redirects[0];
        let name = expand::single(&redirect.target, self).expect("a name");
        match redirect.kind {
            RedirectKind::Output => Ok((Some(name), core::mem::take(&mut self.output))),
            _ => Err(format!("{name}: not found")),
        }
    }

    fn restore(&mut self, (file, before): Self::Streams) {
        let output = core::mem::replace(&mut self.output, before);
        self.files.extend(file.map(|file| (file, output)));
    }

    fn begin_subshell(&mut self) -> Self::Snapshot {
        let inner = self.state.of_subshell();
        (
            core::mem::replace(&mut self.state, inner),
            self.variables.clone(),
            self.arguments.clone(),
        )
    }

    fn end_subshell(&mut self, (state, variables, arguments): Self::Snapshot) {
        self.state = state.after(&self.state);
        (self.variables, self.arguments) = (variables, arguments);
    }

    fn set_arguments(&mut self, arguments: Vec<String>) -> Vec<String> {
        core::mem::replace(&mut self.arguments, arguments)
    }
}

fn ran(text: &str) -> Fake {
    let mut fake = Fake {
        arguments: vec!["p".into(), "q r".into()],
        ..Fake::default()
    };
    run(&mut fake, &parse(text).expect(text));
    fake
}

/// Scripts, and what each writes: as it does in other shells that follow POSIX.
const CASES: &[(&str, &str)] = &[
    ("if true; then echo a; else echo b; fi", "a"),
    ("if false; then echo a; elif true; then echo b; fi", "b"),
    ("if false; then echo a; fi; echo $?", "0"),
    ("if false; then echo a; else false; fi; echo $?", "1"),
    ("if ! false && true; then echo a; fi", "a"),
    (
        "i=0; while [ $i -lt 3 ]; do echo $i; i=$((i + 1)); done",
        "0\n1\n2",
    ),
    ("i=3; until [ $i = 0 ]; do i=$((i - 1)); done; echo $i", "0"),
    ("while false; do echo a; done; echo $?", "0"),
    (
        "for x in a 'b c' $(echo d e); do echo $x; done",
        "a\nb c\nd\ne",
    ),
    ("for x; do echo $x; done", "p\nq r"),
    ("for x in; do echo a; done; echo $?", "0"),
    ("for x in a b; do false; done; echo $? $x", "1 b"),
    (
        "for x in a b c; do if [ $x = b ]; then break; fi; echo $x; done",
        "a",
    ),
    (
        "for x in a b c; do if [ $x = b ]; then continue; fi; echo $x; done",
        "a\nc",
    ),
    (
        "for x in a b; do for y in c d; do continue 2; done; echo no; done; echo $x$y",
        "bc",
    ),
    (
        "for x in a b; do for y in c d; do break 2; done; done; echo $x$y",
        "ac",
    ),
    (
        "for x in a b; do while true; do break 9; done; done; echo $x",
        "a",
    ),
    ("while true; do break; done; echo $?", "0"),
    ("while true && break; do echo no; done; echo a", "a"),
    ("case abc in a*) echo 1;; *) echo 2;; esac", "1"),
    ("case abc in x|abc) echo 1;; esac", "1"),
    ("case '*' in a) echo 1;; '*') echo 2;; esac", "2"),
    ("case a in '*') echo 1;; [!b]) echo 2 ;; esac", "2"),
    (
        "x='a*'; case abc in $x) echo 1;; esac; case abc in \"$x\") echo 2;; esac",
        "1",
    ),
    ("false; case a in b) ;; esac; echo $?", "0"),
    ("case a in a) (exit 3); esac; echo $?", "3"),
    (
        "f() { echo \"<$1>\" $#; }; f 'a b' c; echo $1",
        "<a b> 2\np",
    ),
    ("f() { return 3; echo no; }; f; echo $?", "3"),
    ("f() { false; return; }; f; echo $?", "1"),
    (
        "f() { x=1; for y in a b; do return 2; done; }; f; echo $? $x $y",
        "2 1 a",
    ),
    (
        "f() { if [ $1 = 0 ]; then echo end; else f $(($1 - 1)); fi; }; f 5",
        "end",
    ),
    ("f() (x=2; exit 4); x=1; f; echo $? $x", "4 1"),
    ("f() { echo 1; }; f() { echo 2; }; f", "2"),
    ("f() { shift; echo $1; }; f a b; echo $1", "b\np"),
    ("(x=1; echo $x; exit 3); echo $? $x.", "1\n3 ."),
    ("{ x=1; }; echo $x", "1"),
    ("x=$(echo a; echo b); echo \"$x\"", "a\nb"),
    ("x=1; y=$(x=2; echo $x); echo $x$y", "12"),
    ("x=$(false); echo $?", "1"),
    ("x=$(exit 3)$(exit 4); echo $?", "4"),
    ("true | while true; do x=1; break; done; echo $x.", "."),
    ("! { false; }; echo $?", "0"),
    ("x=a && { echo $x; false; } || echo b", "a\nb"),
    ("echo a; exit 3; echo b", "a"),
    ("f() { exit 2; }; f; echo no", ""),
    ("f() { echo $(return 5)$?; }; f", "0"),
    ("x=; echo ${x:-a} ${x-b} ${y-c}", "a c"),
    ("echo ${y?}; echo no", ""),
    ("echo $((1 / 0)); echo no", ""),
    ("for x in $((1 +)) b; do echo no; done; echo no", ""),
    (
        "test; echo $?; test a = a; echo $?; [ -n '' ]; echo $?",
        "1\n0\n1",
    ),
    ("[ 1 -eq a ]; echo $?", "2"),
    ("if [ a = b ] || [ a = a ]; then echo a; fi", "a"),
    (
        "i=0; while :; do i=$((i + 1)); [ $i -gt 99 ] && break; done; echo $i",
        "100",
    ),
];

#[test]
fn scripts_do_what_they_do_elsewhere() {
    for (text, expected) in CASES {
        let fake = ran(text);
        assert_eq!(fake.output.trim_end(), *expected, "{text}\n{}", fake.errors);
    }
}

#[test]
fn errors_name_their_line_and_end_the_script() {
    let cases = [
        (
            "echo a\n\necho ${x:?is not there}\necho b",
            "3: x: is not there\n",
        ),
        (
            "f() {\n  echo $((1 / 0))\n}\nf\n",
            "2: $((...)): a division by zero\n",
        ),
        ("if true\nthen\nbreak; fi", "3: break: this is no loop\n"),
        ("return 3", "1: return: this is no function\n"),
        ("f() { :; }\nexit a", "2: exit: the status is no number\n"),
        (
            "\nexit() { :; }",
            "2: exit: no function can have this name\n",
        ),
        (
            "for x in a; do break 0; done",
            "1: break: how many loops is no number above 0\n",
        ),
        ("[ a", "1: [: ']' is missing\n"),
        ("{ echo a; } < b", "1: b: not found\n"),
    ];
    for (text, expected) in cases {
        assert_eq!(ran(text).errors, expected, "{text}");
    }
    let mut fake = ran("f() { f; }\nf\necho b");
    assert_eq!(fake.output, "");
    assert!(fake.errors.starts_with("1: more than "), "{}", fake.errors);
    assert_eq!(fake.state().depth, 0);
}

#[test]
fn functions_have_bounded_room() {
    let body = "x".repeat(FUNCTIONS_MAX / 3);
    let mut fake = ran(&format!(
        "a() {{ {body}; }}; b() {{ {body}; }}; c() {{ {body}; }}"
    ));
    assert!(fake.errors.contains("c: the functions have no room for it"));
    assert!(fake.state.forget("a") && !fake.state.forget("a") && fake.state.forget("b"));
    assert_eq!(fake.state.function_bytes, 0);
}

#[test]
fn redirections_are_for_all_within() {
    let fake = ran("for x in a b; do echo $x; done > f; echo c; { echo d > g; echo e; } > h");
    assert_eq!(fake.output, "c\n");
    let files: Vec<_> = fake
        .files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    assert_eq!(files, [("f", "a\nb\n"), ("g", "d\n"), ("h", "e\n")]);
}

#[test]
fn what_is_in_the_background_is_not_run() {
    let fake = ran("for x in a; do while true; do :; done & done; echo $?");
    assert_eq!(fake.output, "[while true; do :; done]\n0\n");
}

#[test]
fn an_interruption_ends_everything() {
    for text in [
        "while true; do :; done; echo no",
        "while :; do while :; do :; done; done; echo no",
        "for x in a; do until false; do :; done; echo no; done",
        "f() { while :; do :; done; }; f || echo no",
        "x=$(while :; do :; done); echo no",
        "( while :; do :; done ); echo no",
        "case a in a) while :; do :; done;; esac; echo no",
        "if while :; do :; done; then echo no; fi",
        "interrupt; echo no",
    ] {
        let mut fake = Fake {
            patience: Some(1000),
            ..Fake::default()
        };
        run(&mut fake, &parse(text).expect(text));
        assert!(fake.is_interrupted && fake.output.is_empty(), "{text}");
        assert_eq!(
            (fake.state.depth, fake.state.loops, fake.state.calls),
            (0, 0, 0),
            "{text}"
        );
    }
}

proptest! {
    #[test]
    fn whatever_is_read_is_run_and_ends(words in vec(prop_oneof![
        Just("if"), Just("then"), Just("fi"), Just("else"), Just("while"), Just("do"), Just("done"), Just("for x in a b"), Just("case a in a)"),
        Just("esac"), Just("{"), Just("}"), Just("("), Just(")"), Just(";"), Just(";"), Just(";;"), Just("&"), Just("|"), Just("&&"),
        Just("true"), Just("false"), Just("break"), Just("continue 2"), Just("return"), Just("exit"), Just("f() {"), Just("f"),
        Just("x=$("), Just("echo $(("), Just("x += 1"), Just("))"), Just("\"$@\""), Just("shift_"), Just("> f"),
    ], 0..30)) {
        if let Ok(script) = parse(&words.join(" ")) {
            let mut fake = Fake { patience: Some(2000), ..Fake::default() };
            run(&mut fake, &script);
            prop_assert_eq!((fake.state.depth, fake.state.loops, fake.state.calls), (0, 0, 0));
        }
    }
}

#[test]
fn what_takes_time_is_any_pipeline() {
    for (text, errors) in [
        ("time false", "timed 1\n"),
        ("time ! false", "timed 1\n"),
        ("! time { true; false; }", "timed 1\n"),
        ("time for x in a b; do false; done", "timed 1\n"),
        ("time (true) && time true | false", "timed 0\ntimed 1\n"),
        ("if time true; then time false; fi", "timed 0\ntimed 1\n"),
        // A command of its own, with an option or alone; a word like others elsewhere.
        (
            "time --help; time; time # nothing\ntime&&true; echo time a",
            "",
        ),
        ("time() { false; }", ""),
    ] {
        let mut fake = Fake::default();
        run(&mut fake, &parse(text).expect(text));
        assert_eq!(fake.errors, errors, "{text}");
    }
}

#[test]
fn a_suite_is_no_question() {
    let is_program = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| (*word).into()).collect();
        super::is_program("test", &words)
    };
    assert!(is_program(&["kernel"]));
    assert!(is_program(&["supervision", "--kills", "40"]));
    assert!(!is_program(&["kernel", "=", "kernel"]));
    assert!(!is_program(&["-n", "kernel"]) && !is_program(&["other"]) && !is_program(&[]));
}
