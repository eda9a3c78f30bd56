//! Devices that the firmware's ACPI tables name: what no bus tells of itself.

/// Flag of lines: a level counts, not an edge.
pub const LEVEL: u64 = 1 << 0;
/// Flag of lines: they are active when low.
pub const ACTIVE_LOW: u64 = 1 << 1;
/// Flag of lines: other devices may use them, too.
pub const SHARED: u64 = 1 << 2;
/// Flag of memory: it can be written to.
pub const WRITABLE: u64 = 1 << 3;

/// The most resources of a device.
pub const RESOURCES_MAX: usize = 8;

wire! {
    /// What `system_device` tells.
    Device {
        /// Its identifier, as `PNP0501`: text of up to 16 bytes, then zeros. Bytes 0 to 7, the first one in the lowest bits. See [`Device::hid`].
        hid_0,
        /// Bytes 8 to 15 of the identifier.
        hid_1,
        /// What tells devices of one identifier apart; a number is given in decimal. Text, as the identifier; may be empty.
        uid_0,
        /// Bytes 8 to 15 of it.
        uid_1,
        /// Its name in the firmware's tree, as `\_SB_.PCI0.S08_.COM1`, cut to 64 bytes. Bytes 0 to 7.
        path_0,
        /// Bytes 8 to 15 of the name.
        path_1,
        /// Bytes 16 to 23 of the name.
        path_2,
        /// Bytes 24 to 31 of the name.
        path_3,
        /// Bytes 32 to 39 of the name.
        path_4,
        /// Bytes 40 to 47 of the name.
        path_5,
        /// Bytes 48 to 55 of the name.
        path_6,
        /// Bytes 56 to 63 of the name.
        path_7,
        /// How many resources are given below, 8 at most.
        resources,
        /// How many more it has.
        left_out,
        /// Resource 0: [`crate::resource::PORTS`], [`crate::resource::MEMORY`] or [`crate::resource::LINES`].
        kind_0,
        /// Its first port, address or line.
        start_0,
        /// How many there are.
        len_0,
        /// Of lines: [`LEVEL`], [`ACTIVE_LOW`], [`SHARED`]; of memory: [`WRITABLE`].
        flags_0,
        /// Kind of resource 1.
        kind_1,
        /// Where it starts.
        start_1,
        /// How many there are.
        len_1,
        /// Its flags.
        flags_1,
        /// Kind of resource 2.
        kind_2,
        /// Where it starts.
        start_2,
        /// How many there are.
        len_2,
        /// Its flags.
        flags_2,
        /// Kind of resource 3.
        kind_3,
        /// Where it starts.
        start_3,
        /// How many there are.
        len_3,
        /// Its flags.
        flags_3,
        /// Kind of resource 4.
        kind_4,
        /// Where it starts.
        start_4,
        /// How many there are.
        len_4,
        /// Its flags.
        flags_4,
        /// Kind of resource 5.
        kind_5,
        /// Where it starts.
        start_5,
        /// How many there are.
        len_5,
        /// Its flags.
        flags_5,
        /// Kind of resource 6.
        kind_6,
        /// Where it starts.
        start_6,
        /// How many there are.
        len_6,
        /// Its flags.
        flags_6,
        /// Kind of resource 7.
        kind_7,
        /// Where it starts.
        start_7,
        /// How many there are.
        len_7,
        /// Its flags.
        flags_7,
    }
}

/// A resource of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceResource {
    /// [`crate::resource::PORTS`], [`crate::resource::MEMORY`] or [`crate::resource::LINES`].
    pub kind: u64,
    /// The first port, address or line.
    pub start: u64,
    /// How many there are.
    pub len: u64,
    /// See [`LEVEL`] and those after it.
    pub flags: u64,
}

/// Words of identifiers.
const ID_WORDS: usize = 2;
/// Words of the name.
const PATH_WORDS: usize = 8;
/// Where the name begins.
const PATH: usize = 2 * ID_WORDS;
/// Where the number of resources is.
const COUNT: usize = PATH + PATH_WORDS;
/// Where the resources begin.
const RESOURCES: usize = COUNT + 2;

impl Device {
    /// A device; what is too long is cut.
    pub fn new(hid: &str, uid: &str, path: &str, resources: &[DeviceResource]) -> Self {
        let mut words = [0; Self::WORDS];
        let texts = [
            (hid, 0, ID_WORDS),
            (uid, ID_WORDS, ID_WORDS),
            (path, PATH, PATH_WORDS),
        ];
        for (text, first, count) in texts {
            for (index, byte) in text.bytes().take(count * 8).enumerate() {
                words[first + index / 8] |= u64::from(byte) << (index % 8 * 8);
            }
        }
        let kept = resources.len().min(RESOURCES_MAX);
        words[COUNT] = kept as u64;
        words[COUNT + 1] = (resources.len() - kept) as u64;
        let places = words[RESOURCES..].as_chunks_mut().0;
        for (place, resource) in places.iter_mut().zip(resources) {
            *place = [resource.kind, resource.start, resource.len, resource.flags];
        }
        Self::from_words(words)
    }

    /// The bytes of its identifier, and zeros behind them.
    pub fn hid(&self) -> [u8; ID_WORDS * 8] {
        bytes(&[self.hid_0, self.hid_1])
    }

    /// The bytes of what tells it from others with its identifier, and zeros behind them.
    pub fn uid(&self) -> [u8; ID_WORDS * 8] {
        bytes(&[self.uid_0, self.uid_1])
    }

    /// The bytes of its name, and zeros behind them.
    pub fn path(&self) -> [u8; PATH_WORDS * 8] {
        bytes(&self.to_words()[PATH..COUNT])
    }

    /// Its resources.
    pub fn resources(&self) -> impl Iterator<Item = DeviceResource> {
        let words = self.to_words();
        let count = self.resources.min(RESOURCES_MAX as u64) as usize;
        (0..count).map(move |index| {
            let at = RESOURCES + index * 4;
            DeviceResource {
                kind: words[at],
                start: words[at + 1],
                len: words[at + 2],
                flags: words[at + 3],
            }
        })
    }
}

/// The bytes of words, the lowest bits first.
fn bytes<const N: usize>(words: &[u64]) -> [u8; N] {
    let mut bytes = [0; N];
    for (place, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
        *place = word.to_le_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_comes_out_and_what_is_too_long_is_cut() {
        let of = |index: u64| DeviceResource {
            kind: crate::resource::PORTS,
            start: 0x3f8 + index,
            len: 8 + index,
            flags: LEVEL | index << 8,
        };
        let all: Vec<_> = (0..11).map(of).collect();
        for count in 0..all.len() {
            let device = Device::new("PNP0501", "1", r"\\_SB_.PCI0.COM1", &all[..count]);
            let given: Vec<_> = device.resources().collect();
            assert_eq!(given, all[..count.min(RESOURCES_MAX)]);
            assert_eq!(device.left_out, count.saturating_sub(RESOURCES_MAX) as u64);
        }
        let long = "x".repeat(200);
        let device = Device::new("PNP0501", &long, &long, &[]);
        assert_eq!(&device.hid(), b"PNP0501\0\0\0\0\0\0\0\0\0");
        assert_eq!(device.uid(), [b'x'; 16]);
        assert_eq!(device.path(), [b'x'; 64]);
        let empty = Device::from_words([u64::MAX; Device::WORDS]);
        assert_eq!(empty.resources().count(), RESOURCES_MAX);
    }
}
