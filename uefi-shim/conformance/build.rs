//! Hands the linker script to the linker when the kernel itself is built.

fn main() {
    println!("cargo:rerun-if-changed=linker.ld");
    println!("cargo:rerun-if-changed=pie.ld");
    println!("cargo:rerun-if-env-changed=CARGO_FEATURE_PIE");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        return;
    }
    let directory = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let pie = std::env::var_os("CARGO_FEATURE_PIE").is_some();
    let script = if pie { "pie.ld" } else { "linker.ld" };
    println!("cargo:rustc-link-arg-bins=-L{directory}");
    println!("cargo:rustc-link-arg-bins=-T{directory}/{script}");
    println!(
        "cargo:rustc-link-arg-bins={}",
        if pie { "-pie" } else { "--no-pie" }
    );
    println!("cargo:rustc-link-arg-bins=-z");
    println!("cargo:rustc-link-arg-bins=max-page-size=4096");
}
