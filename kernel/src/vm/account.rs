//! Memory accounts: how many pages a process, and the processes that it made, may use.

use kmem::account::{Draw, Ledger, OverLimit};
use ksync::{AllocError, Arc};

use crate::arch::current::IrqLock;

/// The account of a process. Dropping it gives what it had drawn back to its parent.
pub struct Account {
    ledger: IrqLock<Ledger>,
    parent: Option<Arc<Account>>,
}

impl Account {
    /// An account with a limit in pages, within that of its parent.
    ///
    /// # Errors
    /// When memory is short.
    pub fn new(limit: u64, parent: Option<Arc<Self>>) -> Result<Arc<Self>, AllocError> {
        Arc::try_new(Self {
            ledger: IrqLock::new(Ledger::new(limit)),
            parent,
        })
    }

    /// Charges pages. The locks are taken from child to parent.
    ///
    /// # Errors
    /// When this account, or one above, has no room for them; nothing has changed then.
    #[inline]
    pub fn charge(&self, pages: u64) -> Result<(), OverLimit> {
        let mut ledger = self.ledger.lock();
        let need = ledger.need(pages)?;
        let drawn = match need.least {
            0 => 0,
            _ => self.draw(need)?,
        };
        ledger.take(pages, drawn);
        Ok(())
    }

    /// Gets pages from the parent; returns how many. The own ledger is locked.
    #[cold]
    fn draw(&self, need: Draw) -> Result<u64, OverLimit> {
        let Some(parent) = &self.parent else {
            // The account at the root has all that it may use.
            return Ok(need.batch);
        };
        match parent.charge(need.batch) {
            Ok(()) => Ok(need.batch),
            Err(OverLimit) => parent.charge(need.least).map(|()| need.least),
        }
    }

    /// Takes a charge back.
    pub fn uncharge(&self, pages: u64) {
        let back = self.ledger.lock().release(pages);
        if let (Some(parent), 1..) = (&self.parent, back) {
            parent.uncharge(back);
        }
    }

    /// Pages in use, and the most that may be.
    pub fn usage(&self) -> (u64, u64) {
        let ledger = self.ledger.lock();
        (ledger.used(), ledger.limit())
    }

    /// Sets the limit, in pages.
    pub fn set_limit(&self, pages: u64) {
        self.ledger.lock().set_limit(pages);
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let drawn = self.ledger.lock().drawn();
        if let Some(parent) = &self.parent {
            parent.uncharge(drawn);
        }
    }
}
