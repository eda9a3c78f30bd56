use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A terminal that understands what the editor sends.
struct Terminal {
    columns: usize,
    rows: Vec<Vec<char>>,
    row: usize,
    column: usize,
    /// A character stands in the last column, and the next one goes to the next row.
    is_full: bool,
}

impl Terminal {
    fn new(columns: usize) -> Self {
        Self {
            columns,
            rows: vec![vec![' '; columns]],
            row: 0,
            column: 0,
            is_full: false,
        }
    }

    fn down(&mut self) {
        self.row += 1;
        if self.row == self.rows.len() {
            self.rows.push(vec![' '; self.columns]);
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        let text = String::from_utf8(bytes.to_vec()).expect("the editor sends UTF-8");
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            match character {
                '\r' => (self.column, self.is_full) = (0, false),
                '\n' => {
                    self.down();
                    self.is_full = false;
                }
                '\x07' => {}
                '\x1b' => {
                    assert_eq!(characters.next(), Some('['));
                    let mut number = 0;
                    let last = loop {
                        match characters.next().expect("a sequence ends") {
                            digit @ '0'..='9' => {
                                number =
                                    number * 10 + digit.to_digit(10).expect("a digit") as usize;
                            }
                            last => break last,
                        }
                    };
                    self.is_full = false;
                    match last {
                        'A' => self.row = self.row.checked_sub(number.max(1)).expect("not above"),
                        'C' => self.column = (self.column + number.max(1)).min(self.columns - 1),
                        'H' => (self.row, self.column) = (0, 0),
                        'J' => {
                            let from = if number == 2 { 0 } else { self.column };
                            self.rows[self.row][from..].fill(' ');
                            self.rows.truncate(self.row + 1);
                        }
                        other => panic!("{other} was not expected"),
                    }
                }
                character => {
                    let width = crate::width(character);
                    // It goes to the character before it.
                    if width == 0 {
                        continue;
                    }
                    if self.is_full || self.column + width > self.columns {
                        self.column = 0;
                        self.is_full = false;
                        self.down();
                    }
                    self.rows[self.row][self.column] = character;
                    for more in 1..width {
                        self.rows[self.row][self.column + more] = '\0';
                    }
                    self.column += width;
                    if self.column == self.columns {
                        self.column -= 1;
                        self.is_full = true;
                    }
                }
            }
        }
    }
}

fn feed(editor: &mut Editor, text: &str) -> Vec<Event> {
    text.bytes().filter_map(|byte| editor.take(byte)).collect()
}

/// What a line becomes by some keys.
fn edited(keys: &str) -> String {
    let mut editor = Editor::new(80);
    editor.begin("> ");
    match feed(&mut editor, &format!("{keys}\r")).pop() {
        Some(Event::Line(line)) => line,
        other => panic!("{other:?}"),
    }
}

#[test]
fn keys_do_what_they_are_for() {
    let cases = [
        ("abc\x1b[D\x1b[DX", "aXbc"),
        ("abc\x01X\x05Y", "XabcY"),
        ("abc\x1b[HX\x1b[FY\x1bOHZ", "ZXabcY"),
        ("aä\x7fb", "ab"),
        ("abc\x01\x1b[3~", "bc"),
        ("one two\x17x", "one x"),
        ("one two\x1bb\x15", "two"),
        ("one two\x01\x1bf\x0b", "one"),
        ("one two\x15\x19\x19", "one twoone two"),
        ("a/b c\x1b\x7f", "a/b "),
        ("ab\x14", "ba"),
        ("one two\x1b[1;5D\x1b[1;5DX", "Xone two"),
        ("\x1b[200~a\rb\tc\x1b[201~", "a b c"),
        ("日本\x1b[DX", "日X本"),
        ("\x1b[99;99;99;99;99;99Xq", "q"),
        ("\u{1f600}\x08ok", "ok"),
    ];
    for (keys, line) in cases {
        assert_eq!(edited(keys), line, "{keys:?}");
    }
}

#[test]
fn ends_of_lines_are_told_once() {
    let mut editor = Editor::new(80);
    editor.begin("> ");
    let events = feed(&mut editor, "a\r\nb\n\x03\x04");
    assert_eq!(
        events,
        [
            Event::Line("a".into()),
            Event::Line("b".into()),
            Event::Interrupt,
            Event::End
        ]
    );
}

#[test]
fn history_is_recalled_and_searched() {
    let mut editor = Editor::new(80);
    editor.begin("> ");
    feed(
        &mut editor,
        "first one\rsecond two\rsecond two\r hidden\rthird one\r",
    );
    let lines: Vec<_> = editor.history().lines().collect();
    assert_eq!(lines, ["first one", "second two", "third one"]);
    let mut line = |keys: &str| {
        editor.begin("> ");
        feed(&mut editor, keys).pop()
    };
    let is = |text: &str| Some(Event::Line(text.into()));
    assert_eq!(line("dr\x1b[A\x1b[A\x1b[B\x1b[B\r"), is("dr"));
    assert_eq!(line("\x1b[A\x1b[A!\r"), is("third one!"));
    assert_eq!(line("\x12one\x12\r"), is("third one"));
    assert_eq!(line("\x12first\x05!\r"), is("first one!"));
    assert_eq!(line("x\x12none\x07y\r"), is("xy"));
}

#[test]
fn completion_adds_what_is_common_and_shows_the_rest() {
    let mut editor = Editor::new(20);
    editor.begin("> ");
    assert_eq!(
        feed(&mut editor, "cat a\t"),
        [Event::Complete("cat a".into())]
    );
    let of = |names: &[&str]| Completion::of_names(4, names.iter().map(|name| (*name).into()));
    editor.complete(&of(&["abc", "abd"]));
    assert_eq!(editor.line.text(), "cat ab");
    editor.take_output();
    feed(&mut editor, "\t");
    editor.complete(&of(&["abc", "abd"]));
    assert!(editor.take_output().is_empty());
    feed(&mut editor, "\t");
    editor.complete(&of(&["abc", "abd"]));
    let shown = String::from_utf8(editor.take_output()).expect("text");
    assert!(shown.contains("abc  abd\r\n"), "{shown:?}");
    feed(&mut editor, "c\t");
    editor.complete(&of(&["ab c"]));
    assert_eq!(editor.line.text(), "cat ab\\ c ");
}

#[test]
fn the_word_that_is_completed_is_found() {
    let cases = [
        ("", 0, "", true),
        ("l", 0, "l", true),
        ("ls a", 3, "a", false),
        ("ls | w", 5, "w", true),
        ("a=1 l", 4, "l", true),
        ("cat >x", 5, "x", false),
        ("cat 'a b", 4, "a b", false),
        ("cat a\\ b", 4, "a b", false),
        ("if l", 3, "l", true),
        ("if a; then l", 11, "l", true),
        ("echo then l", 10, "l", false),
        ("echo $(l", 7, "l", true),
        ("a b\nl", 4, "l", true),
    ];
    for (before, start, word, is_command) in cases {
        assert_eq!(
            context_of(before),
            (start, word.into(), is_command),
            "{before}"
        );
    }
}

proptest! {
    /// Whatever is typed, the screen shows the prompt and the line, and the cursor is where it should be.
    #[test]
    fn the_screen_shows_the_line(
        keys in vec(prop_oneof![
            8 => "[a-zäö日\u{301}]",
            1 => Just("\x1b[D".to_owned()),
            1 => Just("\x1b[C".to_owned()),
            1 => Just("\x7f".to_owned()),
            1 => Just("\x01".to_owned()),
            1 => Just("\x05".to_owned()),
            1 => Just("\x1bb".to_owned()),
            1 => Just("\x0b".to_owned()),
        ], 0..60),
        columns in 8..20usize,
    ) {
        let mut editor = Editor::new(columns);
        editor.begin("$ ");
        let mut terminal = Terminal::new(columns);
        for key in keys {
            feed(&mut editor, &key);
            terminal.write(&editor.take_output());
            let mut expected = Terminal::new(columns);
            expected.write(format!("$ {}", editor.line.text()).as_bytes());
            let trim = |rows: &[Vec<char>]| {
                let rows = rows.iter().map(|row| row.iter().collect::<String>());
                rows.collect::<Vec<_>>().concat().trim_end().to_owned()
            };
            prop_assert_eq!(trim(&terminal.rows), trim(&expected.rows));
            let mut cursor = Terminal::new(columns);
            cursor.write(format!("$ {}", editor.line.before()).as_bytes());
            let at = |terminal: &Terminal| match terminal.is_full {
                true => (terminal.row + 1, 0),
                false => (terminal.row, terminal.column),
            };
            // A wide character that does not fit begins the next row: the cursor before it may be shown at either end.
            if !editor.line.text().contains('日') {
                prop_assert_eq!(at(&terminal), at(&cursor), "{:?}", editor.line);
            }
        }
    }

    #[test]
    fn any_bytes_are_taken(bytes in vec(any::<u8>(), 0..400), columns in 0..30usize) {
        let mut editor = Editor::new(columns);
        editor.begin("$ ");
        for byte in bytes {
            match editor.take(byte) {
                Some(Event::Line(_) | Event::Interrupt | Event::End) => editor.begin("$ "),
                Some(Event::Complete(before)) => {
                    let (start, word, _) = context_of(&before);
                    prop_assert!(start <= before.len());
                    let names = [format!("{word}x"), format!("{word}y")];
                    editor.complete(&Completion::of_names(start, names.into_iter()));
                }
                None => {}
            }
            prop_assert!(String::from_utf8(editor.take_output()).is_ok());
        }
    }
}

#[test]
fn what_is_typed_over_several_lines_is_one_of_the_history() {
    let mut editor = Editor::new(80);
    let enter = |editor: &mut Editor, line: &str, is_continued: bool| {
        editor.set_continued(is_continued);
        editor.begin("> ");
        let mut events = line
            .bytes()
            .chain([b'\r'])
            .filter_map(|byte| editor.take(byte));
        events.next().expect("a line")
    };
    for (line, is_continued) in [
        ("a", false),
        ("if b", false),
        ("then c", true),
        ("fi", true),
    ] {
        enter(&mut editor, line, is_continued);
    }
    let lines: Vec<_> = editor.history().lines().map(String::from).collect();
    assert_eq!(lines, ["a", "if b\nthen c\nfi"]);
    // One that begins with a blank is not kept, nor is what goes on with it.
    enter(&mut editor, " x", false);
    enter(&mut editor, "y", true);
    assert_eq!(editor.history().lines().count(), 2);
    // What is too long to be edited goes.
    enter(&mut editor, "z", false);
    for _ in 0..50 {
        enter(&mut editor, &"z".repeat(100), true);
    }
    assert_eq!(editor.history().lines().count(), 2);
    editor.set_continued(false);
    editor.begin("> ");
    editor.take_output();
    for byte in b"\x1b[A" {
        editor.take(*byte);
    }
    let shown = String::from_utf8(editor.take_output()).expect("text");
    assert!(shown.contains("if b¶then c¶fi"), "{shown}");
    assert_eq!(
        editor.take(b'\r'),
        Some(Event::Line("if b\nthen c\nfi".into()))
    );
}
