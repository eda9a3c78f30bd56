//! What this build is called: the commit, and a hash of all that is in the image.
//!
//! The name is not known to the compiler: `scripts/xtask` writes it into the kernel's file when it makes a boot volume, so that nothing is built
//! again for it.

/// Text, and zeros behind it. xtask knows the section's name and its size.
#[used]
#[unsafe(link_section = ".build")]
static STAMP: [u8; SIZE] = {
    let mut stamp = [0; SIZE];
    let text = b"of no image";
    let mut at = 0;
    while at < text.len() {
        stamp[at] = text[at];
        at += 1;
    }
    stamp
};

const SIZE: usize = 64;

/// The name.
pub fn name() -> &'static str {
    // What the compiler saw there is not what is there now.
    let stamp: &'static [u8; SIZE] = core::hint::black_box(&STAMP);
    let text = stamp.split(|&byte| byte == 0).next().unwrap_or_default();
    core::str::from_utf8(text).unwrap_or("with a damaged name")
}
