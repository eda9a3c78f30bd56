//! Structures that cross the border: words only, so that both sides convert them without unsafe code.

/// Defines a structure of `u64` words with conversions to and from an array.
macro_rules! wire {
    ($(#[doc = $documentation:literal])+ $name:ident { $($(#[doc = $field_documentation:literal])+ $field:ident,)+ }) => {
        $(#[doc = $documentation])+
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[repr(C)]
        pub struct $name { $($(#[doc = $field_documentation])+ pub $field: u64,)+ }

        impl $name {
            /// How many words it has.
            pub const WORDS: usize = [$(stringify!($field)),+].len();

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
