//! Locks that keep interrupts off while they are held, for data shared with interrupt handlers.

use crate::atomic::{AtomicU32, Ordering, relax};
use crate::lock::{Raw, RawGuard, is_locked, try_lock};
use crate::order::{Held, Level, Noted, Unranked};
use crate::tally::Tally;
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

/// The seam to the processor's interrupt flag.
pub trait IrqControl {
    /// Whether interrupts were on.
    type State: Copy;

    /// Switches maskable interrupts off on this processor and says whether they were on.
    fn disable() -> Self::State;

    /// Back to what [`IrqControl::disable`] returned.
    fn restore(state: Self::State);

    /// The number of this processor, for finding locks taken twice; called only in builds with debug
    /// assertions and with interrupts off. `None` while processors have no numbers.
    fn cpu() -> Option<u32> {
        None
    }

    /// Whether the order of locks is checked, which costs some instructions a lock.
    const CHECKS_ORDER: bool = false;

    /// Where it is counted what processors share, where the order is checked.
    fn tally() -> Option<&'static Tally> {
        None
    }

    /// The levels of which this processor holds locks, where the order is checked; called with interrupts off. `None` while
    /// processors have no numbers.
    fn held() -> Option<&'static Held> {
        None
    }

    /// What a processor does on each turn while it waits for a lock: at least the pause instruction, and whatever another
    /// processor may ask of it while that one holds the lock.
    fn while_waiting() {
        relax();
    }
}

/// Interrupts are off on this processor while this lives. Guards must be dropped in the reverse
/// order of their making, which scopes do by themselves.
#[must_use = "interrupts are on again as soon as the guard is dropped"]
pub struct IrqGuard<I: IrqControl> {
    state: I::State,
    /// Belongs to the processor that it was made on.
    not_send: PhantomData<*const ()>,
}

impl<I: IrqControl> IrqGuard<I> {
    /// Switches interrupts off.
    #[inline]
    pub fn new() -> Self {
        Self {
            state: I::disable(),
            not_send: PhantomData,
        }
    }
}

/// Shows that interrupts are off on this processor, as a guard of that lives.
pub struct IrqOff<'a, I: IrqControl>(PhantomData<(&'a IrqGuard<I>, *const ())>);

impl<I: IrqControl> Clone for IrqOff<'_, I> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<I: IrqControl> Copy for IrqOff<'_, I> {}

impl<I: IrqControl> IrqOff<'static, I> {
    /// For code that is entered with interrupts off, and does not switch them on: a system call. A lock that is taken by this elsewhere
    /// may be waited for by an interrupt of its holder, for ever.
    #[inline(always)]
    pub const fn known() -> Self {
        Self(PhantomData)
    }
}

impl<I: IrqControl> IrqGuard<I> {
    /// What shows that interrupts are off, as long as the guard lives.
    #[inline]
    pub fn off(&self) -> IrqOff<'_, I> {
        IrqOff(PhantomData)
    }
}

impl<I: IrqControl> Default for IrqGuard<I> {
    fn default() -> Self {
        Self::new()
    }
}

impl<I: IrqControl> Drop for IrqGuard<I> {
    #[inline]
    fn drop(&mut self) {
        I::restore(self.state);
    }
}

/// A spin lock that keeps interrupts off on the holder's processor.
///
/// May be taken: in thread context, in interrupt handlers, with interrupts on or off. Must not be
/// taken: in the NMI, machine check and double fault handlers or on the panic path (those only
/// [`IrqLock::try_lock`]), and never twice by one processor; builds with debug assertions panic on
/// that when [`IrqControl::cpu`] is implemented. While waiting for the lock, interrupts are as the
/// caller had them, so that a processor that spins still answers the others.
///
/// `L` is its place in the order of locks; it is checked where [`IrqControl::CHECKS_ORDER`] says so.
pub struct IrqLock<T, I: IrqControl, L = Unranked> {
    /// Number of the last holder's processor plus 1, or 0, and [`HELD`]; kept where [`keeps_owner`] says so.
    owner: AtomicU32,
    raw: Raw<T>,
    control: PhantomData<fn() -> (I, L)>,
}

/// In [`IrqLock::owner`]: the processor holds the lock; without this it was the last that did.
const HELD: u32 = 1 << 31;

/// Whether locks note their holders: to find those taken twice, and those that processors share.
const fn keeps_owner<I: IrqControl>() -> bool {
    cfg!(debug_assertions) || I::CHECKS_ORDER
}

impl<T, I: IrqControl, L: Level> IrqLock<T, I, L> {
    /// A free lock.
    #[cfg(not(loom))]
    pub const fn new(value: T) -> Self {
        Self {
            owner: AtomicU32::new(0),
            raw: Raw::new(value),
            control: PhantomData,
        }
    }

    /// A free lock.
    #[cfg(loom)]
    pub fn new(value: T) -> Self {
        Self {
            owner: AtomicU32::new(0),
            raw: Raw::new(value),
            control: PhantomData,
        }
    }

    /// Switches interrupts off and takes the lock, spinning while another processor has it.
    #[inline]
    pub fn lock(&self) -> IrqLockGuard<'_, T, I> {
        if I::CHECKS_ORDER {
            check_order::<I, L>();
        }
        let irq = IrqGuard::new();
        let raw = match try_lock(&self.raw) {
            Some(raw) => raw,
            None => self.lock_slowly(irq.state),
        };
        self.guard(raw, irq)
    }

    /// As [`IrqLock::lock`], where interrupts are off already, and longer than the lock is held: so nothing is done about them here.
    #[inline]
    pub fn lock_within<'a>(&'a self, _off: IrqOff<'a, I>) -> IrqHeld<'a, T, I> {
        if I::CHECKS_ORDER {
            check_order::<I, L>();
        }
        let raw = match try_lock(&self.raw) {
            Some(raw) => raw,
            None => self.lock_slowly(I::disable()),
        };
        self.held(raw)
    }

    /// Takes a lock that somebody else had a moment ago. Interrupts are off, before and after; `state` is how they were. (It returns what
    /// fits into registers, so that a guard needs no memory.)
    #[cold]
    #[inline(never)]
    fn lock_slowly(&self, state: I::State) -> RawGuard<'_, T> {
        if I::CHECKS_ORDER
            && let Some(tally) = I::tally()
        {
            tally.count_waiting::<L>();
        }
        loop {
            I::restore(state);
            self.check_recursion();
            I::while_waiting();
            // Only read while it is held: that leaves the cache line with the holder.
            while is_locked(&self.raw) {
                I::while_waiting();
            }
            // As it was before: the guard of the caller restores it.
            let _ = I::disable();
            if let Some(raw) = try_lock(&self.raw) {
                return raw;
            }
        }
    }

    /// Switches interrupts off and takes the lock if it is free; if not, interrupts are as before.
    #[inline]
    pub fn try_lock(&self) -> Option<IrqLockGuard<'_, T, I>> {
        let irq = IrqGuard::new();
        let raw = try_lock(&self.raw)?;
        Some(self.guard(raw, irq))
    }

    /// The guard of the lock, which was taken.
    #[inline(always)]
    fn guard<'a>(&'a self, raw: RawGuard<'a, T>, irq: IrqGuard<I>) -> IrqLockGuard<'a, T, I> {
        IrqLockGuard {
            held: self.held(raw),
            _irq: irq,
        }
    }

    /// As [`Self::guard`], with interrupts off.
    #[inline(always)]
    fn held<'a>(&'a self, raw: RawGuard<'a, T>) -> IrqHeld<'a, T, I> {
        let ownership = Ownership {
            owner: &self.owner,
            control: PhantomData,
        };
        ownership.set::<L>();
        let place = Place::<I> {
            noted: note::<I, L>(),
            control: PhantomData,
        };
        IrqHeld {
            _ownership: ownership,
            _place: place,
            raw,
        }
    }

    /// Panics when this processor holds the lock that it is about to wait for.
    fn check_recursion(&self) {
        if cfg!(debug_assertions) {
            let _irq = IrqGuard::<I>::new();
            if let Some(cpu) = I::cpu() {
                let owner = self.owner.load(Ordering::Relaxed);
                assert!(
                    owner != cpu.wrapping_add(1) | HELD,
                    "processor {cpu} waits for a lock that it holds"
                );
            }
        }
    }
}

impl<T: fmt::Debug, I: IrqControl, L: Level> fmt::Debug for IrqLock<T, I, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_lock() {
            Some(guard) => f.debug_tuple("IrqLock").field(&&*guard).finish(),
            None => f.write_str("IrqLock(<locked>)"),
        }
    }
}

/// Panics when this processor may not wait for a lock of a level now.
#[track_caller]
fn check_order<I: IrqControl, L: Level>() {
    let _irq = IrqGuard::<I>::new();
    if let Some(held) = I::held()
        && let Err(error) = held.check::<L>()
    {
        panic!("{error} ({})", L::NAME);
    }
}

/// Notes that this processor holds a lock of a level.
#[inline]
fn note<I: IrqControl, L: Level>() -> Noted {
    if !I::CHECKS_ORDER {
        return Noted::default();
    }
    I::held().map_or(Noted::default(), Held::note::<L>)
}

/// The note that a lock of a level is held, erased when dropped.
struct Place<I: IrqControl> {
    noted: Noted,
    control: PhantomData<fn() -> I>,
}

impl<I: IrqControl> Drop for Place<I> {
    #[inline]
    fn drop(&mut self) {
        if I::CHECKS_ORDER
            && let Some(held) = I::held()
        {
            held.release(self.noted);
        }
    }
}

/// The note of who holds a lock; when dropped, of who held it last.
struct Ownership<'a, I: IrqControl> {
    owner: &'a AtomicU32,
    control: PhantomData<fn() -> I>,
}

impl<I: IrqControl> Ownership<'_, I> {
    #[inline]
    fn set<L: Level>(&self) {
        if !keeps_owner::<I>() {
            return;
        }
        let number = I::cpu().map_or(0, |cpu| cpu.wrapping_add(1));
        let last = self.owner.load(Ordering::Relaxed);
        self.owner.store(number | HELD, Ordering::Relaxed);
        if I::CHECKS_ORDER
            && last != 0
            && last != number
            && let Some(tally) = I::tally()
        {
            tally.count_passing::<L>();
        }
    }
}

impl<I: IrqControl> Drop for Ownership<'_, I> {
    #[inline]
    fn drop(&mut self) {
        if keeps_owner::<I>() {
            let owner = self.owner.load(Ordering::Relaxed);
            self.owner.store(owner & !HELD, Ordering::Relaxed);
        }
    }
}

/// Access to the data of an [`IrqLock`] that was taken with interrupts off ([`IrqLock::lock_within`]); dropping it frees the lock.
#[must_use = "the lock is free again as soon as the guard is dropped"]
pub struct IrqHeld<'a, T, I: IrqControl> {
    // The order matters, as fields are dropped from first to last.
    _ownership: Ownership<'a, I>,
    _place: Place<I>,
    raw: RawGuard<'a, T>,
}

impl<T, I: IrqControl> Deref for IrqHeld<'_, T, I> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.raw
    }
}

impl<T, I: IrqControl> DerefMut for IrqHeld<'_, T, I> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.raw
    }
}

/// Access to the data of an [`IrqLock`]; dropping it frees the lock, then restores interrupts.
#[must_use = "the lock is free again as soon as the guard is dropped"]
pub struct IrqLockGuard<'a, T, I: IrqControl> {
    // The order matters, as fields are dropped from first to last.
    held: IrqHeld<'a, T, I>,
    _irq: IrqGuard<I>,
}

impl<T, I: IrqControl> Deref for IrqLockGuard<'_, T, I> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.held
    }
}

impl<T, I: IrqControl> DerefMut for IrqLockGuard<'_, T, I> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.held
    }
}
