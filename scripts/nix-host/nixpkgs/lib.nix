# The subset of nixpkgs' `lib` that our flake may use. Same names, same argument order.
let
  inherit (builtins) attrNames concatStringsSep elem filter foldl' hasAttr head isAttrs isPath isString
    length listToAttrs map match stringLength substring tail toString;
in
rec {
  inherit (builtins) attrNames attrValues concatStringsSep elem elemAt filter hasAttr head isAttrs isString
    length listToAttrs mapAttrs match replaceStrings substring tail concatMap toJSON removeAttrs readFile fromTOML splitVersion;
  genAttrs = names: f: listToAttrs (map (n: { name = n; value = f n; }) names);
  genList = builtins.genList;
  optional = c: x: if c then [ x ] else [ ];
  optionals = c: xs: if c then xs else [ ];
  optionalString = c: s: if c then s else "";
  optionalAttrs = c: a: if c then a else { };
  concatStrings = concatStringsSep "";
  concatLines = xs: concatStrings (map (x: x + "\n") xs);
  concatMapStringsSep = sep: f: xs: concatStringsSep sep (map f xs);
  mapAttrsToList = f: a: map (n: f n a.${n}) (attrNames a);
  filterAttrs = p: a: listToAttrs (filter (x: p x.name x.value) (mapAttrsToList (name: value: { inherit name value; }) a));
  hasPrefix = p: s: substring 0 (stringLength p) s == p;
  hasSuffix = x: s: let n = stringLength s; m = stringLength x; in n >= m && substring (n - m) m s == x;
  removeSuffix = x: s: if hasSuffix x s then substring 0 (stringLength s - stringLength x) s else s;
  removePrefix = x: s: if hasPrefix x s then substring (stringLength x) (stringLength s) s else s;
  any = builtins.any; all = builtins.all;
  id = x: x;
  fix = f: let x = f x; in x;
  isDerivation = x: isAttrs x && (x.type or null) == "derivation";
  getOutput = o: p: p.${o} or p.out or p;
  getBin = getOutput "bin";
  getExe' = p: name: "${getBin p}/bin/${name}";
  getExe = p: getExe' p (p.meta.mainProgram or p.pname or (builtins.parseDrvName p.name).name);
  makeSearchPath = sub: xs: concatStringsSep ":" (map (x: "${x}/${sub}") (filter (x: x != null) xs));
  makeBinPath = xs: makeSearchPath "bin" (map getBin xs);
  escapeShellArg = s: "'" + builtins.replaceStrings [ "'" ] [ "'\\''" ] (toString s) + "'";
  escapeShellArgs = xs: concatStringsSep " " (map escapeShellArg xs);
  importTOML = p: builtins.fromTOML (builtins.readFile p);

  meta.availableOn = platform: package:
    (!(package ? meta.platforms) || elem platform.system package.meta.platforms) && !(elem platform.system (package.meta.badPlatforms or [ ]));

  # lib.fileset as a predicate plus the roots it mentions
  fileset = rec {
    mk = roots: pred: { _type = "fileset"; inherit roots pred; };
    under = p: s: s == p || hasPrefix (p + "/") s;
    lift = x: if isPath x || isString x then (let p = toString x; in
        if builtins.pathExists x then mk [ p ] (s: _: under p s) else throw "lib.fileset: ${p} does not exist") else x;
    union = a: b: unions [ a b ];
    unions = xs: let fs = map lift xs; in mk (builtins.concatMap (f: f.roots) fs) (s: t: any (f: f.pred s t) fs);
    intersection = a: b: let x = lift a; y = lift b; in mk x.roots (s: t: x.pred s t && y.pred s t);
    difference = a: b: let x = lift a; y = lift b; in mk x.roots (s: t: x.pred s t && !(y.pred s t));
    maybeMissing = p: if builtins.pathExists p then lift p else mk [ ] (_: _: false);
    fileFilter = f: root: let r = toString root; in mk [ r ] (s: t: under r s && (t == "directory" || f (let n = baseNameOf s; in
      { name = n; type = t; hasExt = e: hasSuffix ".${e}" n; })));
    toSource = { root, fileset }: let f = lift fileset; in builtins.path {
      name = "source"; path = root;
      filter = s: t: if t == "directory" then any (r: under s r || under r s) f.roots else f.pred s t;
    };
  };
}
