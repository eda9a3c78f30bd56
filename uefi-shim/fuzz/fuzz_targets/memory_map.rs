//! Fuzzes `shim_fuzz::entries::memory_map`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| shim_fuzz::entries::memory_map(data));
