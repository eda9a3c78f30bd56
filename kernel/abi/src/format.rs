//! System calls as text, for traces and reports.

use core::fmt;

use crate::Sysno;
use crate::call::{Kind, Output};

/// Shows a call with the names of its arguments, as in `event_signal(event=0x100000002, bits=0x1)`.
pub fn format_call(number: u64, registers: [u64; 6]) -> impl fmt::Display {
    FormattedCall { number, registers }
}

struct FormattedCall {
    number: u64,
    registers: [u64; 6],
}

impl fmt::Display for FormattedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(number) = Sysno::try_from(self.number) else {
            return write!(f, "unknown call {:#x}", self.number);
        };
        let call = number.call();
        let mut registers = self.registers.into_iter();
        let mut next = || registers.next().unwrap_or(0);
        write!(f, "{}(", call.name)?;
        for (index, argument) in call.arguments.iter().enumerate() {
            if index != 0 {
                f.write_str(", ")?;
            }
            write!(f, "{}=", argument.name)?;
            let value = next();
            match argument.kind {
                Kind::Bytes { .. } | Kind::Text { .. } | Kind::Room { .. } => {
                    write!(f, "{value:#x}+{:#x}", next())?;
                }
                Kind::Bits { bits } => format_bits(f, bits, value)?,
                _ => write!(f, "{value:#x}")?,
            }
        }
        if let Output::Structure(structure) = call.output {
            let separator = if call.arguments.is_empty() { "" } else { ", " };
            write!(f, "{separator}{}={:#x}", structure.name, next())?;
        }
        f.write_str(")")
    }
}

fn format_bits(f: &mut fmt::Formatter<'_>, bits: &[(&str, u64)], value: u64) -> fmt::Result {
    let mut rest = value;
    let mut separator = "";
    for (name, bit) in bits.iter().filter(|(_, bit)| value & bit != 0) {
        write!(f, "{separator}{name}")?;
        separator = "|";
        rest &= !bit;
    }
    if rest != 0 || value == 0 {
        write!(f, "{separator}{rest:#x}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::area;

    #[test]
    fn names_and_values_of_arguments_are_shown() {
        let shown = |number: Sysno, registers| format_call(number as u64, registers).to_string();
        assert_eq!(
            shown(Sysno::AbiVersion, [1, 2, 3, 4, 5, 6]),
            "abi_version()"
        );
        assert_eq!(
            shown(
                Sysno::ProcessMap,
                [1, 2, 0, 0x1000, 0x2000, area::READ | area::WRITE]
            ),
            "process_map(process=0x1, area=0x2, address=0x0, offset=0x1000, len=0x2000, access=READ|WRITE)"
        );
        assert_eq!(
            shown(Sysno::ProcessProtect, [1, 0, 0, 1 << 40 | 1, 5, 6]),
            "process_protect(process=0x1, address=0x0, len=0x0, access=READ|0x10000000000)"
        );
        assert_eq!(
            shown(Sysno::SystemLogWrite, [7, 3, 0x8000, 3, 0, 0]),
            "system_log_write(system=0x7, level=0x3, text=0x8000+0x3)"
        );
        assert_eq!(
            shown(Sysno::VmAreaInfo, [7, 0x8000, 3, 0, 0, 0]),
            "vm_area_info(area=0x7, Info=0x8000)"
        );
        assert_eq!(
            format_call(u64::MAX, [0; 6]).to_string(),
            "unknown call 0xffffffffffffffff"
        );
    }
}
