{
  description = "jsix: a multi-core capability microkernel operating system for x86-64, in Rust";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
    rust-overlay = {
      url = "github:oxalica/rust-overlay";
      inputs.nixpkgs.follows = "nixpkgs";
    };
  };

  # docs/reproducible.md says what each attribute of the two inputs is for, and where it is defined.
  outputs =
    {
      self,
      nixpkgs,
      rust-overlay,
    }:
    let
      inherit (nixpkgs) lib;

      # Hosts. What is built is for x86-64 machines on all of them.
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "aarch64-darwin"
      ];

      eachSystem =
        f:
        lib.genAttrs systems (
          system:
          f (
            make (import nixpkgs {
              inherit system;
              overlays = [ rust-overlay.overlays.default ];
            })
          )
        );

      # `xtask` marks what differs from the commit when it sees "-dirty" behind its hash.
      commit = self.rev or self.dirtyRev or "unknown";

      make =
        pkgs:
        let
          inherit (pkgs.stdenv) hostPlatform;

          # The file does not ask for the bare targets, as rustup could not always install them.
          wanted = (lib.importTOML ./rust-toolchain.toml).toolchain;
          toolchain = pkgs.rust-bin.fromRustupToolchain (
            wanted
            // {
              components = wanted.components ++ [ "rust-src" ];
              targets = [
                "x86_64-unknown-none"
                "x86_64-unknown-uefi"
              ];
            }
          );
          rustPlatform = pkgs.makeRustPlatform {
            cargo = toolchain;
            rustc = toolchain;
          };
          cargoDeps = rustPlatform.importCargoLock { lockFile = ./Cargo.lock; };

          # Where the code also runs on the host: parts of it are for x86-64 and call Linux.
          native = hostPlatform.isx86_64 && hostPlatform.isLinux;

          # OVMF of this package set is for the host's own processor; QEMU brings one for x86-64.
          firmware =
            if native then
              {
                code = "${pkgs.OVMF.fd}/FV/OVMF_CODE.fd";
                vars = "${pkgs.OVMF.fd}/FV/OVMF_VARS.fd";
              }
            else
              {
                code = "${pkgs.qemu}/share/qemu/edk2-x86_64-code.fd";
                vars = "${pkgs.qemu}/share/qemu/edk2-i386-vars.fd";
              };

          # Without it the shim boots the kernel itself, and there is no way in for BIOS machines.
          withLimine = hostPlatform.isLinux && lib.meta.availableOn hostPlatform pkgs.limine-full;
          limine = lib.optional withLimine pkgs.limine-full;

          # Where xtask looks for the tools.
          places = {
            OVMF_CODE = firmware.code;
            OVMF_VARS = firmware.vars;
          }
          // lib.optionalAttrs withLimine { LIMINE_DIR = "${pkgs.limine-full}/share/limine"; };

          src = lib.fileset.toSource {
            root = ./.;
            fileset = lib.fileset.unions [
              ./.cargo/config.toml
              ./Cargo.lock
              ./Cargo.toml
              ./docs
              ./kernel
              ./limine.conf
              ./rust-toolchain.toml
              ./scripts
              ./uefi-shim
              ./userland
            ];
          };

          # A step with cargo in the sources, without the network.
          cargoStep =
            name: attrs:
            pkgs.stdenv.mkDerivation (
              {
                inherit name src cargoDeps;
                # A builder has no home, and may not make one.
                preConfigure = "export HOME=$NIX_BUILD_TOP/home";
                dontStrip = true;
                dontPatchELF = true;
                # What is built is for another machine than the one that nixpkgs' fixups know.
                dontFixup = true;
              }
              // attrs
              // {
                env = places // { JSIX_COMMIT = commit; } // attrs.env or { };
                nativeBuildInputs = [
                  toolchain
                  rustPlatform.cargoSetupHook
                ]
                ++ attrs.nativeBuildInputs or [ ];
              }
            );

          # The one definition of what is built is in scripts/xtask.
          system = cargoStep "jsix" {
            nativeBuildInputs = [ pkgs.xorriso ] ++ limine;
            buildPhase = ''
              runHook preBuild
              export SOURCE_DATE_EPOCH=${toString self.lastModified}
              cargo run --frozen --quiet --package xtask -- dist dist
              runHook postBuild
            '';
            installPhase = ''
              runHook preInstall
              cp -r dist $out
              runHook postInstall
            '';
          };
          part =
            name: script:
            pkgs.runCommand name { } ''
              mkdir -p $out
              cd ${system}
              ${script}
            '';

          iso = part "jsix-iso" "cp jsix.iso build $out/";
          disk = part "jsix-disk" "cp jsix.img build $out/";
          kernel = part "jsix-kernel" "cp volume/boot/kernel build $out/";
          uefi-shim = part "jsix-uefi-shim" "install -D -m 0444 volume/EFI/BOOT/BOOTX64.EFI $out/EFI/BOOT/BOOTX64.EFI";
          userland = part "jsix-userland" "cp -r userland/. $out/";
          docs = cargoStep "jsix-docs" {
            env.RUSTDOCFLAGS = "-Dwarnings";
            buildPhase = ''
              runHook preBuild
              cargo doc --frozen --quiet --workspace --no-deps
              runHook postBuild
            '';
            installPhase = ''
              runHook preInstall
              mkdir -p $out
              cp -r target/doc $out/api
              cp -r docs $out/pages
              runHook postInstall
            '';
          };

          qemu = pkgs.writeShellApplication {
            name = "jsix-qemu";
            runtimeInputs = [
              pkgs.qemu
              pkgs.coreutils
            ];
            text = ''
              # Boots the ISO; arguments go to QEMU. JSIX_ISO names another one.
              iso=''${JSIX_ISO:-${iso}/jsix.iso}
              state=$(mktemp -d)
              trap 'rm -rf "$state"' EXIT
              install -m 0644 ${firmware.vars} "$state/vars.fd"
              qemu-system-x86_64 -machine q35 -cpu max -smp 4 -m 512M -nic none \
                -drive if=pflash,unit=0,format=raw,readonly=on,file=${firmware.code} \
                -drive if=pflash,unit=1,format=raw,file="$state/vars.fd" \
                -cdrom "$iso" -serial mon:stdio "$@"
            '';
            meta.description = "Boots the ISO in QEMU, with the serial port on this terminal";
          };

          tools = [
            toolchain
            pkgs.bashInteractive
            pkgs.coreutils
            pkgs.gdb
            pkgs.git
            pkgs.gnugrep
            pkgs.gnused
            pkgs.mtools
            pkgs.qemu
            pkgs.stdenv.cc
            pkgs.xorriso
          ]
          ++ limine;

          # A script of the working copy that this is called in, with the tools of the flake.
          script =
            name: description:
            pkgs.writeShellApplication {
              name = "jsix-${name}";
              runtimeInputs = tools;
              runtimeEnv = places // {
                IN_NIX_SHELL = "pure";
              };
              text = ''
                if [ ! -x scripts/${name} ]; then
                  echo "jsix-${name}: call this in the folder of a working copy of jsix" >&2
                  exit 2
                fi
                exec scripts/${name} "$@"
              '';
              meta = { inherit description; };
            };
          app = package: {
            type = "app";
            program = lib.getExe package;
            meta = { inherit (package.meta) description; };
          };

          # Boots until the shell waits for a command. Under TCG: it needs neither /dev/kvm nor a network.
          boots =
            name: drive: limit:
            pkgs.runCommand "jsix-${name}"
              {
                nativeBuildInputs = [
                  pkgs.qemu
                ];
              }
              ''
                install -m 0644 ${firmware.vars} vars.fd
                bash ${./scripts/nix/boots-to-prompt} ${toString limit} \
                  -machine q35 -cpu max,-monitor -smp 2 -m 512M -nic none ${drive}
                touch $out
              '';
          pflash = "-drive if=pflash,unit=0,format=raw,readonly=on,file=${firmware.code} -drive if=pflash,unit=1,format=raw,file=vars.fd";
          disc = "-drive if=none,id=boot,format=raw,readonly=on,media=cdrom,file=${iso}/jsix.iso -device ide-cd,drive=boot,bootindex=0";
          # What is written to it is forgotten.
          stick = "-drive if=none,id=boot,format=raw,snapshot=on,file=${iso}/jsix.iso -device qemu-xhci -device usb-storage,drive=boot,bootindex=0";
        in
        {
          packages = {
            default = iso;
            inherit
              iso
              disk
              kernel
              uefi-shim
              userland
              ;
          }
          // lib.optionalAttrs native { inherit docs; };
          apps = {
            default = app qemu;
            qemu = app qemu;
            test = app (script "test" "Tests the working copy in the current folder");
            bench = app (script "bench" "Measures the working copy in the current folder");
          };
          devShells.default = pkgs.mkShell {
            env = places;
            packages = tools;
          };
          checks = {
            inherit iso;
            format = cargoStep "jsix-format" {
              buildPhase = "cargo fmt --all --check";
              installPhase = "touch $out";
            };
            boot-disc = boots "boot-disc" "${pflash} ${disc}" 600;
            boot-stick = boots "boot-stick" "${pflash} ${stick}" 600;
          }
          // lib.optionalAttrs native {
            inherit docs;
            clippy = cargoStep "jsix-clippy" {
              buildPhase = "cargo clippy --frozen --workspace --all-targets -- -D warnings";
              installPhase = "touch $out";
            };
            tests = cargoStep "jsix-tests" {
              nativeBuildInputs = [ pkgs.git ];
              buildPhase = "cargo test --frozen --quiet --no-fail-fast";
              installPhase = "touch $out";
            };
          }
          // lib.optionalAttrs withLimine {
            boot-disc-bios = boots "boot-disc-bios" disc 600;
          };
          formatter = pkgs.writeShellApplication {
            name = "jsix-fmt";
            runtimeInputs = [ toolchain ];
            text = ''
              # Formats the Rust code of the working copy, or the files that are named. `nix fmt` alone names the folder, or nothing.
              if [ $# -gt 0 ] && [ "$1" != . ]; then exec rustfmt --edition 2024 "$@"; fi
              exec cargo fmt --all
            '';
          };
        };

      outputs = eachSystem lib.id;
      pick = name: lib.mapAttrs (_: output: output.${name}) outputs;
    in
    {
      packages = pick "packages";
      apps = pick "apps";
      devShells = pick "devShells";
      checks = pick "checks";
      formatter = pick "formatter";
    };
}
