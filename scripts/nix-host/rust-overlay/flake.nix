{
  description = "stand-in for rust-overlay: rust-bin.fromRustupToolchain with the compiler of this machine";
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixpkgs-unstable"; # always followed or overridden, never fetched
  outputs = { self, nixpkgs }: { overlays.default = import ./.; };
}
