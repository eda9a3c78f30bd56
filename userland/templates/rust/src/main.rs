//! A first program for jsix.

#![no_std]
#![no_main]

use sys::{Context, println};

fn main(context: &Context) -> u64 {
    println!("hello from Rust, ABI {}", sys::call::abi_version());
    for (index, argument) in context.arguments().enumerate() {
        println!("argument {index}: {argument}");
    }
    0
}

sys::program!(main);
