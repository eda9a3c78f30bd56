//! ELF files that are built by hand.

#![allow(dead_code, reason = "each test uses a part of it")]

pub const PT_LOAD: u32 = 1;
pub const PT_DYNAMIC: u32 = 2;
pub const PT_TLS: u32 = 7;
pub const PT_GNU_RELRO: u32 = 0x6474_e552;

/// Where the first segment's content is in the file, behind all headers.
pub const CONTENT: u64 = 0x1000;

/// A program header.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    pub kind: u32,
    pub flags: u32,
    pub offset: u64,
    pub virt: u64,
    pub file: u64,
    pub size: u64,
    pub align: u64,
}

/// A loaded segment of a description.
#[derive(Clone, Debug)]
pub struct Part {
    pub flags: u32,
    pub virt: u64,
    pub bytes: Vec<u8>,
    pub size: u64,
    pub align: u64,
}

/// An ELF file in words.
#[derive(Clone, Debug, Default)]
pub struct Description {
    pub is_pie: bool,
    pub entry: u64,
    pub parts: Vec<Part>,
    /// Offsets and addends.
    pub relocations: Vec<(u64, i64)>,
    /// Address, bytes in the file, size, alignment.
    pub tls: Option<(u64, u64, u64, u64)>,
    pub relro: Option<(u64, u64)>,
}

fn words(out: &mut Vec<u8>, words: &[u64]) {
    for word in words {
        out.extend(word.to_le_bytes());
    }
}

impl Description {
    /// The file. Relocations get a segment of their own, behind all others, with the dynamic table.
    pub fn file(&self) -> Vec<u8> {
        let mut parts = self.parts.clone();
        let mut extra = Vec::new();
        if self.is_pie {
            let end = parts.iter().map(|part| part.virt + part.size).max();
            let virt = end.unwrap_or(0).next_multiple_of(0x1000) + 0x1000;
            let len = 24 * self.relocations.len() as u64;
            let mut bytes = Vec::new();
            words(&mut bytes, &[7, virt + 64, 8, len, 9, 24, 0, 0]);
            for &(offset, addend) in &self.relocations {
                words(&mut bytes, &[offset, 8, addend as u64]);
            }
            extra.push((PT_DYNAMIC, 4, virt, 64, 64, 8));
            parts.push(Part {
                flags: 4,
                virt,
                size: bytes.len() as u64,
                bytes,
                align: 0x1000,
            });
        }
        if let Some((virt, file, size, align)) = self.tls {
            extra.push((PT_TLS, 4, virt, file, size, align));
        }
        if let Some((virt, size)) = self.relro {
            extra.push((PT_GNU_RELRO, 4, virt, size, size, 1));
        }
        let mut content = Vec::new();
        let mut headers = Vec::new();
        for part in &parts {
            let align = part.align.max(1);
            let end = CONTENT + content.len() as u64;
            let offset = end + (part.virt.wrapping_sub(end) & (align - 1));
            content.resize((offset - CONTENT) as usize, 0xee);
            content.extend(&part.bytes);
            headers.push(Header {
                kind: PT_LOAD,
                flags: part.flags,
                offset,
                virt: part.virt,
                file: part.bytes.len() as u64,
                size: part.size,
                align,
            });
        }
        for (kind, flags, virt, file, size, align) in extra {
            let around = headers.iter().find(|header| {
                header.kind == PT_LOAD
                    && header.virt <= virt
                    && virt + file <= header.virt + header.file
            });
            let offset = around.map_or(0, |header| header.offset + virt - header.virt);
            headers.push(Header {
                kind,
                flags,
                offset,
                virt,
                file,
                size,
                align,
            });
        }
        let kind = if self.is_pie { 3 } else { 2 };
        let mut out = header(kind, self.entry, &headers);
        assert!(out.len() as u64 <= CONTENT);
        out.resize(CONTENT as usize, 0);
        out.extend(content);
        out
    }
}

/// File header and program headers.
pub fn header(kind: u16, entry: u64, headers: &[Header]) -> Vec<u8> {
    let mut out = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    out.extend(kind.to_le_bytes());
    out.extend(62u16.to_le_bytes());
    out.extend(1u32.to_le_bytes());
    words(&mut out, &[entry, 64, 0]);
    out.extend(0u32.to_le_bytes());
    for half in [64u16, 56, headers.len() as u16, 64, 0, 0] {
        out.extend(half.to_le_bytes());
    }
    for header in headers {
        out.extend(header.kind.to_le_bytes());
        out.extend(header.flags.to_le_bytes());
        words(
            &mut out,
            &[
                header.offset,
                header.virt,
                header.virt,
                header.file,
                header.size,
                header.align,
            ],
        );
    }
    out
}

/// A small program: text, data with relocations, thread-local storage.
pub fn small(is_pie: bool) -> Description {
    let base = if is_pie { 0 } else { 0x20_0000 };
    let part = |flags, virt, bytes: Vec<u8>, size| Part {
        flags,
        virt: base + virt,
        bytes,
        size,
        align: 0x1000,
    };
    Description {
        is_pie,
        entry: base + 0x1010,
        parts: vec![
            part(4, 0, (0..200).collect(), 200),
            part(5, 0x1000, vec![0x90; 300], 300),
            part(6, 0x2000, (0..=255).collect(), 0x3000),
        ],
        relocations: if is_pie {
            vec![(0x2008, 0x1010), (0x2040, -1), (0x4ff8, 0x20)]
        } else {
            Vec::new()
        },
        tls: Some((base + 0x2020, 0x30, 0x48, 16)),
        relro: Some((base + 0x2000, 0x1000)),
    }
}
