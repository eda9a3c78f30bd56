//! Fuzzes `shim_fuzz::entries::path`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| shim_fuzz::entries::path(data));
