//! Answers that are given later: the right to answer as an object.

use abi::Error;
use ksync::{AllocError, Arc};

use super::reply::{ReplyRight, run_answered};
use crate::arch::current::IrqLock;
use crate::locks;
use crate::sched;

/// The right to answer a call, until it is used. When the object goes before, the caller gets `PeerClosed`.
pub struct Reply {
    right: IrqLock<Option<ReplyRight>, locks::Reply>,
}

impl Reply {
    /// The right to answer nothing, until [`detach`] puts one there.
    ///
    /// # Errors
    /// When memory is short.
    pub fn new() -> Result<Arc<Self>, AllocError> {
        Arc::try_new(Self {
            right: IrqLock::new(None),
        })
    }

    /// Answers the call with the message in the running thread's registers.
    ///
    /// # Errors
    /// `NotReady` when it was answered already; `PeerClosed` when the caller waits no more. After those of long answers it can be
    /// answered still.
    pub fn answer(&self) -> Result<(), Error> {
        let right = self.right.lock().take().ok_or(Error::NotReady)?;
        // SAFETY: the running thread's own frame.
        match unsafe { right.answer(sched::current_ref().frame()) } {
            Ok(caller) => {
                if let Some(caller) = caller {
                    run_answered(caller);
                }
                Ok(())
            }
            Err(error) => {
                if error != Error::PeerClosed {
                    *self.right.lock() = Some(right);
                }
                Err(error)
            }
        }
    }
}

/// Moves the right to answer the call that the running thread serves to an object, which has none.
///
/// # Errors
/// `NotReady` when the thread serves none.
pub fn detach(reply: &Reply) -> Result<(), Error> {
    let server = sched::current_ref();
    let before = server.priority();
    let right = server.end_service().ok_or(Error::NotReady)?;
    *reply.right.lock() = Some(right);
    sched::follow_priority(server, before);
    Ok(())
}

/// Whether the running thread serves a call.
pub fn is_serving() -> bool {
    let reply = &sched::current_ref().ipc.reply;
    let right = reply.take();
    let is_serving = right.is_some();
    reply.set(right);
    is_serving
}
