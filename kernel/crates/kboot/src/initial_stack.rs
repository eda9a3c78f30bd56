//! The initial stack of a program, as System V has it (x86-64 supplement, 3.4.1), with named handles.

use alloc::vec::Vec;

/// What lies on it.
#[derive(Clone, Copy, Debug, Default)]
pub struct InitialStack<'a> {
    /// The arguments; the first one is the program's name.
    pub arguments: &'a [&'a str],
    /// The environment: `NAME=value`.
    pub environment: &'a [&'a str],
    /// The auxiliary vector, without those below and without the end.
    pub vector: &'a [(u64, u64)],
    /// Random bytes, and the tag under which their address is in the vector.
    pub random: Option<(u64, [u8; 16])>,
    /// Handles by name.
    pub handles: &'a [(&'a str, u64)],
    /// The tags of the address of the handles and of their number.
    pub handle_tags: (u64, u64),
}

/// Why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StackError {
    /// It would be longer than it may be.
    TooLong,
    /// A text has a zero byte in it.
    ZeroByte,
    /// Memory is short.
    OutOfMemory,
}

/// Bytes of a word.
const WORD: usize = 8;

/// Takes what is put in, one after the other.
struct Layout {
    bytes: Vec<u8>,
    /// Where the first byte will be.
    base: u64,
    /// Where the next text will be, from the first byte on.
    text: usize,
}

impl Layout {
    fn word(&mut self, word: u64) {
        self.bytes.extend_from_slice(&word.to_le_bytes());
    }

    fn at(&self, offset: usize) -> u64 {
        self.base.wrapping_add(offset as u64)
    }

    /// The address of the next text, which is `text`.
    fn text(&mut self, text: &str) {
        let address = self.at(self.text);
        self.text = self.text.saturating_add(text.len()).saturating_add(1);
        self.word(address);
    }
}

impl InitialStack<'_> {
    /// The texts in the order in which they lie there. The arguments are the last.
    fn texts(&self) -> impl Iterator<Item = &str> {
        let names = self.handles.iter().map(|(name, _)| *name);
        let environment = self.environment.iter().copied();
        names
            .chain(environment)
            .chain(self.arguments.iter().copied())
    }

    /// Bytes of the texts, with their ends.
    fn size_of<'t>(texts: impl Iterator<Item = &'t str>) -> usize {
        texts.fold(0, |size, text| {
            size.saturating_add(text.len()).saturating_add(1)
        })
    }

    /// Lays it out below `top`, a multiple of 16: the stack pointer, and the bytes from there to `top`.
    ///
    /// # Errors
    /// See [`StackError`]; `TooLong` for more than `most` bytes.
    pub fn lay_out(&self, top: u64, most: usize) -> Result<(u64, Vec<u8>), StackError> {
        if self.texts().any(|text| text.bytes().any(|byte| byte == 0)) {
            return Err(StackError::ZeroByte);
        }
        let pairs = self
            .vector
            .len()
            .saturating_add(if self.random.is_some() { 1 } else { 0 })
            .saturating_add(if self.handles.is_empty() { 0 } else { 2 })
            .saturating_add(1);
        // argc; argv, the environment, and a null after each; the vector; random bytes; pairs of handles.
        let vector_end = 3usize
            .saturating_add(self.arguments.len())
            .saturating_add(self.environment.len())
            .saturating_add(pairs.saturating_mul(2));
        let random_end = vector_end.saturating_add(if self.random.is_some() { 2 } else { 0 });
        let words = random_end.saturating_add(self.handles.len().saturating_mul(2));
        let texts = words.saturating_mul(WORD);
        let size = texts.saturating_add(Self::size_of(self.texts()));
        let size = size.checked_next_multiple_of(16).unwrap_or(usize::MAX);
        let base = top.checked_sub(size as u64);
        let base = base.filter(|_| size <= most).ok_or(StackError::TooLong)?;
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(size)
            .map_err(|_| StackError::OutOfMemory)?;
        let names = Self::size_of(self.handles.iter().map(|(name, _)| *name));
        let environment = Self::size_of(self.environment.iter().copied());
        let mut layout = Layout {
            bytes,
            base,
            text: texts.saturating_add(names).saturating_add(environment),
        };
        layout.word(self.arguments.len() as u64);
        for argument in self.arguments {
            layout.text(argument);
        }
        layout.word(0);
        layout.text = texts.saturating_add(names);
        for variable in self.environment {
            layout.text(variable);
        }
        layout.word(0);
        for (tag, value) in self.vector {
            layout.word(*tag);
            layout.word(*value);
        }
        if let Some((tag, _)) = self.random {
            layout.word(tag);
            layout.word(layout.at(vector_end.saturating_mul(WORD)));
        }
        if !self.handles.is_empty() {
            let (address, count) = self.handle_tags;
            layout.word(address);
            layout.word(layout.at(random_end.saturating_mul(WORD)));
            layout.word(count);
            layout.word(self.handles.len() as u64);
        }
        layout.word(0);
        layout.word(0);
        if let Some((_, random)) = self.random {
            layout.bytes.extend_from_slice(&random);
        }
        layout.text = texts;
        for (name, handle) in self.handles {
            layout.text(name);
            layout.word(*handle);
        }
        let Layout { mut bytes, .. } = layout;
        for text in self.texts() {
            bytes.extend_from_slice(text.as_bytes());
            bytes.push(0);
        }
        bytes.resize(size, 0);
        Ok((base, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TOP: u64 = 0x7fff_0000;

    /// Reads a laid-out stack as a program does.
    struct Reader {
        base: u64,
        bytes: Vec<u8>,
    }

    impl Reader {
        fn word(&self, address: u64) -> u64 {
            let at = (address - self.base) as usize;
            u64::from_le_bytes(self.bytes[at..at + 8].try_into().unwrap())
        }

        fn text(&self, address: u64) -> String {
            let at = (address - self.base) as usize;
            let rest = &self.bytes[at..];
            let len = rest.iter().position(|byte| *byte == 0).unwrap();
            String::from_utf8(rest[..len].to_vec()).unwrap()
        }

        /// Texts up to a null pointer, and what follows it.
        fn texts(&self, mut at: u64) -> (Vec<String>, u64) {
            let mut texts = Vec::new();
            while self.word(at) != 0 {
                texts.push(self.text(self.word(at)));
                at += 8;
            }
            (texts, at + 8)
        }
    }

    proptest! {
        #[test]
        fn what_was_put_in_is_read_back(
            arguments in proptest::collection::vec("[^\0]{0,20}", 0..6),
            environment in proptest::collection::vec("[^\0]{0,20}", 0..6),
            names in proptest::collection::vec(("[^\0]{0,20}", any::<u64>()), 0..6),
            vector in proptest::collection::vec((1u64..100, any::<u64>()), 0..6),
            random in proptest::option::of(any::<[u8; 16]>()),
        ) {
            let list = |texts: &[String]| texts.iter().map(|text| text.to_string()).collect::<Vec<_>>();
            let (a, e) = (list(&arguments), list(&environment));
            let a: Vec<&str> = a.iter().map(|text| text.as_str()).collect();
            let e: Vec<&str> = e.iter().map(|text| text.as_str()).collect();
            let h: Vec<(&str, u64)> = names.iter().map(|(name, handle)| (name.as_str(), *handle)).collect();
            let stack = InitialStack {
                arguments: &a,
                environment: &e,
                vector: &vector,
                random: random.map(|random| (200, random)),
                handles: &h,
                handle_tags: (201, 202),
            };
            let (base, bytes) = stack.lay_out(TOP, 1 << 16).unwrap();
            prop_assert_eq!(base % 16, 0);
            prop_assert_eq!(base + bytes.len() as u64, TOP);
            let reader = Reader { base, bytes };
            prop_assert_eq!(reader.word(base), a.len() as u64);
            let (found, at) = reader.texts(base + 8);
            prop_assert_eq!(&found, &arguments);
            let (found, mut at) = reader.texts(at);
            prop_assert_eq!(&found, &environment);
            let mut pairs = Vec::new();
            while reader.word(at) != 0 {
                pairs.push((reader.word(at), reader.word(at + 8)));
                at += 16;
            }
            prop_assert_eq!(&pairs[..vector.len()], &vector[..]);
            let find = |tag: u64| pairs.iter().find(|pair| pair.0 == tag).map(|pair| pair.1);
            prop_assert_eq!(find(200).map(|at| {
                prop_assert_eq!(at % 8, 0);
                let at = (at - base) as usize;
                Ok(reader.bytes[at..at + 16].to_vec())
            }).transpose()?, random.map(|random| random.to_vec()));
            prop_assert_eq!(find(202).unwrap_or(0), h.len() as u64);
            if let Some(at) = find(201) {
                for (index, (name, handle)) in h.iter().enumerate() {
                    let at = at + index as u64 * 16;
                    prop_assert_eq!(reader.text(reader.word(at)), *name);
                    prop_assert_eq!(reader.word(at + 8), *handle);
                }
            }
            // The last argument ends where the stack does, but for the alignment.
            if let Some(last) = a.last() {
                let end = reader.word(base + 8 * a.len() as u64) + last.len() as u64 + 1;
                prop_assert_eq!(end.next_multiple_of(16), TOP);
            }
            // It is as long as it says, and not a byte less is enough.
            let size = reader.bytes.len();
            prop_assert!(stack.lay_out(TOP, size).is_ok());
            prop_assert_eq!(stack.lay_out(TOP, size - 1).err(), Some(StackError::TooLong));
            prop_assert_eq!(stack.lay_out(16, 1 << 16).err(), Some(StackError::TooLong));
        }
    }

    #[test]
    fn a_zero_byte_would_end_a_text_early() {
        let stack = InitialStack {
            arguments: &["a\0b"],
            ..InitialStack::default()
        };
        assert_eq!(stack.lay_out(TOP, 1024).err(), Some(StackError::ZeroByte));
    }
}
