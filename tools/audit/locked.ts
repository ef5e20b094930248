/** What deno.json and deno.lock say of dependencies, and whether that is all that there is. */

/** As much of a deno.json as is looked at. */
export interface Config {
  imports?: Record<string, string>;
}

/** As much of a deno.lock (version 5) as is looked at. */
export interface Lock {
  version?: string;
  specifiers?: Record<string, string>;
  npm?: Record<string, LockedPackage>;
  jsr?: object;
  remote?: object;
  redirects?: object;
}

interface LockedPackage {
  integrity?: string;
  /** Names, with a version where there are several. */
  dependencies?: string[];
  optionalDependencies?: string[];
  optionalPeers?: string[];
  /** Whether it runs commands when it is installed. */
  scripts?: boolean;
}

/** A package at a version. */
export interface Package {
  name: string;
  version: string;
}

/** Of a package of npm, of which exactly one version can be meant. */
const PINNED = /^npm:((?:@[\w.-]+\/)?[\w.-]+)@(\d+\.\d+\.\d+(?:-[\w.]+)?)(?:\/.*)?$/;
const SHA512 = /^sha512-[A-Za-z0-9+/]{86}==$/;
/** Deno asks for it by itself, for the types of `node:` modules; the lock holds it to one version. */
const BY_DENO = "npm:@types/node@*";

/** What is wrong with a deno.json and its deno.lock. */
export function lockProblems(config: Config, lock: Lock): string[] {
  return [...pinProblems(config), ...shapeProblems(lock), ...reachProblems(config, lock)];
}

/** The packages that a lock holds. */
export function lockedPackages({ npm = {} }: Lock): Package[] {
  return Object.keys(npm).sort().map((key) => {
    const [id = ""] = key.split("_"); // What follows tells peers apart.
    const at = id.lastIndexOf("@");
    return { name: id.slice(0, at), version: id.slice(at + 1) };
  });
}

function pinProblems({ imports = {} }: Config): string[] {
  const versions = new Map<string, string>();
  return Object.entries(imports).flatMap(([name, target]) => {
    const [, pack, version] = PINNED.exec(target) ?? [];
    if (pack === undefined || version === undefined) {
      return [`deno.json: ${name} is ${target}: only npm packages of one exact version are taken`];
    }
    const other = versions.get(pack) ?? version;
    versions.set(pack, version);
    return other === version ? [] : [`deno.json: ${pack} is there as ${other} and as ${version}`];
  });
}

function shapeProblems(lock: Lock): string[] {
  const { version, npm = {} } = lock;
  if (version !== "5") return [`deno.lock: version ${version}, of which nothing is known here`];
  const elsewhere = (["jsr", "remote", "redirects"] as const).filter((key) => lock[key]);
  return [
    ...elsewhere.map((key) => `deno.lock: has "${key}": only packages of npm are taken`),
    ...Object.entries(npm).flatMap(([id, { integrity = "", scripts }]) => [
      ...SHA512.test(integrity) ? [] : [`deno.lock: ${id} has no SHA-512 digest`],
      ...scripts ? [`deno.lock: ${id} runs commands when it is installed`] : [],
    ]),
  ];
}

/** Whether each package is there because of an import, and each import is there. */
function reachProblems({ imports = {} }: Config, { specifiers = {}, npm = {} }: Lock): string[] {
  const wanted = new Set(
    Object.values(imports).flatMap((target) => {
      const [, name, version] = PINNED.exec(target) ?? [];
      return name === undefined ? [] : [`npm:${name}@${version}`];
    }),
  );
  const missing = [...wanted].filter((specifier) => !(specifier in specifiers));
  const strange = Object.keys(specifiers)
    .filter((specifier) => !wanted.has(specifier) && specifier !== BY_DENO);
  const reached = new Set<string>();
  const todo = Object.entries(specifiers).map(([specifier, version]) => {
    return `${specifier.slice("npm:".length, specifier.lastIndexOf("@"))}@${version}`;
  });
  for (let id = todo.pop(); id !== undefined; id = todo.pop()) {
    const key = keyOf(id, npm);
    if (key === undefined || reached.has(key)) continue;
    reached.add(key);
    const { dependencies = [], optionalDependencies = [], optionalPeers = [] } = npm[key]!;
    todo.push(...dependencies, ...optionalDependencies, ...optionalPeers);
  }
  return [
    ...missing.map((specifier) => `deno.lock: ${specifier} of deno.json is not there`),
    ...strange.map((specifier) => `deno.lock: ${specifier} is not in deno.json`),
    ...Object.keys(npm).filter((key) => !reached.has(key))
      .map((key) => `deno.lock: ${key} is there, and nothing needs it`),
  ];
}

/** `name`, where there is one version, or all of it. */
function keyOf(id: string, npm: Record<string, LockedPackage>): string | undefined {
  if (id in npm) return id;
  return Object.keys(npm).find((key) => key.startsWith(`${id}@`));
}

/** Where a module is imported from. */
const IMPORT = /(?:\bfrom\s*|\bimport\s*\(?\s*)(["'])((?:\\.|(?!\1).)+)\1/g;

/** What is wrong with the imports of sources: what is not in deno.json, and what of it nobody imports. */
export function importProblems(
  { imports = {} }: Config,
  sources: ReadonlyMap<string, string>,
): string[] {
  const problems: string[] = [];
  const used = new Set<string>();
  for (const [path, text] of sources) {
    for (const [, , specifier = ""] of text.matchAll(IMPORT)) {
      if (specifier in imports) used.add(specifier);
      else if (/^(npm|jsr|https?):/.test(specifier)) {
        problems.push(`${path}: imports ${specifier}, past deno.json`);
      }
    }
  }
  const idle = Object.keys(imports).filter((name) => !used.has(name));
  return [...problems, ...idle.map((name) => `deno.json: nothing imports ${name}`)];
}
