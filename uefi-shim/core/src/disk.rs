//! The ids that the first two blocks of a disk give it.

use crate::requests::get_word;

const SIGNATURE: &[u8] = &[0x55, 0xaa];
/// The type of the one partition in the MBR of a GPT disk.
const PROTECTIVE: u8 = 0xee;

/// Reads the MBR id and the GPT disk GUID out of the first two blocks; zeros where there is none.
///
/// The MBR of a GPT disk only protects it, so its id does not count (UEFI specification, 5.2.3).
pub fn ids(blocks: &[u8], block_size: usize) -> (u32, [u8; 16]) {
    let mut gpt = [0; 16];
    let header = blocks.get(block_size..).unwrap_or_default();
    if header.get(..8) == Some(b"EFI PART".as_slice())
        && let Some(guid) = header.get(56..72)
    {
        gpt.copy_from_slice(guid);
    }
    let protective = (0_usize..4).any(|index| {
        let at = index.saturating_mul(16).saturating_add(450);
        blocks.get(at) == Some(&PROTECTIVE)
    });
    let mbr = match get_word(blocks, 440) {
        Some(word) if blocks.get(510..512) == Some(SIGNATURE) && !protective => {
            u32::try_from(word & 0xffff_ffff).unwrap_or(0)
        }
        _ => 0,
    };
    (mbr, gpt)
}

#[cfg(test)]
mod tests {
    use super::ids;
    use proptest::prelude::{any, proptest};

    proptest! {
        #[test]
        fn ids_come_from_their_places(id: u32, guid: [u8; 16], protective: bool, block_size in 9_u32..13) {
            let size = 1_usize << block_size;
            let mut blocks = vec![0; size * 2];
            blocks[440..444].copy_from_slice(&id.to_le_bytes());
            blocks[510..512].copy_from_slice(&[0x55, 0xaa]);
            blocks[450] = if protective { 0xee } else { 0x0c };
            blocks[size..size + 8].copy_from_slice(b"EFI PART");
            blocks[size + 56..size + 72].copy_from_slice(&guid);
            assert_eq!(ids(&blocks, size), (if protective { 0 } else { id }, guid));
            blocks[510] = 0;
            blocks[size] = 0;
            assert_eq!(ids(&blocks, size), (0, [0; 16]));
        }

        #[test]
        fn any_bytes_do(blocks in proptest::collection::vec(any::<u8>(), 0..2000), size: usize) {
            ids(&blocks, size);
        }
    }
}
