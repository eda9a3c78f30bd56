//! One function for each system call, generated from the kernel's table.

use abi::{Error, Handle, Rights};

/// Makes a system call by its raw number: for tests of the kernel's checks.
///
/// # Errors
/// What the kernel says.
#[inline(always)]
pub fn raw(number: u64, arguments: [u64; 6]) -> Result<u64, Error> {
    trap::call(number, arguments)
}

#[cfg(not(target_os = "none"))]
use crate::host as trap;

/// The instruction that enters the kernel.
#[cfg(target_os = "none")]
mod trap {
    use core::arch::asm;

    use abi::Error;

    #[inline(always)]
    pub fn call(number: u64, arguments: [u64; 6]) -> Result<u64, Error> {
        let error: u64;
        let value: u64;
        let [a0, a1, a2, a3, a4, a5] = arguments;
        // SAFETY: the instruction enters the kernel, which changes RAX, RDX, RCX and R11 only, and user memory only where an
        // argument says so; whoever names memory of Rust objects here gives a pointer that may be written through.
        unsafe {
            asm!(
                "syscall",
                inlateout("rax") number => error,
                in("rdi") a0,
                in("rsi") a1,
                inlateout("rdx") a2 => value,
                in("r10") a3,
                in("r8") a4,
                in("r9") a5,
                lateout("rcx") _,
                lateout("r11") _,
                options(nostack),
            );
        }
        match Error::from_number(error) {
            None if error == 0 => Ok(value),
            // A newer kernel may know errors that this program does not.
            None => Err(Error::InvalidArgument),
            Some(error) => Err(error),
        }
    }
}

/// The registers of a call, filled from the first one on.
#[derive(Default)]
struct Registers {
    words: [u64; 6],
    used: usize,
}

impl Registers {
    #[inline(always)]
    fn push(&mut self, word: u64) {
        self.words[self.used] = word;
        self.used += 1;
    }
}

/// What a stub takes for an argument, and how it goes into registers.
trait Argument {
    fn put(self, registers: &mut Registers);
}

macro_rules! arguments {
    ($($type:ty: |$argument:ident| $($word:expr),+;)+) => {$(
        impl Argument for $type {
            #[inline(always)]
            fn put(self, registers: &mut Registers) {
                let $argument = self;
                $(registers.push($word);)+
            }
        }
    )+};
}

arguments! {
    u64: |word| word;
    Handle: |handle| handle.0;
    Option<Handle>: |handle| handle.map_or(0, |handle| handle.0);
    Rights: |rights| u64::from(rights.0);
    abi::process::Action: |action| action as u64;
    abi::power::Action: |action| action as u64;
    abi::trace::Action: |action| action as u64;
    abi::log::Level: |level| level as u64;
    abi::message::Tag: |tag| tag.0;
    &[u8]: |bytes| bytes.as_ptr() as u64, bytes.len() as u64;
    &mut [u8]: |bytes| bytes.as_mut_ptr() as u64, bytes.len() as u64;
    &str: |text| text.as_ptr() as u64, text.len() as u64;
}

/// The type that a stub takes for a kind of argument.
macro_rules! argument_type {
    (handle $parameters:tt) => { Handle };
    (optional_handle $parameters:tt) => { Option<Handle> };
    (handle_and_rights $parameters:tt) => { Handle };
    (any_handle $parameters:tt) => { Handle };
    (consumed) => { Handle };
    (bytes $parameters:tt) => { &[u8] };
    (text $parameters:tt) => { &str };
    (room $parameters:tt) => { &mut [u8] };
    (page) => { u64 };
    (address) => { u64 };
    (size) => { u64 };
    (bits $parameters:tt) => { u64 };
    (below $parameters:tt) => { u64 };
    (choice ($($choice:tt)+)) => { abi::$($choice)+ };
    (tag) => { abi::message::Tag };
    (rights) => { Rights };
    (value) => { u64 };
}

/// What the documentation of a stub says of a kind of argument.
macro_rules! argument_text {
    (handle($object:ident, $right:ident)) => {
        concat!("a handle of a `", stringify!($object), "` with `", stringify!($right),
            "`, or else `BadHandle`, `WrongType`, `AccessDenied`")
    };
    (optional_handle $parameters:tt) => { concat!("none, or ", argument_text!(handle $parameters)) };
    (handle_and_rights($object:ident)) => {
        concat!("a handle of a `", stringify!($object), "`, or else `BadHandle`, `WrongType`")
    };
    (any_handle($right:ident)) => {
        concat!("a handle with `", stringify!($right), "`, or else `BadHandle`, `AccessDenied`")
    };
    (consumed) => { "a handle, or else `BadHandle`" };
    (bytes($max:ident)) => {
        concat!("at most [`abi::", stringify!($max), "`] bytes, or else `InvalidArgument`")
    };
    (text($max:ident)) => { argument_text!(bytes($max)) };
    (room($max:ident)) => { argument_text!(bytes($max)) };
    (page) => { "an address in user space, a multiple of the page size, or else `InvalidArgument`" };
    (address) => { "an address in user space, or else `InvalidArgument`" };
    (size) => { "bytes, a multiple of the page size, or else `InvalidArgument`" };
    (bits($module:ident: $($bit:ident)|+)) => {
        concat!("a set of", $(" [`", stringify!($bit), "`](abi::", stringify!($module), "::", stringify!($bit), ")",)+
            ", or else `InvalidArgument`")
    };
    (below($($count:tt)+)) => { concat!("below [`abi::", stringify!($($count)+), "`], or else `InvalidArgument`") };
    (choice $parameters:tt) => { "one of the enumeration" };
    (tag) => { "label and number of words" };
    (rights) => { "a set of rights" };
    (value) => { "a number" };
}

/// A stub, by what the call returns.
macro_rules! stub {
    (@ $variant:ident ($($argument:ident)*) $(, $place:expr)?) => {{
        #[allow(unused_mut, reason = "calls without arguments put nothing in")]
        let mut registers = Registers::default();
        $($argument.put(&mut registers);)*
        $(registers.push($place);)?
        raw(abi::Sysno::$variant as u64, registers.words)
    }};
    ($(#[doc = $documentation:expr])+ $variant:ident $name:ident($($argument:ident: $type:ty),*) nothing) => {
        $(#[doc = $documentation])+
        #[inline]
        pub fn $name($($argument: $type),*) -> Result<(), Error> {
            stub!(@ $variant ($($argument)*)).map(|_| ())
        }
    };
    ($(#[doc = $documentation:expr])+ $variant:ident $name:ident($($argument:ident: $type:ty),*) value) => {
        $(#[doc = $documentation])+
        #[inline]
        pub fn $name($($argument: $type),*) -> Result<u64, Error> {
            stub!(@ $variant ($($argument)*))
        }
    };
    ($(#[doc = $documentation:expr])+ $variant:ident $name:ident($($argument:ident: $type:ty),*) handle) => {
        $(#[doc = $documentation])+
        #[inline]
        pub fn $name($($argument: $type),*) -> Result<Handle, Error> {
            stub!(@ $variant ($($argument)*)).map(Handle)
        }
    };
    ($(#[doc = $documentation:expr])+ $variant:ident $name:ident($($argument:ident: $type:ty),*)
        structure($module:ident::$structure:ident)
    ) => {
        $(#[doc = $documentation])+
        #[inline]
        pub fn $name($($argument: $type),*) -> Result<abi::$module::$structure, Error> {
            let mut words = [0u64; abi::$module::$structure::WORDS];
            stub!(@ $variant ($($argument)*), words.as_mut_ptr() as u64)?;
            Ok(abi::$module::$structure::from_words(words))
        }
    };
    // Messages need more registers: see `crate::message`.
    ($(#[doc = $documentation:expr])+ $variant:ident $name:ident($($argument:ident: $type:ty),*) message) => {};
    ($(#[doc = $documentation:expr])+ $variant:ident $name:ident($($argument:ident: $type:ty),*) never) => {
        $(#[doc = $documentation])+
        pub fn $name($($argument: $type),*) -> ! {
            loop {
                // The call does not return; should it ever, asking again is all that is left.
                let _ = stub!(@ $variant ($($argument)*));
            }
        }
    };
    ($(#[doc = $documentation:expr])+ $variant:ident $name:ident($($argument:ident: $type:ty),*) infallible(value)) => {
        $(#[doc = $documentation])+
        #[inline]
        pub fn $name($($argument: $type),*) -> u64 {
            stub!(@ $variant ($($argument)*)).unwrap_or(0)
        }
    };
    ($(#[doc = $documentation:expr])+ $variant:ident $name:ident($($argument:ident: $type:ty),*) infallible(nothing)) => {
        $(#[doc = $documentation])+
        #[inline]
        pub fn $name($($argument: $type),*) {
            // Cannot fail.
            let _ = stub!(@ $variant ($($argument)*));
        }
    };
}

macro_rules! stubs {
    ($($(#[doc = $about:literal])+ group $group:ident {
        $($(#[doc = $documentation:literal])+
        $number:literal $variant:ident $name:ident(
            $($argument:ident: $kind:ident $(($($parameter:tt)+))?),* $(,)?
        ) -> $output:ident $(($($result:tt)+))? $(fails $($error:ident)|+)?;)+
    })+) => {
        $($(stub! {
            $(#[doc = $documentation])+
            #[doc = ""]
            $(#[doc = concat!("- `", stringify!($argument), "`: ", argument_text!($kind $(($($parameter)+))?))])*
            $(
                #[doc = ""]
                #[doc = "# Errors"]
                #[doc = concat!("Those of the arguments", $(", [`", stringify!($error), "`](Error::", stringify!($error), ")"),+, ".")]
            )?
            $variant $name($($argument: argument_type!($kind $(($($parameter)+))?)),*) $output $(($($result)+))?
        })+)+
    };
}

abi::with_calls!(stubs);
