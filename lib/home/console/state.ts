/** What the person at the console looks at, and what a key does to it: no terminal, no clock. */
import type { LogLine } from "../../observe/log.ts";
import type { MemberReport, Report, ServiceReport } from "../../observe/report.ts";
import { isLoopback } from "../../parts/ip.ts";
import type { Key, KeyName } from "./keys.ts";
import { moved, type Place, START, type Step, STEPS } from "./place.ts";
import { clean } from "./width.ts";

/** A row of the first screen: what it is about, and the text. The first ones are the most important. */
export type Row = readonly [what: string, text: string];

/** What is known, and shown. */
export interface Facts {
  readonly version: string;
  /** Undefined before the first one. */
  readonly report: Report | undefined;
  readonly rows: readonly Row[];
  /** The last lines. */
  readonly log: readonly LogLine[];
  /** How many lines there were before them. */
  readonly logDropped: number;
  /** Whether keys are heard. */
  readonly hasKeys: boolean;
  /** In ms, on a clock that never runs back. */
  readonly now: number;
}

/** What fills the screen. */
export type Page = "main" | "log" | "bans" | "rows" | "help";

/** Something that is done for the person. */
export type Deed =
  | { readonly kind: "kick"; readonly service: string; readonly address: string }
  | { readonly kind: "ban"; readonly text: string }
  | { readonly kind: "unban"; readonly text: string }
  | { readonly kind: "quit" }
  | { readonly kind: "redraw" };

/** Where the person is. */
export interface State {
  readonly page: Page;
  /** The service whose tab is open; undefined: the first. */
  readonly service: string | undefined;
  /** Which member is selected, by service. */
  readonly members: Readonly<Record<string, Place>>;
  readonly bans: Place;
  /** The number of the log line under the last one shown; undefined: whatever comes. */
  readonly logEnd: number | undefined;
  /** The first line shown of the rows, or the help. */
  readonly top: number;
  /** How many rows of a list are shown. */
  readonly pageRows: number;
  /** A question to be answered with y or n, as it is put at a moment. */
  readonly asking: { readonly text: (facts: Facts) => string; readonly deed: Deed } | undefined;
  /** An address that is being typed, and what was wrong with it. */
  readonly typing: { readonly text: string; readonly problem: string } | undefined;
  /** What came of a key, for a while. */
  readonly note: { readonly text: string; readonly until: number } | undefined;
}

/** A state, and what is to be done. */
export interface Outcome {
  readonly state: State;
  readonly deeds: readonly Deed[];
}

/** Longer addresses and networks there are not. */
const TYPED_MAX = 64;
const NOTE_MS = 8_000;

/** Where everybody begins. */
export const FIRST: State = {
  ...{ page: "main", service: undefined, members: {}, bans: START, logEnd: undefined, top: 0 },
  ...{ pageRows: 1, asking: undefined, typing: undefined, note: undefined },
};

/** The service whose tab is open. */
export function serviceOf(state: State, facts: Facts): ServiceReport | undefined {
  const services = facts.report?.services ?? [];
  return services.find(({ service }) => service === state.service) ?? services[0];
}

/** How many are in, at all services. */
export function membersOf({ report }: Facts): number {
  return (report?.services ?? []).reduce((sum, { members }) => sum + members, 0);
}

/** The member that is selected. */
export function selectedOf(state: State, facts: Facts): MemberReport | undefined {
  const service = serviceOf(state, facts);
  const { key, index } = state.members[service?.service ?? ""] ?? START;
  const roster = service?.roster ?? [];
  if (key === undefined) return roster[index];
  return roster[index]?.address === key
    ? roster[index]
    : roster.find(({ address }) => address === key);
}

/** What a key does. */
export function press(state: State, facts: Facts, key: Key): Outcome {
  if (key.kind === "named" && key.name === "interrupt") return done(state, { kind: "quit" });
  if (key.kind === "named" && key.name === "redraw") return done(state, { kind: "redraw" });
  if (state.asking) return answer(state, state.asking.deed, key);
  if (state.typing) return type(state, state.typing.text, key);
  const calm: State = { ...state, note: undefined };
  if (key.kind === "paste") return done(calm);
  if (key.kind === "named") return steer(calm, facts, key.name);
  return command(calm, facts, key.text);
}

/** What is said of a deed. `result` is what the controls answered. */
export function told(
  state: State,
  facts: Facts,
  deed: Deed,
  result: boolean | string | undefined,
): State {
  switch (deed.kind) {
    case "kick":
      return noted(state, facts, result ? `kicked ${deed.address}` : `${deed.address} is not in`);
    case "unban":
      return noted(
        state,
        facts,
        result ? `${deed.text} may come in` : `${deed.text} is not banned`,
      );
    case "ban":
      if (result === undefined) {
        const aside = isLoopback(deed.text) ? ": that is this computer" : "";
        return noted({ ...state, typing: undefined }, facts, `banned ${deed.text}${aside}`);
      }
      return state.typing
        ? { ...state, typing: { ...state.typing, problem: String(result) } }
        : noted(state, facts, String(result));
    case "quit":
    case "redraw":
      return state;
    default:
      return deed satisfies never;
  }
}

/** What is said of something, for a while. */
export function noted(state: State, facts: Facts, text: string): State {
  return { ...state, note: { text: clean(text), until: facts.now + NOTE_MS } };
}

function done(state: State, ...deeds: Deed[]): Outcome {
  return { state, deeds };
}

function answer(state: State, deed: Deed, key: Key): Outcome {
  const calm = { ...state, asking: undefined };
  if (key.kind === "named" && key.name === "escape") return done(calm);
  if (key.kind !== "character") return done(state);
  const letter = key.text.toLowerCase();
  if (letter === "y") return done(calm, deed);
  return done(letter === "n" ? calm : state);
}

function type(state: State, text: string, key: Key): Outcome {
  const typed = (more: string): Outcome => {
    const all = [...(text + more)].slice(0, TYPED_MAX).join("");
    return done({ ...state, typing: { text: all, problem: "" } });
  };
  if (key.kind === "character") return typed(key.text);
  // The first line of what was pasted, as far as it is text.
  if (key.kind === "paste") return typed(key.text.trim().split(/\p{C}/u)[0]!);
  switch (key.name) {
    case "escape":
      return done({ ...state, typing: undefined });
    case "enter":
      if (text.trim() === "") return done({ ...state, typing: undefined });
      return done(state, { kind: "ban", text: text.trim() });
    case "backspace":
      return done({ ...state, typing: { text: [...text].slice(0, -1).join(""), problem: "" } });
    case "clear-line":
      return done({ ...state, typing: { text: "", problem: "" } });
    default:
      return done(state);
  }
}

function steer(state: State, facts: Facts, name: KeyName): Outcome {
  if (name in STEPS) return done(step(state, facts, name as Step));
  switch (name) {
    case "tab":
    case "right":
      return done(turn(state, facts, 1));
    case "back-tab":
    case "left":
      return done(turn(state, facts, -1));
    case "escape":
      return done({ ...state, page: "main", logEnd: undefined });
    case "enter":
    case "delete":
      return state.page === "bans" ? askUnban(state, facts) : done(state);
    default:
      return done(state);
  }
}

function step(state: State, facts: Facts, by: Step): State {
  const { page, pageRows } = state;
  switch (page) {
    case "main": {
      const service = serviceOf(state, facts);
      if (!service) return state;
      const place = state.members[service.service] ?? START;
      const keys = service.roster.map(({ address }) => address);
      return withMembers(state, service.service, moved(place, keys, by, pageRows));
    }
    case "bans":
      return { ...state, bans: moved(state.bans, facts.report?.bans ?? [], by, pageRows) };
    case "log": {
      const end = facts.logDropped + facts.log.length;
      const target = STEPS[by](state.logEnd ?? end, end, pageRows);
      return { ...state, logEnd: target >= end ? undefined : Math.max(0, target) };
    }
    case "rows":
    case "help":
      // Where the last one is, is known where it is drawn.
      return {
        ...state,
        top: Math.max(0, Math.min(STEPS[by](state.top, 10_000, pageRows), 10_000)),
      };
  }
}

/** The same with another place in the table of a service. */
export function withMembers(state: State, service: string, place: Place): State {
  return { ...state, members: { ...state.members, [service]: place } };
}

function turn(state: State, facts: Facts, by: number): State {
  const names = (facts.report?.services ?? []).map(({ service }) => service);
  if (state.page !== "main" || names.length === 0) return state;
  const at = Math.max(0, names.indexOf(state.service ?? ""));
  return { ...state, service: names[(at + by + names.length) % names.length] };
}

function command(state: State, facts: Facts, letter: string): Outcome {
  switch (letter) {
    case "l":
      return done(toggle(state, "log"));
    case "u":
      return done(toggle(state, "bans"));
    case "a":
      return done(toggle(state, "rows"));
    case "?":
    case "h":
      return done(toggle(state, "help"));
    case "i":
      return done({ ...state, typing: { text: "", problem: "" } });
    case "k":
    case "b":
      return state.page === "main" ? askMember(state, facts, letter) : done(state);
    case "x":
      return state.page === "bans" ? askUnban(state, facts) : done(state);
    case "q":
      return quit(state, facts);
    default:
      return done(state);
  }
}

function toggle(state: State, page: Page): State {
  return { ...state, page: state.page === page ? "main" : page, top: 0, logEnd: undefined };
}

function ask(state: State, text: string | ((facts: Facts) => string), deed: Deed): Outcome {
  const asked = typeof text === "string" ? (): string => text : text;
  return done({ ...state, asking: { text: asked, deed } });
}

function askMember(state: State, facts: Facts, letter: "k" | "b"): Outcome {
  const member = selectedOf(state, facts);
  if (!member) return done(noted(state, facts, "nobody is in"));
  const { address, ip } = member;
  const service = serviceOf(state, facts)!.service;
  const who = `${clean(member.name, 40)} at ${clean(address, 60)}`;
  // Who comes from here may be meant, but the person is shut out as well.
  const aside = isLoopback(ip) ? " and of this computer" : "";
  return letter === "k"
    ? ask(state, `kick ${who}?`, { kind: "kick", service, address })
    : ask(state, `ban ${clean(ip, 60)}, the address of ${clean(member.name, 40)}${aside}?`, {
      kind: "ban",
      text: ip,
    });
}

function askUnban(state: State, facts: Facts): Outcome {
  const bans = facts.report?.bans ?? [];
  const { key, index } = state.bans;
  const text = key !== undefined && bans.includes(key) ? key : bans[index];
  if (text === undefined) return done(noted(state, facts, "nobody is banned"));
  return ask(state, `let ${clean(text, 60)} in again?`, { kind: "unban", text });
}

function quit(state: State, facts: Facts): Outcome {
  if (membersOf(facts) === 0) return done(state, { kind: "quit" });
  // Others come and go while it is thought about.
  return ask(state, (facts) => {
    const members = membersOf(facts);
    if (members === 0) return "quit?";
    return `quit, though ${members === 1 ? "one is" : `${members} are`} in?`;
  }, { kind: "quit" });
}
