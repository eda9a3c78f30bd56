//! Structures that cross the border: words only, so that both sides convert them without unsafe code.

/// A structure of words.
pub trait Wire {
    /// Its bytes in memory.
    type Bytes: AsRef<[u8]>;

    /// The words as a little-endian processor keeps them.
    fn to_bytes(self) -> Self::Bytes;
}

/// Defines a structure of `u64` words with conversions to and from an array.
macro_rules! wire {
    ($(#[doc = $documentation:literal])+ $name:ident { $($(#[doc = $field_documentation:literal])+ $field:ident,)+ }) => {
        $(#[doc = $documentation])+
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[repr(C)]
        pub struct $name { $($(#[doc = $field_documentation])+ pub $field: u64,)+ }

        impl crate::Wire for $name {
            type Bytes = [u8; Self::WORDS * 8];

            fn to_bytes(self) -> Self::Bytes {
                let mut bytes = [0; Self::WORDS * 8];
                for (place, word) in bytes.chunks_exact_mut(8).zip(self.to_words()) {
                    place.copy_from_slice(&word.to_le_bytes());
                }
                bytes
            }
        }

        impl $name {
            /// Its description.
            pub const STRUCTURE: crate::call::Structure = crate::call::Structure {
                module: module_path!(),
                name: stringify!($name),
                documentation: concat!($($documentation),+),
                fields: &[$((stringify!($field), concat!($($field_documentation),+))),+],
            };

            /// How many words it has.
            pub const WORDS: usize = [$(stringify!($field)),+].len();

            /// From its bytes in memory.
            pub fn from_bytes(bytes: [u8; Self::WORDS * 8]) -> Self {
                let mut words = [0; Self::WORDS];
                for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
                    *word = u64::from_le_bytes(*bytes);
                }
                Self::from_words(words)
            }

            /// The words, in the order of the fields.
            pub const fn to_words(self) -> [u64; Self::WORDS] {
                [$(self.$field),+]
            }

            /// From its words.
            pub const fn from_words(words: [u64; Self::WORDS]) -> Self {
                let [$($field),+] = words;
                Self { $($field),+ }
            }
        }
    };
}
