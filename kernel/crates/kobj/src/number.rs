//! Numbers of objects: equal for equal objects, and telling nothing else.

/// Makes numbers for objects from what is different for all that live: their addresses. It is a permutation of 64-bit words
/// under a secret key (a Feistel network of four rounds), so that a program can compare the numbers of two objects, but learns nothing
/// of where the kernel keeps them.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    keys: [u64; 4],
}

impl Numbers {
    /// With a secret.
    pub const fn new(secret: u64) -> Self {
        let mut keys = [0; 4];
        let (mut index, mut state) = (0, secret);
        while index < keys.len() {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            keys[index] = mix(state);
            index += 1;
        }
        Self { keys }
    }

    /// The number for a word; other words have other numbers.
    pub const fn of(&self, word: u64) -> u64 {
        let (mut left, mut right) = ((word >> 32) as u32, word as u32);
        let mut round = 0;
        while round < self.keys.len() {
            let mixed = mix(self.keys[round] ^ right as u64) >> 32;
            (left, right) = (right, left ^ mixed as u32);
            round += 1;
        }
        (left as u64) << 32 | right as u64
    }
}

/// The finalizer of splitmix64: each bit of the word changes about half of the bits of the result.
const fn mix(mut word: u64) -> u64 {
    word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Numbers;

    #[test]
    fn other_words_have_other_numbers_and_other_secrets_too() {
        let (one, two) = (Numbers::new(1), Numbers::new(2));
        let words = (0..20_000u64).map(|word| 0xffff_8000_0000_0000 + word * 16);
        let numbers: BTreeSet<_> = words.clone().map(|word| one.of(word)).collect();
        assert_eq!(numbers.len(), 20_000);
        assert!(words.clone().all(|word| one.of(word) != two.of(word)));
        // Neighbours have numbers that are far apart.
        let close = words.filter(|&word| one.of(word).abs_diff(one.of(word + 16)) < 1 << 40);
        assert!(close.count() < 10);
    }
}
