import { assertEquals, assertNotEquals } from "@std/assert";
import { hashInput, hashOf } from "../../../lib/protocols/rendezvous/hash.ts";
import { rendezvousVectors } from "../../support/vectors.ts";

Deno.test("hashOf() gives the recorded hashes", () => {
  const hashed = rendezvousVectors.filter(({ hash_password }) => hash_password !== undefined);
  assertEquals(hashed.length, 17);
  for (const { name, decoded, hash_password, hash_input } of hashed) {
    const fields = decoded as Record<string, unknown>;
    assertEquals(hashInput(fields, hash_password!), hash_input, name);
    assertEquals(hashOf(fields, hash_password!), fields["__hash-string"], name);
  }
});

Deno.test("hashInput() sorts by code points, not by halves of letters", () => {
  const high = "\u{10000}"; // In UTF-16 it begins with 0xd800.
  const fields = { [high]: "b", "\ue000": "\ue000", "a": high, "aa": "a", "": "" };
  assertEquals(hashInput(fields, "é"), `aaapassword\ue000${high}` + `abé\ue000${high}`);
  const alike = { "\u{10001}": 1, [high]: 2, [`${high}a`]: 3 };
  assertEquals(hashInput(alike, ""), `password${high}${high}a\u{10001}`);
});

Deno.test("hashInput() counts texts at the top, and only the keys of the rest", () => {
  const fields = { n: 1, t: true, z: null, l: ["in a list"], o: { k: "in an object" }, s: "text" };
  assertEquals(hashInput(fields, "pw"), "lnopasswordstzpwtext");
});

Deno.test("hashInput() takes a password that is there instead of ours, and leaves out the hash", () => {
  assertEquals(hashInput({ password: "mine", a: "x" }, "ours"), "apasswordminex");
  assertEquals(hashInput({ password: 17, a: "x" }, "ours"), "apasswordx");
  const hashed = { a: "x", "__hash-string": "anything" };
  assertEquals(hashInput(hashed, "ours"), "apasswordoursx");
  assertEquals(hashOf(hashed, "ours"), hashOf({ a: "x" }, "ours"));
  assertNotEquals(hashOf(hashed, "ours"), hashOf(hashed, "theirs"));
});
