//! The standard input, read by a thread of its own: its channel has an event of its own, and the shell waits for another one.

use alloc::vec::Vec;

use abi::Rights;
use sys::channel::{Channel, Reader, Waiter, Writer};
use sys::io::Read;
use sys::object::Event;

use super::console::{Input, MOVED};

/// Bytes of the channel to the thread that reads.
const ROOM: u64 = 4096;

/// The standard input. The thread begins with the first read, so that what nobody wants stays where it is.
pub struct StandardInput(Option<Option<Reader>>);

impl StandardInput {
    pub fn new() -> Self {
        Self(None)
    }

    /// Reads what there is.
    pub fn read(&mut self, event: &Event, buffer: &mut [u8]) -> Input {
        let reader = self.0.get_or_insert_with(|| start(event).ok());
        match reader.as_mut().map(|reader| reader.read_or_arm(buffer)) {
            Some(Ok(0)) => {
                *reader = None;
                Input::End
            }
            None => Input::End,
            Some(Ok(count)) => Input::Bytes(count),
            Some(Err(_)) => Input::Nothing,
        }
    }
}

/// A way to be told of a channel by the shell's event.
pub fn waiter(event: &Event) -> Result<Waiter, abi::Error> {
    let rights = Rights::SIGNAL
        .union(Rights::DUPLICATE)
        .union(Rights::TRANSFER);
    Ok(Waiter {
        event: event.duplicate(rights)?.into_owned(),
        moved: MOVED,
        closed: MOVED,
    })
}

fn start(event: &Event) -> Result<Reader, abi::Error> {
    let own = sys::start::own();
    let channel = Channel::with(ROOM, None, Some(waiter(event)?))?;
    let reader = Reader::new(own, channel.reader()?)?;
    let mut writer = Writer::new(own, channel.writer()?)?;
    // It ends by itself: nobody waits for it.
    let _thread = sys::thread::spawn(move || {
        let mut buffer = Vec::from([0; 512]);
        // Until the end, or until nobody wants more.
        while let Ok(count @ 1..) = sys::io::stdin().read(&mut buffer) {
            let bytes = buffer.get(..count).unwrap_or_default();
            if writer.write_all(bytes, abi::NEVER).is_err() {
                break;
            }
        }
    })?;
    Ok(reader)
}
