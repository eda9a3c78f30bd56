//! The counted pointer: each value is dropped once, by the last, after all uses.

#[cfg(not(loom))]
use std::{cell::Cell, rc::Rc};

use ksync::Arc;
use ksync::atomic::{AtomicUsize, Ordering};
#[cfg(not(loom))]
use ksync::try_box;
#[cfg(loom)]
use ktestkit::models::cell::UnsafeCell;
use ktestkit::models::{model, thread};

/// Counts how often it is dropped.
#[cfg(not(loom))]
struct Counted(Rc<Cell<usize>>);

#[cfg(not(loom))]
impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[cfg(not(loom))]
#[test]
fn the_last_reference_drops_the_value_once() {
    let drops = Rc::new(Cell::new(0));
    let first = Arc::try_new(Counted(drops.clone())).expect("memory");
    let second = first.clone();
    assert!(Arc::ptr_eq(&first, &second) && Arc::count(&first) == 2);
    drop(first);
    assert_eq!(drops.get(), 0);
    drop(second);
    assert_eq!(drops.get(), 1);
}

#[cfg(not(loom))]
#[test]
fn raw_pointers_keep_the_value_alive() {
    let drops = Rc::new(Cell::new(0));
    let raw = Arc::into_raw(Arc::try_new(Counted(drops.clone())).expect("memory"));
    // SAFETY: `raw` is counted; the second count is used up by the second `from_raw`.
    unsafe {
        Arc::increment_strong_count(raw);
        drop(Arc::from_raw(raw));
        assert_eq!(drops.get(), 0);
        let last = Arc::from_raw(raw);
        assert_eq!(last.as_ptr(), raw);
        drop(last);
    }
    assert_eq!(drops.get(), 1);
}

/// A list that does not keep its objects alive: their drop takes them off it.
#[test]
fn loom_a_listed_value_is_upgraded_or_gone() {
    #[cfg(loom)]
    use loom::sync::{Arc as Shared, Mutex};
    #[cfg(not(loom))]
    use std::sync::{Arc as Shared, Mutex};

    /// Addresses, as pointers are not for all threads.
    type List = Shared<Mutex<Option<usize>>>;
    struct Value(u64, List);
    impl Drop for Value {
        fn drop(&mut self) {
            self.0 = 0;
            *self.1.lock().expect("no panic") = None;
        }
    }
    model(|| {
        let list = List::new(Mutex::new(None));
        let value = Arc::try_new(Value(5, list.clone())).expect("memory");
        *list.lock().expect("no panic") = Some(value.as_ptr() as usize);
        let seeker = list.clone();
        let other = thread::spawn(move || {
            let found = seeker.lock().expect("no panic").and_then(|place| {
                // SAFETY: it is on the list, and its drop needs the lock to take it off.
                unsafe { Arc::upgrade(place as *const Value) }
            });
            // The lock is free: this may be the last reference.
            if let Some(value) = found {
                assert_eq!(value.0, 5);
            }
        });
        drop(value);
        other.join().expect("no panic");
        assert!(list.lock().expect("no panic").is_none(), "it was dropped");
    });
}

#[cfg(not(loom))]
#[test]
fn only_the_only_reference_changes_or_moves_the_value() {
    #[repr(align(64))]
    struct Aligned(u8);
    let mut first = Arc::try_new(Aligned(1)).expect("memory");
    assert!((first.as_ptr() as usize).is_multiple_of(64));
    Arc::get_mut(&mut first).expect("alone").0 = 2;
    let second = first.clone();
    assert!(Arc::get_mut(&mut first).is_none());
    let first = Arc::try_unwrap(first).err().expect("not alone");
    drop(second);
    assert_eq!(Arc::try_unwrap(first).ok().expect("alone").0, 2);
}

#[cfg(not(loom))]
#[test]
fn reserved_memory_takes_a_value_or_is_freed() {
    let drops = Rc::new(Cell::new(0));
    drop(Arc::<Counted>::try_reserve().expect("memory"));
    assert_eq!(drops.get(), 0, "there was no value to drop");
    let full = Arc::try_reserve()
        .expect("memory")
        .fill(Counted(drops.clone()));
    assert_eq!(Arc::count(&full), 1);
    drop(full);
    assert_eq!(drops.get(), 1);
}

#[cfg(not(loom))]
#[test]
fn a_box_is_one() {
    assert_eq!(*try_box(7u64).expect("memory"), 7);
    let _: Box<()> = try_box(()).expect("nothing");
}

/// Two threads hold the value and look at it; the drop, which changes it, must come after both looks.
#[test]
fn loom_the_drop_comes_after_all_uses() {
    #[cfg(loom)]
    struct Value(UnsafeCell<u64>, Rc2);
    #[cfg(not(loom))]
    struct Value(std::sync::Mutex<u64>, Rc2);
    type Rc2 = std::sync::Arc<AtomicUsize>;
    // SAFETY: the test is about just this: loom finds a use that is not ordered before the drop.
    #[cfg(loom)]
    unsafe impl Sync for Value {}
    impl Value {
        fn look(&self) -> u64 {
            #[cfg(loom)]
            // SAFETY: as above.
            return self.0.with(|value| unsafe { *value });
            #[cfg(not(loom))]
            return *self.0.lock().expect("no panic");
        }
    }
    impl Drop for Value {
        fn drop(&mut self) {
            #[cfg(loom)]
            // SAFETY: as above.
            self.0.with_mut(|value| unsafe { *value = 0 });
            #[cfg(not(loom))]
            {
                *self.0.get_mut().expect("no panic") = 0;
            }
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }
    model(|| {
        let drops = Rc2::new(AtomicUsize::new(0));
        #[cfg(loom)]
        let value = Value(UnsafeCell::new(5), drops.clone());
        #[cfg(not(loom))]
        let value = Value(std::sync::Mutex::new(5), drops.clone());
        let first = Arc::try_new(value).expect("memory");
        let second = first.clone();
        let other = thread::spawn(move || {
            let third = second.clone();
            drop(second);
            assert_eq!(third.look(), 5);
        });
        assert_eq!(first.look(), 5);
        drop(first);
        other.join().expect("no panic");
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}
