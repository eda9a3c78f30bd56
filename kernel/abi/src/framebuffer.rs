//! The screen, as the firmware has set it up.

wire! {
    /// What `system_framebuffer` tells.
    Framebuffer {
        /// Physical address of the first pixel.
        address,
        /// Pixels of a row.
        width,
        /// Rows.
        height,
        /// Bytes from one row to the next.
        pitch,
        /// Bytes of a pixel: 3 or 4.
        bytes_per_pixel,
        /// The lowest bit of red in a pixel.
        red_shift,
        /// The lowest bit of green.
        green_shift,
        /// The lowest bit of blue.
        blue_shift,
    }
}
