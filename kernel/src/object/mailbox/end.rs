//! The ends of a mailbox: what its handles name.

use ksync::{AllocError, Arc};

use super::Mailbox;

/// What a handle of a mailbox names: the one side or the other.
#[derive(Clone)]
pub enum End {
    /// To call by, only.
    Client(Arc<Mailbox>),
    /// To receive by.
    Server(Arc<Receiver>),
}

/// What all handles have in common by which messages can be received. When it goes, nobody can any more.
pub struct Receiver {
    mailbox: Arc<Mailbox>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.mailbox.close();
    }
}

impl End {
    /// The receiving end of a mailbox that has none yet.
    pub(super) fn server(mailbox: Arc<Mailbox>) -> Result<Self, AllocError> {
        Ok(Self::Server(Arc::try_new(Receiver { mailbox })?))
    }

    /// The mailbox itself.
    #[inline]
    pub fn mailbox(&self) -> &Arc<Mailbox> {
        match self {
            Self::Client(mailbox) => mailbox,
            Self::Server(receiver) => &receiver.mailbox,
        }
    }

    /// The mailbox itself, which does not keep it open.
    #[inline]
    pub fn into_mailbox(self) -> Arc<Mailbox> {
        match self {
            Self::Client(mailbox) => mailbox,
            Self::Server(receiver) => receiver.mailbox.clone(),
        }
    }

    /// The address of the mailbox.
    pub fn address(&self) -> u64 {
        match self {
            Self::Client(mailbox) => mailbox.as_ptr() as u64,
            Self::Server(receiver) => receiver.mailbox.as_ptr() as u64,
        }
    }
}
