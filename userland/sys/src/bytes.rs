//! Copies between memory of this program and memory that others see, too.

/// Copies bytes of which one side may be changed by others meanwhile: no reference to them is made.
///
/// # Safety
/// `from` can be read and `to` be written, so many bytes each.
pub(crate) unsafe fn copy(to: *mut u8, from: *const u8, count: usize) {
    // SAFETY: the caller's promise; the direction flag is clear (System V ABI).
    unsafe {
        core::arch::asm!(
            "rep movsq",
            "mov ecx, {rest:e}",
            "rep movsb",
            rest = in(reg) count % 8,
            inout("rcx") count / 8 => _,
            inout("rdi") to => _,
            inout("rsi") from => _,
            options(nostack, preserves_flags),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_copied_whatever_their_number() {
        let from: Vec<u8> = (0..64).collect();
        for count in 0..from.len() {
            let mut to = vec![0xff; from.len()];
            // SAFETY: both are longer.
            unsafe { copy(to.as_mut_ptr(), from.as_ptr(), count) };
            assert_eq!(to[..count], from[..count]);
            assert!(to[count..].iter().all(|byte| *byte == 0xff));
        }
    }
}
