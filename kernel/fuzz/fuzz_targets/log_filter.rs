//! Fuzzes `kernel_fuzz::klog_entries::log_filter`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kernel_fuzz::klog_entries::log_filter(data));
