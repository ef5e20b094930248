import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import type { Dialect, Endpoint, Message } from "../../../lib/protocols/rendezvous/message.ts";
import {
  DATAGRAM_BYTES_MAX,
  decode,
  type Decoded,
  DEPTH_MAX,
  encode,
  isAuthentic,
  isName,
  type Letter,
  SERVER_NAME,
} from "../../../lib/protocols/rendezvous/wire.ts";
import { rendezvousTranscripts, rendezvousVectors } from "../../support/vectors.ts";
import { bytesOf, type Fields, signed } from "./datagrams.ts";

const utf8 = new TextEncoder();
const objectOf = (bytes: Uint8Array): Fields => JSON.parse(new TextDecoder().decode(bytes));
const TO = { ip: "203.0.113.5", port: 4001 };

/** What each vector of its name is; the others are letters. */
const NO_LETTERS: Record<string, unknown> = {
  d1_register_missing_expiry: {
    kind: "incomplete",
    sender: "H",
    missing: "seconds-before-expiry",
  },
  d1_unknown_type: { kind: "refused", reason: "type" },
  d1_not_json: { kind: "refused", reason: "json" },
  d1_json_array: { kind: "refused", reason: "json" },
  d1_json_string: { kind: "refused", reason: "json" },
  d1_invalid_utf8: { kind: "refused", reason: "json" },
  d1_empty: { kind: "refused", reason: "json" },
  d1_truncated: { kind: "refused", reason: "json" },
};

function letterOf(bytes: Uint8Array): Letter {
  const letter = decode(bytes);
  assert(letter.kind === "letter", JSON.stringify(letter));
  return letter;
}

/** Reads a letter and writes it again, as its sender would. */
function writtenAgain(letter: Letter, password = ""): Fields {
  const { dialect, sender, recipient, message, fields } = letter;
  const [ip, port] = (fields["__destination-address"] ?? ["", 0]) as [string, number];
  return objectOf(encode(message, { dialect, sender, recipient, to: { ip, port }, password }));
}

const LOOPBACK = (port: number): Endpoint => ({ ip: "127.0.0.1", port });
const BOTH = (port: number) => ({ globalAddress: LOOPBACK(port), localAddress: LOOPBACK(port) });
const error = (message: string): Message => ({ kind: "error", message });
const missing = (key: string): Message => error(`missing info from packet data: ${key}`);

/** What each vector of its name says. */
const SAYS: Record<string, Message> = {
  d1_register: { kind: "register", local: LOOPBACK(4001), validSeconds: 60 },
  d1_register_doc_fields: {
    kind: "register",
    local: { ip: "192.168.1.5", port: 4001 },
    validSeconds: 4,
  },
  d1_confirm: { kind: "registered" },
  d1_join: { kind: "join", local: LOOPBACK(4002), host: "host" },
  d1_info_to_client: { kind: "introduction", peer: "host", ...BOTH(4001) },
  d1_info_to_host: { kind: "introduction", peer: "alice", ...BOTH(4002) },
  d1_error_not_found: error("nosuch not found"),
  d1_error_exists: error("server already exists"),
  d1_error_missing_seconds_before_expiry: missing("seconds-before-expiry"),
  d1_error_missing_local_address: missing("local-address"),
  d1_error_missing_type: missing("type"),
  d1_error_missing_server_name: missing("server-name"),
  d1_error_not_found_non_ascii: error("nobody é not found"),
  d1_inquiry_global: { kind: "inquiry", usedGlobal: true },
  d1_inquiry_local: { kind: "inquiry", usedGlobal: false },
  d1_inquiry_response: { kind: "inquiryResponse", usedGlobal: true },
  d1_unreliable_message: { kind: "unreliable", message: { hp: 10, n: "é" } },
  d1_reliable_message: { kind: "reliable", id: 0, message: "hello", session: undefined },
  d1_reliable_response: { kind: "reliableResponse", id: 0, message: "hello", session: undefined },
  d1_peer_check: { kind: "check" },
  d1_peer_check_response: { kind: "checkResponse" },
  d2_register: {
    kind: "register",
    local: LOOPBACK(4021),
    validSeconds: 60,
    password: "NEXSqy5e7d",
    passwordRequired: true,
  },
  d2_confirm: { kind: "registered" },
  d2_join: { kind: "join", local: LOOPBACK(4022), host: "host", password: "HvOJ7biIY6" },
  d2_info_to_host: { kind: "introduction", peer: "alice", ...BOTH(4022) },
  d2_info_to_client: { kind: "introduction", peer: "host", ...BOTH(4021) },
  d2_refresh: { kind: "refresh", validSeconds: 60 },
  d2_refresh_confirm: { kind: "refreshed" },
  d2_list_request: { kind: "list", password: "0W41slGW7F" },
  d2_list_reply: {
    kind: "servers",
    servers: [
      { name: "host", passwordRequired: true },
      { name: "open game", passwordRequired: false },
    ],
  },
  d2_drop_me: { kind: "drop", name: "open game" },
  d2_address_inquiry: { kind: "inquiry", usedGlobal: true },
  d2_address_inquiry_response: { kind: "inquiryResponse", usedGlobal: true },
  d2_update_peer_list: {
    kind: "peerList",
    action: "add",
    peers: new Map([["alice", { ...BOTH(4022), usesGlobal: true }]]),
    id: undefined,
  },
  d2_update_peer_list_response: { kind: "peerListResponse", id: undefined },
  d2_unreliable: { kind: "unreliable", message: { "a": 1 } },
  d2_reliable: { kind: "reliable", id: 0, message: "rel", session: undefined },
  d2_reliable_response: { kind: "reliableResponse", id: 0, message: "rel", session: undefined },
};

Deno.test("decode() tells what each recorded datagram is, and who says it to whom", () => {
  for (const { name, bytes, decoded, direction } of rendezvousVectors) {
    if (name in NO_LETTERS) {
      assertEquals(decode(bytes), NO_LETTERS[name], name);
      continue;
    }
    const { dialect, sender, recipient, message, fields } = letterOf(bytes);
    assertEquals(message, SAYS[name], name);
    assertEquals(fields, decoded, name);
    assertEquals(dialect, name.startsWith("d1_") ? 1 : 2, name);
    const [from, to] = dialect === 1
      ? ["sender", "intended-recipient"]
      : ["__sender-name", "__destination-name"];
    assertEquals(sender, direction === "server->client" ? null : fields[from!], name);
    assertEquals(recipient, fields[to!], name);
  }
});

Deno.test("encode() writes every recorded letter again as it was", () => {
  for (const { name, bytes, decoded, hash_password } of rendezvousVectors) {
    if (name in NO_LETTERS) continue;
    const again = writtenAgain(letterOf(bytes), hash_password);
    if (name === "d1_register_doc_fields") {
      const { "local-ip": ip, "local-port": port, ...rest } = decoded as Fields;
      assertEquals(again, { ...rest, "local-address": [ip, port] });
    } else assertEquals(again, decoded, name);
  }
});

Deno.test("decode() reads every datagram of the transcripts, and encode() writes it again", () => {
  const steps = [...rendezvousTranscripts.values()].flat();
  assertEquals(steps.length, 90, "all but one list of players, which was not recorded whole");
  for (const { bytes } of steps) {
    const { "__hash-string": _, ...again } = writtenAgain(letterOf(bytes));
    const { "__hash-string": __, ...recorded } = objectOf(bytes);
    assertEquals(again, recorded);
  }
});

const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }).filter(isName);
const endpoint = fc.record({
  ip: fc.constantFrom("192.168.1.5", "0.0.0.0", "2001:db8::7", "2001:0db8:0:0:0:0:0:7"),
  port: fc.integer({ min: 1, max: 65_535 }),
});
const json = fc.jsonValue({ maxDepth: 5 }).map((value) => JSON.parse(JSON.stringify(value)));
const count = fc.nat();
const maybe = fc.option(count, { nil: undefined });
const kind = <K extends string>(kind: K): fc.Arbitrary<K> => fc.constant(kind);
const of = <T>(shape: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> => fc.record(shape);
const introduced = { globalAddress: endpoint, localAddress: endpoint };

/** Messages of both dialects. */
const COMMON: fc.Arbitrary<Message>[] = [
  of({ kind: kind("registered") }),
  of({ kind: kind("introduction"), peer: name, ...introduced }),
  of({ kind: kind("error"), message: fc.string({ unit: "grapheme" }) }),
  of({ kind: fc.constantFrom("inquiry", "inquiryResponse"), usedGlobal: fc.boolean() }),
  of({ kind: fc.constantFrom("check", "checkResponse") }),
  of({ kind: kind("unreliable"), message: json }),
  of({
    kind: fc.constantFrom("reliable", "reliableResponse"),
    id: count,
    message: json,
    session: maybe,
  }),
];
const LETTERS: Record<Dialect, fc.Arbitrary<Message>> = {
  1: fc.oneof(
    ...COMMON,
    of({ kind: kind("register"), local: endpoint, validSeconds: count }),
    of({ kind: kind("join"), local: endpoint, host: name }),
  ),
  2: fc.oneof(
    ...COMMON,
    of({
      kind: kind("register"),
      local: endpoint,
      validSeconds: count,
      password: kind("key"),
      passwordRequired: fc.boolean(),
    }),
    of({ kind: kind("join"), local: endpoint, host: name, password: kind("key") }),
    of({ kind: kind("refresh"), validSeconds: count }),
    of({ kind: kind("list"), password: kind("key") }),
    of({ kind: kind("drop"), name }),
    of({ kind: kind("refreshed") }),
    of({ kind: kind("servers"), servers: fc.array(of({ name, passwordRequired: fc.boolean() })) }),
    of({
      kind: kind("peerList"),
      action: fc.constantFrom("add", "remove"),
      peers: fc.array(fc.tuple(name, of({ ...introduced, usesGlobal: fc.boolean() })))
        .map((entries) => new Map(entries)),
      id: maybe,
    }),
    of({ kind: kind("peerListResponse"), id: maybe }),
  ),
};
const FROM_SERVER = new Set(["registered", "refreshed", "introduction", "servers", "error"]);

for (const dialect of [1, 2] as const) {
  Deno.test(`decode() gives back what encode() was given, dialect ${dialect}`, () => {
    fc.assert(fc.property(LETTERS[dialect], name, name, (message, from, recipient) => {
      const sender = FROM_SERVER.has(message.kind) ? null : from;
      const bytes = encode(message, { dialect, sender, recipient, to: TO, password: "key" });
      const letter = letterOf(bytes);
      assertEquals(letter.message, present(message));
      assertEquals([letter.dialect, letter.sender, letter.recipient], [dialect, sender, recipient]);
      assert(isAuthentic(letter, "key"));
      if (dialect === 2) assert(!isAuthentic(letter, "another"));
    }));
  });
}

/** Keys without a value are there all the same. */
function present(message: Message): Message {
  const optional = { reliable: "session", reliableResponse: "session", peerList: "id" } as const;
  const key = (optional as Record<string, string>)[message.kind];
  return key === undefined ? message : { [key]: undefined, ...message } as Message;
}

Deno.test("isAuthentic() believes no password that the letter brings along", () => {
  const fields = {
    "__type": "peer-check",
    "__sender-name": "ada",
    "__destination-name": "castle",
    "__destination-address": ["192.0.2.1", 1],
  };
  assert(isAuthentic(letterOf(bytesOf(signed(fields, "secret"))), "secret"));
  for (const password of ["mine", null, 17]) {
    const forged = letterOf(bytesOf(signed({ ...fields, password }, "whatever")));
    assert(!isAuthentic(forged, "secret"), String(password));
  }
});

Deno.test("isName() takes 1 to 64 letters of any alphabet, and no control characters", () => {
  for (
    const text of ["a", "été", "日本", "\u{1f600}".repeat(64), "x".repeat(64), " ", "__proto__"]
  ) {
    assert(isName(text), text);
  }
  const others = ["", "x".repeat(65), "\u{1f600}".repeat(65), "a\nb", "\u0000", "\u007f", "\u0085"];
  for (const text of [...others, SERVER_NAME, "\ud800", "a\udc00", null, 17, ["a"]]) {
    assert(!isName(text), String(text));
  }
});

const REGISTER = {
  "type": "registering-server",
  "sender": "castle",
  "intended-recipient": "",
  "local-address": ["192.168.1.5", 4001],
  "seconds-before-expiry": 60,
};

/** Each changes a good registration; undefined removes a key. */
const CHANGES: [Fields, unknown][] = [
  [{ "sender": "" }, "name"],
  [{ "sender": null }, "name"],
  [{ "sender": 5 }, "name"],
  [{ "sender": "\ud800" }, "name"],
  [{ "sender": undefined }, "fields"],
  [{ "intended-recipient": 5 }, "fields"],
  [{ "type": 5 }, "type"],
  [{ "type": "peer-chek" }, "type"],
  [{ "type": "confirming-registration" }, "fields"],
  [{ "type": undefined }, "type is missing"],
  [{ "local-address": undefined }, "local-address is missing"],
  [{ "seconds-before-expiry": undefined }, "seconds-before-expiry is missing"],
  [{ "type": "requesting-to-join-server" }, "server-name is missing"],
  [{ "type": "requesting-to-join-server", "server-name": "" }, "name"],
  [{ "seconds-before-expiry": "60" }, "fields"],
  [{ "seconds-before-expiry": null }, "fields"],
  ...["192.168.1.5:4001", 5, null, [], ["192.168.1.5"], ["192.168.1.5", 4001, 1], [4001, "::"]].map(
    (address): [Fields, unknown] => [{ "local-address": address }, "address"],
  ),
  ...[0, -1, 65_536, 1.5, "4001", null].map(
    (port): [Fields, unknown] => [{ "local-address": ["192.168.1.5", port] }, "address"],
  ),
  ...["", "house", "192.168.1", "224.0.0.1", "255.255.255.255", "ff02::1", "fe80::1%eth0"].map(
    (ip): [Fields, unknown] => [{ "local-address": [ip, 4001] }, "address"],
  ),
];

Deno.test("decode() says what is wrong with a request of dialect 1", () => {
  for (const [change, reason] of CHANGES) {
    const decoded = decode(bytesOf({ ...REGISTER, ...change }));
    const found = decoded.kind === "incomplete"
      ? `${decoded.missing} is missing`
      : decoded.kind === "refused"
      ? decoded.reason
      : decoded;
    assertEquals(found, reason, JSON.stringify(change));
  }
});

Deno.test("decode() wants everything that dialect 2 has", () => {
  for (const { name, bytes, decoded } of rendezvousVectors) {
    if (!name.startsWith("d2_")) continue;
    for (const key of Object.keys(decoded as Fields)) {
      const { [key]: _, ...rest } = objectOf(bytes);
      const left = decode(bytesOf(rest));
      // What relays are about is not needed, nor whom a peer list is for.
      const isFree = ["from", "to", "is-broadcast", "use-global"].includes(key);
      assertEquals(left.kind === "letter", isFree, `${name} ${key}`);
    }
    for (const key of ["__sender-name", "__destination-name", "__hash-string"]) {
      assertEquals(
        decode(bytesOf({ ...objectOf(bytes), [key]: 5 })).kind,
        "refused",
        `${name} ${key}`,
      );
    }
  }
});

Deno.test("decode() reads numbers, spaces and key order as any JSON reader does", () => {
  const text = ' {"seconds-before-expiry" : 6e1,\n"sender":"castle", "local-address":' +
    '[ "192.168.1.5" , 4001.0 ], "x": {}, "type":"nothing", "type":"registering-server"} ';
  assertEquals(letterOf(utf8.encode(text)).message, {
    kind: "register",
    local: { ip: "192.168.1.5", port: 4001 },
    validSeconds: 60,
  });
  const huge = '{"seconds-before-expiry":1e999,"sender":"a","local-address":["::",1],';
  const decoded = decode(utf8.encode(`${huge}"type":"registering-server"}`));
  assertEquals(decoded, { kind: "refused", reason: "fields" });
});

Deno.test("decode() knows no names beyond an object's own", () => {
  const inherited = '{"__proto__":{"sender":"a","type":"peer-check","intended-recipient":"b"}}';
  assertEquals(decode(utf8.encode(inherited)).kind, "refused");
  const list = bytesOf(signed({
    "action": "add",
    "peer-infos": JSON.parse(
      '{"__proto__":{"global-address":["::1",1],"local-address":["::1",1],"use-global":false}}',
    ),
    "__type": "update-peer-list",
    "__sender-name": "castle",
    "__destination-name": "ada",
    "__destination-address": ["::1", 1],
  }, "castle"));
  const { message } = letterOf(list);
  assert(message.kind === "peerList");
  assertEquals([...message.peers.keys()], ["__proto__"]);
  assertEquals(writtenAgain(letterOf(list), "castle"), objectOf(list));
});

Deno.test("decode() takes a datagram of 8,192 bytes and 64 levels, and no more", () => {
  const message = { "type": "unreliable-peer-message", "sender": "a", "intended-recipient": "b" };
  const room = DATAGRAM_BYTES_MAX - bytesOf({ ...message, "message": "" }).length;
  letterOf(bytesOf({ ...message, "message": "x".repeat(room) }));
  const longer = bytesOf({ ...message, "message": "x".repeat(room + 1) });
  assertEquals(decode(longer), { kind: "refused", reason: "oversize" });
  const deep = (depth: number): unknown => depth === 0 ? 1 : [deep(depth - 1)];
  letterOf(bytesOf({ ...message, "message": deep(DEPTH_MAX - 1) }));
  const deeper = bytesOf({ ...message, "message": deep(DEPTH_MAX) });
  assertEquals(decode(deeper), { kind: "refused", reason: "json" });
});

Deno.test("decode() reads a letter whatever the order of its fields and the space between them", () => {
  const letters = fc.constantFrom(...rendezvousVectors.filter(({ name }) => name in SAYS));
  const order = fc.infiniteStream(fc.nat());
  fc.assert(fc.property(letters, order, fc.nat(4), ({ name, bytes }, order, indent) => {
    const keyed = Object.entries(objectOf(bytes))
      .map((entry): [number, [string, unknown]] => [order.next().value, entry]);
    const fields = keyed.sort(([one], [other]) => one - other).map(([, entry]) => entry);
    const text = JSON.stringify(Object.fromEntries(fields), null, indent);
    assertEquals(letterOf(utf8.encode(` ${text}\r\n`)).message, SAYS[name]);
    assertEquals(decode(utf8.encode(`\ufeff${text}`)), { kind: "refused", reason: "json" });
  }));
});

Deno.test("decode() leaves addresses as they are spelt, and takes those of one host or of none", () => {
  const local = (ip: string): Decoded =>
    decode(bytesOf({ ...REGISTER, "local-address": [ip, 65_535] }));
  const good = ["0.0.0.0", "::", "::1", "FE80::1", "2001:0DB8:0:0:0:0:0:7", "::ffff:10.0.0.1"];
  for (const ip of [...good, "0:0:0:0:0:0:0:0", "::FFFF:0:0", "223.255.255.255"]) {
    const letter = local(ip);
    assert(letter.kind === "letter" && letter.message.kind === "register", ip);
    assertEquals(letter.message.local, { ip, port: 65_535 });
  }
  const bad = ["0.0.0.1", "::ffff:224.0.0.1", "::ffff:e000:1", "FF02::1", "[::1]", "010.0.0.1"];
  for (const ip of bad) assertEquals(local(ip), { kind: "refused", reason: "address" }, ip);
});

Deno.test("decode() survives every cut and any change", () => {
  for (const { bytes } of rendezvousVectors) {
    for (let length = 0; length < bytes.length; length++) {
      assertNotEquals(decode(bytes.subarray(0, length)).kind, "letter");
    }
  }
  const values = fc.oneof(fc.nat(255), fc.constantFrom(...utf8.encode('"\\[]{},:0- ')));
  const changes = fc.array(fc.tuple(fc.nat(), values), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.constantFrom(...rendezvousVectors), changes, ({ bytes }, changes) => {
      const changed = bytes.slice();
      for (const [at, value] of changes) changed[at % bytes.length] = value;
      decodeAndUse(changed);
    }),
    { numRuns: 5_000 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 99 }), decodeAndUse));
});

Deno.test("decode() survives any JSON value in place of any field", () => {
  const vector = fc.constantFrom(...rendezvousVectors.filter(({ name }) => name in SAYS));
  fc.assert(
    fc.property(vector, fc.nat(), fc.jsonValue(), ({ bytes }, at, value) => {
      const fields = objectOf(bytes);
      const keys = Object.keys(fields);
      decodeAndUse(bytesOf({ ...fields, [keys[at % keys.length]!]: value }));
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("decode() refuses the deepest datagrams", () => {
  for (const unit of ["[", '{"a":', '{"type":[']) {
    assertEquals(decode(utf8.encode(unit.repeat(10_000))), { kind: "refused", reason: "oversize" });
    const whole = Math.floor(DATAGRAM_BYTES_MAX / unit.length);
    assertEquals(decode(utf8.encode(unit.repeat(whole))), { kind: "refused", reason: "json" });
  }
});

/** Whatever it is, a letter can be proved and written again. */
function decodeAndUse(bytes: Uint8Array): void {
  const decoded = decode(bytes);
  if (decoded.kind !== "letter") return;
  isAuthentic(decoded, "key");
  const { dialect, sender, recipient, message } = decoded;
  const again = letterOf(encode(message, { dialect, sender, recipient, to: TO, password: "key" }));
  assertEquals(again.message, message);
}

Deno.test("decode() refuses lists with anything odd in them, keys that are too long, half an address", () => {
  const envelope = {
    "__sender-name": null,
    "__destination-name": "ada",
    "__destination-address": ["::1", 1],
    "__hash-string": "",
  };
  const known = { "global-address": ["::1", 1], "local-address": ["::1", 1], "use-global": true };
  const servers = (entry: unknown): Fields => ({
    ...envelope,
    "__type": "providing-server-list",
    "servers": [{ "name": "castle", "password-required": true }, entry],
  });
  const peers = (infos: unknown): Fields => ({
    ...envelope,
    "__type": "update-peer-list",
    "action": "add",
    "peer-infos": infos,
  });
  const list = (password: string): Fields => ({
    ...envelope,
    "__type": "requesting-server-list",
    password,
  });
  const odd = [null, 5, "castle", [], {}, { "name": 5 }, { "name": "" }];
  const { "local-address": _, ...nowhere } = REGISTER;
  const refused: Fields[] = [
    ...odd.map(servers),
    ...[...odd.slice(0, 4), { "bob": null }, { "bob": 5 }, { "bob": {} }, { "": known }].map(peers),
    ...[{ ...known, "local-address": null }, { ...known, "global-address": ["::1", 0] }]
      .map((info) => peers({ "bob": info })),
    { ...peers({}), "action": "drop" },
    list(""),
    list("x".repeat(65)),
  ];
  for (const fields of refused) {
    assertEquals(decode(bytesOf(fields)).kind, "refused", JSON.stringify(fields));
  }
  for (const key of ["local-ip", "local-port"]) {
    assertEquals(decode(bytesOf({ ...nowhere, [key]: 1 })).kind, "incomplete", key);
  }
  letterOf(bytesOf(servers({ "name": "hall" })));
  letterOf(bytesOf(peers({ "bob": known })));
  letterOf(bytesOf(list("x".repeat(64))));
});
