//! Tells where the firmware's console goes, so that no text is printed twice.
//!
//! The variable `ConOut` is a list of device paths. If a UART is on one of them, what is written to
//! the console is on the serial port already. Encoding: UEFI specification 2.10, section 10.3.

/// Whether the firmware copies its console to a serial port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SerialConsole {
    /// It does.
    Redirected,
    /// It does not, or nobody knows.
    Separate,
}

const HEADER: usize = 4;
const TYPE_MESSAGING: u8 = 3;
const SUBTYPE_UART: u8 = 14;
const TYPE_END: u8 = 0x7f;
const SUBTYPE_END_ENTIRE: u8 = 0xff;

/// Searches the value of `ConOut` for a UART.
pub fn serial_console(con_out: &[u8]) -> SerialConsole {
    let mut rest = con_out;
    while let [kind, subtype, low, high, ..] = *rest {
        if (kind, subtype) == (TYPE_MESSAGING, SUBTYPE_UART) {
            return SerialConsole::Redirected;
        }
        if (kind, subtype) == (TYPE_END, SUBTYPE_END_ENTIRE) {
            break;
        }
        let length = usize::from(u16::from_le_bytes([low, high])).max(HEADER);
        rest = rest.get(length..).unwrap_or_default();
    }
    SerialConsole::Separate
}

#[cfg(test)]
mod tests {
    use super::{SerialConsole, serial_console};
    use proptest::prelude::{any, proptest};

    fn node(out: &mut Vec<u8>, kind: u8, subtype: u8, body: &[u8]) {
        out.extend([kind, subtype]);
        out.extend(u16::try_from(body.len() + 4).unwrap().to_le_bytes());
        out.extend(body);
    }

    proptest! {
        #[test]
        fn a_uart_in_any_instance_is_found(
            before in proptest::collection::vec((1_u8..3, any::<u8>(), proptest::collection::vec(any::<u8>(), 0..9)), 0..5),
            uart: bool,
        ) {
            let mut path = Vec::new();
            for (kind, subtype, body) in &before {
                node(&mut path, *kind, *subtype, body);
                node(&mut path, 0x7f, 1, &[]);
            }
            if uart {
                node(&mut path, 3, 14, &[0; 15]);
            }
            node(&mut path, 0x7f, 0xff, &[]);
            // Whatever comes behind the end does not count.
            node(&mut path, 3, 14, &[0; 15]);
            let expected = if uart { SerialConsole::Redirected } else { SerialConsole::Separate };
            assert_eq!(serial_console(&path), expected);
        }

        #[test]
        fn any_bytes_end(bytes: Vec<u8>) {
            serial_console(&bytes);
        }
    }
}
