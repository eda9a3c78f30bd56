//! Fuzzes `shim_fuzz::entries::requests`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| shim_fuzz::entries::requests(data));
