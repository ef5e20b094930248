/**
 * The rules of the house, as functions from a file to what is wrong with it.
 *
 * main → commands → (home, observe, clients, hosts) → protocols → parts. An engine that keeps these
 * can be read, tested and replayed without a socket and without a clock.
 */
import { exportsAnImport, importsOf, parseSource } from "./source.ts";

/** What each area may import besides itself. */
const BELOW: Record<string, readonly string[]> = {
  parts: [],
  protocols: ["parts"],
  hosts: ["protocols", "parts"],
  clients: ["hosts", "protocols", "parts"],
  observe: ["hosts", "protocols", "parts"],
  home: ["observe", "clients", "hosts", "protocols", "parts"],
  commands: ["home", "observe", "clients", "hosts", "protocols", "parts"],
  mod: ["home", "observe", "clients", "hosts", "protocols", "parts"],
  main: ["commands", "home", "observe"],
  examples: ["mod"],
};

/** What is no protocol, though a folder among them: the part that several of them share. */
const COMMON_GROUND: ReadonlySet<string> = new Set(["events"]);

/** Areas that are a means of development: they may import anything of ours. */
const FREE_AREAS: ReadonlySet<string> = new Set(["tests", "bench", "tools"]);

/** Where neither the system nor the time may be asked. */
const PURE_AREAS: ReadonlySet<string> = new Set(["protocols", "parts"]);

/** Packages that are as pure as those areas: functions of their arguments. */
const PURE_PACKAGES: ReadonlySet<string> = new Set([
  ...["@noble/hashes/legacy", "@noble/hashes/sha2"],
]);

/** What would make an engine's answer depend on more than its inputs, or reach beyond its host. */
const IMPURE_NAMES: readonly string[] = [
  ...["Deno", "process", "global", "globalThis", "self", "window", "navigator", "eval", "require"],
  ...["Date", "performance", "Temporal"],
  ...["setTimeout", "setInterval", "setImmediate", "requestAnimationFrame", "queueMicrotask"],
  ...["crypto", "console", "reportError", "alert", "prompt", "confirm"],
  ...["fetch", "WebSocket", "WebTransport", "EventSource", "XMLHttpRequest", "Worker"],
  ...["BroadcastChannel", "MessageChannel", "localStorage", "sessionStorage", "caches"],
];

/** `Math.random` and the names above, but not properties that happen to be called the same. */
const IMPURE = new RegExp(
  `\\bMath\\s*\\??\\.\\s*random\\b|\\bMath\\s*\\[|(?<![\\w$#]|(?<!\\.\\.)\\.)(?:${
    IMPURE_NAMES.join("|")
  })(?![\\w$])`,
  "g",
);

/** The area of a project file, or undefined for a file at the root that belongs to none. */
export function areaOf(path: string): string | undefined {
  if (path === "main.ts") return "main";
  if (path === "lib/mod.ts") return "mod";
  const [top, second, ...rest] = path.split("/");
  if (top === "lib") return rest.length > 0 ? second : undefined;
  return second === undefined ? undefined : top;
}

/** Which file a relative specifier names. */
export function resolveImport(path: string, specifier: string): string {
  const folders = path.split("/").slice(0, -1);
  for (const step of specifier.split("/")) {
    if (step === "..") folders.push(...(folders.length === 0 ? [".."] : (folders.pop(), [])));
    else if (step !== ".") folders.push(step);
  }
  return folders.join("/");
}

/** What a file imports against the arrows. */
export function importProblems(path: string, text: string): string[] {
  const area = areaOf(path);
  const problems: string[] = [];
  const source = parseSource(text);
  for (const { specifier, isReexport } of importsOf(source)) {
    if (isReexport && area !== "mod") {
      problems.push(`re-exports ${specifier}: only lib/mod.ts does`);
    }
    if (specifier === undefined) {
      if (!FREE_AREAS.has(area ?? "")) problems.push("imports what is only known at run time");
    } else if (/^\.\.?\//.test(specifier)) {
      const problem = arrowProblem(path, resolveImport(path, specifier));
      if (problem) problems.push(problem);
    } else if (/^(npm|jsr|https?|data|file):|^\//.test(specifier)) {
      problems.push(`imports ${specifier}: packages are named and pinned in deno.json`);
    } else if (PURE_AREAS.has(area ?? "") && !PURE_PACKAGES.has(specifier)) {
      problems.push(`imports the package ${specifier}: ${area} need none`);
    }
  }
  if (area !== "mod" && exportsAnImport(source)) {
    problems.push("exports what it imports: only lib/mod.ts does");
  }
  return problems;
}

function arrowProblem(path: string, target: string): string | undefined {
  const [from, to] = [areaOf(path), areaOf(target)];
  if (FREE_AREAS.has(from ?? "")) return undefined;
  if (target === "deno.json") {
    return from === "commands" || from === "main" ? undefined : "imports deno.json";
  }
  const below = BELOW[from ?? ""];
  if (!below) return `is in no known place, but imports ${target}`;
  if (to === undefined || (to !== from && !below.includes(to))) {
    return `imports ${target}: ${from} may import ${below.join(", ") || "nothing of ours"}`;
  }
  if (from === "protocols" && to === "protocols") {
    const [mine, theirs] = [protocolOf(path), protocolOf(target)];
    if (theirs !== undefined && theirs !== mine && !COMMON_GROUND.has(theirs)) {
      return `imports ${target}: protocols do not know each other`;
    }
  }
  return undefined;
}

/** `sync` for `lib/protocols/sync/wire.ts`; undefined for what all protocols share. */
function protocolOf(path: string): string | undefined {
  const [, , protocol, ...rest] = path.split("/");
  return rest.length > 0 ? protocol : undefined;
}

/** Names in an engine that only a host may use. */
export function purityProblems(path: string, text: string): string[] {
  if (!PURE_AREAS.has(areaOf(path) ?? "")) return [];
  return [...parseSource(text).code.matchAll(IMPURE)].map(([name]) => `names ${name}`);
}

/** Files that import each other in a circle: none of them can be understood or moved alone. */
export function importCycle(files: ReadonlyMap<string, string>): string[] | undefined {
  const state = new Map<string, "open" | "done">();
  const trail: string[] = [];
  const visit = (path: string): string[] | undefined => {
    if (state.get(path) === "done") return undefined;
    if (state.get(path) === "open") return [...trail.slice(trail.indexOf(path)), path];
    state.set(path, "open");
    trail.push(path);
    for (const { specifier } of importsOf(parseSource(files.get(path)!))) {
      if (!specifier?.startsWith(".")) continue;
      const target = resolveImport(path, specifier);
      const cycle = files.has(target) ? visit(target) : undefined;
      if (cycle) return cycle;
    }
    trail.pop();
    state.set(path, "done");
    return undefined;
  };
  for (const path of files.keys()) {
    const cycle = visit(path);
    if (cycle) return cycle;
  }
  return undefined;
}

/** Comments that switch a check off and do not say why. */
export function silencedProblems(text: string): string[] {
  const problems: string[] = [];
  for (const comment of parseSource(text).comments) {
    for (const line of comment.split("\n")) {
      const directive = /^[\s/*]*(deno-lint-ignore(?:-file)?|deno-(?:fmt|coverage)-ignore\S*)(.*)/
        .exec(line);
      const reason = directive ? /\s--\s*(.*)/.exec(directive[2]!)?.[1] : undefined;
      if (directive && !/\w{2}/.test(reason ?? "")) {
        problems.push(`${directive[1]} without a reason`);
      }
      const typescript = /^[\s/*]*(@ts-(?:ignore|expect-error|nocheck))(.*)/.exec(line);
      if (typescript && !/\w{2}/.test(typescript[2]!)) {
        problems.push(`${typescript[1]} without a reason`);
      }
    }
  }
  return problems;
}

/** Places outside of the project, which are different ones, or none, for everybody else. */
const OUTSIDE: readonly [RegExp, string][] = [
  [/(?<![\w.$}~-])\/(?:work|root|home|Users)\/[\w.-]+/, "a path of one machine"],
  [/\b[A-Za-z]:\\+Users\\/, "a path of one machine"],
  [/\.\.\/shared\b/, "a folder beside the project"],
  [/\bregistry\.(?:npmjs|yarnpkg)\b|\bnpm_config_registry\b/, "a package registry's host"],
];

/** What a file of any kind says about the machine it was written on. */
export function outsideProblems(text: string): string[] {
  return OUTSIDE.flatMap(([pattern, what]) => {
    const found = pattern.exec(text);
    return found ? [`names ${what}: ${found[0]}`] : [];
  });
}

/** Dependencies that may be another version tomorrow. */
export function pinProblems(config: { imports?: Record<string, string> }): string[] {
  const exact = /^(?:npm|jsr):(?:@[\w.-]+\/)?[\w.-]+@\d+\.\d+\.\d+(?:-[\w.]+)?(?:\/.*)?$/;
  return Object.entries(config.imports ?? {})
    .filter(([, target]) => !target.startsWith("./") && !exact.test(target))
    .map(([name, target]) => `${name}: ${target} is not pinned to one version`);
}
