import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { seededRandom } from "../../../lib/parts/random.ts";
import { md5, MD5_BYTES_MAX } from "../../../lib/protocols/world/md5.ts";

const utf8 = new TextEncoder();

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

Deno.test("md5() gives what RFC 1321 says", () => {
  for (
    const [message, digest] of [
      ["", "d41d8cd98f00b204e9800998ecf8427e"],
      ["a", "0cc175b9c0f1b6a831c399e269772661"],
      ["abc", "900150983cd24fb0d6963f7d28e17f72"],
      ["message digest", "f96b697d7cb7938d525a2f31aaf161d0"],
      ["abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"],
    ] as const
  ) {
    assertEquals(hexOf(md5(utf8.encode(message))), digest, message);
  }
});

Deno.test("md5() agrees with another one on messages of every length, whatever came before", () => {
  const random = seededRandom(1);
  for (let round = 0; round < 100; round++) {
    for (let length = 0; length <= MD5_BYTES_MAX; length++) {
      const message = Uint8Array.from({ length }, () => Math.floor(256 * random()));
      assertEquals(hexOf(md5(message)), createHash("md5").update(message).digest("hex"));
    }
  }
});
