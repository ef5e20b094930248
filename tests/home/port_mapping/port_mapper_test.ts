import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { PortMapper } from "../../../lib/home/port_mapping/port_mapper.ts";
import type { Verdict } from "../../../lib/home/port_mapping/verdict.ts";
import { explainVerdict } from "../../../lib/home/port_mapping/verdict.ts";
import { until } from "../../support/wait.ts";
import { FakeRouter } from "./fake_router.ts";

const BOTH = [{ transport: "UDP", port: 5_555 }, { transport: "TCP", port: 5_556 }] as const;

/** What a verdict says of a refusal. */
function refusal(verdict: Verdict): { cause: string; text: string } {
  assert(verdict.kind === "refused", verdict.kind);
  return { cause: verdict.cause, text: explainVerdict(verdict) };
}

Deno.test("PortMapper maps each port, and removes it at its end", async () => {
  await using router = new FakeRouter();
  await using mapper = router.mapper(BOTH, { leaseSeconds: 1_234, description: "a <b> & \u0000c" });
  const [udp, tcp] = [await mapper.verdict(0), await mapper.verdict(1)];
  assertEquals(udp, {
    kind: "mapped",
    method: "UPnP",
    router: { name: "Fake & Co", address: "127.0.0.1" },
    transport: "UDP",
    port: 5_555,
    externalPort: 5_555,
    externalIp: "8.8.4.4",
    localIp: "127.0.0.1",
    leaseSeconds: 1_234,
  });
  assert(udp.kind === "mapped");
  assertEquals(tcp, { ...udp, transport: "TCP", port: 5_556, externalPort: 5_556 });
  const { body } = router.calls.find(({ action }) => action === "AddPortMapping")!;
  assertMatch(
    body.replaceAll(/[\r\n]/g, ""),
    new RegExp(
      "<NewRemoteHost></NewRemoteHost><NewExternalPort>5555</NewExternalPort>" +
        "<NewProtocol>UDP</NewProtocol><NewInternalPort>5555</NewInternalPort>" +
        "<NewInternalClient>127.0.0.1</NewInternalClient><NewEnabled>1</NewEnabled>" +
        "<NewPortMappingDescription>a &#60;b&#62; &#38; c</NewPortMappingDescription>" +
        "<NewLeaseDuration>1234</NewLeaseDuration></u:AddPortMapping>",
    ),
  );
  assertEquals(router.mappings.size, 2);
  await mapper.close();
  assertEquals(router.mappings.size, 0);
  assertEquals(mapper.verdicts.slice(2).map(({ kind }) => kind), ["removed", "removed"]);
});

Deno.test("PortMapper tells what kind of address the router has on its other side", async () => {
  const kinds = {
    "8.8.4.4": "mapped",
    "": "mapped",
    "0.0.0.0": "mapped",
    "10.1.2.3": "double-nat",
    "172.31.255.1": "double-nat",
    "192.168.178.20": "double-nat",
    "100.64.0.1": "carrier-nat",
    "100.127.255.254": "carrier-nat",
    "100.128.0.1": "mapped",
  };
  await Promise.all(
    Object.entries(kinds).map(async ([externalIp, kind]) => {
      await using router = new FakeRouter();
      router.externalIp = externalIp;
      await using mapper = router.mapper();
      assertEquals((await mapper.verdict()).kind, kind, externalIp);
    }),
  );
});

Deno.test("PortMapper maps nothing when the router's address is this machine's", async () => {
  await using router = new FakeRouter();
  await using mapper = router.mapper(BOTH, { ownIps: ["127.0.0.1", "8.8.4.4"] });
  assertEquals(await mapper.verdict(), { kind: "no-nat", address: "8.8.4.4" });
  assertEquals(router.count("AddPortMapping"), 0);
});

Deno.test("PortMapper says that a machine with a public address needs no router", async () => {
  await using router = new FakeRouter({ upnp: false });
  await using mapper = router.mapper(BOTH, { ownIps: ["8.8.4.4"], searchMs: 50 });
  assertEquals(await mapper.verdict(), { kind: "no-nat", address: "8.8.4.4" });
});

Deno.test("PortMapper makes a mapping that stays where the router has no others", async () => {
  for (const code of [725, 402]) {
    await using router = new FakeRouter({
      http: (_, action) => {
        const { body } = router.calls.at(-1)!;
        const refuses = action === "AddPortMapping" && !body.includes(">0</NewLeaseDuration>");
        if (refuses) router.faults.set(action, code);
        else router.faults.delete(action);
        return undefined;
      },
    });
    await using mapper = router.mapper();
    const verdict = await mapper.verdict();
    assert(verdict.kind === "mapped" && verdict.leaseSeconds === 0, JSON.stringify(verdict));
    await mapper.close();
    assertEquals(router.mappings.size, 0);
  }
});

Deno.test("PortMapper says why a router refuses, and asks it again", async () => {
  const refusals: Record<number, RegExp> = {
    401: /does not know how/,
    501: /failed to do so \(UPnP error 501, no\)/,
    606: /settings do not allow/,
    716: /does not take this external port/,
    727: /all ports or none/,
    728: /no room/,
    999: /does not say why \(UPnP error 999, no\)/,
  };
  await Promise.all(
    Object.entries(refusals).map(async ([code, text]) => {
      await using router = new FakeRouter();
      router.faults.set("AddPortMapping", Number(code));
      await using mapper = router.mapper();
      const first = refusal(await mapper.verdict());
      assertEquals(first.cause, "other");
      assertMatch(first.text, text);
      await until("another try", () => router.count("AddPortMapping") > 2);
      assertEquals(mapper.verdicts.length, 1, "the same again is no news");
      router.faults.clear();
      assertEquals((await mapper.verdict(1)).kind, "mapped");
    }),
  );
});

Deno.test("PortMapper takes a failure for what it is when the router has no address", async () => {
  await using router = new FakeRouter();
  router.externalIp = "";
  router.faults.set("AddPortMapping", 501);
  await using mapper = router.mapper();
  const { cause, text } = refusal(await mapper.verdict());
  assertEquals(cause, "no-public-address");
  assertMatch(text, /no public address of its own.*behind another router/);
});

Deno.test("PortMapper says who has the port, and removes nothing of theirs", async () => {
  await using router = new FakeRouter();
  router.mappings.set("UDP 5555", "192.168.1.7:5555");
  await using mapper = router.mapper();
  const { cause, text } = refusal(await mapper.verdict());
  assertEquals(cause, "taken");
  assertMatch(text, /to another machine, 192\.168\.1\.7 already \("some \[31mthing"\)/);
  await mapper.close();
  assertEquals(router.count("DeletePortMapping"), 0);
  assertEquals(router.mappings.get("UDP 5555"), "192.168.1.7:5555");
});

Deno.test("PortMapper asks nothing more at its end of a router that refused", async () => {
  await using router = new FakeRouter();
  router.faults.set("AddPortMapping", 606);
  await using mapper = router.mapper(BOTH, { lookMs: 100_000, retryMs: 100_000 });
  await mapper.verdict(1);
  const { length } = router.calls;
  await mapper.close();
  assertEquals(router.calls.length, length);
});

Deno.test("PortMapper leaves at its end what became another machine's", async () => {
  await using router = new FakeRouter();
  await using mapper = router.mapper(undefined, { lookMs: 100_000 });
  await mapper.verdict();
  router.mappings.set("UDP 5555", "192.168.1.7:5555");
  await mapper.close();
  assertEquals(router.mappings.get("UDP 5555"), "192.168.1.7:5555");
});

Deno.test("PortMapper says it when the port leads to another port of this machine", async () => {
  await using router = new FakeRouter();
  router.mappings.set("UDP 5555", "127.0.0.1:7777");
  await using mapper = router.mapper();
  assertMatch(refusal(await mapper.verdict()).text, /to port 7777 of this machine/);
});

Deno.test("PortMapper removes its own mapping first where a router wants that", async () => {
  await using router = new FakeRouter({
    http: (_, action) => {
      if (action !== "AddPortMapping") return undefined;
      if (router.mappings.has("UDP 5555")) router.faults.set(action, 718);
      else router.faults.delete(action);
      return undefined;
    },
  });
  router.mappings.set("UDP 5555", "127.0.0.1:5555");
  await using mapper = router.mapper();
  assertEquals((await mapper.verdict()).kind, "mapped");
  assertEquals(router.count("DeletePortMapping"), 1);
});

Deno.test("PortMapper renews at half the lease, without a word", async () => {
  await using router = new FakeRouter();
  await using mapper = router.mapper(undefined, { leaseSeconds: 4, lookMs: 100_000 });
  await mapper.verdict();
  const mappedAt = performance.now();
  await until("a renewal", () => router.count("AddPortMapping") > 1);
  const afterMs = performance.now() - mappedAt;
  assert(afterMs > 1_900 && afterMs < 3_900, `after ${afterMs} ms`);
  assertEquals(mapper.verdicts.length, 1);
});

Deno.test("PortMapper makes a mapping again that the router forgot", async () => {
  await using router = new FakeRouter();
  await using mapper = router.mapper(BOTH);
  await mapper.verdict(1);
  router.mappings.clear();
  await until("the mappings", () => router.mappings.size === 2);
  assertEquals(mapper.verdicts.length, 2);
});

Deno.test("PortMapper tells the router's new address", async () => {
  await using router = new FakeRouter();
  await using mapper = router.mapper();
  await mapper.verdict();
  router.externalIp = "100.70.0.1";
  const moved = await mapper.verdict(1);
  assert(moved.kind === "carrier-nat" && moved.externalIp === "100.70.0.1");
});

Deno.test("PortMapper goes on when its listener throws", async () => {
  await using router = new FakeRouter();
  const faults: unknown[] = [];
  await using mapper = router.mapper(BOTH, {
    onVerdict: () => {
      throw new Error("a bug");
    },
    onFault: (error) => {
      faults.push(error);
      throw new Error("another one");
    },
  });
  await mapper.verdict(1);
  await mapper.close();
  assertEquals(mapper.verdicts.length, 4);
  assertEquals(faults.length, 4);
});

Deno.test("PortMapper ends within two seconds when the router does not", async () => {
  await using router = new FakeRouter({
    http: (_, action) => {
      return action === "DeletePortMapping" ? new Promise<never>(() => {}) : undefined;
    },
  });
  await using mapper = router.mapper(BOTH);
  await mapper.verdict(1);
  const closingAt = performance.now();
  await mapper.close();
  const tookMs = performance.now() - closingAt;
  assert(tookMs > 1_900 && tookMs < 8_000, `took ${tookMs} ms`);
});

Deno.test("PortMapper removes what it asked for when it is closed before the answer", async () => {
  await using router = new FakeRouter({
    http: (_, action) => {
      if (action !== "AddPortMapping") return undefined;
      router.mappings.set("UDP 5555", "127.0.0.1:5555");
      return new Promise<never>(() => {});
    },
  });
  await using mapper = router.mapper();
  await until("the question", () => router.mappings.size === 1);
  await mapper.close();
  assertEquals(router.mappings.size, 0);
  assertEquals(mapper.verdicts, []);
});

Deno.test("PortMapper refuses ports and leases that are none", () => {
  const make = (port: number, leaseSeconds?: number) => (): void => {
    new PortMapper([{ transport: "UDP", port }], { onVerdict: () => {}, leaseSeconds });
  };
  for (const port of [0, 65_536, -1, 1.5, NaN]) assertThrows(make(port), RangeError, "a port");
  for (const lease of [0, 604_801, 0.5]) assertThrows(make(1, lease), RangeError, "leaseSeconds");
});
