//! What is drawn: only what differs, and all of that; in every way that pixels can lie.

use fb::{
    BACKGROUND, FOREGROUND, Format, Mode, ModeError, RenderError, Renderer, Scroll, Size, Terminal,
};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
use proptest::sample::{Index, select};

/// What lies between the rows of pixels, and must not change.
const PADDING: u8 = 0xa5;

fn mode() -> impl Strategy<Value = Mode> {
    let layouts = vec![
        (3, [16, 8, 0]),
        (3, [0, 8, 16]),
        (4, [16, 8, 0]),
        (4, [0, 8, 16]),
        (4, [24, 16, 8]),
        (4, [3, 11, 21]),
    ];
    (40_usize..150, 32_usize..90, 0_usize..30, select(layouts)).prop_map(
        |(width, height, more, (bytes, shifts))| Mode {
            width,
            height,
            pitch: width * bytes + more,
            format: Format { bytes, shifts },
        },
    )
}

fn part() -> impl Strategy<Value = String> {
    vec(
        select(vec![
            "a",
            "Hello, ",
            "\r\n",
            "\n\n\n",
            "\x1b[31m",
            "\x1b[7m",
            "\x1b[1;3m",
            "\x1b[4;9m",
            "\x1b[48;5;20m",
            "\x1b[0m",
            "漢字",
            "─┼╬",
            "▒█▄",
            "ж",
            "\u{1f600}",
            "\x1b[H",
            "\x1b[2J",
            "\x1b[K",
            "\x1b[3;2H",
            "\x1b[L",
            "\x1b[2P",
            "\x1b[?25l",
            "\x1b[?25h",
            "\x1b[4 q",
            "\x1b[6 q",
            "\x1b[?5h",
            "\x1b[?5l",
            "\x1b[?1049h",
            "\x1b[?1049l",
            "\x1b[8mx\x1b[28m",
            "\x1b[2mdim",
            "é",
        ]),
        0..12,
    )
    .prop_map(|pieces| pieces.concat())
}

fn surface(mode: &Mode) -> Vec<u8> {
    vec![PADDING; mode.bytes()]
}

fn padding_is_whole(mode: &Mode, surface: &[u8]) -> bool {
    surface.chunks_exact(mode.pitch).all(|row| {
        row[mode.width * mode.format.bytes..]
            .iter()
            .all(|&byte| byte == PADDING)
    })
}

/// The pixel at a place, as red, green and blue.
fn pixel(mode: &Mode, surface: &[u8], x: usize, y: usize) -> [u8; 3] {
    let at = y * mode.pitch + x * mode.format.bytes;
    let mut bytes = [0; 4];
    bytes[..mode.format.bytes].copy_from_slice(&surface[at..at + mode.format.bytes]);
    let value = u32::from_le_bytes(bytes);
    mode.format.shifts.map(|shift| (value >> shift) as u8)
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]

    #[test]
    fn drawing_what_differs_gives_the_same_as_drawing_all(
        mode in mode(), size in select(vec![Size::Pixels16, Size::Pixels20, Size::Pixels32]), parts in vec((part(), 0..4_u8), 1..8)
    ) {
        let mut renderer = Renderer::new(mode, size).unwrap();
        let (columns, rows) = renderer.size();
        let mut terminal = Terminal::new(columns, rows).unwrap();
        let mut screen = surface(&mode);
        renderer.clear(&mut screen);
        for (part, scroll) in parts {
            terminal.advance(part.as_bytes());
            match scroll {
                0 => { terminal.scroll(Scroll::Up); }
                1 => { terminal.scroll(Scroll::End); }
                _ => {}
            }
            renderer.draw(&terminal, &mut screen);
            let mut whole = surface(&mode);
            let mut fresh = Renderer::new(mode, size).unwrap();
            fresh.clear(&mut whole);
            fresh.draw(&terminal, &mut whole);
            prop_assert!(screen == whole, "{:?}", terminal.text());
            // Nothing is drawn twice.
            prop_assert_eq!(renderer.draw(&terminal, &mut screen).bytes, 0);
        }
        prop_assert!(padding_is_whole(&mode, &screen));
    }

    #[test]
    fn colours_reach_the_screen_whatever_the_format(mode in mode(), colour in any::<[u8; 3]>()) {
        let mut renderer = Renderer::new(mode, Size::Pixels16).unwrap();
        let (columns, rows) = renderer.size();
        let mut terminal = Terminal::new(columns, rows).unwrap();
        let mut screen = surface(&mode);
        renderer.clear(&mut screen);
        let [red, green, blue] = colour;
        terminal.advance(format!("\x1b[?25l\x1b[38;2;{red};{green};{blue}m█ ").as_bytes());
        renderer.draw(&terminal, &mut screen);
        prop_assert_eq!(pixel(&mode, &screen, 3, 8), colour);
        prop_assert_eq!(pixel(&mode, &screen, 10, 8), BACKGROUND);
        prop_assert!(padding_is_whole(&mode, &screen));
    }

    #[test]
    fn other_modes_are_refused(
        width in 0..70000_usize, height in 0..70000_usize, pitch in any::<usize>(), bytes in 0..9_usize, shifts in any::<[u32; 3]>(), which in any::<Index>()
    ) {
        let mode = Mode { width, height, pitch, format: Format { bytes, shifts } };
        let size = Size::ALL[which.index(4)];
        if let Err(RenderError::Mode(error)) = Renderer::new(mode, size).map(|_| ()) {
            prop_assert!(!error.to_string().is_empty());
        } else {
            prop_assert!(mode.check().is_ok());
        }
    }
}

const PLAIN: Mode = Mode {
    width: 70,
    height: 64,
    pitch: 280,
    format: Format {
        bytes: 4,
        shifts: [16, 8, 0],
    },
};

fn drawn(text: &str) -> Vec<u8> {
    let mut renderer = Renderer::new(PLAIN, Size::Pixels16).unwrap();
    let mut terminal = Terminal::new(10, 4).unwrap();
    let mut screen = surface(&PLAIN);
    renderer.clear(&mut screen);
    terminal.advance(text.as_bytes());
    renderer.draw(&terminal, &mut screen);
    screen
}

/// How many pixels of a cell are not as its background.
fn ink(screen: &[u8], column: usize) -> usize {
    (0..16)
        .flat_map(|y| (0..7).map(move |x| (7 * column + x, y)))
        .filter(|&(x, y)| pixel(&PLAIN, screen, x, y) != BACKGROUND)
        .count()
}

#[test]
fn every_script_has_letters() {
    for text in [
        "a",
        "é",
        "ő",
        "ж",
        "Ω",
        "א",
        "ﾊ",
        "漢",
        "─",
        "█",
        "⠿",
        "€",
        "→",
        "\u{fffd}",
        "\u{1f600}",
    ] {
        let screen = drawn(&format!("\x1b[?25l{text}"));
        assert!(ink(&screen, 0) > 3, "{text}");
    }
    // Both halves of a wide one.
    assert!(ink(&drawn("\x1b[?25l漢"), 1) > 3);
}

#[test]
fn styles_can_be_told_apart() {
    let plain = drawn("\x1b[?25lE");
    for style in [1, 2, 3, 4, 7, 8, 9, 31, 42] {
        let styled = drawn(&format!("\x1b[?25l\x1b[{style}mE"));
        assert!(styled != plain, "{style}");
    }
    assert!(drawn("\x1b[?25l\x1b[8mE") == drawn("\x1b[?25l"));
}

#[test]
fn lines_meet_at_the_edges_of_cells() {
    let screen = drawn("\x1b[?25l──\r\n││\r\n││");
    let row = (0..16)
        .find(|&y| pixel(&PLAIN, &screen, 0, y) == FOREGROUND)
        .unwrap();
    assert!((0..14).all(|x| pixel(&PLAIN, &screen, x, row) == FOREGROUND));
    let column = (0..7)
        .find(|&x| pixel(&PLAIN, &screen, x, 16) == FOREGROUND)
        .unwrap();
    assert!((16..48).all(|y| pixel(&PLAIN, &screen, column, y) == FOREGROUND));
}

#[test]
fn the_cursor_is_a_block_of_the_other_colour() {
    let screen = drawn("");
    assert_eq!(pixel(&PLAIN, &screen, 3, 8), FOREGROUND);
    let screen = drawn("\x1b[4 q");
    assert_eq!(pixel(&PLAIN, &screen, 3, 8), BACKGROUND);
    assert_eq!(pixel(&PLAIN, &screen, 3, 15), FOREGROUND);
}

#[test]
fn letters_grow_with_the_screen() {
    assert_eq!(Size::for_screen(640, 480), Size::Pixels16);
    assert_eq!(Size::for_screen(1024, 768), Size::Pixels16);
    assert_eq!(Size::for_screen(1280, 800), Size::Pixels20);
    assert_eq!(Size::for_screen(1920, 1080), Size::Pixels24);
    assert_eq!(Size::for_screen(3840, 2160), Size::Pixels32);
}

#[test]
fn a_screen_without_room_is_said_to_be_too_small() {
    let mode = Mode { width: 10, ..PLAIN };
    assert_eq!(
        Renderer::new(mode, Size::Pixels16).map(|_| ()),
        Err(RenderError::TooSmall)
    );
    let mode = Mode {
        pitch: 100,
        ..PLAIN
    };
    assert_eq!(mode.check(), Err(ModeError::Pitch));
}

/// Writes what a page of all kinds looks like to the file that `FB_PICTURE` names, as a PPM.
#[test]
fn a_picture_for_people() {
    let Ok(path) = std::env::var("FB_PICTURE") else {
        return;
    };
    let mode = Mode {
        width: 1280,
        height: 800,
        pitch: 1280 * 4,
        format: PLAIN.format,
    };
    let size = std::env::var("FB_SIZE")
        .ok()
        .and_then(|size| Size::of_height(size.parse().ok()?));
    let mut renderer = Renderer::new(mode, size.unwrap_or(Size::Pixels20)).unwrap();
    let (columns, rows) = renderer.size();
    let mut terminal = Terminal::new(columns, rows).unwrap();
    let mut page = String::new();
    for style in ["0", "1", "2", "3", "4", "7", "9", "1;3;4"] {
        page += &format!("\x1b[{style}mThe quick brown fox {{[({style})]}}\x1b[0m ");
    }
    page += "\r\n\r\nÀÉÎõü ß ñ ŁłŐőŹź  Ελληνικά  Русский  עברית  日本語 한국어 中文 ﾊﾝｶｸ  ∑∫√∞≈≠≤≥ ←↑→↓ €£¥ \u{1f600}\u{e000}\r\n\r\n";
    for index in 0..16 {
        page += &format!("\x1b[3{index}m", index = index % 8)
            .replace("[3", if index < 8 { "[3" } else { "[9" });
        page += &format!("colour{index:<3}");
    }
    page += "\x1b[0m\r\n";
    for index in 16..=255 {
        page += &format!("\x1b[48;5;{index}m ");
    }
    page += "\x1b[0m\r\n\r\n";
    let mut code = 0x2500;
    while code < 0x25a0 {
        page.push(char::from_u32(code).unwrap());
        page.push(' ');
        code += 1;
    }
    page += "\r\n\r\n┌──┬──┐ ╔══╦══╗ ╒══╤══╕ ╓──╥──╖ ┏━━┳━━┓ ╭──╮ ⠁⠃⠇⡇⡏⡟⡿⣿\r\n│  │  │ ║  ║  ║ │  │  │ ║  ║  ║ ┃  ┃  ┃ │  │\r\n├──┼──┤ ╠══╬══╣ ╞══╪══╡ ╟──╫──╢ ┣━━╋━━┫ ╰──╯ ▁▂▃▄▅▆▇█ ▏▎▍▌▋▊▉\r\n";
    page += "└──┴──┘ ╚══╩══╝ ╘══╧══╛ ╙──╨──╜ ┗━━┻━━┛ ╱╲╳ ▖▗▘▙▚▛▜▝▞▟ ░▒▓\r\n$ ";
    terminal.advance(page.as_bytes());
    let mut screen = surface(&mode);
    renderer.clear(&mut screen);
    renderer.draw(&terminal, &mut screen);
    let mut file = format!("P6\n{} {}\n255\n", mode.width, mode.height).into_bytes();
    for y in 0..mode.height {
        for x in 0..mode.width {
            file.extend(pixel(&mode, &screen, x, y));
        }
    }
    std::fs::write(path, file).unwrap();
}
