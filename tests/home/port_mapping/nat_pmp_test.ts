import { assert, assertEquals } from "@std/assert";
import {
  decodeNatPmp,
  encodeAddressRequest,
  encodeMapRequest,
  hasRestarted,
} from "../../../lib/home/port_mapping/nat_pmp.ts";
import { seededRandom } from "../../../lib/parts/random.ts";
import { explainVerdict } from "../../../lib/home/port_mapping/verdict.ts";
import { until } from "../../support/wait.ts";
import { FakeRouter } from "./fake_router.ts";

/** Bytes from their hexadecimal digits, spaces between them as one likes. */
function bytes(hex: string): Uint8Array {
  return Uint8Array.from(hex.replaceAll(" ", "").match(/../g) ?? [], (byte) => parseInt(byte, 16));
}

Deno.test("encodeAddressRequest() and encodeMapRequest() write what RFC 6886 draws", () => {
  assertEquals(encodeAddressRequest(), bytes("00 00"));
  const wish = { port: 5_555, externalPort: 80, lifetimeS: 7_200 };
  assertEquals(
    encodeMapRequest({ transport: "UDP", ...wish }),
    bytes("00 01 0000 15b3 0050 00001c20"),
  );
  assertEquals(
    encodeMapRequest({ transport: "TCP", ...wish }),
    bytes("00 02 0000 15b3 0050 00001c20"),
  );
});

Deno.test("decodeNatPmp() reads what RFC 6886 draws", () => {
  assertEquals(decodeNatPmp(bytes("00 80 0000 00000102 08080404")), {
    kind: "address",
    epochS: 258,
    externalIp: "8.8.4.4",
  });
  assertEquals(decodeNatPmp(bytes("00 81 0000 00000001 15b3 0050 00001c20")), {
    kind: "mapped",
    transport: "UDP",
    epochS: 1,
    port: 5_555,
    externalPort: 80,
    lifetimeS: 7_200,
  });
  assertEquals(decodeNatPmp(bytes("00 82 0002 00000001")), { kind: "error", opcode: 2, code: 2 });
  // A router of PCP, which knows no version 0.
  assertEquals(decodeNatPmp(bytes("02 80 0001 00000001")), { kind: "error", opcode: 0, code: 1 });
});

Deno.test("decodeNatPmp() takes any bytes, and makes nothing of most", () => {
  for (
    const hex of [
      "",
      "00",
      "00 80 00",
      "00 80 0000 00000001 080804",
      "00 81 0000 00000001 15b3 0050 00001c",
      "00 00 0000 00000001 08080404",
      "01 80 0000 00000001 08080404",
      "00 83 0000 00000001 08080404 00000000",
    ]
  ) {
    assertEquals(decodeNatPmp(bytes(hex)), undefined, hex);
  }
  const random = seededRandom(1);
  for (let turn = 0; turn < 5_000; turn++) {
    const noise = Uint8Array.from({ length: random() * 20 }, () => random() * 256);
    noise.set([0, 128 + random() * 3, 0, 0].slice(0, noise.length));
    decodeNatPmp(noise);
  }
});

Deno.test("hasRestarted() sees a clock that is behind, and forgives one that is slow", () => {
  const before = { epochS: 1_000, atMs: 0 };
  const after = (seconds: number, epochS: number): boolean =>
    hasRestarted(before, { epochS, atMs: seconds * 1_000 });
  assert(!after(0, 1_000));
  assert(!after(0, 998));
  assert(after(0, 997));
  assert(!after(80, 1_068));
  assert(after(80, 1_067));
  assert(after(3_600, 5));
  assert(!after(80, 9_999), "after this machine slept");
});

/** An honest router for NAT-PMP only, whose clock says `epochS`. */
function natPmpRouter(
  state: { epochS: number; mapped: number; code?: number; noise?: boolean },
): FakeRouter {
  return new FakeRouter({
    upnp: false,
    natPmp: (question) => {
      const opcode = question[1]!;
      const answer = new Uint8Array(opcode === 0 ? 12 : 16);
      const view = new DataView(answer.buffer);
      answer.set([0, 128 + opcode]);
      view.setUint32(4, state.epochS);
      if (opcode === 0) answer.set([8, 8, 4, 4], 8);
      else {
        view.setUint16(2, state.code ?? 0);
        answer.set(question.subarray(4, 12), 8);
        if (view.getUint32(12) > 0) state.mapped++;
      }
      return answer;
    },
  });
}

Deno.test("PortMapper maps again when a router's NAT-PMP clock went back", async () => {
  const state = { epochS: 5_000, mapped: 0 };
  await using router = natPmpRouter(state);
  await using mapper = router.mapper();
  const verdict = await mapper.verdict();
  assert(verdict.kind === "mapped" && verdict.method === "NAT-PMP", JSON.stringify(verdict));
  assertEquals(state.mapped, 1);
  state.epochS = 1;
  await until("another mapping", () => state.mapped === 2);
  assertEquals(mapper.verdicts.length, 1);
  await mapper.close();
  assertEquals(mapper.verdicts.map(({ kind }) => kind), ["mapped", "removed"]);
});

Deno.test("PortMapper says why a router refuses by NAT-PMP", async () => {
  await using router = natPmpRouter({ epochS: 1, mapped: 0, code: 2 });
  await using mapper = router.mapper();
  const verdict = await mapper.verdict();
  assertEquals(
    explainVerdict(verdict),
    "The router 127.0.0.1 does not forward UDP port 5555: its settings do not allow that programs " +
      "map ports (NAT-PMP error 2). Forward UDP port 5555 by hand in the router's settings.",
  );
});

Deno.test("PortMapper takes a router that speaks another version for none", async () => {
  await using router = new FakeRouter({
    upnp: false,
    natPmp: () => bytes("02 80 0001 00000001"),
  });
  await using mapper = router.mapper(undefined, { searchMs: 1_300 });
  assertEquals((await mapper.verdict()).kind, "no-router");
});
