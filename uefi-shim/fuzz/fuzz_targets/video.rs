//! Fuzzes `shim_fuzz::entries::video`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| shim_fuzz::entries::video(data));
