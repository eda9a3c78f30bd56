//! Fuzzes `kernel_fuzz::kboot_entries::elf`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kernel_fuzz::kboot_entries::elf(data));
