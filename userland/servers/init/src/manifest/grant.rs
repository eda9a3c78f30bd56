//! What a service can be given: `"system.log_read"`, `"ports:0x60"`, `"device:PNP0501"`.

use alloc::format;
use alloc::string::String;

use abi::Rights;
use serde::Deserialize;

/// A right on the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemRight(pub Rights);

/// A range of ports or of memory: the first one and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first one.
    pub start: u64,
    /// How many.
    pub len: u64,
}

/// Lines of interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// All of them.
    All,
    /// The one that an interrupt of the ISA bus arrives by.
    Isa(u64),
    /// One by its number.
    Number(u64),
}

/// Something that a service is given.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Grant {
    /// A right on the machine.
    System(SystemRight),
    /// I/O ports.
    Ports(Option<Range>),
    /// Physical memory that belongs to devices.
    Memory(Option<Range>),
    /// Lines of interrupts.
    Lines(Lines),
    /// What the devices with an identifier of ACPI use.
    Device(String),
    /// The memory of the screen.
    Framebuffer,
}

const SYSTEM: [(&str, Rights); 8] = [
    ("log_write", Rights::LOG_WRITE),
    ("log_read", Rights::LOG_READ),
    ("console", Rights::CONSOLE),
    ("power", Rights::POWER),
    ("processes", Rights::PROCESSES),
    ("statistics", Rights::STATISTICS),
    ("devices", Rights::DEVICES),
    ("trace", Rights::TRACE),
];

/// One more than the highest I/O port.
const PORTS_END: u64 = 0x1_0000;
/// The longest identifier of a device.
const HID_MAX: usize = 16;

impl TryFrom<String> for Grant {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        read(&text).ok_or_else(|| {
            format!(
                "{text:?} is nothing that can be granted: system.RIGHT (log_write, log_read, console, power, processes, statistics, \
                 devices, trace), ports, ports:FIRST[-LAST], memory, memory:FIRST-LAST, lines, lines:isaN, lines:N, device:HID, framebuffer"
            )
        })
    }
}

fn read(text: &str) -> Option<Grant> {
    if let Some(name) = text.strip_prefix("system.") {
        let (_, right) = SYSTEM.iter().find(|(known, _)| *known == name)?;
        return Some(Grant::System(SystemRight(*right)));
    }
    let (kind, rest) = match text.split_once(':') {
        Some((kind, rest)) => (kind, Some(rest)),
        None => (text, None),
    };
    match (kind, rest) {
        ("framebuffer", None) => Some(Grant::Framebuffer),
        ("ports", None) => Some(Grant::Ports(None)),
        ("ports", Some(rest)) => {
            let range = range(rest)?;
            let fits = range.start + range.len <= PORTS_END;
            fits.then_some(Grant::Ports(Some(range)))
        }
        ("memory", None) => Some(Grant::Memory(None)),
        ("memory", Some(rest)) => range(rest).map(|range| Grant::Memory(Some(range))),
        ("lines", None) => Some(Grant::Lines(Lines::All)),
        ("lines", Some(rest)) => match rest.strip_prefix("isa") {
            Some(number) => {
                let number = number_of(number)?;
                let fits = number < abi::resource::ISA_INTERRUPTS;
                fits.then_some(Grant::Lines(Lines::Isa(number)))
            }
            None => number_of(rest).map(|number| Grant::Lines(Lines::Number(number))),
        },
        ("device", Some(hid)) => {
            let fits = (1..=HID_MAX).contains(&hid.len())
                && hid.bytes().all(|byte| byte.is_ascii_alphanumeric());
            fits.then(|| Grant::Device(hid.into()))
        }
        _ => None,
    }
}

/// `FIRST-LAST`, or one number.
fn range(text: &str) -> Option<Range> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (start, last) = (number_of(first)?, number_of(last)?);
    let len = last.checked_sub(start)?.checked_add(1)?;
    start.checked_add(len)?;
    Some(Range { start, len })
}

fn number_of(text: &str) -> Option<u64> {
    let (digits, radix) = match text.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    // `from_str_radix` takes a sign.
    let fits = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    fits.then(|| u64::from_str_radix(digits, radix).ok())?
}
