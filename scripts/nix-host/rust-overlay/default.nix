# The attributes of rust-overlay that flake.nix uses, with a compiler of this machine.
final: prev:
let
  inherit (final) lib;
  host = final._host.rust;
  components' = [ "rustc" "cargo" "rust-std" "rustfmt" "clippy" "rust-src" "rust-analyzer" "llvm-tools" "llvm-tools-preview" "rust-docs" "miri" ];
  targets' = [ "x86_64-unknown-linux-gnu" "x86_64-unknown-none" "x86_64-unknown-uefi" ];
  # rust-std of a bare target, made from the host compiler's own library source (the real overlay downloads it)
  mkStd = target: final.runCommand "rust-std-${host.version}-${target}-host" { PATH_ = host.bin; fingerprint = host.version; } ''
    export CARGO_HOME=$NIX_BUILD_TOP/cargo-home PATH=$PATH_:$PATH RUSTC_BOOTSTRAP=1
    # The published libraries have it: programs are linked with LTO.
    export RUSTFLAGS=-Cembed-bitcode=yes
    # In the sandbox the compiler would look for its library below /lib.
    printf '#!/bin/sh\nexec %s/rustc --sysroot ${host.sysroot} "$@"\n' "$PATH_" > rustc; chmod +x rustc; export RUSTC=$PWD/rustc
    mkdir -p p/src; cd p; echo '#![no_std]' > src/lib.rs
    printf '[package]\nname = "p"\nversion = "0.0.0"\nedition = "2021"\n' > Cargo.toml
    # the library's own dependencies lie beside its source
    mkdir .cargo; printf '[source.crates-io]\nreplace-with = "v"\n[source.v]\ndirectory = "%s"\n' ${host.sysroot}/lib/rustlib/src/rust/library/vendor > .cargo/config.toml
    cargo build -q --offline -Zbuild-std=core,alloc,compiler_builtins -Zbuild-std-features=compiler-builtins-mem --release --target ${target}
    d=$out/lib/rustlib/${target}/lib; mkdir -p $d
    cp target/${target}/release/deps/lib{core,alloc,compiler_builtins}-*.rlib $d/
  '';
  mk = { channel, components ? [ ], targets ? [ ], profile ? "default" }:
    let
      bad = builtins.filter (c: !(builtins.elem c components')) components ++ builtins.filter (t: !(builtins.elem t targets')) targets;
      # Only what was asked for: the profile "minimal" has neither.
      programs = lib.optionals (builtins.elem "rustfmt" components) [ "rustfmt" "cargo-fmt" ]
        ++ lib.optionals (builtins.elem "clippy" components) [ "clippy-driver" "cargo-clippy" ];
      missing = builtins.filter (t: !(builtins.elem t host.targets)) targets;
      drv = final._hostPkg {
        pname = "rust-host"; version = host.version; mainProgram = "rustc";
        # one prefix as the overlay's aggregate is: bin/ and lib/rustlib/<target>, `rustc --print sysroot` = this prefix
        extra = ''
          mkdir -p $out/lib/rustlib/x86_64-unknown-linux-gnu/bin
          for f in ${host.sysroot}/lib/rustlib/x86_64-unknown-linux-gnu/*; do if [ "$(basename $f)" != bin ]; then ln -s $f $out/lib/rustlib/x86_64-unknown-linux-gnu/; fi; done
          for f in ${host.sysroot}/lib/rustlib/x86_64-unknown-linux-gnu/bin/*; do if [ -e $f ]; then ln -s $f $out/lib/rustlib/x86_64-unknown-linux-gnu/bin/; fi; done
          [ -e $out/lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld ] || ln -s /usr/bin/lld $out/lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld
          if [ -e ${host.sysroot}/lib/rustlib/src ]; then ln -s ${host.sysroot}/lib/rustlib/src $out/lib/rustlib/src; fi
          ${lib.optionalString host.src (lib.concatMapStringsSep "\n" (t: "ln -s ${mkStd t}/lib/rustlib/${t} $out/lib/rustlib/${t}") missing)}
          for b in cargo rustdoc; do ln -s ${host.bin}/$b $out/bin/$b; done
          ${lib.concatMapStringsSep "\n" (name: "ln -s ${host.programs.${name}} $out/bin/${name}") programs}
          printf '#!/bin/sh\nexec ${host.bin}/rustc --sysroot %s "$@"\n' "$out" > $out/bin/rustc; chmod +x $out/bin/rustc
        '';
      };
    in
    if bad != [ ] then throw "rust-toolchain: unknown ${toString bad}"
    else if builtins.match "(stable|beta|nightly|nightly-[0-9-]+|[0-9]+\\.[0-9]+(\\.[0-9]+)?)" channel == null then throw "rust-toolchain: bad channel ${channel}"
    else (if channel != host.version then builtins.trace "note: rust-toolchain.toml pins ${channel}, this host stands in with ${host.version}" else lib.id) (drv // {
      passthru = { inherit channel components targets profile missing; hostVersion = host.version; };
    });
in
{
  rust-bin = (prev.rust-bin or { }) // { fromRustupToolchain = mk; };
}
