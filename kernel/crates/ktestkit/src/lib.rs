//! The fake machine that host tests of the kernel crates run on.


#![forbid(unsafe_code)]
