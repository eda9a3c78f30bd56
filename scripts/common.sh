# Sourced by the scripts beside it: finds the repository, picks a cargo, sets the machine up, runs xtask.
# shellcheck shell=bash

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Prints the cargo for host tools and tests; explains on standard error and fails when none works here.
# A rustup proxy fails in this folder when the toolchain of rust-toolchain.toml is not installed and
# must not be downloaded: then another installed toolchain that is new enough does, or Debian's.
choose_cargo() {
    local cargo
    if cargo=$(command -v cargo) && (cd "$root" && "$cargo" --version && "${RUSTC:-rustc}" --version) >/dev/null 2>&1; then
        echo "$cargo"
        return
    fi
    if [ -n "${cargo:-}" ] && command -v rustup >/dev/null; then
        local toolchain
        for toolchain in $(rustup toolchain list 2>/dev/null | sed -n 's/^\(stable[^ ]*\).*/\1/p'); do
            if new_enough "$(RUSTUP_TOOLCHAIN=$toolchain rustc --version 2>/dev/null)"; then
                echo "$0: the toolchain of rust-toolchain.toml is not installed; using rustup's $toolchain" >&2
                echo "env RUSTUP_TOOLCHAIN=$toolchain $cargo"
                return
            fi
        done
    fi
    if new_enough "$(/usr/bin/rustc --version 2>/dev/null)" && [ -x /usr/bin/cargo ]; then
        echo "$0: using Debian's cargo: none other works here" >&2
        echo "env -u RUSTUP_TOOLCHAIN RUSTC=/usr/bin/rustc /usr/bin/cargo"
        return
    fi
    cat >&2 <<'TEXT'
No cargo of Rust 1.95 or later works in this folder. Do one of these and try again:
  scripts/setup                                  (Debian and Ubuntu: installs what is missing)
  rustup toolchain install 1.95.0 --component rustfmt --component clippy
  nix develop
TEXT
    return 1
}

# Whether a line of `rustc --version` names at least 1.95.
new_enough() {
    [[ $1 =~ ^rustc\ ([0-9]+)\.([0-9]+) ]] && ((BASH_REMATCH[1] > 1 || BASH_REMATCH[2] >= 95))
}

# Runs xtask with the given arguments, becoming it. Asking for help sets nothing up.
xtask() {
    local word cargo
    for word in "$@"; do
        case $word in
        --) break ;;
        -h | --help) local help=1 ;;
        esac
    done
    if [ -z "${help:-}" ] && [ "$1" != symbolize ]; then
        if [ "$1" = test ]; then
            "$root/scripts/setup" --quiet --tests
        else
            "$root/scripts/setup" --quiet
        fi
    fi
    cargo=$(choose_cargo)
    # shellcheck disable=SC2086 # a command with its words
    exec $cargo run --quiet --manifest-path "$root/Cargo.toml" --package xtask -- "$@"
}
