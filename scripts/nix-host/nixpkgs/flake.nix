{
  description = "stand-in for nixpkgs: the few attributes that jsix's flake uses, mapped to programs of this machine";
  outputs = { self }: {
    lib = import ./lib.nix;
  };
}
