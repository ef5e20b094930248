/** What reads what routers say, in which nobody should trust. */
import { assert, assertEquals } from "@std/assert";
import { HttpError, parseHttpAnswer } from "../../../lib/home/port_mapping/http.ts";
import { parseActionAnswer, parseDescription } from "../../../lib/home/port_mapping/igd.ts";
import { decodeNatPmp, type NatPmpAnswer } from "../../../lib/home/port_mapping/nat_pmp.ts";
import { parseSearchAnswer, type SsdpRefusal } from "../../../lib/home/port_mapping/ssdp.ts";
import type { Chance } from "../harness/chance.ts";
import { decoderTarget } from "../harness/decoders.ts";
import { every } from "../harness/reach.ts";
import { utf8 } from "../harness/spoil.ts";
import type { Target } from "../harness/target.ts";

const service = "home";
const text = new TextDecoder();
const ROUTER = "192.168.1.1";
const LOCATION = new URL(`http://${ROUTER}:5000/rootDesc.xml`);
const TYPE = "urn:schemas-upnp-org:service:WANIPConnection:1";
const SHOWN = /^[^\p{Cc}\p{Zl}\p{Zp}]*$/u;

function searchAnswer(chance: Chance): Uint8Array {
  const line = (text: string): string => chance.is(0.95) ? `${text}\r\n` : "";
  const location = chance.pick([
    `http://${ROUTER}:5000/x`,
    "http://192.168.1.2/",
    "https://x/",
    "?",
  ]);
  const first = chance.pick(["HTTP/1.1 200 OK", "HTTP/1.1 404 No", "NOTIFY * HTTP/1.1"]);
  const st = chance.pick([TYPE, "urn:schemas-upnp-org:device:InternetGatewayDevice:1", "upnp:x"]);
  return utf8(line(first) + line(`LOCATION: ${location}`) + line(`ST:${st}`) + "\r\n");
}

function httpAnswer(chance: Chance): Uint8Array {
  const body = chance.pick([
    "",
    "<root/>",
    "5\r\nhello\r\n0\r\n\r\n",
    "3;x=1\r\nabc\r\n0\r\n\r\n",
    "zz\r\n",
  ]);
  const length = chance.pick([body.length, 1, 9_000_000]);
  const fields = [
    `Content-Length: ${length}\r\n`,
    "Transfer-Encoding: chunked\r\n",
    "",
    "A: b\r\n",
    "A: b\r\n".repeat(1_500),
  ];
  const first = chance.pick([
    "HTTP/1.1 200 OK",
    "HTTP/1.0 500 No",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK",
    "ICY",
  ]);
  return utf8(`${first}\r\n${chance.pick(fields)}${chance.pick(fields)}\r\n${body}`);
}

function description(chance: Chance): Uint8Array {
  const control = chance.pick([
    "/ctl",
    "http://192.168.1.2/",
    "javascript:1",
    `http://${ROUTER}/c`,
    "",
  ]);
  const one =
    `<service><serviceType>${TYPE}</serviceType><controlURL>${control}</controlURL></service>`;
  const name = chance.pick(["Box &amp; &#x1f600;", "\u001b[2J", "é".repeat(90), "<![CDATA[x]]>"]);
  const base = chance.is(0.3)
    ? `<URLBase>${chance.pick(["http://10.0.0.1/", "::"])}</URLBase>`
    : "";
  return utf8(
    `<?xml version="1.0"?><!-- > --><root>${base}<friendlyName>${name}</friendlyName>` +
      `${one.repeat(chance.whole(6))}</root>`,
  );
}

function actionAnswer(chance: Chance): Uint8Array {
  const fault =
    `<s:Fault><faultstring>x</faultstring><errorCode>${chance.pick([718, "x"])}</errorCode>` +
    "<errorDescription>Conflict\u0007</errorDescription></s:Fault>";
  const answer = "<u:GetXResponse><A>1&lt;2</A><B/></u:GetXResponse>";
  return utf8(`<s:Envelope><s:Body>${chance.pick([fault, answer])}</s:Body></s:Envelope>`);
}

/** Of what routers say. */
export const ROUTER_DECODERS: readonly Target[] = [
  decoderTarget({
    service,
    name: "SSDP answers",
    real: searchAnswer,
    read: (bytes, chance) => {
      const from = chance.is(0.95) ? ROUTER : "192.0.2.1";
      const answer = parseSearchAnswer(bytes, from);
      return answer.ok ? { location: answer.location.href } : { refusal: answer.refusal };
    },
    nameOf: ({ refusal }) => refusal ?? "location",
    check: ({ location }) => {
      if (location !== undefined) assertEquals(new URL(location).hostname, ROUTER);
    },
    seeds: 15,
    reach: {
      kinds: [
        ...every<SsdpRefusal | "location">()("size text status target location host sender"),
      ],
    },
  }),
  decoderTarget({
    service,
    name: "NAT-PMP answers",
    real: (chance) => {
      const bytes = chance.noise(chance.pick([12, 16, 16, 18]));
      bytes.set([chance.pick([0, 0, 2]), 128 + chance.whole(4), 0, chance.pick([0, 0, 3])]);
      return bytes;
    },
    read: (bytes) => decodeNatPmp(bytes) ?? { kind: "none" },
    reach: { kinds: every<NatPmpAnswer["kind"] | "none">()("address mapped error none") },
  }),
  decoderTarget({
    service,
    name: "HTTP answers",
    real: httpAnswer,
    read: (bytes, chance) => {
      try {
        const isAll = chance.is(0.5);
        return { answer: parseHttpAnswer(bytes, isAll, 100_000) };
      } catch (error) {
        assert(error instanceof HttpError, `${error}`);
        return { wrong: error.message };
      }
    },
    nameOf: ({ answer, wrong }) => wrong?.replace(/\d+/, "N") ?? (answer ? "answer" : "not all"),
    seeds: 15,
    reach: {
      kinds: [
        ...["answer", "not all", "does not speak HTTP", "sends an endless header"],
        ...["announces N bytes, too many", "sends chunks that are none"],
      ],
    },
  }),
  decoderTarget({
    service,
    name: "descriptions of routers",
    real: description,
    read: (bytes) => {
      const { name, services } = parseDescription(text.decode(bytes), LOCATION);
      return { name, services: services.map(({ type, control }) => [type, control.href]) };
    },
    nameOf: ({ services }) => services.length > 0 ? "services" : "none",
    check: ({ name, services }) => {
      assert(SHOWN.test(name) && [...name].length <= 64, `the name ${JSON.stringify(name)}`);
      assert(services.length <= 4, `${services.length} services`);
      for (const [, href] of services) assertEquals(new URL(href!).hostname, ROUTER);
    },
    reach: { kinds: ["services", "none"] },
  }),
  decoderTarget({
    service,
    name: "answers to actions of routers",
    real: actionAnswer,
    read: (bytes) => {
      const answer = parseActionAnswer(200, text.decode(bytes), "GetX");
      return answer?.ok
        ? { ok: true, values: new Map(answer.values) }
        : answer ?? { ok: undefined };
    },
    nameOf: ({ ok }) => ok === undefined ? "none" : ok ? "values" : "error",
    check: (answer) => {
      if ("text" in answer) assert(SHOWN.test(answer.text), JSON.stringify(answer.text));
    },
    reach: { kinds: ["none", "values", "error"] },
  }),
];
