//! Links the program as a static executable that can lie anywhere, as docs/process-initialisation.md of jsix asks for.

fn main() {
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
