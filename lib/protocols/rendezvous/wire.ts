/**
 * Both dialects of Holepunch on the wire: one JSON object a datagram, in UTF-8.
 *
 * Dialect 1 is that of the documentation: `type`, `sender`, `intended-recipient`; messages of the server
 * have no sender. Dialect 2 has `__type`, `__sender-name` (null for the server) and three more, with a
 * hash over all of them. A datagram tells which it is.
 */
import { canonicalIp, isUnicast } from "../../parts/ip.ts";
import { type JsonObject, parseJsonObject } from "../../parts/json.ts";
import { HASH_FIELD, hashOf } from "./hash.ts";
import type {
  Dialect,
  Endpoint,
  Message,
  MessageKind,
  PeerInfo,
  ReliableBody,
  ServerInfo,
} from "./message.ts";

/** The original server reads no more of a datagram; so long are messages between players, too. */
export const DATAGRAM_BYTES_MAX = 8_192;
/** What peers of dialect 2 call the server. No peer may have this name. */
export const SERVER_NAME = "_HANDSHAKE_SERVER";
/** Longest name of a host or player, in characters. */
export const NAME_CHARACTERS_MAX = 64;
/** Deepest nesting of a message's value, the datagram's own object included. */
export const DEPTH_MAX = 64;

/**
 * Why a datagram is none of these messages:
 * - `oversize`: longer than `DATAGRAM_BYTES_MAX`
 * - `json`: not a JSON object in UTF-8, or nested deeper than `DEPTH_MAX`
 * - `type`: a type that this dialect does not have
 * - `fields`: something is missing or of the wrong kind
 * - `name`: a name that is empty, too long, reserved, or has control characters
 * - `address`: an address that no single host can have
 */
export type WireRefusal = "oversize" | "json" | "type" | "fields" | "name" | "address";

/** A message and its envelope. */
export interface Letter {
  readonly kind: "letter";
  readonly dialect: Dialect;
  /** Null: the server, or somebody without a name who asks for the list. */
  readonly sender: string | null;
  readonly recipient: string | null;
  readonly message: Message;
  /** All of it as it arrived: what the hash counts. */
  readonly fields: JsonObject;
}

/** What a datagram is. */
export type Decoded =
  | Letter
  /** A request of dialect 1 without one of its keys, for which its sender expects an error. */
  | { readonly kind: "incomplete"; readonly sender: string; readonly missing: string }
  | { readonly kind: "refused"; readonly reason: WireRefusal };

/** Who writes to whom. */
export interface Envelope {
  readonly dialect: Dialect;
  /** Null: the server. */
  readonly sender: string | null;
  readonly recipient: string | null;
  /** Where the datagram goes: part of the envelope in dialect 2. */
  readonly to: Endpoint;
  /** What the hash of dialect 2 is made with. */
  readonly password: string;
}

const TYPES: Record<Dialect, Partial<Record<MessageKind, string>>> = {
  1: {
    register: "registering-server",
    join: "requesting-to-join-server",
    registered: "confirming-registration",
    introduction: "providing-peer-handshake-info",
    error: "server-error",
    inquiry: "local-global-inqury", // So it is spelt on the wire, the response is not.
    inquiryResponse: "local-global-inquiry-response",
    check: "peer-check",
    checkResponse: "peer-check-response",
    unreliable: "unreliable-peer-message",
    reliable: "reliable-peer-message",
    reliableResponse: "reliable-peer-message-response",
  },
  2: {
    register: "registering-server",
    refresh: "refreshing-server-registration",
    join: "requesting-to-join-server",
    list: "requesting-server-list",
    drop: "drop-me",
    registered: "confirming-registration",
    refreshed: "confirming-registration-refresh",
    introduction: "providing-peer-handshake-info",
    servers: "providing-server-list",
    error: "server-error",
    inquiry: "address-inquiry",
    inquiryResponse: "address-inquiry-response",
    check: "peer-check",
    checkResponse: "peer-check-response",
    peerList: "update-peer-list",
    peerListResponse: "update-peer-list-response",
    unreliable: "unreliable-peer-message",
    reliable: "reliable-peer-message",
    reliableResponse: "reliable-peer-message-response",
  },
};

const KINDS: Record<Dialect, ReadonlyMap<unknown, MessageKind>> = {
  1: new Map(Object.entries(TYPES[1]).map(([kind, type]) => [type, kind as MessageKind])),
  2: new Map(Object.entries(TYPES[2]).map(([kind, type]) => [type, kind as MessageKind])),
};

const utf8 = new TextEncoder();

// ---- writing

/** Writes a message. A kind that the dialect does not have is a mistake of the caller. */
export function encode(message: Message, envelope: Envelope): Uint8Array {
  const { dialect, sender, recipient } = envelope;
  const type = TYPES[dialect][message.kind];
  if (type === undefined) throw new RangeError(`dialect ${dialect} has no ${message.kind}`);
  const body = bodyOf(message, envelope);
  if (dialect === 1) {
    const from = sender === null ? {} : { sender };
    return write({ type, ...body, ...from, "intended-recipient": recipient ?? "" });
  }
  const fields = {
    ...body,
    "__type": type,
    "__sender-name": sender,
    "__destination-name": recipient,
    "__destination-address": [envelope.to.ip, envelope.to.port],
  };
  return write({ ...fields, [HASH_FIELD]: hashOf(fields, envelope.password) });
}

function write(fields: Record<string, unknown>): Uint8Array {
  return utf8.encode(JSON.stringify(fields));
}

function bodyOf(message: Message, envelope: Envelope): Record<string, unknown> {
  switch (message.kind) {
    case "register":
      return {
        "local-address": pairOf(message.local),
        "seconds-before-expiry": message.validSeconds,
        ...(envelope.dialect === 2 && {
          "password": message.password,
          "password-required": message.passwordRequired,
        }),
      };
    case "refresh":
      return { "seconds-before-expiry": message.validSeconds };
    case "join":
      return {
        "local-address": pairOf(message.local),
        "server-name": message.host,
        ...(envelope.dialect === 2 && { "password": message.password }),
      };
    case "list":
      return { "password": message.password, ...optional("padding", message.padding) };
    case "drop":
      return { "name": message.name };
    case "introduction":
      return {
        "peer-name": message.peer,
        "global-address": pairOf(message.globalAddress),
        "local-address": pairOf(message.localAddress),
      };
    case "servers":
      return { "servers": message.servers.map(serverFieldsOf) };
    case "error":
      return { "message": message.message };
    case "inquiry":
    case "inquiryResponse":
      return { "used-global": message.usedGlobal };
    case "unreliable":
      return {
        ...relayOf(envelope, envelope.sender, envelope.recipient),
        "message": message.message,
      };
    case "reliable":
      return reliableBody(message, relayOf(envelope, envelope.sender, envelope.recipient));
    case "reliableResponse":
      return reliableBody(message, relayOf(envelope, envelope.recipient, envelope.sender));
    case "peerList":
      return {
        "action": message.action,
        "peer-infos": Object.fromEntries(
          Array.from(message.peers, ([name, info]) => [name, infoFieldsOf(info)]),
        ),
        ...optional("update-id", message.id),
      };
    case "peerListResponse":
      return optional("update-id", message.id);
    case "registered":
    case "refreshed":
    case "check":
    case "checkResponse":
      return {};
    default:
      return message satisfies never;
  }
}

/** A field that is left out when it has no value: the hash counts every key. */
function optional(key: string, value: unknown): Record<string, unknown> {
  return value === undefined ? {} : { [key]: value };
}

/** What dialect 2 adds to the messages of players. A response repeats what it answers. */
function relayOf(
  { dialect }: Envelope,
  from: string | null,
  to: string | null,
): Record<string, unknown> {
  return dialect === 2 ? { "is-broadcast": false, "from": from, "to": to } : {};
}

function reliableBody(
  { id, message, session }: ReliableBody,
  relay: Record<string, unknown>,
): Record<string, unknown> {
  return { ...relay, "message": message, "message-id": id, ...optional("session", session) };
}

/** A list entry as it is written. */
export function serverFieldsOf({ name, passwordRequired }: ServerInfo): Record<string, unknown> {
  return { "name": name, "password-required": passwordRequired };
}

function infoFieldsOf(info: PeerInfo): Record<string, unknown> {
  return {
    "global-address": pairOf(info.globalAddress),
    "local-address": pairOf(info.localAddress),
    "use-global": info.usesGlobal,
  };
}

function pairOf({ ip, port }: Endpoint): [string, number] {
  return [ip, port];
}

// ---- reading

/** Reads a datagram. Whatever the bytes are, this does not throw. */
export function decode(datagram: Uint8Array): Decoded {
  if (datagram.length > DATAGRAM_BYTES_MAX) return refused("oversize");
  const fields = parseJsonObject(datagram, DEPTH_MAX);
  if (!fields) return refused("json");
  return Object.hasOwn(fields, "__type") ? decodeDialect2(fields) : decodeDialect1(fields);
}

/** Whether a letter was hashed with this password. Dialect 1 has none, and proves nothing. */
export function isAuthentic({ dialect, fields }: Letter, password: string): boolean {
  if (dialect === 1) return true;
  // The hash counts a password that a letter brings along instead of ours: that proves nothing.
  if (Object.hasOwn(fields, "password") && fields.password !== password) return false;
  return hashOf(fields, password) === fields[HASH_FIELD];
}

/** Whether this may be the name of a host or player, in both dialects. */
export function isName(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value !== SERVER_NAME &&
    value.length <= 2 * NAME_CHARACTERS_MAX && [...value].length <= NAME_CHARACTERS_MAX &&
    value.isWellFormed() && !/\p{Cc}/u.test(value);
}

function refused(reason: WireRefusal): Decoded {
  return { kind: "refused", reason };
}

function decodeDialect2(fields: JsonObject): Decoded {
  const kind = KINDS[2].get(fields["__type"]);
  if (!kind) return refused("type");
  const sender = fields["__sender-name"];
  const recipient = fields["__destination-name"];
  const isComplete = Object.hasOwn(fields, "__destination-address") &&
    typeof fields[HASH_FIELD] === "string" &&
    (sender === null || typeof sender === "string") &&
    (recipient === null || typeof recipient === "string");
  if (!isComplete) return refused("fields");
  if (sender !== null && !isName(sender)) return refused("name");
  const message = messageOf(kind, 2, fields);
  if (typeof message === "string") return refused(message);
  return { kind: "letter", dialect: 2, sender, recipient, message, fields };
}

function decodeDialect1(fields: JsonObject): Decoded {
  const { type, sender } = fields;
  const kind = KINDS[1].get(type);
  if (kind && isReply(kind)) {
    return Object.hasOwn(fields, "sender") ? refused("fields") : letterOf(kind, null, fields);
  }
  if (!Object.hasOwn(fields, "sender")) return refused("fields");
  if (!isName(sender)) return refused("name");
  if (kind && isAmongPeers(kind)) return letterOf(kind, sender, fields);
  // From here on the order of the checks is the original's: it decides what the error names.
  const missing = (key: string): Decoded => ({ kind: "incomplete", sender, missing: key });
  if (!Object.hasOwn(fields, "type")) return missing("type");
  if (!Object.hasOwn(fields, "local-address") && !hasDocumentedAddress(fields)) {
    return missing("local-address");
  }
  if (!kind) return refused("type");
  const own = kind === "register" ? "seconds-before-expiry" : "server-name";
  if (!Object.hasOwn(fields, own)) return missing(own);
  return letterOf(kind, sender, fields);
}

function letterOf(kind: MessageKind, sender: string | null, fields: JsonObject): Decoded {
  const recipient = fields["intended-recipient"] ?? "";
  if (typeof recipient !== "string") return refused("fields");
  const message = messageOf(kind, 1, fields);
  if (typeof message === "string") return refused(message);
  return { kind: "letter", dialect: 1, sender, recipient, message, fields };
}

function isReply(kind: MessageKind): boolean {
  return kind === "registered" || kind === "introduction" || kind === "error";
}

function isAmongPeers(kind: MessageKind): boolean {
  return kind !== "register" && kind !== "join" && !isReply(kind);
}

/** The address as the documentation has it, and as no version on record sends it. */
function hasDocumentedAddress(fields: JsonObject): boolean {
  return Object.hasOwn(fields, "local-ip") && Object.hasOwn(fields, "local-port");
}

function messageOf(
  kind: MessageKind,
  dialect: Dialect,
  fields: JsonObject,
): Message | WireRefusal {
  switch (kind) {
    case "register":
      return registerOf(dialect, fields);
    case "refresh": {
      const validSeconds = fields["seconds-before-expiry"];
      return isFiniteNumber(validSeconds) ? { kind, validSeconds } : "fields";
    }
    case "join":
      return joinOf(dialect, fields);
    case "list":
      return isKey(fields.password) ? { kind, password: fields.password } : "fields";
    case "drop":
      return isName(fields.name) ? { kind, name: fields.name } : "name";
    case "introduction": {
      const addresses = addressesOf(fields);
      if (!addresses) return "address";
      const peer = fields["peer-name"];
      return isName(peer) ? { kind, peer, ...addresses } : "name";
    }
    case "servers":
      return serversOf(fields);
    case "error":
      return typeof fields.message === "string" ? { kind, message: fields.message } : "fields";
    case "inquiry":
    case "inquiryResponse": {
      const usedGlobal = fields["used-global"];
      return typeof usedGlobal === "boolean" ? { kind, usedGlobal } : "fields";
    }
    case "unreliable":
      return Object.hasOwn(fields, "message") ? { kind, message: fields.message } : "fields";
    case "reliable":
    case "reliableResponse": {
      const id = fields["message-id"];
      if (!isCount(id) || !Object.hasOwn(fields, "message")) return "fields";
      const { message, session } = fields;
      return { kind, id, message, session: isCount(session) ? session : undefined };
    }
    case "peerList":
      return peerListOf(fields);
    case "peerListResponse": {
      const id = fields["update-id"];
      return { kind, id: isCount(id) ? id : undefined };
    }
    case "registered":
    case "refreshed":
    case "check":
    case "checkResponse":
      return { kind };
    default:
      return kind satisfies never;
  }
}

function registerOf(dialect: Dialect, fields: JsonObject): Message | WireRefusal {
  const local = localOf(fields);
  if (!local) return "address";
  const validSeconds = fields["seconds-before-expiry"];
  if (!isFiniteNumber(validSeconds)) return "fields";
  if (dialect === 1) return { kind: "register", local, validSeconds };
  const { password, "password-required": passwordRequired } = fields;
  if (!isKey(password) || typeof passwordRequired !== "boolean") return "fields";
  return { kind: "register", local, validSeconds, password, passwordRequired };
}

function joinOf(dialect: Dialect, fields: JsonObject): Message | WireRefusal {
  const local = localOf(fields);
  if (!local) return "address";
  const { "server-name": host, password } = fields;
  if (!isName(host)) return "name";
  if (dialect === 1) return { kind: "join", local, host };
  return isKey(password) ? { kind: "join", local, host, password } : "fields";
}

function serversOf(fields: JsonObject): Message | WireRefusal {
  if (!Array.isArray(fields.servers)) return "fields";
  const servers: ServerInfo[] = [];
  for (const entry of fields.servers as unknown[]) {
    if (!isObject(entry) || !isName(entry.name)) return "fields";
    servers.push({ name: entry.name, passwordRequired: entry["password-required"] === true });
  }
  return { kind: "servers", servers };
}

function peerListOf(fields: JsonObject): Message | WireRefusal {
  const { action, "peer-infos": infos, "update-id": id } = fields;
  if ((action !== "add" && action !== "remove") || !isObject(infos)) return "fields";
  const peers = new Map<string, PeerInfo>();
  for (const [name, info] of Object.entries(infos)) {
    if (!isName(name) || !isObject(info)) return "fields";
    const addresses = addressesOf(info);
    if (!addresses) return "address";
    peers.set(name, { ...addresses, usesGlobal: info["use-global"] === true });
  }
  return { kind: "peerList", action, peers, id: isCount(id) ? id : undefined };
}

function addressesOf(
  fields: JsonObject,
): { globalAddress: Endpoint; localAddress: Endpoint } | undefined {
  const [globalAddress, localAddress] = [endpointOf(fields["global-address"]), localOf(fields)];
  return globalAddress && localAddress && { globalAddress, localAddress };
}

function localOf(fields: JsonObject): Endpoint | undefined {
  return Object.hasOwn(fields, "local-address")
    ? endpointOf(fields["local-address"])
    : endpointOf([fields["local-ip"], fields["local-port"]]);
}

/** What a peer says is its own address, as `[ip, port]`; undefined when it cannot be. */
export function endpointOf(value: unknown): Endpoint | undefined {
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  const [text, port] = value as unknown[];
  if (typeof text !== "string" || !isCount(port) || port < 1 || port > 65_535) return undefined;
  const ip = canonicalIp(text);
  // A peer that does not know its local address may say so.
  const isNone = ip === "0.0.0.0" || ip === "::";
  return ip !== undefined && (isNone || isUnicast(ip)) ? { ip: text, port } : undefined;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isFiniteNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** A session key: the original makes up ten characters. */
export function isKey(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= NAME_CHARACTERS_MAX &&
    value.isWellFormed();
}
