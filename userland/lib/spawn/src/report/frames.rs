//! Who called whom: the chain of frame pointers on a stack (System V ABI, x86-64 supplement, 3.2.2). Programs of this system are compiled
//! with frame pointers.

use alloc::vec::Vec;

/// The most frames that are looked at.
pub const FRAMES_MAX: usize = 64;

/// The instructions of a thread's frames: where it is, then where each call of its chain goes back to. `read` copies a word of its
/// memory. The chain ends where it cannot be read, does not rise, or is too long.
pub fn walk(instruction: u64, frame: u64, mut read: impl FnMut(u64) -> Option<u64>) -> Vec<u64> {
    let mut found = Vec::new();
    if found.try_reserve_exact(FRAMES_MAX).is_err() {
        return found;
    }
    found.push(instruction);
    let mut frame = frame;
    while found.len() < FRAMES_MAX && frame != 0 && frame.is_multiple_of(8) {
        let Some(back) = frame.checked_add(8).and_then(&mut read) else {
            break;
        };
        // The entry point calls nobody, and has cleared the register.
        if back == 0 {
            break;
        }
        found.push(back);
        let Some(next) = read(frame).filter(|&next| next > frame) else {
            break;
        };
        frame = next;
    }
    found
}
