import { assert, assertEquals, assertMatch } from "@std/assert";
import { isHostAllowed, isSameToken, newToken } from "../../../lib/home/dashboard/guard.ts";

Deno.test("newToken() is 128 bits that need no escaping, and another one each time", () => {
  const tokens = Array.from({ length: 100 }, newToken);
  for (const token of tokens) assertMatch(token, /^[\w-]{22}$/);
  assertEquals(new Set(tokens).size, 100);
  const characters = new Set(tokens.join(""));
  assertEquals(characters.size, 64);
});

Deno.test("isSameToken() tells a token from all that are nearly it", () => {
  assert(isSameToken("abcdefgh", "abcdefgh"));
  for (const other of [undefined, "", "abcdefg", "abcdefghi", "Abcdefgh", "abcdefgH", "h"]) {
    assert(!isSameToken(other, "abcdefgh"), other);
  }
});

Deno.test("isHostAllowed() knows localhost, addresses and given names, with any port", () => {
  for (
    const header of ["localhost", "LOCALHOST:80", "localhost.:80", "127.0.0.1:5", "192.0.2.7"]
      .concat(["[::1]:80", "[2001:db8::1]", "box.lan", "Box.LAN:8080", "box.lan.:1"])
  ) {
    assert(isHostAllowed(header, ["box.lan"]), header);
  }
});

Deno.test("isHostAllowed() refuses other names, and what is no name", () => {
  for (
    const header of [null, "", ":80", "evil.example", "evil.example:80", "localhost.evil.example"]
      .concat(["box.lan.evil", "xbox.lan", "127.0.0.1.evil.example", "1.2.3", "[::1].evil:80"])
      .concat(["[evil.example]", "[]", "localhost:80@evil", "localhost:80:90", "evil.example:x"])
      .concat(["box.lan..", "localhost,evil", "::1"])
  ) {
    assert(!isHostAllowed(header, ["box.lan"]), String(header));
  }
});
