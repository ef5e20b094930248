/** A process of services that does not exist: reports to show, and players to send away. */
import type { Controls } from "../../../lib/home/controls.ts";
import type { LogLine } from "../../../lib/observe/log.ts";
import type { MemberReport, Rates, Report, ServiceReport } from "../../../lib/observe/report.ts";
import { canonicalIp } from "../../../lib/parts/ip.ts";

/** Names as strangers choose them: the second and the third would be trouble as markup. */
export const NAMES = [
  ...["ada", "<img src=x onerror=alert(1)>", "</td><script>alert(2)</script>", "Grace Hopper"],
  ...["", "مريم", "x".repeat(80), "Linus", "名無し", "Margaret", "katherine_j", "d0r0thy"],
];

/** Names of people, for a picture. */
const TIDY_NAMES = [
  ...["ada", "grace", "linus", "margaret", "alan", "katherine", "dennis", "barbara", "edsger"],
  ...["frances", "ken", "radia", "donald", "hedy", "tim", "joan", "claude", "karen", "niklaus"],
];
/** Before, they came one after the other. */
const ARRIVAL_MS = 280_000;

/** What {@link MadeUp} is made of. */
export interface MadeUpOptions {
  /** How many are in each service, by its name. */
  members: Record<string, number>;
  startedAt: number;
  /** When all of them are there. */
  fullAt?: number;
  /** With names as in a picture, instead of such that would be trouble as markup. */
  isTidy?: boolean;
}

/** Who is there, and what can be done about it. */
export class MadeUp {
  readonly controls: Controls = {
    kick: (service, address) => this.#kick(service, address),
    ban: (text) => this.#ban(text),
    unban: (text) => this.#bans.delete(text),
  };
  /** Called with each line. */
  onLog: (line: LogLine) => void = () => {};
  readonly #lines: LogLine[] = [];
  readonly #members = new Map<string, MemberReport[]>();
  readonly #bans = new Set<string>(["198.51.100.0/24"]);
  readonly #startedAt: number;
  readonly #fullAt: number;
  #talkedAt = 0;

  constructor({ members, startedAt, fullAt = startedAt, isTidy = false }: MadeUpOptions) {
    this.#startedAt = startedAt;
    this.#fullAt = fullAt;
    const names = isTidy ? TIDY_NAMES : NAMES;
    for (const [n, [service, length]] of Object.entries(members).entries()) {
      this.#members.set(
        service,
        Array.from({ length }, (_, index) => memberOf(n, index, names[index])),
      );
    }
    this.#say("info", "sync", "listening on UDP port 55555", startedAt);
  }

  /** The newest lines. */
  get logTail(): readonly LogLine[] {
    return this.#lines.slice(-200);
  }

  /** What is to be told at a time; it differs from second to second, but not from run to run. */
  report(time: number): Report {
    const uptimeMs = time - this.#startedAt;
    return {
      time,
      version: "0.0.0-made-up",
      uptimeMs,
      memoryBytes: 84_300_000 + 1_000_000 * wave(time, 70, 1),
      services: [...this.#members].map(([service, members], n) =>
        serviceOf(service, n, members.slice(0, this.#arrived(members.length, time)), time)
      ),
      bans: [...this.#bans],
    };
  }

  /** Something for the log, once a second. */
  talk(time: number): void {
    const second = Math.floor(time / 1_000);
    if (second === this.#talkedAt) return;
    this.#talkedAt = second;
    const [level, service, message] = TALK[second % TALK.length]!;
    this.#say(level, service, message, time);
  }

  #arrived(count: number, time: number): number {
    const missing = Math.min(1, Math.max(0, (this.#fullAt - time) / ARRIVAL_MS));
    return Math.round(count * (1 - 0.7 * missing));
  }

  #say(level: LogLine["level"], service: string, message: string, time: number): void {
    const line = { time, level, service, message };
    this.#lines.push(line);
    if (this.#lines.length > 400) this.#lines.splice(0, 200);
    this.onLog(line);
  }

  #kick(service: string, address: string): boolean {
    const members = this.#members.get(service) ?? [];
    const place = members.findIndex((member) => member.address === address);
    if (place < 0) return false;
    members.splice(place, 1);
    return true;
  }

  #ban(text: string): string | undefined {
    const [ip = "", bits = "0"] = text.split("/");
    if (!canonicalIp(ip) || !/^\d{1,3}$/.test(bits)) {
      return `"${text}" is no IP address and no network: write 192.0.2.7 or 2001:db8::/64`;
    }
    this.#bans.add(text);
    for (const [service, members] of this.#members) {
      this.#members.set(service, members.filter((member) => member.ip !== ip));
    }
    return undefined;
  }
}

const TALK: [level: LogLine["level"], service: string, message: string][] = [
  ["info", "sync", "player 23 joined from 192.0.2.17:51000 (23 playing)"],
  ["debug", "sync", "refused from 203.0.113.9:4444: a datagram with a number that means nothing"],
  ["info", "arena", "player 4 left: nothing heard from 198.51.100.4:50003 (3 playing)"],
  ["info", "sync", "23 clients: in 452/s 43.5 kB/s, out 1311/s 1017 kB/s"],
  ["warning", "sync", "refused from 203.0.113.9:4444 and 17 more: a state above --max-state"],
  ["info", "sync", "player 24 joined from 192.0.2.31:50707 (24 playing)"],
  ["info", "sync", "a line that is <b>not bold</b>"],
  ["error", "arena", "internal error: a made-up one"],
];

function memberOf(service: number, index: number, name = `player ${index}`): MemberReport {
  const ip = index % 5 === 3
    ? `2001:db8:0:${(index % 4096).toString(16)}::7`
    : `192.0.${service}.${1 + index % 250}`;
  const port = 50_000 + index;
  return {
    name,
    address: ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`,
    ip,
    heardMs: 0,
    roundTripMs: undefined,
    stateBytes: undefined,
    rates: { inHz: 0, inBytesHz: 0, outHz: 0, outBytesHz: 0 },
  };
}

function serviceOf(name: string, n: number, members: MemberReport[], time: number): ServiceReport {
  const roster = members.slice(0, 1_000).map((member, index) => memberAt(member, n, index, time));
  const [calm, busy] = [wave(time, 41, n), wave(time, 90, n)];
  const rates = sumOf(roster.map(({ rates }) => rates));
  return {
    service: name,
    title: TITLES[name] ?? name,
    transport: name === "messages" ? "TCP" : "UDP",
    port: 55_555 + n,
    rates,
    lateMs: { p50: 0.3 + 0.2 * calm, p99: 1 + calm, max: 2 + 3 * busy * calm },
    members: members.length,
    roster,
    figures: [
      ["snapshot", `${2_000 + Math.round(900 * busy)} bytes`],
      ["snapshots a second", "60"],
      ["lost to a full queue", "0"],
    ],
    refused: n === 0 ? { stranger: 12 + Math.floor(time / 7_000) % 9, "state-size": 3 } : {},
  };
}

const TITLES: Record<string, string> = {
  sync: "sync (SimpleNetSync)",
  arena: "arena (udp-socket-server)",
  messages: "messages (SimpleServer)",
};

function memberAt(member: MemberReport, n: number, index: number, time: number): MemberReport {
  const w = wave(time, 23 + index % 17, index);
  const [inHz, outHz] = [Math.round(14 + 10 * w), Math.round(44 + 16 * w)];
  return {
    ...member,
    heardMs: Math.round(40 * (1 - w)) + (index % 11 === 7 ? 3_400 : 0),
    roundTripMs: n === 0 ? undefined : 12 + 30 * w,
    stateBytes: n === 0 ? 90 + index % 40 : undefined,
    rates: { inHz, inBytesHz: inHz * 96, outHz, outBytesHz: outHz * 780 },
  };
}

function sumOf(all: Rates[]): Rates {
  const sum = { inHz: 0, inBytesHz: 0, outHz: 0, outBytesHz: 0 };
  for (const rates of all) {
    for (const name of ["inHz", "inBytesHz", "outHz", "outBytesHz"] as const) {
      sum[name] += rates[name];
    }
  }
  return sum;
}

/** Up and down between 0 and 1. */
function wave(time: number, seconds: number, phase: number): number {
  return 0.5 + 0.5 * Math.sin(time / 1_000 / seconds * 2 * Math.PI + phase);
}
