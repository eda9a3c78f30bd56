//! Buffers before what is read from and written to.

use alloc::string::String;
use alloc::vec::Vec;

use abi::Error;

use super::{Read, Write};

/// Bytes that are kept.
const KEPT: usize = 1024;

/// Reads ahead, so that lines can be read.
pub struct BufReader<R> {
    inner: R,
    kept: [u8; KEPT],
    /// Which of those were not asked for yet.
    from: usize,
    to: usize,
}

impl<R> BufReader<R> {
    /// With nothing read yet.
    pub const fn new(inner: R) -> Self {
        Self {
            inner,
            kept: [0; KEPT],
            from: 0,
            to: 0,
        }
    }
}

impl<R: Read> BufReader<R> {
    /// What is there, at least one byte; nothing at the end. [`consume`](Self::consume) says what of it was used.
    ///
    /// # Errors
    /// As what it reads from.
    pub fn fill(&mut self) -> Result<&[u8], Error> {
        if self.from == self.to {
            (self.from, self.to) = (0, 0);
            self.to = self.inner.read(&mut self.kept)?;
        }
        Ok(self.kept.get(self.from..self.to).unwrap_or_default())
    }

    /// So many bytes of what is there were used.
    pub fn consume(&mut self, count: usize) {
        self.from = self.from.saturating_add(count).min(self.to);
    }

    /// Reads up to a byte, that one included, to the end of `to`; returns how many bytes, 0 when there are no more.
    ///
    /// # Errors
    /// `OutOfMemory`; as what it reads from.
    pub fn read_until(&mut self, last: u8, to: &mut Vec<u8>) -> Result<usize, Error> {
        let before = to.len();
        loop {
            let there = self.fill()?;
            let end = there.iter().position(|byte| *byte == last);
            let count = end.map_or(there.len(), |end| end + 1);
            to.try_reserve(count).map_err(|_| Error::OutOfMemory)?;
            to.extend_from_slice(there.get(..count).unwrap_or_default());
            self.consume(count);
            if end.is_some() || count == 0 {
                return Ok(to.len() - before);
            }
        }
    }

    /// Reads a line with its end, to the end of `line`; returns how many bytes, 0 when there are no more. What is no UTF-8 is replaced.
    ///
    /// # Errors
    /// As [`read_until`](Self::read_until).
    pub fn read_line(&mut self, line: &mut String) -> Result<usize, Error> {
        let mut bytes = Vec::new();
        let count = self.read_until(b'\n', &mut bytes)?;
        line.push_str(&String::from_utf8_lossy(&bytes));
        Ok(count)
    }
}

impl<R: Read> Read for BufReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let count = self.fill()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

/// Keeps what is written until a line is complete.
pub struct LineWriter<W> {
    inner: W,
    kept: [u8; KEPT],
    len: usize,
}

impl<W> LineWriter<W> {
    /// With nothing written yet.
    pub const fn new(inner: W) -> Self {
        Self {
            inner,
            kept: [0; KEPT],
            len: 0,
        }
    }

    /// What it writes to.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.inner
    }
}

impl<W: Write> LineWriter<W> {
    fn keep(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let free = self.kept.get_mut(self.len..).unwrap_or_default();
            let (now, later) = bytes.split_at(free.len().min(bytes.len()));
            for (place, byte) in free.iter_mut().zip(now) {
                *place = *byte;
            }
            self.len += now.len();
            bytes = later;
            if self.len == KEPT {
                self.send()?;
            }
        }
        Ok(())
    }

    /// Sends what is kept. What cannot be sent is lost: whoever reads it is gone.
    fn send(&mut self) -> Result<(), Error> {
        let len = core::mem::take(&mut self.len);
        let bytes = self.kept.get(..len).unwrap_or_default();
        self.inner.write_all(bytes)
    }
}

impl<W: Write> Write for LineWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        let end = bytes.iter().rposition(|byte| *byte == b'\n');
        let (lines, rest) = bytes.split_at(end.map_or(0, |end| end + 1));
        if !lines.is_empty() {
            self.keep(lines)?;
            self.send()?;
        }
        self.keep(rest)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.send()?;
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Remembers each piece.
    #[derive(Default)]
    struct Pieces(Vec<Vec<u8>>);

    impl Write for Pieces {
        fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
            self.0.push(bytes.to_vec());
            Ok(bytes.len())
        }
    }

    /// Gives a few bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
            let len = self.1.min(buffer.len());
            self.0.read(&mut buffer[..len])
        }
    }

    #[test]
    fn lines_go_out_whole() {
        let mut writer = LineWriter::new(Pieces::default());
        writer.write_all(b"on").unwrap();
        write!(writer, "e {}\ntwo\nth", 1).unwrap();
        // `write!` hands a text over in several pieces.
        assert_eq!(writer.get_mut().0.concat(), b"one 1\ntwo\n");
        assert!(
            writer
                .get_mut()
                .0
                .iter()
                .all(|piece| piece.ends_with(b"\n"))
        );
        writer.flush().unwrap();
        let all: Vec<u8> = writer.get_mut().0.concat();
        assert_eq!(all, b"one 1\ntwo\nth");
    }

    #[test]
    fn whatever_the_pieces_all_comes_out_in_order() {
        let text: Vec<u8> = (0..5000u32)
            .map(|at| {
                if at % 97 == 0 {
                    b'\n'
                } else {
                    b'a' + (at % 23) as u8
                }
            })
            .collect();
        for piece in [1, 2, 7, 100, 1023, 1024, 1025, 5000] {
            let mut writer = LineWriter::new(Pieces::default());
            for bytes in text.chunks(piece) {
                writer.write_all(bytes).unwrap();
            }
            writer.flush().unwrap();
            assert_eq!(writer.get_mut().0.concat(), text);
            let mut reader = BufReader::new(Slow(&text, piece));
            let mut lines = Vec::new();
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).unwrap() != 0 {
                lines.push(std::mem::take(&mut line));
            }
            assert_eq!(lines.concat(), text);
            assert!(lines.iter().rev().skip(1).all(|line| line.ends_with(b"\n")));
            assert_eq!(
                lines.len(),
                text.split_inclusive(|byte| *byte == b'\n').count()
            );
        }
    }

    #[test]
    fn what_is_no_text_is_replaced() {
        let mut reader = BufReader::new(&b"a\xffb\nrest"[..]);
        let mut line = String::new();
        assert_eq!(reader.read_line(&mut line), Ok(4));
        assert_eq!(line, "a\u{fffd}b\n");
        let mut rest = String::new();
        assert_eq!(reader.read_to_string(&mut rest), Ok(4));
        assert_eq!(
            (rest.as_str(), reader.read_line(&mut line)),
            ("rest", Ok(0))
        );
        assert_eq!(reader.read_exact(&mut [0; 1]), Err(Error::PeerClosed));
    }
}
