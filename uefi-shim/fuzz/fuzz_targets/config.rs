//! Fuzzes `shim_fuzz::entries::config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| shim_fuzz::entries::config(data));
