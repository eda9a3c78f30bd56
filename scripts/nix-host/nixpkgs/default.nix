# The attributes of nixpkgs that flake.nix uses, each mapped to programs of this machine. See docs/reproducible.md.
{ system ? "x86_64-linux", overlays ? [ ], config ? { }, ... }:
let
  lib = import ./lib.nix;
  # Written by gen-host.sh: where this machine keeps its tools, and their versions.
  host = builtins.fromJSON (builtins.readFile ./host.json);
  bash = "/bin/bash"; # `nix develop` insists on a builder called bash

  # The script must end in a shell builtin: bash -c replaces itself with a last external command, which (gnulib)
  # closes stderr before it exits, and nix SIGKILLs the builder on that EOF: "failed due to signal 9", now and then.
  raw = name: script: env: derivation ({
    inherit name system; builder = bash; args = [ "-euc" (script + "\nexit 0") ]; PATH = "/usr/bin:/bin"; preferLocalBuild = true;
  } // env);
  # A package that is just links to host programs; `fingerprint` makes it change when the host's version does.
  hostPkg = { pname, version, bins ? { }, extra ? "", mainProgram ? pname }:
    let drv = raw "${pname}-${version}-host" ''
      mkdir -p "$out/bin"
      while read -r n t; do [ -n "$n" ] || continue; [ -x "$t" ] || { echo "host has no $t" >&2; exit 1; }; ln -s "$t" "$out/bin/$n"; done <<< "$bins"
      ${extra}
    '' { bins = lib.concatLines (lib.mapAttrsToList (n: t: "${n} ${t}") bins); fingerprint = version; };
    in drv // { inherit pname version; meta.mainProgram = mainProgram; override = _: hostPkg { inherit pname version bins extra mainProgram; }; };
  tool = pname: names: hostPkg { inherit pname; version = host.versions.${pname}; bins = lib.genAttrs names (n: "/usr/bin/${n}"); mainProgram = builtins.head names; };

  # what nixpkgs' stdenv always has on PATH
  initialPath = raw "host-initial-path" ''
    mkdir -p "$out/bin"
    for p in $pkgs; do dpkg -L "$p" 2>/dev/null || true; done | grep -E '^(/usr)?/bin/[^/]+$' | sort -u | while read -r f; do if [ -x "$f" ]; then ln -sf "$f" "$out/bin/$(basename "$f")"; fi; done
    for t in sh awk cc gcc c++ g++ ld as ar nm objcopy objdump strip readelf ranlib; do [ -x /usr/bin/$t ] && ln -sf /usr/bin/$t "$out/bin/$t"; done
    true
  '' { pkgs = "coreutils findutils diffutils sed grep gawk tar gzip bzip2 make bash patch xz-utils file"; fingerprint = host.versions.system; };
  stdenvDrv = raw "host-stdenv" ''mkdir -p "$out"; cp "$setup" "$out/setup"'' { setup = ./setup.sh; };

  mkDerivation = fnOrAttrs:
    let
      rec' = overrides: let
        base = if builtins.isFunction fnOrAttrs then fnOrAttrs final else fnOrAttrs;
        attrs = overrides base;
        final = attrs // { finalPackage = pkg; };
        name = attrs.name or "${attrs.pname}-${attrs.version}";
        env = builtins.removeAttrs attrs [ "meta" "passthru" "env" "name" "finalPackage" "strictDeps" ] // (attrs.env or { });
        drv = derivation (lib.filterAttrs (_: v: v != null) env // {
          inherit name system; builder = bash; args = [ "-e" ./builder.sh ];
          stdenv = stdenvDrv; inherit initialPath;
        });
        pkg = drv // (attrs.passthru or { }) // {
          meta = attrs.meta or { }; passthru = attrs.passthru or { };
          overrideAttrs = f: rec' (b: let a = overrides b; in a // (if builtins.isFunction (f a) then f final a else f a));
        } // lib.optionalAttrs (attrs ? pname) { inherit (attrs) pname version; };
      in pkg;
    in rec' lib.id;

  platform = {
    inherit system;
    isLinux = lib.hasSuffix "-linux" system;
    isDarwin = lib.hasSuffix "-darwin" system;
    isx86_64 = lib.hasPrefix "x86_64-" system;
  };

  base = self: {
    inherit lib system config;
    path = ./.;
    stdenv = { inherit mkDerivation system initialPath; hostPlatform = platform; buildPlatform = platform; shell = bash; cc = self.gcc; };
    stdenvNoCC = self.stdenv;
    runCommand = name: env: script: mkDerivation (env // { inherit name; buildCommand = script; });
    writeTextFile = { name, text, executable ? false, destination ? "", checkPhase ? "", meta ? { } }:
      mkDerivation { inherit name text meta; passAsFile = [ "text" ]; nativeBuildInputs = [ ]; buildCommand = ''
        target=$out${destination}; mkdir -p "$(dirname "$target")"; cp "$textPath" "$target"
        ${lib.optionalString executable ''chmod +x "$target"''}
        ${checkPhase}
      ''; };
    writeShellApplication = { name, text, runtimeInputs ? [ ], runtimeEnv ? { }, meta ? { }, excludeShellChecks ? [ ], ... }:
      self.writeTextFile {
        inherit name; executable = true; destination = "/bin/${name}"; meta = { mainProgram = name; } // meta;
        text = ''
          #!${bash}
          set -o errexit
          set -o nounset
          set -o pipefail
        '' + lib.concatLines (lib.mapAttrsToList (n: v: "export ${n}=${lib.escapeShellArg v}") runtimeEnv)
        + lib.optionalString (runtimeInputs != [ ]) "\nexport PATH=\"${lib.makeBinPath runtimeInputs}:$PATH\"\n" + "\n" + text + "\n";
        checkPhase = ''
          ${bash} -n -O extglob "$target"
        '' + lib.optionalString (host.shellcheck != null) ''
          /usr/bin/shellcheck ${lib.optionalString (excludeShellChecks != [ ]) "--exclude ${lib.concatStringsSep "," excludeShellChecks}"} "$target"
        '';
      };
    mkShell = { name ? "nix-shell", packages ? [ ], nativeBuildInputs ? [ ], buildInputs ? [ ], inputsFrom ? [ ], shellHook ? "", ... }@a:
      mkDerivation (builtins.removeAttrs a [ "packages" "inputsFrom" "shellHook" ] // {
        inherit name buildInputs;
        nativeBuildInputs = packages ++ nativeBuildInputs ++ builtins.concatMap (d: d.nativeBuildInputs or [ ]) inputsFrom;
        inherit shellHook; buildCommand = ''{ echo "# a shell"; export -p; } > "$out"'';
      });
    bashInteractive = hostPkg { pname = "bash"; version = host.versions.bash; bins.bash = "/bin/bash"; };
    bash = self.bashInteractive;

    coreutils = tool "coreutils" host.bins.coreutils;
    gnugrep = tool "grep" [ "grep" ]; gnused = tool "sed" [ "sed" ]; git = tool "git" [ "git" ];
    gcc = tool "gcc" [ "gcc" "cc" "ld" ];
    qemu = hostPkg { pname = "qemu"; version = host.versions.qemu; bins = lib.genAttrs host.qemuBins (n: "/usr/bin/${n}"); mainProgram = "qemu-system-x86_64"; };
    xorriso = tool "xorriso" [ "xorriso" ];
    mtools = tool "mtools" [ "mtools" "mcopy" "mmd" "mformat" "mdir" "minfo" ];
    gdb = tool "gdb" [ "gdb" ];
    OVMF = let
      fd = hostPkg { pname = "OVMF"; version = host.versions.ovmf; extra = ''
        mkdir -p $out/FV; cp ${host.ovmf.code} $out/FV/OVMF_CODE.fd; cp ${host.ovmf.vars} $out/FV/OVMF_VARS.fd; rmdir $out/bin''; };
      x = fd // { firmware = "${fd}/FV/OVMF_CODE.fd"; variables = "${fd}/FV/OVMF_VARS.fd"; };
    in x // { fd = x; out = x; };
    # Limine is no package of Debian: where this machine has none, there is none for any platform.
    limine-full = if host.limine == null then raw "no-limine" "exit 1" { } // { meta.platforms = [ ]; } else hostPkg {
      pname = "limine"; version = host.limine.version;
      bins = lib.optionalAttrs (host.limine.tool != null) { limine = host.limine.tool; };
      extra = ''mkdir -p $out/share; cp -r ${host.limine.folder} $out/share/limine''; } // { meta.platforms = [ system ]; };

    makeRustPlatform = { cargo, rustc, ... }: rec {
      inherit cargo rustc;
      # nixpkgs fetches every crate with fetchurl; here the ordinary client fetches, and Cargo.lock's checksums are compared.
      importCargoLock = { lockFile, outputHashes ? { }, ... }:
        let
          lock = lib.importTOML lockFile;
          external = builtins.filter (p: p ? source) (lock.package or [ ]);
          bad = builtins.filter (p: !(lib.hasPrefix "registry+" p.source) || !(p ? checksum)) external;
          deps = lib.concatStrings (lib.genList (i: let p = builtins.elemAt external i; in
            "d${toString i} = { package = \"${p.name}\", version = \"=${p.version}\", default-features = false }\n") (builtins.length external));
        in if bad != [ ] then throw "importCargoLock: not from a registry, or no checksum: ${lib.concatMapStringsSep ", " (p: p.name) bad}"
        else mkDerivation {
          name = "cargo-vendor-dir"; inherit lockFile; nativeBuildInputs = [ cargo ];
          __noChroot = true; # the one step that has the network, as nixpkgs' fetchers
          manifest = "[package]\nname = \"vendor-all\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[dependencies]\n" + deps;
          passAsFile = [ "manifest" "wanted" ];
          wanted = lib.concatStrings (map (p: "${p.name}-${p.version} ${p.checksum}\n") external);
          buildCommand = ''
            mkdir -p $out p/src; cp $lockFile p/Cargo.lock; chmod u+w p/Cargo.lock; cp $manifestPath p/Cargo.toml; : > p/src/lib.rs; cd p
            export CARGO_HOME=$NIX_BUILD_TOP/cargo-home
            if [ -s $wantedPath ]; then cargo vendor -q --versioned-dirs v > /dev/null; fi
            while read -r d sum; do
              grep -q "\"package\":\"$sum\"" v/$d/.cargo-checksum.json || { echo "$d: checksum is not Cargo.lock's" >&2; exit 1; }
              mv v/$d $out/$d
            done < $wantedPath
            cp $lockFile $out/Cargo.lock
          '';
        };
      # Crates are copied beside the sources, .cargo/config.toml above them names the copy, and Cargo.lock must be that which they come from. As in
      # nixpkgs, nothing here gives cargo a home.
      cargoSetupHook = mkDerivation {
        name = "cargo-setup-hook"; passAsFile = [ "hook" ];
        hook = ''
          cargoSetupPostUnpackHook() {
            cp -Lr "$cargoDeps" cargo-vendor-dir; chmod -R u+w cargo-vendor-dir; mkdir -p .cargo
            printf '[source.crates-io]\nreplace-with = "vendored-sources"\n[source.vendored-sources]\ndirectory = "%s"\n' "$PWD/cargo-vendor-dir" >> .cargo/config.toml
            cmp -s "$sourceRoot/''${cargoRoot:+$cargoRoot/}Cargo.lock" "$cargoDeps/Cargo.lock" || { echo "cargoDeps is out of date: Cargo.lock differs" >&2; exit 1; }
          }
          postUnpackHooks+=(cargoSetupPostUnpackHook)
        '';
        buildCommand = ''mkdir -p $out/nix-support; cp $hookPath $out/nix-support/setup-hook'';
      };
    };
    _host = host;
    _hostPkg = hostPkg;
  };
  composed = builtins.foldl' (acc: o: final: let prev = acc final; in prev // o final prev) base overlays;
in lib.fix composed
