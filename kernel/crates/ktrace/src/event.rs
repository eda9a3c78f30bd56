//! One event: when, what, which thread ran, and up to six words more.

/// Words of an event, beside time and head.
pub const WORDS: usize = 6;
/// Bytes of a name in the last words of [`Kind::Switch`] and [`Kind::Running`].
pub const NAME: usize = 32;

/// Words in front of a name.
const BEFORE_NAME: usize = WORDS - NAME / 8;

macro_rules! kinds {
    ($($(#[doc = $documentation:literal])+ $name:ident = $number:literal,)+) => {
        /// What happened. Words that are not named here are 0.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Kind {
            $($(#[doc = $documentation])+ $name = $number,)+
        }

        impl Kind {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The kind with this number.
            pub const fn from_number(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)+
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    /// The thread is left, for another one. Detail: [`Left`], and 16 if the two handed the processor over in a call.
    /// Words: the other thread, its process (0: the kernel), its name.
    Switch = 1,
    /// The thread makes another one runnable. Detail: 1 if that one was still on its way into its block, 2 if it is a new one.
    /// Words: the other thread, the processor that it is put on.
    Wake = 2,
    /// A thread is moved. Words: that thread, the processor that it was on, the one that it is on now.
    Migrate = 3,
    /// A system call begins. Detail: its number, at most `0xffff`. Words: the six registers of its arguments.
    Call = 4,
    /// A system call returns. Detail: its number. Words: its error (0: none), its value.
    Return = 5,
    /// An exception. Detail: its vector. Words: the address (of a page fault), the error code, the instruction, and what came of it:
    /// 0 if the access is tried again, else `abi::process::Exception::reason` plus 1.
    Fault = 6,
    /// An interrupt is taken. Detail: its vector.
    Interrupt = 7,
    /// An interrupt is sent to another processor. Detail: its vector. Words: that processor.
    Ipi = 8,
    /// A call finds no thread that waits for it. Words: the mailbox, the number of the call.
    Queue = 9,
    /// A message is given to a server. Words: the caller, the server, the number of the call, the tag.
    Deliver = 10,
    /// A call is over. Detail: 0 if it was answered, 1 if it was refused. Words: the caller, the number of the call.
    Reply = 11,
    /// When the trace is written: from here on the events of another processor. Detail: its index. Words: how many older events of it
    /// were overwritten.
    Processor = 12,
    /// What the processor was given last, or has run from the begin. Words: as those of [`Self::Switch`].
    Running = 13,
    /// The trace ends here.
    End = 14,
}

/// What becomes of a thread that is left: [`Kind::Switch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Left {
    /// It goes on later.
    Runnable = 0,
    /// It waits to be woken.
    Blocked = 1,
    /// It is over.
    Ended = 2,
}

impl Left {
    /// In the detail of a switch: the other thread was given the processor by this one, which waits for it.
    pub const HANDED_OVER: u16 = 16;

    /// What the detail of a switch says.
    pub const fn from_detail(detail: u16) -> Self {
        match detail & (Self::HANDED_OVER - 1) {
            1 => Self::Blocked,
            2 => Self::Ended,
            _ => Self::Runnable,
        }
    }
}

/// An event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// On the monotonic clock, in nanoseconds.
    pub time_ns: u64,
    /// What happened.
    pub kind: Kind,
    /// More of it.
    pub detail: u16,
    /// The thread that ran. Of its number, 40 bits are kept.
    pub thread: u64,
    /// What the kind says.
    pub words: [u64; WORDS],
}

impl Event {
    /// The most that is kept of a thread's number.
    pub const THREAD_MAX: u64 = (1 << 40) - 1;

    /// An event whose words begin with these.
    #[inline]
    pub fn new<const N: usize>(
        time_ns: u64,
        kind: Kind,
        detail: u16,
        thread: u64,
        first: [u64; N],
    ) -> Self {
        const { assert!(N <= WORDS) };
        let mut words = [0; WORDS];
        for (word, value) in words.iter_mut().zip(first) {
            *word = value;
        }
        Self {
            time_ns,
            kind,
            detail,
            thread,
            words,
        }
    }

    /// Puts a name into the last words, cut off where there is no more room.
    pub fn with_name(mut self, name: &str) -> Self {
        let mut bytes = [0; NAME];
        for (place, byte) in bytes.iter_mut().zip(name.bytes()) {
            *place = byte;
        }
        let (eights, _) = bytes.as_chunks::<8>();
        for (word, eight) in self.words.iter_mut().skip(BEFORE_NAME).zip(eights) {
            *word = u64::from_le_bytes(*eight);
        }
        self
    }

    /// The bytes of the name in the last words.
    pub fn name(&self) -> impl Iterator<Item = u8> {
        let words = self.words.into_iter().skip(BEFORE_NAME);
        words
            .flat_map(u64::to_le_bytes)
            .take_while(|&byte| byte != 0)
    }

    /// Kind, detail and thread in one word.
    pub(crate) fn head(&self) -> u64 {
        self.thread << 24 | u64::from(self.detail) << 8 | u64::from(self.kind as u8)
    }

    /// Undoes [`Self::head`].
    pub(crate) fn from_head(head: u64, time_ns: u64, words: [u64; WORDS]) -> Option<Self> {
        Some(Self {
            time_ns,
            kind: Kind::from_number(head as u8)?,
            detail: (head >> 8) as u16,
            thread: head >> 24,
            words,
        })
    }
}
