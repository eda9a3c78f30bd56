//! Character sets: that of ASCII, and that with which programs have drawn boxes since the VT100.

/// The sets G0 and G1, and which of them is in use.
#[derive(Clone, Copy, Default)]
pub struct Charsets {
    /// Whether G0 and G1 are those of lines and boxes.
    is_graphics: [bool; 2],
    /// 0 or 1.
    active: usize,
}

impl Charsets {
    /// Names one of the sets.
    pub fn designate(&mut self, index: usize, name: u8) {
        if let Some(is_graphics) = self.is_graphics.get_mut(index) {
            *is_graphics = name == b'0';
        }
    }

    /// Uses one of the sets.
    pub fn shift(&mut self, index: usize) {
        self.active = index;
    }

    /// What a character stands for.
    pub fn map(&self, character: char) -> char {
        if self.is_graphics.get(self.active) == Some(&true) {
            graphics(character)
        } else {
            character
        }
    }
}

/// DEC special graphics.
fn graphics(character: char) -> char {
    match character {
        '_' => ' ',
        '`' => '◆',
        'a' => '▒',
        'b' => '␉',
        'c' => '␌',
        'd' => '␍',
        'e' => '␊',
        'f' => '°',
        'g' => '±',
        'h' => '␤',
        'i' => '␋',
        'j' => '┘',
        'k' => '┐',
        'l' => '┌',
        'm' => '└',
        'n' => '┼',
        'o' => '⎺',
        'p' => '⎻',
        'q' => '─',
        'r' => '⎼',
        's' => '⎽',
        't' => '├',
        'u' => '┤',
        'v' => '┴',
        'w' => '┬',
        'x' => '│',
        'y' => '≤',
        'z' => '≥',
        '{' => 'π',
        '|' => '≠',
        '}' => '£',
        '~' => '·',
        other => other,
    }
}
