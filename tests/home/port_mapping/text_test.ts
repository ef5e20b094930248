import { assert, assertEquals } from "@std/assert";
import { parseHttpAnswer } from "../../../lib/home/port_mapping/http.ts";
import {
  encodeAction,
  parseActionAnswer,
  parseDescription,
} from "../../../lib/home/port_mapping/igd.ts";
import { plainText } from "../../../lib/home/port_mapping/plain_text.ts";
import {
  encodeSearch,
  parseSearchAnswer,
  SEARCH_TARGETS,
} from "../../../lib/home/port_mapping/ssdp.ts";
import { elementsOf, escapeXml, textOf } from "../../../lib/home/port_mapping/xml.ts";
import { kindOfAddress, likelyRouters } from "../../../lib/home/port_mapping/addresses.ts";
import { seededRandom } from "../../../lib/parts/random.ts";
import { describe } from "./fake_router.ts";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

// SSDP

const ANSWER = "HTTP/1.1 200 OK\r\n" +
  "CACHE-CONTROL: max-age=120\r\n" +
  "ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n" +
  "USN: uuid:1::urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n" +
  "Location:http://192.168.1.1:5000/rootDesc.xml\r\n\r\n";

function refusalOf(text: string | Uint8Array, sender = "192.168.1.1"): string {
  const answer = parseSearchAnswer(typeof text === "string" ? utf8(text) : text, sender);
  return answer.ok ? answer.location.href : answer.refusal;
}

Deno.test("encodeSearch() asks as the UPnP Device Architecture has it", () => {
  assertEquals(
    new TextDecoder().decode(encodeSearch(SEARCH_TARGETS[0]!)),
    "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n" +
      'MAN: "ssdp:discover"\r\nMX: 1\r\n' +
      "ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\r\n",
  );
});

Deno.test("parseSearchAnswer() takes a router's word for itself", () => {
  assertEquals(refusalOf(ANSWER), "http://192.168.1.1:5000/rootDesc.xml");
  assertEquals(refusalOf(ANSWER.replaceAll("\r\n", "\n")), "http://192.168.1.1:5000/rootDesc.xml");
});

Deno.test("parseSearchAnswer() refuses everything else", () => {
  const location = (url: string): string => ANSWER.replace(/(?<=Location:).*(?=\r)/, url);
  const cases: [string | Uint8Array, string][] = [
    ["", "status"],
    [ANSWER.replace("200", "404"), "status"],
    [ANSWER.replace("200", "2000"), "status"],
    ["NOTIFY * HTTP/1.1\r\n", "status"],
    [ANSWER.replace("ST: urn", "ST: xxx:MediaServer:1\r\nX: urn"), "target"],
    [ANSWER.replace("Location", "Elsewhere"), "location"],
    [location("not a url"), "location"],
    [location("https://192.168.1.1/"), "location"],
    [location("http://a@192.168.1.1/"), "location"],
    [location("http://192.168.1.2/"), "host"],
    [location("http://router.local/"), "host"],
    [location("http://[::1]/"), "host"],
    [new Uint8Array(3_000), "size"],
    [new Uint8Array([0xff, 0xfe]), "text"],
  ];
  for (const [text, refusal] of cases) assertEquals(refusalOf(text), refusal, String(text));
  for (const sender of ["8.8.8.8", "127.0.0.1", "100.64.0.1", "224.0.0.1", "fe80::1", ""]) {
    assertEquals(refusalOf(ANSWER, sender), "sender", sender);
  }
  assert(refusalOf(location("http://169.254.3.4/x"), "169.254.3.4").startsWith("http"));
});

// XML

Deno.test("elementsOf() finds elements in their order, whatever their prefix", () => {
  const xml = '<?xml version="1.0"?><!-- <no>1</no> --><a:b x="y"><c> 1 &lt;&amp;&#65;&#x42; </c>' +
    "<d/><e f='g'></e></a:b>";
  assertEquals([...elementsOf(xml)], [
    { name: "c", text: "1 <&AB" },
    { name: "d", text: "" },
    { name: "e", text: "" },
    { name: "b", text: undefined },
  ]);
});

Deno.test("elementsOf() resolves no entities but XML's own", () => {
  const xml = "<!DOCTYPE x [<!ENTITY a 'bbb'>]><x>&a;&nbsp;&#1114112;&constructor;&#0;</x>";
  assertEquals(textOf(xml, "x"), "&a;&nbsp;&#1114112;&constructor;\0");
});

Deno.test("elementsOf() takes any text, in time that grows with its length only", () => {
  const texts = [
    "<".repeat(100_000),
    "<a>".repeat(40_000),
    "<a".repeat(60_000),
    "</a>".repeat(30_000),
    "<!--".repeat(30_000),
    "<!-- -".repeat(20_000),
    "&#".repeat(60_000),
    `<a>${"&".repeat(100_000)}</a>`,
    `<a ${"b ".repeat(50_000)}`,
    " ".repeat(130_000),
    `<a>${" ".repeat(120_000)}</b>`,
  ];
  const startedAt = performance.now();
  for (const text of texts) {
    let count = 0;
    for (const _ of elementsOf(text)) count++;
    assert(count <= text.length);
    parseDescription(text, new URL("http://192.168.1.1/"));
    parseActionAnswer(200, text, "AddPortMapping");
  }
  const tookMs = performance.now() - startedAt;
  assert(tookMs < 3_000, `took ${tookMs} ms`); // What is quadratic takes minutes.
  const random = seededRandom(2);
  const pieces = ["<", ">", "/", "a", " ", "&", ";", "!--", "-->", '"', "<a>", "</a>", "#x4"];
  for (let turn = 0; turn < 3_000; turn++) {
    const length = Math.floor(random() * 30);
    const text = Array.from({ length }, () => pieces[Math.floor(random() * pieces.length)]).join(
      "",
    );
    for (const { name } of elementsOf(text)) assert(name.length <= text.length);
  }
});

Deno.test("escapeXml() lets nothing out of its element, and nothing in that XML has no place for", () => {
  const text = `</a>&"'\u0000\u001b\ud800\ufffe ü`;
  const escaped = escapeXml(text);
  assertEquals(escaped, "&#60;/a&#62;&#38;&#34;&#39; ü");
  assertEquals(textOf(`<x>${escaped}</x>`, "x"), `</a>&"' ü`);
});

Deno.test("plainText() is one short line that steers no terminal", () => {
  assertEquals(plainText("  FRITZ!Box\t7590\r\n"), "FRITZ!Box 7590");
  assertEquals(plainText("\u001b[2Ja\u009bb\u202ec\u2028d\u0000"), "[2Ja b c d");
  assertEquals(plainText("x".repeat(100_000)), "x".repeat(63) + "…");
  assertEquals([...plainText("🏰".repeat(100))].length, 64);
});

// Descriptions and SOAP

const LOCATION = new URL("http://192.168.1.1:5000/a/root.xml");

function controlOf(xml: string): string | undefined {
  return parseDescription(xml, LOCATION).services[0]?.control.href;
}

Deno.test("parseDescription() finds the service that maps ports", () => {
  assertEquals(parseDescription(describe("/ctl"), LOCATION), {
    name: "Fake & Co",
    services: [{
      type: "urn:schemas-upnp-org:service:WANIPConnection:1",
      control: new URL("http://192.168.1.1:5000/ctl"),
    }],
  });
  assertEquals(controlOf(describe("ctl?x=1&amp;y=2")), "http://192.168.1.1:5000/a/ctl?x=1&y=2");
  assertEquals(controlOf(describe("http://192.168.1.1:80/ctl")), "http://192.168.1.1/ctl");
  const based = describe("ctl", "<URLBase>http://192.168.1.1:99/b/</URLBase>");
  assertEquals(controlOf(based), "http://192.168.1.1:99/b/ctl");
  assertEquals(
    controlOf(describe("/ctl").replace("WANIP", "WANPPP")),
    "http://192.168.1.1:5000/ctl",
  );
  assertEquals(
    controlOf(describe("/ctl").replace("Connection:1", "Connection:2")),
    "http://192.168.1.1:5000/ctl",
  );
});

Deno.test("parseDescription() leaves out what is on another host, or is none", () => {
  for (
    const control of [
      "http://192.168.1.2/ctl",
      "//192.168.1.2/ctl",
      "https://192.168.1.1/ctl",
      "file:///ctl",
      "javascript:1",
      "http://",
      "",
    ]
  ) {
    assertEquals(controlOf(describe(control)), undefined, control);
  }
  const many = describe("/ctl").repeat(100);
  assertEquals(parseDescription(many, LOCATION).services.length, 4);
  assertEquals(
    controlOf(describe("/ctl").replace("WANIPConnection:1", "WANIPConnection:1x")),
    undefined,
  );
});

Deno.test("encodeAction() escapes what goes into it", () => {
  const body = encodeAction("urn:x", "Do", [["A", "<&>"], ["B", 7]]);
  assert(body.includes('<u:Do xmlns:u="urn:x"><A>&#60;&#38;&#62;</A><B>7</B></u:Do>'), body);
});

Deno.test("parseActionAnswer() reads answers, faults and neither", () => {
  const ok = '<s:Body><u:DoResponse xmlns:u="x"><IP>1.2.3.4</IP></u:DoResponse></s:Body>';
  const answer = parseActionAnswer(200, ok, "Do");
  assert(answer?.ok);
  assertEquals(answer.values.get("IP"), "1.2.3.4");
  assertEquals(parseActionAnswer(200, '<u:DoResponse xmlns:u="x"/>', "Do")?.ok, true);
  assertEquals(parseActionAnswer(500, ok, "Do"), undefined);
  assertEquals(parseActionAnswer(200, ok, "Other"), undefined);
  const fault = "<errorCode>718</errorCode><errorDescription>Con\u0007flict</errorDescription>";
  assertEquals(parseActionAnswer(500, fault, "Do"), { ok: false, code: 718, text: "Con flict" });
  assertEquals(
    parseActionAnswer(500, "<faultstring>Busy</faultstring>", "Do"),
    { ok: false, code: 0, text: "Busy" },
  );
  assertEquals(
    parseActionAnswer(500, "<errorCode>1e9</errorCode>", "Do"),
    { ok: false, code: 0, text: "" },
  );
  assertEquals(parseActionAnswer(404, "<html></html>", "Do"), undefined);
});

// HTTP

function read(text: string, isAll = false): string | undefined {
  return parseHttpAnswer(utf8(text), isAll, 1_000)?.body;
}

Deno.test("parseHttpAnswer() knows when an answer is whole", () => {
  const head = "HTTP/1.1 200 OK\r\n";
  assertEquals(read(`${head}Content-Length: 2\r\n\r\nab`), "ab");
  assertEquals(read(`${head}content-length:2 \r\n\r\nabc`), "ab");
  assertEquals(read(`${head}Content-Length: 3\r\n\r\nab`), undefined);
  assertEquals(read(`${head}Content-Length: 3\r\n\r\nab`, true), undefined);
  assertEquals(read(`${head}\r\nab`), undefined);
  assertEquals(read(`${head}\r\nab`, true), "ab");
  const chunked = `${head}Transfer-Encoding: chunked\r\n\r\n`;
  assertEquals(read(`${chunked}2\r\nab\r\n3;x=y\r\ncde\r\n0\r\n\r\n`), "abcde");
  assertEquals(read(`${chunked}4\r\n\r\n\r\n\r\n0\r\nX: y\r\n\r\n`), "\r\n\r\n");
  assertEquals(read(`${chunked}6\r\nab\r\n\r\n`), undefined);
  assertEquals(read(`${chunked}6\r\nab`, true), undefined);
  assertEquals(read(`HTTP/1.1 100 Continue\r\n\r\n${head}Content-Length: 2\r\n\r\nab`), "ab");
  assertEquals(parseHttpAnswer(utf8("HTTP/1.1 100 \r\n\r\n".repeat(40)), true, 1_000)?.status, 100);
  assertEquals(read("HTTP/1.1 20"), undefined);
});

Deno.test("parseHttpAnswer() throws at what is none, or too long", () => {
  for (
    const text of [
      "SSH-2.0-OpenSSH_9.2p1",
      "HTTP/1.1 OK\r\n\r\n\r\n\r\n\r\n",
      `HTTP/1.1 200 OK\r\n${"X: y\r\n".repeat(2_000)}`,
      "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
    ]
  ) {
    let thrown: unknown;
    try {
      read(text);
    } catch (error) {
      thrown = error;
    }
    assertEquals((thrown as Error | undefined)?.name, "HttpError", text.slice(0, 80));
  }
});

// Addresses

Deno.test("kindOfAddress() knows the borders of each network", () => {
  const kinds = {
    "9.255.255.255": "public",
    "10.0.0.0": "private",
    "11.0.0.0": "public",
    "100.63.255.255": "public",
    "100.64.0.0": "carrier",
    "100.127.255.255": "carrier",
    "100.128.0.0": "public",
    "169.253.0.1": "public",
    "169.254.0.1": "link-local",
    "172.15.0.1": "public",
    "172.16.0.1": "private",
    "172.31.0.1": "private",
    "172.32.0.1": "public",
    "191.0.0.1": "public",
    "192.0.0.0": "carrier",
    "192.0.0.255": "carrier",
    "192.0.1.0": "public",
    "192.0.2.0": "none",
    "192.0.2.255": "none",
    "192.0.3.0": "public",
    "192.167.0.1": "public",
    "192.168.0.1": "private",
    "198.17.255.255": "public",
    "198.18.0.0": "none",
    "198.19.255.255": "none",
    "198.20.0.0": "public",
    "198.51.99.255": "public",
    "198.51.100.0": "none",
    "198.51.100.255": "none",
    "198.51.101.0": "public",
    "203.0.112.255": "public",
    "203.0.113.0": "none",
    "203.0.113.255": "none",
    "203.0.114.0": "public",
    "223.0.0.1": "public",
    "224.0.0.1": "none",
    "255.255.255.255": "none",
    "0.0.0.0": "none",
    "127.0.0.1": "none",
    "::1": "none",
    "": "none",
  };
  for (const [ip, kind] of Object.entries(kinds)) assertEquals(kindOfAddress(ip), kind, ip);
});

Deno.test("likelyRouters() are at the ends of a private network", () => {
  assertEquals(likelyRouters("192.168.7.20"), ["192.168.7.1", "192.168.7.254"]);
  assertEquals(likelyRouters("10.0.0.1"), ["10.0.0.254"]);
  assertEquals(likelyRouters("8.8.8.8"), []);
  assertEquals(likelyRouters("fe80::1"), []);
});
