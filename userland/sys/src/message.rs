//! Calls of mailboxes: messages of up to eight words, in registers, handles among them. For longer ones see [`long`].

pub mod long;

pub use abi::message::{REGISTER_WORDS, Tag};
use abi::{Error, Handle, Sysno};

/// A message: what it is, and its words. Those beyond its length mean nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Label and length.
    pub tag: Tag,
    /// The words.
    pub words: [u64; REGISTER_WORDS],
}

impl Message {
    /// A message with a label, of which the lowest 52 bits count, and at most eight words; more are left out.
    pub fn new(label: u64, words: &[u64]) -> Self {
        let mut message = Self::default();
        let len = words.len().min(REGISTER_WORDS);
        for (place, word) in message.words.iter_mut().zip(words) {
            *place = *word;
        }
        message.tag = Tag::new(label, len as u8);
        message
    }

    /// The same with handles, which are moved to the receiver, as its first words; at most eight words and handles together.
    pub fn with_handles(label: u64, handles: &[Handle], words: &[u64]) -> Self {
        let mut all = [0; REGISTER_WORDS];
        let given = handles
            .iter()
            .map(|handle| handle.0)
            .chain(words.iter().copied());
        for (place, word) in all.iter_mut().zip(given) {
            *place = word;
        }
        let len = (handles.len() + words.len()).min(REGISTER_WORDS);
        let mut message = Self::new(label, all.get(..len).unwrap_or(&all));
        message.tag = message.tag.with_handles(handles.len().min(len) as u8);
        message
    }

    /// The handles that it has: the first ones of its words.
    pub fn handles(&self) -> impl Iterator<Item = Handle> {
        let count = self.tag.handles();
        self.words.iter().take(count).map(|word| Handle(*word))
    }

    /// The words that it has.
    pub fn words(&self) -> &[u64] {
        self.words.get(..self.tag.words()).unwrap_or(&self.words)
    }
}

/// A message that was received, and the badge of the handle that it was sent by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// The badge.
    pub badge: u64,
    /// The message.
    pub message: Message,
}

#[cfg(not(target_os = "none"))]
use crate::host::exchange;
#[cfg(target_os = "none")]
use trap::exchange;

/// The instruction that enters the kernel.
#[cfg(target_os = "none")]
mod trap {
    use core::arch::asm;

    use abi::{Error, Handle, Sysno};

    use super::{Message, REGISTER_WORDS, Received, Tag};

    /// Calls with a handle in RDI, a word in RSI and a message's words; gives back RDI, RSI and the words.
    #[inline(always)]
    pub fn exchange(
        number: Sysno,
        handle: Handle,
        second: u64,
        words: [u64; REGISTER_WORDS],
    ) -> Result<Received, Error> {
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = words;
        let (error, badge, tag): (u64, u64, u64);
        // SAFETY: the instruction enters the kernel, which changes the registers that are named here and nothing else.
        unsafe {
            asm!(
                "syscall",
                inlateout("rax") number as u64 => error,
                inlateout("rdi") handle.0 => badge,
                inlateout("rsi") second => tag,
                inlateout("rdx") a,
                inlateout("r10") b,
                inlateout("r8") c,
                inlateout("r9") d,
                inlateout("r12") e,
                inlateout("r13") f,
                inlateout("r14") g,
                inlateout("r15") h,
                lateout("rcx") _,
                lateout("r11") _,
                options(nostack),
            );
        }
        match Error::from_number(error) {
            None if error == 0 => Ok(Received {
                badge,
                message: Message {
                    tag: Tag(tag),
                    words: [a, b, c, d, e, f, g, h],
                },
            }),
            None => Err(Error::InvalidArgument),
            Some(error) => Err(error),
        }
    }
}

/// Sends a message by a handle with CALL, and waits for the answer.
///
/// # Errors
/// Those of the handle; `PeerClosed` when nobody can receive or answer it; `OutOfMemory`.
#[inline]
pub fn call(mailbox: Handle, message: &Message) -> Result<Message, Error> {
    let answer = exchange(Sysno::MailboxCall, mailbox, message.tag.0, message.words)?;
    Ok(answer.message)
}

/// As [`call`], at the latest until a time on the monotonic clock, in nanoseconds.
///
/// # Errors
/// As [`call`]; `TimedOut`; `InvalidArgument` for messages of more than seven words: see [`long::Buffer::call_until`].
pub fn call_until(mailbox: Handle, message: &Message, until: u64) -> Result<Message, Error> {
    let mut words = message.words;
    if message.tag.words() >= REGISTER_WORDS {
        return Err(Error::InvalidArgument);
    }
    words[REGISTER_WORDS - 1] = until;
    let answer = exchange(Sysno::MailboxCallUntil, mailbox, message.tag.0, words)?;
    Ok(answer.message)
}

/// Waits for a message, at the latest until a time on the monotonic clock, in nanoseconds; 0 only looks. The call that was received
/// before, if it was not answered, gets `PeerClosed`.
///
/// # Errors
/// Those of the handle, which needs RECEIVE; `TimedOut`, `PeerClosed`, `OutOfMemory`.
pub fn receive(mailbox: Handle, until: u64) -> Result<Received, Error> {
    exchange(Sysno::MailboxReceive, mailbox, until, [0; REGISTER_WORDS])
}

/// Answers the call whose message was received last.
///
/// # Errors
/// Those of the handle; `NotReady` when there is none; `PeerClosed` when the caller waits no more.
pub fn reply(mailbox: Handle, message: &Message) -> Result<(), Error> {
    exchange(Sysno::MailboxReply, mailbox, message.tag.0, message.words)?;
    Ok(())
}

/// Answers as [`reply`], if there is somebody to answer, and waits for the next message.
///
/// # Errors
/// Those of the handle, which needs RECEIVE; `PeerClosed`, `OutOfMemory`.
#[inline]
pub fn reply_receive(mailbox: Handle, message: &Message) -> Result<Received, Error> {
    exchange(
        Sysno::MailboxReplyReceive,
        mailbox,
        message.tag.0,
        message.words,
    )
}

/// Answers the call that a handle of [`mailbox_detach`](crate::call::mailbox_detach) stands for.
///
/// # Errors
/// Those of the handle; `NotReady` when it was answered already; `PeerClosed` when the caller waits no more.
pub fn answer(reply: Handle, message: &Message) -> Result<(), Error> {
    exchange(Sysno::ReplyAnswer, reply, message.tag.0, message.words)?;
    Ok(())
}
