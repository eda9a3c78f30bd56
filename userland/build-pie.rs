//! Links a program as a static executable that can lie anywhere: the build script of the programs that others start. Those that the kernel
//! starts itself have `build.rs`.

fn main() {
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        for word in [
            "--pie",
            "--no-dynamic-linker",
            "-z",
            "text",
            "-z",
            "relro",
            "-z",
            "separate-code",
            "-z",
            "max-page-size=4096",
        ] {
            println!("cargo:rustc-link-arg-bins={word}");
        }
    }
}
