//! What the badge of a message says: what is spoken with its sender, and who or what that is.

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The directory; the number is the client's.
    Directory,
    /// The services; the number is the client's.
    Services,
    /// The files of the archive.
    Files,
    /// An open file; the number is its own.
    OpenFile,
}

/// Bits of the number.
const SHIFT: u32 = 56;

/// The badge for a kind and a number.
pub const fn new(kind: Kind, number: u64) -> u64 {
    let kind: u64 = match kind {
        Kind::Directory => 1,
        Kind::Services => 2,
        Kind::Files => 3,
        Kind::OpenFile => 4,
    };
    kind << SHIFT | number & ((1 << SHIFT) - 1)
}

/// What a badge says.
pub const fn parse(badge: u64) -> Option<(Kind, u64)> {
    let kind = match badge >> SHIFT {
        1 => Kind::Directory,
        2 => Kind::Services,
        3 => Kind::Files,
        4 => Kind::OpenFile,
        _ => return None,
    };
    Some((kind, badge & ((1 << SHIFT) - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn badges_say_what_was_put_in() {
        for kind in [Kind::Directory, Kind::Services, Kind::Files, Kind::OpenFile] {
            for number in [0, 1, (1 << SHIFT) - 1] {
                assert_eq!(parse(new(kind, number)), Some((kind, number)));
            }
        }
        assert_eq!(parse(0), None);
        assert_eq!(parse(u64::MAX), None);
    }
}
