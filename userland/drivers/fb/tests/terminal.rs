//! What bytes do to the grid: invariants for any bytes, and the sequences one by one.

use fb::{Attributes, Cell, Colour, Cursor, Scroll, Shape, Style, Terminal};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::sample::select;

/// Pieces of what programs write, well and badly formed.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![0..12_u32, Just(0), Just(80), Just(65535), Just(99999)];
    let finals: Vec<char> = "@ABCDEFGHIJKLMPSTXZ`abcdefghlmnqrstu".chars().collect();
    let csi = (
        select(vec!["", "?", ">", "!", " "]),
        vec(number.clone(), 0..4),
        select(finals),
    )
        .prop_map(|(mark, params, last)| {
            let params: Vec<String> = params.iter().map(u32::to_string).collect();
            format!("\x1b[{mark}{}{last}", params.join(";")).into_bytes()
        });
    let mode = (
        select(vec![1, 5, 6, 7, 25, 47, 1047, 1048, 1049]),
        select(vec!['h', 'l']),
    )
        .prop_map(|(mode, last)| format!("\x1b[?{mode}{last}").into_bytes());
    let region =
        (0..9_u32, 0..9_u32).prop_map(|(top, end)| format!("\x1b[{top};{end}r").into_bytes());
    let text = select(vec![
        "a", "hello", "\r\n", "\n", "\t", "\x08", "語", "漢字", "é", "e\u{301}", "😀", "─┼",
        "\x0e", "\x0f", "ﾊ", "\u{200d}", "\u{9b}", "\u{85}",
    ])
    .prop_map(|text| text.as_bytes().to_vec());
    let escape = select(vec![
        "\x1b7",
        "\x1b8",
        "\x1bD",
        "\x1bE",
        "\x1bM",
        "\x1bH",
        "\x1bc",
        "\x1b(0",
        "\x1b(B",
        "\x1b)0",
        "\x1b#8",
        "\x1b]0;title\x07",
        "\x1b]2;",
        "\x1bP1$q",
        "\x1b\\",
        "\x1b[4h",
        "\x1b[4l",
        "\x1b[20h",
        "\x1b[!p",
        "\x1b[?25$p",
    ])
    .prop_map(|text| text.as_bytes().to_vec());
    let bytes = vec(any::<u8>(), 0..6);
    prop_oneof![4 => csi, 1 => mode, 1 => region, 6 => text, 2 => escape, 1 => bytes]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(piece(), 0..60).prop_map(|pieces| pieces.concat())
}

fn cells(terminal: &Terminal) -> Vec<Vec<Cell>> {
    let rows = terminal.size().1;
    (0..rows).map(|row| terminal.line(row).to_vec()).collect()
}

/// The cursor is in the grid, and wide characters are whole.
fn check(terminal: &Terminal) {
    let (columns, rows) = terminal.size();
    if let Some(cursor) = terminal.cursor() {
        assert!(cursor.column < columns && cursor.row < rows, "{cursor:?}");
    }
    for row in 0..rows {
        let line = terminal.line(row);
        assert!(line.len() <= columns);
        for (column, cell) in line.iter().enumerate() {
            if cell.is_wide() {
                assert!(line.get(column + 1).is_some_and(Cell::is_spacer));
                assert!(!cell.is_spacer());
            }
            if cell.is_spacer() {
                assert!(column > 0 && line[column - 1].is_wide());
                assert_eq!(cell.character, ' ');
            }
            assert!(!cell.character.is_control());
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_leave_a_whole_grid(
        columns in 2_usize..20, rows in 1_usize..9, parts in vec(bytes(), 0..6), scrolls in vec(0..3_u8, 0..6)
    ) {
        let mut terminal = Terminal::new(columns, rows).unwrap();
        for (index, part) in parts.iter().enumerate() {
            terminal.advance(part);
            check(&terminal);
            match scrolls.get(index) {
                Some(0) => { terminal.scroll(Scroll::Up); }
                Some(1) => { terminal.scroll(Scroll::Down); }
                Some(_) => { terminal.begin_session(); }
                None => {}
            }
            check(&terminal);
            prop_assert!(terminal.take_replies().len() < 2048);
        }
    }

    #[test]
    fn bytes_may_be_cut_anywhere(bytes in bytes(), cuts in vec(any::<proptest::sample::Index>(), 0..8)) {
        let mut whole = Terminal::new(17, 5).unwrap();
        whole.advance(&bytes);
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        places.sort_unstable();
        places.push(bytes.len());
        let mut cut = Terminal::new(17, 5).unwrap();
        let mut from = 0;
        for place in places {
            cut.advance(&bytes[from..place]);
            from = place;
        }
        prop_assert_eq!(cells(&whole), cells(&cut));
        prop_assert_eq!(whole.cursor(), cut.cursor());
        prop_assert_eq!(whole.take_replies(), cut.take_replies());
    }

    #[test]
    fn lines_go_to_the_history_and_come_back(count in 1_usize..300) {
        let mut terminal = Terminal::new(10, 4).unwrap();
        for line in 0..count {
            terminal.advance(format!("\r\nline {line}").as_bytes());
        }
        while terminal.scroll(Scroll::Up) {}
        let first = terminal.text();
        prop_assert!(first.starts_with("\nline 0\n"), "{}", first);
        terminal.scroll(Scroll::End);
        let text = terminal.text();
        let last = format!("line {}\n", count - 1);
        prop_assert!(text.contains(&last));
    }
}

/// What is shown after some bytes, in 10 columns and 5 rows: the text, and where the cursor is.
fn shown(bytes: &str) -> (String, (usize, usize)) {
    let mut terminal = Terminal::new(10, 5).unwrap();
    terminal.advance(bytes.as_bytes());
    check(&terminal);
    let cursor = terminal.cursor().unwrap();
    let text = terminal.text();
    (
        text.trim_end_matches('\n').to_owned(),
        (cursor.column, cursor.row),
    )
}

/// What the terminal answers.
fn answers(bytes: &str) -> String {
    let mut terminal = Terminal::new(10, 5).unwrap();
    terminal.advance(bytes.as_bytes());
    String::from_utf8(terminal.take_replies()).unwrap()
}

fn style(bytes: &str) -> Style {
    let mut terminal = Terminal::new(10, 5).unwrap();
    terminal.advance(bytes.as_bytes());
    terminal.line(0)[0].style
}

#[test]
fn text_wraps_when_the_next_character_comes() {
    assert_eq!(shown("0123456789"), ("0123456789".into(), (9, 0)));
    assert_eq!(shown("0123456789a"), ("0123456789\na".into(), (1, 1)));
    assert_eq!(shown("0123456789\r\nb"), ("0123456789\nb".into(), (1, 1)));
    assert_eq!(
        shown("\x1b[?7l0123456789abc"),
        ("012345678c".into(), (9, 0))
    );
    assert_eq!(shown("012345678漢"), ("012345678\n漢".into(), (2, 1)));
}

#[test]
fn the_cursor_moves_and_stays_inside() {
    assert_eq!(shown("\x1b[3;4Hx"), ("\n\n   x".into(), (4, 2)));
    assert_eq!(shown("\x1b[99;99Hx"), ("\n\n\n\n         x".into(), (9, 4)));
    assert_eq!(shown("abc\x1b[2Dx"), ("axc".into(), (2, 0)));
    assert_eq!(shown("\x1b[2B\x1b[3Cx"), ("\n\n   x".into(), (4, 2)));
    assert_eq!(
        shown("\x1b[4;1H\x1b[2Ax"),
        ("\n x".replace(' ', ""), (1, 1))
    );
    assert_eq!(shown("abc\x1b[2Ex"), ("abc\n\nx".into(), (1, 2)));
    assert_eq!(
        shown("abc\x1b[5Gx\x1b[2dy"),
        ("abc x\n     y".into(), (6, 1))
    );
    assert_eq!(shown("a\tb"), ("a       b".into(), (9, 0)));
    assert_eq!(shown("\x1b[3g\x1b[4G\x1bH\ra\tb"), ("a  b".into(), (4, 0)));
    assert_eq!(shown("\x1b[10G\x1b[Zx"), ("        x".into(), (9, 0)));
}

#[test]
fn cells_are_erased_inserted_and_deleted() {
    assert_eq!(shown("abcdef\x1b[3G\x1b[K"), ("ab".into(), (2, 0)));
    assert_eq!(shown("abcdef\x1b[3G\x1b[1K"), ("   def".into(), (2, 0)));
    assert_eq!(shown("abcdef\x1b[3G\x1b[2X"), ("ab  ef".into(), (2, 0)));
    assert_eq!(shown("abcdef\x1b[3G\x1b[2P"), ("abef".into(), (2, 0)));
    assert_eq!(shown("abcdef\x1b[3G\x1b[2@"), ("ab  cdef".into(), (2, 0)));
    assert_eq!(shown("abc\r\x1b[4hxy\x1b[4l"), ("xyabc".into(), (2, 0)));
    assert_eq!(shown("a\r\nb\r\nc\x1b[2;1H\x1b[J"), ("a".into(), (0, 1)));
    assert_eq!(
        shown("a\r\nb\r\nc\x1b[2;1H\x1b[1J"),
        ("\n\nc".into(), (0, 1))
    );
    assert_eq!(shown("a\r\nb\x1b[2J"), (String::new(), (1, 1)));
    assert_eq!(shown("ab\x1b[3b"), ("abbbb".into(), (5, 0)));
}

#[test]
fn lines_are_inserted_deleted_and_scrolled() {
    let lines = "1\r\n2\r\n3\r\n4\r\n5";
    let after = |rest: &str| shown(&format!("{lines}{rest}"));
    assert_eq!(after("\n6").0, "2\n3\n4\n5\n 6");
    assert_eq!(after("\x1b[2;1H\x1b[L"), ("1\n\n2\n3\n4".into(), (0, 1)));
    assert_eq!(after("\x1b[2;1H\x1b[2M"), ("1\n4\n5".into(), (0, 1)));
    assert_eq!(after("\x1b[2S").0, "3\n4\n5");
    assert_eq!(after("\x1b[2T").0, "\n\n1\n2\n3");
    assert_eq!(after("\x1b[2;4r\x1b[4;1H\nx").0, "1\n3\n4\nx\n5");
    assert_eq!(after("\x1b[2;4r\x1b[2;1H\x1bMx").0, "1\nx\n2\n3\n5");
    assert_eq!(after("\x1b[2;4r\x1b[?6h\x1b[1;1Hx").0, "1\nx\n3\n4\n5");
    assert_eq!(after("\x1b[H\x1bM0").0, "0\n1\n2\n3\n4");
}

#[test]
fn the_cursor_is_saved_with_all_that_belongs_to_it() {
    assert_eq!(shown("ab\x1b7\x1b[4;5H\x1b8c"), ("abc".into(), (3, 0)));
    assert_eq!(shown("ab\x1b[s\x1b[4;5H\x1b[uc"), ("abc".into(), (3, 0)));
    let restored = style("\x1b[31m\x1b7\x1b[0;44m\x1b8x");
    assert_eq!(restored.foreground, Colour::Indexed(1));
    assert_eq!(restored.background, Colour::Default);
}

#[test]
fn the_alternate_screen_leaves_the_other_as_it_was() {
    assert_eq!(
        shown("ab\x1b[?1049hXX\x1b[3;3Hyy\x1b[?1049lc"),
        ("abc".into(), (3, 0))
    );
    assert_eq!(shown("ab\x1b[?1049hX").0, "  X");
    // What scrolls there is not kept.
    let mut terminal = Terminal::new(10, 2).unwrap();
    terminal.advance(b"\x1b[?1049h1\r\n2\r\n3\r\n4");
    assert!(!terminal.scroll(Scroll::Up));
    terminal.advance(b"\x1b[?1049l");
    assert!(!terminal.scroll(Scroll::Up));
}

#[test]
fn characters_look_as_selected() {
    let attributes = |bytes: &str| style(bytes).attributes;
    assert_eq!(
        attributes("\x1b[1;4;7mx"),
        Attributes::BOLD
            .with(Attributes::UNDERLINE)
            .with(Attributes::INVERSE)
    );
    assert_eq!(attributes("\x1b[1;4;7m\x1b[22;24;27mx"), Attributes::NONE);
    assert_eq!(attributes("\x1b[4:3mx"), Attributes::UNDERLINE);
    assert_eq!(attributes("\x1b[4m\x1b[4:0mx"), Attributes::NONE);
    assert_eq!(attributes("\x1b[1m\x1b[mx"), Attributes::NONE);
    let foreground = |bytes: &str| style(bytes).foreground;
    assert_eq!(foreground("\x1b[31mx"), Colour::Indexed(1));
    assert_eq!(foreground("\x1b[95mx"), Colour::Indexed(13));
    assert_eq!(foreground("\x1b[38;5;200mx"), Colour::Indexed(200));
    assert_eq!(foreground("\x1b[38;2;1;2;3mx"), Colour::Rgb(1, 2, 3));
    assert_eq!(foreground("\x1b[38:2::1:2:3mx"), Colour::Rgb(1, 2, 3));
    assert_eq!(foreground("\x1b[38:2:1:2:3mx"), Colour::Rgb(1, 2, 3));
    assert_eq!(foreground("\x1b[38:5:7mx"), Colour::Indexed(7));
    assert_eq!(foreground("\x1b[31;38;5;999mx"), Colour::Indexed(1));
    assert_eq!(foreground("\x1b[31m\x1b[39mx"), Colour::Default);
    let both = style("\x1b[38;5;1;48;2;9;8;7;1mx");
    assert_eq!(both.background, Colour::Rgb(9, 8, 7));
    assert_eq!(both.attributes, Attributes::BOLD);
    // Erased cells keep the background only.
    let erased = style("\x1b[1;31;42m\x1b[2J");
    assert_eq!(
        erased,
        Style {
            background: Colour::Indexed(2),
            ..Style::default()
        }
    );
}

#[test]
fn questions_are_answered() {
    assert_eq!(answers("\x1b[5n"), "\x1b[0n");
    assert_eq!(answers("\x1b[2;3H\x1b[6n"), "\x1b[2;3R");
    assert_eq!(answers("\x1b[2;4r\x1b[?6h\x1b[2;3H\x1b[6n"), "\x1b[2;3R");
    assert_eq!(answers("\x1b[999;999H\x1b[6n"), "\x1b[5;10R");
    assert_eq!(answers("\x1b[18t"), "\x1b[8;5;10t");
    assert_eq!(answers("\x1b[c"), "\x1b[?62;22c");
    assert_eq!(
        answers("\x1b[?7$p\x1b[?1049$p\x1b[?77$p"),
        "\x1b[?7;1$y\x1b[?1049;2$y\x1b[?77;0$y"
    );
    assert_eq!(answers("\x1b]0;a title\x07\x1b]2;another\x1b\\"), "");
}

#[test]
fn lines_and_boxes_are_those_of_the_vt100() {
    assert_eq!(shown("\x1b(0lqk\x1b(Bq").0, "┌─┐q");
    assert_eq!(shown("\x1b)0\x0elqk\x0fq").0, "┌─┐q");
}

#[test]
fn marks_join_the_character_before() {
    assert_eq!(shown("e\u{301}x"), ("éx".into(), (2, 0)));
    // No character looks so; the mark is not shown.
    assert_eq!(shown("x\u{301}x"), ("xx".into(), (2, 0)));
    // Not at the place where the cursor has gone to.
    assert_eq!(shown("e\r\u{301}"), ("e".into(), (0, 0)));
    assert_eq!(shown("\u{301}"), (String::new(), (0, 0)));
}

/// The parser lost the line feed.
#[test]
fn what_follows_a_character_that_was_cut_is_not_lost() {
    let mut terminal = Terminal::new(10, 5).unwrap();
    for piece in [&b"\xc3"[..], b"\xa9\n\xaa"] {
        terminal.advance(piece);
    }
    assert_eq!(terminal.text(), "é\n \u{fffd}\n\n\n\n");
}

#[test]
fn half_of_a_wide_character_is_none() {
    assert_eq!(shown("漢字\x1b[2Gx").0, " x字");
    assert_eq!(shown("漢字\x1b[1Gx").0, "x 字");
    assert_eq!(shown("漢字\x1b[2G\x1b[P").0, " 字");
    assert_eq!(shown("漢字\x1b[4G\x1b[K").0, "漢");
    assert_eq!(shown("01234567漢\r\x1b[@").0, " 01234567");
}

#[test]
fn the_cursor_is_hidden_and_shaped() {
    let cursor = |bytes: &str| {
        let mut terminal = Terminal::new(10, 5).unwrap();
        terminal.advance(bytes.as_bytes());
        terminal.cursor()
    };
    let shape = |shape| {
        Some(Cursor {
            column: 0,
            row: 0,
            shape,
        })
    };
    assert_eq!(cursor(""), shape(Shape::Block));
    assert_eq!(cursor("\x1b[?25l"), None);
    assert_eq!(cursor("\x1b[?25l\x1b[?25h"), shape(Shape::Block));
    assert_eq!(cursor("\x1b[4 q"), shape(Shape::Line));
    assert_eq!(cursor("\x1b[6 q"), shape(Shape::Bar));
}

#[test]
fn a_new_session_begins_in_a_new_line() {
    let mut terminal = Terminal::new(10, 3).unwrap();
    terminal.begin_session();
    assert_eq!(terminal.cursor().map(|cursor| cursor.row), Some(0));
    terminal.advance(b"\x1b[31mprompt\x1b[?25l\x1b[?1049hfull\x1b[");
    terminal.begin_session();
    terminal.advance(b"Ax");
    assert_eq!(terminal.text(), "prompt\nAx\n\n");
    assert_eq!(terminal.line(1)[0].style, Style::default());
    assert!(terminal.cursor().is_some());
}

#[test]
fn the_view_stays_where_it_is_while_lines_come() {
    let mut terminal = Terminal::new(10, 4).unwrap();
    for line in 0..20 {
        terminal.advance(format!("line {line}\r\n").as_bytes());
    }
    terminal.scroll(Scroll::Up);
    let seen = terminal.text();
    terminal.advance(b"more\r\nand more\r\n");
    assert_eq!(terminal.text(), seen);
    assert!(terminal.scroll(Scroll::End));
    assert!(terminal.text().contains("and more"));
}
