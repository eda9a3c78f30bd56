//! Fuzzes `kernel_fuzz::klog_entries::markup`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kernel_fuzz::klog_entries::markup(data));
