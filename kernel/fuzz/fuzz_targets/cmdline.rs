//! Fuzzes `kernel_fuzz::kboot_entries::cmdline`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kernel_fuzz::kboot_entries::cmdline(data));
