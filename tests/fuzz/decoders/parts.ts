/** What reads bytes or texts from strangers, and belongs to no protocol. */
import { assert, assertEquals } from "@std/assert";
import { formatHostPort, networkOf, parseHostPort } from "../../../lib/hosts/address.ts";
import { BanList, parseBan } from "../../../lib/parts/ban_list.ts";
import { canonicalIp, isUnicast, normalizeIp } from "../../../lib/parts/ip.ts";
import { isFiniteThroughout, parseJsonObject, writeJson } from "../../../lib/parts/json.ts";
import {
  entryLine,
  headerLine,
  type RecordingEntry,
  RecordingError,
  RecordingReader,
} from "../../../lib/parts/recording.ts";
import { decodeUtf8, encodeUtf8, endsWithinCharacter } from "../../../lib/parts/utf8.ts";
import type { Chance } from "../harness/chance.ts";
import { decoderTarget } from "../harness/decoders.ts";
import { every } from "../harness/reach.ts";
import { joined, utf8 } from "../harness/spoil.ts";
import type { Target } from "../harness/target.ts";

const service = "parts";
const text = new TextDecoder();

// ---- JSON, UTF-8

const VALUES = [null, true, 1.5, "é\u{1f600}", [], {}, { a: [{ b: null }] }, "\ud800", "\u007f"];

function jsonDecoder(depthMax: number): Target {
  return decoderTarget({
    service,
    name: `JSON ${depthMax} deep`,
    real: (chance) => {
      const names = ["a", "", "__proto__", "é", "toString"];
      const fields = chance.many(chance.whole(4), () => [chance.pick(names), chance.pick(VALUES)]);
      return utf8(JSON.stringify(Object.fromEntries(fields)));
    },
    read: (bytes) => ({ object: parseJsonObject(bytes, depthMax) }),
    nameOf: ({ object }) => !object ? "none" : isFiniteThroughout(object) ? "object" : "infinite",
    write: ({ object }) =>
      object && isFiniteThroughout(object) ? utf8(writeJson(object, { depthMax })) : undefined,
    check: ({ object }) => {
      if (!object || !isFiniteThroughout(object)) return;
      assert(/^[\x20-\x7e]*$/.test(writeJson(object, { depthMax, space: " " })), "not ASCII");
    },
    reach: { kinds: ["object", "none"], never: { infinite: "nobody wrote such a number" } },
  });
}

/** What characters may go on with. */
const REST_OF_CHARACTERS = [[0x80], [0xbf], [0xa0, 0x80], [0x90, 0x80], [0x8f, 0x80], [0x80, 0x80]]
  .flatMap((rest) => [rest, [0x90, 0x80, 0x80], [0x8f, 0x80, 0x80]])
  .map((rest) => Uint8Array.from(rest));

/** The text, or nothing. */
function read(bytes: Uint8Array): string {
  try {
    return decodeUtf8(bytes);
  } catch {
    return "";
  }
}

const UTF8 = decoderTarget<{ kind: string; text?: string }>({
  service,
  name: "UTF-8",
  real: (chance) =>
    utf8(chance.many(chance.whole(9), () => chance.pick(["x", "é", "€", "😀", "\ufeff"])).join("")),
  read: (bytes) => {
    try {
      return { kind: "text", text: decodeUtf8(bytes) };
    } catch (error) {
      assert(error instanceof TypeError, `${error}`);
      return { kind: "none" };
    }
  },
  write: ({ text }) => text === undefined ? undefined : encodeUtf8(text),
  isExact: true,
  check: ({ kind }, bytes) => {
    const isCut = endsWithinCharacter(bytes);
    if (kind === "text") return assert(!isCut, "it is whole, but ends within a character");
    if (isCut) return assert(bytes.at(-1)! >= 0x80, "no character is cut there");
    for (let length = 1; length <= 3; length++) {
      const end = bytes.slice(-length);
      const isCharacter = REST_OF_CHARACTERS.some((rest) =>
        [...read(joined(end, rest))].length === 1
      );
      assert(!isCharacter, "a character is cut there");
    }
  },
  reach: { kinds: ["text", "none"] },
});

// ---- recordings

function entryOf(chance: Chance, timeMs: number): RecordingEntry {
  const address = chance.pick(["192.0.2.7:5000", "[2001:db8::7]:1", "[fe80::1%eth0]:9", "a.b:0"]);
  return chance.pick<RecordingEntry>([
    { kind: "in", timeMs, address, data: chance.noise(chance.below(40)) },
    { kind: "out", timeMs, address, data: chance.noise(chance.below(4)) },
    { kind: "missing", timeMs, datagrams: chance.whole(9) },
    { kind: "end", timeMs, reason: chance.pick(["", "é\n", "x"]) },
  ]);
}

const HEADER = headerLine({
  ...{ service: "sync", role: "server", version: "0.1.0", startedAt: "2026-01-02T03:04:05.678Z" },
  ...{ options: { a: [1] }, seed: 7, os: "linux x86_64" },
});

/** In pieces of text, as they come from a file: however they are cut, they come to the same. */
function readRecording(
  pieces: Iterable<string>,
): { entries: RecordingEntry[]; wrong?: string; isCut?: boolean } {
  const reader = new RecordingReader();
  const entries: RecordingEntry[] = [];
  try {
    for (const piece of pieces) entries.push(...reader.push(piece));
    entries.push(...reader.end());
  } catch (error) {
    assert(error instanceof RecordingError, `${error}`);
    assert(/^line \d+: .{1,250}$/su.test(error.message), error.message);
    return { entries, wrong: error.message };
  }
  return { entries, isCut: reader.isCut };
}

const RECORDING = decoderTarget({
  service,
  name: "recordings",
  real: (chance) => {
    let timeMs = 0;
    const entries = chance.many(
      chance.whole(9),
      () => entryLine(entryOf(chance, timeMs += chance.whole(9))),
    );
    return utf8(HEADER + entries.join(""));
  },
  read: (bytes, chance) => {
    const all = text.decode(bytes);
    const read = readRecording([all]);
    if (all.length < 5_000) {
      const size = 1 + chance.whole(40);
      const pieces = chance.many(
        Math.ceil(all.length / size),
        (at) => all.slice(at * size, (at + 1) * size),
      );
      // What is wrong in a piece takes back what else was in it.
      const inPieces = readRecording(pieces);
      assertEquals(inPieces.wrong, read.wrong);
      if (!read.wrong) assertEquals(inPieces, read);
    }
    return read;
  },
  nameOf: ({ wrong, isCut, entries }) =>
    wrong ? "wrong" : isCut ? "cut" : entries.at(-1)?.kind ?? "empty",
  write: ({ entries, wrong, isCut }) => {
    // Times are written to the microsecond.
    const isExact = entries.every(({ timeMs }) => Number(timeMs.toFixed(3)) === timeMs);
    return wrong || isCut || !isExact ? undefined : utf8(HEADER + entries.map(entryLine).join(""));
  },
  seeds: 15,
  reach: {
    kinds: [...every<RecordingEntry["kind"]>()("in out missing end"), "wrong", "cut", "empty"],
  },
});

// ---- addresses and bans

const ADDRESSES = [
  ...[
    "192.0.2.7",
    "2001:db8::7",
    "::ffff:192.0.2.7",
    "::",
    "FE80::1%eth0",
    "192.0.2.0/24",
    "::1/128",
  ],
  ...[
    "2001:DB8::/32",
    "10.0.0.0/7",
    "::ffff:1.2.3.4/120",
    "[::1]:5000",
    "example.org:80",
    "01.2.3.4",
  ],
];

const IP = decoderTarget({
  service,
  name: "IP addresses, and addresses with ports",
  real: (chance) => utf8(chance.pick(ADDRESSES)),
  read: (bytes) => {
    const given = text.decode(bytes);
    const [ip, hostPort] = [canonicalIp(given), parseHostPort(given, 7)];
    return { ip, hostPort: ip === undefined ? hostPort : undefined };
  },
  nameOf: ({ ip, hostPort }) => ip ? "ip" : hostPort ? "host" : "none",
  write: ({ ip, hostPort }) => {
    if (ip !== undefined) return utf8(ip);
    return hostPort && utf8(formatHostPort(hostPort.hostname, hostPort.port));
  },
  check: ({ ip }) => {
    if (ip === undefined) return;
    assertEquals(normalizeIp(ip), ip);
    isUnicast(ip);
    assertEquals(networkOf(ip).endsWith("::/64"), ip.includes(":"));
  },
  bytesMax: 60,
  reach: { kinds: ["ip", "host", "none"] },
});

/** Another address of a network that is banned. */
function within(ban: string, chance: Chance): string {
  const [ip = "", prefix = "32"] = ban.split("/");
  const isIpv6 = ip.includes(":");
  const [head = [], tail = []] = ip.split(isIpv6 ? "::" : "/")
    .map((half) => half.split(isIpv6 ? ":" : ".").filter((group) => group !== ""));
  const all = isIpv6 ? [...head, ...Array(8 - head.length - tail.length).fill("0"), ...tail] : head;
  const bits = isIpv6 ? 16 : 8;
  const groups = all.map((group, index) => {
    const free = Math.min(bits, Math.max(0, bits * (index + 1) - Number(prefix)));
    return (parseInt(group, isIpv6 ? 16 : 10) | chance.whole(2 ** free)).toString(isIpv6 ? 16 : 10);
  });
  return canonicalIp(groups.join(isIpv6 ? ":" : "."))!;
}

const BAN = decoderTarget({
  service,
  name: "bans",
  real: (chance) => utf8(chance.pick(ADDRESSES)),
  read: (bytes) => parseBan(text.decode(bytes)),
  nameOf: ({ ok }) => ok ? "ban" : "none",
  write: (parsed) => parsed.ok ? utf8(parsed.ban) : undefined,
  check: (parsed, _bytes, chance) => {
    const list = new BanList(2);
    // A character that cannot be shown takes six.
    if (!parsed.ok) return assert(parsed.reason.length < 500, parsed.reason);
    const { ban } = parsed;
    assertEquals(list.add(ban), { ok: true, ban, isNew: true });
    assert(list.has(ban.split("/")[0]!), `${ban} does not ban its first address`);
    const other = within(ban, chance);
    assert(list.has(other), `${ban} does not ban ${other}`);
    assertEquals(parseBan(`${other}/${ban.split("/")[1] ?? 32}`), { ok: true, ban });
    assertEquals([list.remove(ban), list.size], [ban, 0]);
  },
  reach: { kinds: ["ban", "none"] },
});

/** Of parts. */
export const PARTS_DECODERS: readonly Target[] = [
  ...[1, 33].map(jsonDecoder),
  ...[UTF8, RECORDING, IP, BAN],
];
