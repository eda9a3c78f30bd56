//! Which physical memory the direct map covers, and how it is cached.
//!
//! Base revisions 1 and 2 map the first 4 GiB whatever is there, and above it every region that is
//! not reserved or bad. Base revision 3 maps only usable, loader, kernel and framebuffer memory.
//! Framebuffers are write-combining, all else is write-back.

use crate::memory_map::{Kind, Region};

const FOUR_GIB: u64 = 1 << 32;

/// How a mapping is cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caching {
    /// Write-back.
    WriteBack,
    /// Write-combining.
    WriteCombining,
}

/// A piece of the direct map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// The first physical address.
    pub base: u64,
    /// The address behind the last one.
    pub end: u64,
    /// How it is cached.
    pub caching: Caching,
}

fn caching(kind: Kind) -> Caching {
    if kind == Kind::FRAMEBUFFER {
        Caching::WriteCombining
    } else {
        Caching::WriteBack
    }
}

/// Gives the pieces of the direct map, ascending and without overlap, for a sorted memory map.
///
/// # Errors
/// The first error that `emit` gives.
pub fn plan<E>(
    map: &[Region],
    base_revision: u64,
    mut emit: impl FnMut(Piece) -> Result<(), E>,
) -> Result<(), E> {
    let mut pending: Option<Piece> = None;
    let mut add = |piece: Piece| {
        if piece.base >= piece.end {
            return Ok(());
        }
        // Neighbours become one, so that large pages can span them.
        if let Some(last) = &mut pending
            && last.end == piece.base
            && last.caching == piece.caching
        {
            last.end = piece.end;
            return Ok(());
        }
        match pending.replace(piece) {
            Some(last) => emit(last),
            None => Ok(()),
        }
    };
    if base_revision <= 2 {
        let mut cursor = 0;
        for region in map.iter().filter(|region| region.kind == Kind::FRAMEBUFFER) {
            if region.base >= FOUR_GIB {
                break;
            }
            add(Piece {
                base: cursor,
                end: region.base,
                caching: Caching::WriteBack,
            })?;
            let end = region.end().min(FOUR_GIB);
            add(Piece {
                base: region.base,
                end,
                caching: Caching::WriteCombining,
            })?;
            cursor = end;
        }
        add(Piece {
            base: cursor,
            end: FOUR_GIB,
            caching: Caching::WriteBack,
        })?;
        for region in map {
            if region.kind != Kind::RESERVED && region.kind != Kind::BAD {
                let base = region.base.max(FOUR_GIB);
                add(Piece {
                    base,
                    end: region.end(),
                    caching: caching(region.kind),
                })?;
            }
        }
    } else {
        for region in map {
            if matches!(
                region.kind,
                Kind::USABLE
                    | Kind::BOOTLOADER_RECLAIMABLE
                    | Kind::EXECUTABLE_AND_MODULES
                    | Kind::FRAMEBUFFER
            ) {
                add(Piece {
                    base: region.base,
                    end: region.end(),
                    caching: caching(region.kind),
                })?;
            }
        }
    }
    pending.map_or(Ok(()), emit)
}

/// The address behind the highest one that the direct map can cover.
pub fn top(map: &[Region]) -> u64 {
    map.iter()
        .filter(|region| region.kind != Kind::RESERVED && region.kind != Kind::BAD)
        .map(Region::end)
        .max()
        .unwrap_or(0)
        .max(FOUR_GIB)
}

#[cfg(test)]
mod tests {
    use super::{Caching, FOUR_GIB, Piece, plan, top};
    use crate::memory_map::{Kind, Region};
    use proptest::prelude::{Just, Strategy, proptest};

    /// A sorted map without overlaps: gaps and lengths in pages.
    fn maps() -> impl Strategy<Value = Vec<Region>> {
        let piece = (0_u64..3, 1_u64..0x80000, 0_u64..8);
        (0_u64..2, proptest::collection::vec(piece, 0..40)).prop_flat_map(|(start, pieces)| {
            let mut base = start << 12;
            let map: Vec<Region> = pieces
                .into_iter()
                .map(|(gap, pages, kind)| {
                    let region = Region {
                        base: base + (gap << 12),
                        length: pages << 12,
                        kind: Kind(kind),
                    };
                    base = region.end();
                    region
                })
                .collect();
            Just(map)
        })
    }

    fn pieces(map: &[Region], revision: u64) -> Vec<Piece> {
        let mut out = Vec::new();
        plan::<()>(map, revision, |piece| {
            out.push(piece);
            Ok(())
        })
        .unwrap();
        out
    }

    fn at(pieces: &[Piece], address: u64) -> Option<Caching> {
        pieces
            .iter()
            .find(|piece| (piece.base..piece.end).contains(&address))
            .map(|piece| piece.caching)
    }

    proptest! {
        #[test]
        fn every_page_is_mapped_as_its_kind_demands(map in maps(), revision in 1_u64..4) {
            let pieces = pieces(&map, revision);
            for pair in pieces.windows(2) {
                assert!(pair[0].end <= pair[1].base);
                assert!(pair[0].end < pair[1].base || pair[0].caching != pair[1].caching);
            }
            for region in &map {
                for address in [region.base, region.end() - 1] {
                    let expected = match region.kind {
                        Kind::FRAMEBUFFER => Some(Caching::WriteCombining),
                        Kind::USABLE | Kind::BOOTLOADER_RECLAIMABLE | Kind::EXECUTABLE_AND_MODULES => Some(Caching::WriteBack),
                        _ if revision == 3 => None,
                        _ if address < FOUR_GIB => Some(Caching::WriteBack),
                        Kind::RESERVED | Kind::BAD => None,
                        _ => Some(Caching::WriteBack),
                    };
                    assert_eq!(at(&pieces, address), expected, "{address:#x} {region:x?}");
                }
            }
            if revision < 3 {
                assert!(at(&pieces, 0).is_some() && at(&pieces, FOUR_GIB - 1).is_some());
            }
            assert!(pieces.iter().all(|piece| piece.end <= top(&map)));
        }
    }
}
