use super::{
    BASE_REVISION_MAGIC, COMMON_MAGIC, END_MARKER, Kind, MAX_BASE_REVISION, Requests, START_MARKER,
    get_word,
};
use crate::error::RequestFault;
use proptest::prelude::{
    Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};

#[derive(Debug, Clone)]
enum Piece {
    Noise(Vec<u64>),
    Tag(u64),
    Request(Kind, u64),
    Start,
    End,
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let kind = prop::sample::select(Kind::ALL);
    let piece = prop_oneof![
        3 => prop::collection::vec(any::<u64>(), 0..5).prop_map(Piece::Noise),
        1 => (1_u64..6).prop_map(Piece::Tag),
        4 => (kind, 0_u64..3).prop_map(|(kind, revision)| Piece::Request(kind, revision)),
        1 => Just(Piece::Start),
        1 => Just(Piece::End),
    ];
    prop::collection::vec(piece, 0..16)
}

fn image(pieces: &[Piece]) -> Vec<u8> {
    let mut words: Vec<u64> = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Noise(noise) => words.extend(noise),
            Piece::Tag(revision) => {
                words.extend([BASE_REVISION_MAGIC[0], BASE_REVISION_MAGIC[1], *revision])
            }
            Piece::Request(kind, revision) => {
                words.extend(COMMON_MAGIC);
                words.extend(kind.id());
                words.extend([*revision, 0]);
            }
            Piece::Start => words.extend(START_MARKER),
            Piece::End => words.extend(END_MARKER),
        }
    }
    words.into_iter().flat_map(u64::to_le_bytes).collect()
}

fn scan(image: &[u8]) -> Result<Requests, RequestFault> {
    Requests::scan(image, std::iter::once(0..image.len()))
}

/// The model: walk the pieces in order, as PROTOCOL.md tells it.
fn model(pieces: &[Piece]) -> Result<(u64, Vec<(Kind, u64)>), ()> {
    let (mut tag, mut list): (Option<u64>, Vec<(Kind, u64)>) = (None, Vec::new());
    for piece in pieces {
        match piece {
            Piece::Noise(_) => {}
            Piece::Tag(revision) => {
                if tag.replace(*revision).is_some() {
                    return Err(());
                }
            }
            Piece::Request(kind, revision) => {
                if list.iter().any(|(other, _)| other == kind) {
                    return Err(());
                }
                list.push((*kind, *revision));
            }
            Piece::Start => {
                tag = None;
                list.clear();
            }
            Piece::End => break,
        }
    }
    tag.map(|tag| (tag, list)).ok_or(())
}

proptest! {
    #[test]
    fn the_scanner_finds_what_the_model_finds(pieces in pieces()) {
        let image = image(&pieces);
        match (scan(&image), model(&pieces)) {
            (Ok(found), Ok((tag, list))) => {
                prop_assert_eq!(found.base_revision.requested, tag);
                prop_assert_eq!(found.base_revision.loaded, tag.min(MAX_BASE_REVISION));
                let found: Vec<(Kind, u64)> = found.list.iter().map(|request| (request.kind.unwrap(), request.revision)).collect();
                prop_assert_eq!(found, list);
            }
            (Err(_), Err(())) => {}
            (found, model) => prop_assert!(false, "{:?} and {:?}", found, model),
        }
    }

    #[test]
    fn any_bytes_in_any_ranges_do(bytes in prop::collection::vec(any::<u8>(), 0..300), start: usize, end: usize) {
        prop_assert!(Requests::scan(&bytes, std::iter::once(start..end)).is_err());
    }

    #[test]
    fn a_supported_revision_is_acknowledged(revision in 1_u64..10, before in 0_usize..4) {
        let mut image = image(&[Piece::Noise(vec![7; before]), Piece::Tag(revision)]);
        let requests = scan(&image).unwrap();
        requests.acknowledge(&mut image);
        let word = |index: usize| get_word(&image, (before + index) * 8).unwrap();
        prop_assert_eq!(word(0), BASE_REVISION_MAGIC[0]);
        prop_assert_eq!(word(1), if revision >= 3 { 3 } else { BASE_REVISION_MAGIC[1] });
        prop_assert_eq!(word(2), if revision <= MAX_BASE_REVISION { 0 } else { revision });
    }
}

#[test]
fn no_tag_and_revision_zero_are_refused() {
    assert_eq!(scan(&[]), Err(RequestFault::BaseRevisionZero));
    assert_eq!(
        scan(&image(&[Piece::Tag(0)])),
        Err(RequestFault::BaseRevisionZero)
    );
}

#[test]
fn a_request_at_the_very_end_is_cut_off() {
    let mut bytes = image(&[Piece::Tag(2), Piece::Request(Kind::Hhdm, 0)]);
    bytes.truncate(bytes.len() - 8);
    assert_eq!(
        scan(&bytes),
        Err(RequestFault::Truncated {
            id: Kind::Hhdm.id()[0]
        })
    );
}
