import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type JsonObject, parseJsonObject } from "../../../lib/parts/json.ts";
import {
  FULL,
  jsonOf,
  KNOCK,
  PING,
  readClientMessage,
  readServerMessage,
  type ServerMessage,
  STOP,
} from "../../../lib/protocols/world/messages.ts";
import { DEFAULT_TRAITS, traitsFrom } from "../../../lib/protocols/world/traits.ts";
import { decodePacket } from "../../../lib/protocols/world/wire.ts";
import { worldTranscripts, type WorldVector, worldVectors } from "../../support/vectors.ts";

fc.configureGlobal({ seed: 1 });

const UNKNOWN = { kind: "refused", reason: "unknown" } as const;
const SHAPE = { kind: "refused", reason: "shape" } as const;
const SNAPSHOT = [[1, 2, 3], [4, 5, 6], [1, 0, 0, 0], [7, 8, 9], 10];
const TRAITS = traitsFrom(DEFAULT_TRAITS, {
  velocity: [1, 2, 3],
  angularVelocity: [4, 5, 6],
  quaternion: [1, 0, 0, 0],
  position: [7, 8, 9],
  mass: 10,
});

/** A message as it comes from the wire. */
function parsed(json: Uint8Array): JsonObject {
  return Object.assign(Object.create(null), parseJsonObject(json, 40));
}

/** What a server says with this JSON. */
function heard(text: string): unknown {
  return readServerMessage(parsed(new TextEncoder().encode(text)));
}

function snapOf(fields: Record<string, unknown>): unknown {
  return readServerMessage({ type: "snap", id: 3, time: 124, snapshot: SNAPSHOT, ...fields });
}

/** What is news of one or more objects, and nothing else. */
function updatesOf(message: unknown): ServerMessage & { kind: "updates" } {
  const { kind } = message as ServerMessage;
  assertEquals(kind, "updates");
  return message as ServerMessage & { kind: "updates" };
}

function messageIn({ bytes }: { bytes: Uint8Array }): JsonObject | undefined {
  const packet = decodePacket(bytes);
  return packet.kind === "message" ? packet.message : undefined;
}

// ---- recorded messages

/** What each recorded message of a client says. */
const SAID: Record<string, unknown> = {
  knock: { kind: "knock", diffs: false },
  knock_typed: { kind: "knock", diffs: false },
  stop: { kind: "stop" },
  unknown_type: UNKNOWN,
  debug_gc: UNKNOWN,
  empty_object: { kind: "ping" },
  tampered_payload: UNKNOWN,
  type_list: UNKNOWN,
  utf8: UNKNOWN,
  rainbow: { kind: "ping" },
  flag_2: { kind: "ping" },
};

Deno.test("readClientMessage() understands every recorded message of a client", () => {
  const messages = worldVectors.filter((vector) =>
    vector.direction !== "server->client" && messageIn(vector)
  );
  assertEquals(messages.map(({ name }) => name).sort(), Object.keys(SAID).sort());
  for (const vector of messages) {
    assertEquals<unknown>(readClientMessage(messageIn(vector)!), SAID[vector.name], vector.name);
  }
});

/** Whatever the recording has of it. */
function payloadOf(vector: WorldVector): Record<string, unknown> {
  return vector.decoded.payload as Record<string, unknown>;
}

Deno.test("readServerMessage() understands every recorded message of the original server", () => {
  const messages = worldVectors.filter((vector) =>
    vector.direction === "server->client" && messageIn(vector)
  );
  assertEquals(messages.length, 6);
  for (const vector of messages) {
    const payload = payloadOf(vector);
    const message = readServerMessage(messageIn(vector)!);
    if (payload.type === "heartbeat") {
      assertEquals<unknown>(message, {
        kind: "heartbeat",
        unixSeconds: payload.time,
        tick: undefined,
        tickRateHz: undefined,
        synced: undefined,
        universe: undefined,
      });
      continue;
    }
    const [id, snapshot] = payload.type === "snap"
      ? [payload.id, payload.snapshot]
      : Object.entries(payload.diff as JsonObject)[0]!;
    const [velocity, angularVelocity, quaternion, position, mass] = snapshot as unknown[];
    const traits = { velocity, angularVelocity, quaternion, position, mass };
    assertEquals<unknown>(message, {
      kind: "updates",
      time: payload.time,
      updates: [{ id: Number(id), traits, isWhole: true }],
      universe: undefined,
      total: undefined,
    }, vector.name);
  }
});

Deno.test("readClientMessage() and readServerMessage() understand the recorded conversation", () => {
  const kinds: Record<string, number> = {};
  for (const step of worldTranscripts.get("session")!) {
    const message = messageIn(step);
    if (!message) continue;
    const read = step.from === "server" ? readServerMessage(message) : readClientMessage(message);
    const name = `${step.from} ${read.kind}`;
    kinds[name] = (kinds[name] ?? 0) + 1;
  }
  assertEquals(kinds, {
    "client knock": 1,
    "client refused": 2, // Nonsense, and what only a debugging server heeds.
    "client stop": 1,
    "server heartbeat": 7,
    "server updates": 6,
  });
});

// ---- what clients say

Deno.test("readClientMessage() reads what we write", () => {
  assertEquals<unknown>(readClientMessage(parsed(KNOCK)), { kind: "knock", diffs: true });
  assertEquals<unknown>(readClientMessage(parsed(STOP)), { kind: "stop" });
  assertEquals<unknown>(readClientMessage(parsed(PING)), { kind: "ping" });
  assertEquals(new TextDecoder().decode(KNOCK), '{"type":"knock","diffs":true}');
  assertEquals(new TextDecoder().decode(STOP), '{"type":"stop"}');
  assertEquals(new TextDecoder().decode(PING), "{}");
});

Deno.test("readClientMessage() believes only `true` of who wants diffs", () => {
  for (const diffs of [undefined, null, false, 0, 1, "true", [true], {}]) {
    assertEquals<unknown>(readClientMessage({ type: "knock", diffs }), {
      kind: "knock",
      diffs: false,
    });
  }
});

Deno.test("readClientMessage() takes a message of no type as a ping, and other types as unknown", () => {
  assertEquals<unknown>(readClientMessage({ diffs: true, x: [1] }), { kind: "ping" });
  for (const type of ["", "Knock", "knock ", "snap", "full", null, false, 0, [], ["stop"], {}]) {
    assertEquals<unknown>(readClientMessage({ type }), UNKNOWN, JSON.stringify(type));
  }
});

// ---- what servers say

Deno.test("readServerMessage() reads the additions of netsync as they are documented", () => {
  assertEquals(
    heard(
      '{"type":"snap","id":3,"time":124,"snapshot":[[1,2,3],[4,5,6],[1,0,0,0],[7,8,9],10],"total":12,' +
        '"initial":true,"traits":{"name":"Rock","hp":3},"universe":48213}',
    ),
    {
      kind: "updates",
      time: 124,
      updates: [{ id: 3, traits: { ...TRAITS, name: "Rock", hp: 3 }, isWhole: true }],
      universe: 48_213,
      total: 12,
    },
  );
  assertEquals(
    heard(
      '{"type":"diff","time":125,"diff":{"3":{"position":[1,2,3],"hp":2},"9":{"mass":4}},"universe":48213}',
    ),
    {
      kind: "updates",
      time: 125,
      updates: [
        { id: 3, traits: { position: [1, 2, 3], hp: 2 }, isWhole: false },
        { id: 9, traits: { mass: 4 }, isWhole: false },
      ],
      universe: 48_213,
      total: undefined,
    },
  );
  assertEquals(heard('{"type":"remove","time":126,"ids":[3,9],"universe":48213}'), {
    kind: "remove",
    time: 126,
    ids: [3, 9],
    universe: 48_213,
  });
  assertEquals(
    heard(
      '{"type":"heartbeat","time":1795230171.89,"tick":126,"tickRate":100,"synced":120,"universe":48213}',
    ),
    {
      kind: "heartbeat",
      unixSeconds: 1_795_230_171.89,
      tick: 126,
      tickRateHz: 100,
      synced: 120,
      universe: 48_213,
    },
  );
  assertEquals(heard('{"type":"full"}'), { kind: "full" });
  assertEquals<unknown>(readServerMessage(parsed(FULL)), { kind: "full" });
  assertEquals(heard('{"type":"stop"}'), { kind: "stop" });
  assertEquals<unknown>(readServerMessage(parsed(STOP)), { kind: "stop" });
});

Deno.test("readServerMessage() leaves out whether a snap is an initial one, since nobody asks", () => {
  const without = snapOf({});
  for (const initial of [true, false, null, "x"]) assertEquals(snapOf({ initial }), without);
});

Deno.test("readServerMessage() takes a message of no type as a diff, if it has one", () => {
  assertEquals(heard("{}"), UNKNOWN);
  assertEquals(heard('{"time":1}'), UNKNOWN);
  assertEquals(heard('{"diff":{},"time":1}'), heard('{"type":"diff","diff":{},"time":1}'));
  assertEquals(heard('{"type":"diff"}'), SHAPE);
  for (const type of ["", "Snap", "knock", "Stop", 0, false, [], ["snap"], {}]) {
    assertEquals<unknown>(readServerMessage({ type, diff: {}, time: 1 }), UNKNOWN, String(type));
  }
});

Deno.test("readServerMessage() wants whole numbers from 0 as ids and times", () => {
  const wrong = [undefined, null, -1, 0.5, 2 ** 53, "1", [1], {}, true];
  for (const value of wrong) {
    const what = JSON.stringify(value);
    assertEquals(snapOf({ id: value }), SHAPE, `id ${what}`);
    assertEquals(snapOf({ time: value }), SHAPE, `time ${what}`);
    assertEquals<unknown>(readServerMessage({ type: "diff", time: value, diff: {} }), SHAPE, what);
    assertEquals<unknown>(readServerMessage({ type: "remove", time: value, ids: [] }), SHAPE, what);
    assertEquals<unknown>(
      readServerMessage({ type: "remove", time: 1, ids: [1, value] }),
      SHAPE,
      what,
    );
  }
  for (const value of [0, 2 ** 53 - 1]) {
    assertEquals(updatesOf(snapOf({ id: value })).updates[0]!.id, value);
    assertEquals(updatesOf(snapOf({ time: value })).time, value);
    assertEquals<unknown>(readServerMessage({ type: "remove", time: value, ids: [value] }), {
      kind: "remove",
      time: value,
      ids: [value],
      universe: undefined,
    });
  }
});

Deno.test("readServerMessage() leaves out what else is wrong, since originals do not send it", () => {
  for (const value of [null, -1, 0.5, 2 ** 53, "1", [1], {}, true]) {
    const snap = updatesOf(snapOf({ total: value, universe: value }));
    assertEquals([snap.total, snap.universe], [undefined, undefined], JSON.stringify(value));
    const beat = readServerMessage({
      type: "heartbeat",
      time: 1.5,
      tick: value,
      synced: value,
      universe: value,
    });
    assertEquals<unknown>(beat, {
      kind: "heartbeat",
      unixSeconds: 1.5,
      tick: undefined,
      tickRateHz: undefined,
      synced: undefined,
      universe: undefined,
    });
    for (const type of ["diff", "remove"]) {
      const message = readServerMessage({ type, time: 1, diff: {}, ids: [], universe: value });
      assert(message.kind === "updates" || message.kind === "remove");
      assertEquals(message.universe, undefined);
    }
  }
});

Deno.test("readServerMessage() takes any rate of ticks that is not negative", () => {
  const rateOf = (tickRate: unknown): unknown => {
    const message = readServerMessage({ type: "heartbeat", time: 1, tickRate });
    return message.kind === "heartbeat" ? message.tickRateHz : message;
  };
  for (const rate of [0, 0.5, 100, 29.97]) assertEquals(rateOf(rate), rate);
  for (const rate of [-1, -0.5, "100", null, [], {}]) assertEquals(rateOf(rate), undefined);
});

Deno.test("readServerMessage() refuses heartbeats without the time, and removals without ids", () => {
  for (const time of [undefined, null, "1", [], {}, true]) {
    assertEquals<unknown>(readServerMessage({ type: "heartbeat", time, tick: 1 }), SHAPE);
  }
  for (const ids of [undefined, null, "1", 1, {}, { 0: 1, length: 1 }]) {
    assertEquals<unknown>(readServerMessage({ type: "remove", time: 1, ids }), SHAPE);
  }
});

Deno.test("readServerMessage() refuses a snap whose snapshot or traits are wrong", () => {
  for (const snapshot of [undefined, null, {}, [], SNAPSHOT.slice(1), [...SNAPSHOT, 1]]) {
    assertEquals(snapOf({ snapshot }), SHAPE, JSON.stringify(snapshot));
  }
  for (const traits of [null, 1, "x", [], { mass: 1 }, { ["n".repeat(65)]: 1 }]) {
    assertEquals(snapOf({ traits }), SHAPE, JSON.stringify(traits));
  }
  assertEquals(updatesOf(snapOf({ traits: {} })).updates[0]!.traits, TRAITS);
});

Deno.test("readServerMessage() takes as an id in a diff a number as JSON would write it", () => {
  const diffOf = (key: string): unknown =>
    readServerMessage({ type: "diff", time: 1, diff: { [key]: { hp: 1 } } });
  for (const key of ["0", "7", "10", "9007199254740991"]) {
    assertEquals(updatesOf(diffOf(key)).updates.map(({ id }) => String(id)), [key]);
  }
  const wrong = [
    "",
    " 1",
    "1 ",
    "01",
    "00",
    "-1",
    "-0",
    "+1",
    "1.0",
    "1e3",
    "0x1",
    "x",
    "__proto__",
  ];
  for (
    const key of [
      ...wrong,
      "9007199254740992",
      "9007199254740993",
      "1".repeat(17),
      "1\n",
      "Infinity",
    ]
  ) {
    assertEquals(heard(`{"type":"diff","time":1,"diff":{${JSON.stringify(key)}:{}}}`), SHAPE, key);
  }
});

Deno.test("readServerMessage() refuses a diff as a whole when one object in it is wrong", () => {
  for (const diff of [undefined, null, 1, "x"]) {
    assertEquals<unknown>(readServerMessage({ type: "diff", time: 1, diff }), SHAPE);
  }
  for (const wrong of [null, 1, "x", { mass: "1" }, { position: [1, 2] }, [], [[1, 2, 3]]]) {
    const diff = { 1: { hp: 1 }, 2: wrong, 3: SNAPSHOT };
    assertEquals<unknown>(readServerMessage({ type: "diff", time: 1, diff }), SHAPE);
  }
  const diff = { 1: { hp: 1 }, 3: SNAPSHOT };
  assertEquals<unknown>(updatesOf(readServerMessage({ type: "diff", time: 1, diff })).updates, [
    { id: 1, traits: { hp: 1 }, isWhole: false },
    { id: 3, traits: TRAITS, isWhole: true },
  ]);
});

Deno.test("readServerMessage() finds in traits only what was sent", () => {
  const snap = updatesOf(heard(
    `{"type":"snap","id":1,"time":1,"snapshot":${JSON.stringify(SNAPSHOT)},` +
      '"traits":{"__proto__":{"hp":1},"toString":2}}',
  ));
  const { traits } = snap.updates[0]!;
  assertEquals([traits.hp, traits.valueOf], [undefined, undefined]);
  assertEquals(Object.keys(traits).filter((name) => !Object.hasOwn(TRAITS, name)), [
    "__proto__",
    "toString",
  ]);
});

Deno.test("jsonOf() writes what parses to the same", () => {
  const anyMessage = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }));
  fc.assert(fc.property(anyMessage, (message) => {
    assertEquals({ ...parsed(jsonOf(message)) }, JSON.parse(JSON.stringify(message)));
  }));
});

Deno.test("readClientMessage() and readServerMessage() survive messages of any shape", () => {
  const anyType = fc.constantFrom("knock", "stop", "snap", "diff", "remove", "heartbeat", "full");
  const anyValue = fc.oneof(fc.jsonValue(), fc.constant(SNAPSHOT), fc.nat(3), fc.constant([1, 2]));
  const anyMessage = fc.record({
    type: fc.oneof(anyType, fc.jsonValue()),
    id: anyValue,
    time: anyValue,
    snapshot: anyValue,
    traits: anyValue,
    diff: fc.oneof(anyValue, fc.dictionary(fc.constantFrom("0", "12", "x"), anyValue)),
    ids: anyValue,
    universe: anyValue,
  }, { requiredKeys: [] });
  const kinds = new Set<string>();
  fc.assert(
    fc.property(anyMessage, (message) => {
      kinds.add(readClientMessage(message).kind);
      kinds.add(readServerMessage(message).kind);
    }),
    { numRuns: 2_000 },
  );
  assertEquals(kinds.size, 8, [...kinds].join(" "));
});

Deno.test("readServerMessage() takes no array for a diff", () => {
  const message = { type: "diff", time: 1, diff: [{ hp: 1 }] };
  assertEquals(readServerMessage(message), { kind: "refused", reason: "shape" });
});
