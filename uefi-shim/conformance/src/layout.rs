//! Where the parts of the kernel are, as the linker script says.

unsafe extern "C" {
    static __image_start: u8;
    static __text_start: u8;
    static __text_end: u8;
    static __rodata_start: u8;
    static __rodata_end: u8;
    static __data_start: u8;
    static __data_end: u8;
    static __image_end: u8;
}

/// The address of the first byte.
pub fn start() -> u64 {
    &raw const __image_start as u64
}

/// The address behind the last byte.
pub fn end() -> u64 {
    &raw const __image_end as u64
}

/// The parts: name, first address, end.
pub fn parts() -> [(&'static str, u64, u64); 3] {
    [
        (
            "text",
            &raw const __text_start as u64,
            &raw const __text_end as u64,
        ),
        (
            "rodata",
            &raw const __rodata_start as u64,
            &raw const __rodata_end as u64,
        ),
        (
            "data",
            &raw const __data_start as u64,
            &raw const __data_end as u64,
        ),
    ]
}
