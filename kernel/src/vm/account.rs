//! Memory accounts: how many pages a process, and the processes that it made, may use.

use kmem::account::{Draw, Ledger, OverLimit};
use ksync::{AllocError, Arc};

use crate::arch::current::IrqLock;
use crate::locks;

/// The account of a process. Dropping it gives what it had drawn back to its parent.
pub struct Account {
    ledger: IrqLock<Ledger, locks::Account>,
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

    /// Charges pages that nobody has asked for yet.
    ///
    /// # Errors
    /// Also when this account, or one above, comes near its limit.
    pub fn charge_ahead(&self, pages: u64) -> Result<(), OverLimit> {
        let mut ledger = self.ledger.lock();
        let need = ledger.need_ahead(pages)?;
        if need.least != 0
            && let Some(parent) = &self.parent
        {
            parent.charge_ahead(need.batch)?;
        }
        ledger.take(pages, need.batch);
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

    /// The account that has no room for a charge of this one, which may be one above. `None` when there is room.
    pub fn full_for(&self, pages: u64) -> Option<Full<'_>> {
        let (mut account, mut pages) = (self, pages);
        loop {
            let ledger = account.ledger.lock();
            let Ok(need) = ledger.need(pages) else {
                let can_help = pages <= ledger.limit();
                return Some(Full { account, can_help });
            };
            pages = need.least;
            if pages == 0 {
                return None;
            }
            account = account.parent.as_deref()?;
        }
    }

    /// Whether it is another account or lies below it: what is given back here counts there.
    pub fn is_within(&self, other: &Self) -> bool {
        let mut account = Some(self);
        while let Some(this) = account {
            if core::ptr::eq(this, other) {
                return true;
            }
            account = this.parent.as_deref();
        }
        false
    }

    /// Gives all that is drawn and not used back, here and above, up to what an account above had to give.
    pub fn trim(&self, top: &Self) {
        let mut account = self;
        while !core::ptr::eq(account, top) {
            let Some(parent) = &account.parent else {
                return;
            };
            let spare = account.ledger.lock().trim();
            parent.uncharge(spare);
            account = parent;
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

/// An account without room.
pub struct Full<'a> {
    /// Which one it is.
    pub account: &'a Account,
    /// Whether there would be room if less was in use.
    pub can_help: bool,
}

impl Drop for Account {
    fn drop(&mut self) {
        let drawn = self.ledger.lock().drawn();
        if let Some(parent) = &self.parent {
            parent.uncharge(drawn);
        }
    }
}
