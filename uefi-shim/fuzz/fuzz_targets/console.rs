//! Fuzzes `shim_fuzz::entries::console`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| shim_fuzz::entries::console(data));
