//! What was given: on jsix a view of the initial stack, on the host lists.

#[cfg(target_os = "none")]
use abi::Handle;

use crate::object::Owned;

#[cfg(target_os = "none")]
pub use stack::Given;

#[cfg(not(target_os = "none"))]
pub use lists::Given;

#[cfg(target_os = "none")]
mod stack {
    use core::ffi::{CStr, c_char};
    use core::sync::atomic::{AtomicU64, Ordering};

    use super::{Handle, Owned};

    /// An entry of the table of named handles.
    #[repr(C)]
    struct Entry {
        name: *const c_char,
        /// 0 when it was taken.
        handle: AtomicU64,
    }

    /// The initial stack.
    #[derive(Clone, Copy)]
    pub struct Given {
        stack: *const u64,
        handles: &'static [Entry],
    }

    // SAFETY: the stack is only read, and handles are taken atomically.
    unsafe impl Sync for Given {}
    // SAFETY: as above.
    unsafe impl Send for Given {}

    /// An empty one: no arguments, no environment.
    static NONE: [u64; 3] = [0; 3];

    impl Given {
        /// Nothing.
        pub const fn none() -> Self {
            Self {
                stack: NONE.as_ptr(),
                handles: &[],
            }
        }

        /// From the stack, and from what the auxiliary vector says of the table of handles.
        ///
        /// # Safety
        /// As [`super::super::entry`]'s `start`; so many entries are at the address, with names that end with 0, unless there are none.
        pub unsafe fn new(stack: *const u64, table: u64, count: u64) -> Self {
            let table = table as *const Entry;
            let handles = if table.is_null() || !table.is_aligned() {
                &[]
            } else {
                // SAFETY: the caller's promise; the table is writable memory that nobody else uses.
                unsafe { core::slice::from_raw_parts(table, count as usize) }
            };
            Self { stack, handles }
        }

        pub fn stack(&self) -> *const u64 {
            self.stack
        }

        fn argc(&self) -> usize {
            // SAFETY: the first word of the stack.
            unsafe { *self.stack as usize }
        }

        pub fn argument(&self, index: usize) -> Option<&[u8]> {
            // SAFETY: the initial stack holds `argc` pointers to NUL-terminated strings, and stays mapped.
            (index < self.argc()).then(|| unsafe { self.text(1 + index) })
        }

        pub fn variable(&self, index: usize) -> Option<&[u8]> {
            let first = 1 + self.argc() + 1;
            // SAFETY: behind the arguments are pointers to strings up to a null; each up to `index` is looked at.
            unsafe {
                let is_there = (0..=index).all(|index| *self.stack.add(first + index) != 0);
                is_there.then(|| self.text(first + index))
            }
        }

        /// The text that word `index` of the stack points to.
        ///
        /// # Safety
        /// It points to one, which ends with 0.
        unsafe fn text(&self, index: usize) -> &[u8] {
            // SAFETY: the caller's promise.
            unsafe { CStr::from_ptr(*self.stack.add(index) as *const c_char).to_bytes() }
        }

        fn name(entry: &Entry) -> &str {
            // SAFETY: names end with 0, and stay.
            let name = unsafe { CStr::from_ptr(entry.name) };
            name.to_str().unwrap_or_default()
        }

        pub fn take(&self, name: &str) -> Option<Owned> {
            let mut all = self
                .handles
                .iter()
                .filter(|entry| Self::name(entry) == name);
            all.find_map(|entry| match entry.handle.swap(0, Ordering::Relaxed) {
                0 => None,
                handle => Some(Owned::from_raw(Handle(handle))),
            })
        }

        /// The handle of a name, which stays here.
        pub fn look(&self, name: &str) -> Option<Handle> {
            let mut all = self
                .handles
                .iter()
                .filter(|entry| Self::name(entry) == name);
            let handle = all.next()?.handle.load(Ordering::Relaxed);
            (handle != 0).then_some(Handle(handle))
        }

        pub fn names(&self) -> impl Iterator<Item = &str> {
            let left = |entry: &&Entry| entry.handle.load(Ordering::Relaxed) != 0;
            self.handles.iter().filter(left).map(Self::name)
        }
    }
}

#[cfg(not(target_os = "none"))]
mod lists {
    use std::string::{String, ToString};
    use std::sync::Mutex;
    use std::vec::Vec;

    use super::Owned;

    /// What a test gives.
    pub struct Given {
        arguments: Vec<String>,
        environment: Vec<String>,
        names: Vec<String>,
        /// One for each name, until it is taken.
        handles: Mutex<Vec<Option<Owned>>>,
    }

    impl Given {
        pub fn new(
            arguments: &[&str],
            environment: &[(&str, &str)],
            handles: Vec<(&str, Owned)>,
        ) -> Self {
            let (names, handles) = handles
                .into_iter()
                .map(|(name, handle)| (name.to_string(), Some(handle)))
                .unzip();
            Self {
                arguments: arguments.iter().map(ToString::to_string).collect(),
                environment: environment
                    .iter()
                    .map(|(key, value)| std::format!("{key}={value}"))
                    .collect(),
                names,
                handles: Mutex::new(handles),
            }
        }

        fn handles(&self) -> std::sync::MutexGuard<'_, Vec<Option<Owned>>> {
            self.handles
                .lock()
                .unwrap_or_else(|error| error.into_inner())
        }

        pub fn argument(&self, index: usize) -> Option<&[u8]> {
            self.arguments.get(index).map(String::as_bytes)
        }

        pub fn variable(&self, index: usize) -> Option<&[u8]> {
            self.environment.get(index).map(String::as_bytes)
        }

        pub fn take(&self, name: &str) -> Option<Owned> {
            let mut handles = self.handles();
            let mut all = self.names.iter().zip(handles.iter_mut());
            all.find_map(|(own, handle)| if own == name { handle.take() } else { None })
        }

        pub fn names(&self) -> impl Iterator<Item = &str> {
            let left: Vec<bool> = self.handles().iter().map(Option::is_some).collect();
            let all = self.names.iter().zip(left);
            all.filter_map(|(name, left)| left.then_some(name.as_str()))
        }
    }
}
