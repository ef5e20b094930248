/**
 * The arena on the wire: one MessagePack array a datagram, `[id, sequence, needs ack, payload]`.
 *
 * The payload is a byte string that holds MessagePack itself. Clients always send sequence 0; the server
 * numbers what it sends, and clients answer what asks for it with an ACK of that number. What the server
 * sends is written in the raw family, which the original's readers know.
 */
import { MsgpackMap, type MsgpackValue, MsgpackWriter } from "../../parts/msgpack.ts";
import type { FormatRefusal } from "../events/format.ts";
import type { HubMessage } from "../events/hub.ts";
import {
  ackPayload,
  decodePacket,
  encodePacket,
  nestedValue,
  PACKET,
  sequencesOf,
} from "../events/packed.ts";

/** Longest datagram that the server sends: one unfragmented packet on nearly every way. */
export const SENT_BYTES_MAX = 1_200;
/** The most that stands around the entries of a list: array, id, sequence, ack, two heads. */
const LIST_HEAD_BYTES = 1 + 1 + 3 + 1 + 3 + 3;
/** What the entries of one list may take, in bytes. */
export const LIST_BYTES_MAX: number = SENT_BYTES_MAX - LIST_HEAD_BYTES;
/**
 * A list of so many bullets goes on in the next one; a shorter list, if need be an empty one, ends it.
 * Each takes 31 bytes at most.
 */
export const BULLETS_PER_LIST = 36;

const PLAYER_UPDATES = 11;
const PLAYER_LEFT = 12;
const PLAYER_INPUT = 20;
const PLAYER_FIRE = 21;
const WORLD_INFO = 30;
const BULLETS = 35;

/** Why a datagram is no message: see {@link FormatRefusal}; `payload`: not what this message carries. */
export type WireRefusal = FormatRefusal | "payload";

interface Refused {
  readonly kind: "refused";
  readonly reason: WireRefusal;
}

/** What a player does. */
export type Action =
  | { readonly kind: "fire" }
  /** Each from -1 to 1, also when the client asked for more. */
  | { readonly kind: "input"; readonly dx: number; readonly dy: number };

/** From a client. */
export type ClientMessage = HubMessage | Action;

/** A player as all see it. */
export interface PlayerState {
  /** From 1; never given twice. */
  readonly number: number;
  /** From 0 to 255. */
  readonly red: number;
  /** From 0 to 255. */
  readonly green: number;
  /** From 0 to 255. */
  readonly blue: number;
  /** To the right, in thousandths. */
  readonly x: number;
  /** Upwards, in thousandths. */
  readonly y: number;
}

/** A bullet as all see it. */
export interface BulletState {
  /** To the right, in thousandths. */
  readonly x: number;
  /** Upwards, in thousandths. */
  readonly y: number;
  /** Where it flies, in thousandths of a radian: 0 to the right, growing upwards. */
  readonly rotation: number;
}

/** From the server. */
export type ServerMessage =
  | { readonly kind: "welcome"; readonly player: PlayerState }
  /** Half of the world's width and height: it spans from -width to width. */
  | { readonly kind: "worldInfo"; readonly width: number; readonly height: number }
  | { readonly kind: "updates"; readonly players: readonly PlayerState[] }
  | { readonly kind: "left"; readonly number: number }
  | { readonly kind: "bullets"; readonly bullets: readonly BulletState[] };

/** A message of the server with its number. */
export type Numbered = ServerMessage & {
  readonly sequence: number;
  readonly needsAck: boolean;
};

const ascii = new TextEncoder();

// ---- what clients say

/** Reads a client's datagram. Whatever the bytes are, this does not throw. */
export function decodeClientMessage(datagram: Uint8Array): ClientMessage | Refused {
  const packet = decodePacket(datagram);
  if (typeof packet === "string") return refused(packet);
  switch (packet.id) {
    // What these three carry means nothing.
    case PACKET.join:
      return { kind: "join" };
    case PACKET.heartbeat:
      return { kind: "heartbeat" };
    case PLAYER_FIRE:
      return { kind: "fire" };
    case PACKET.ack: {
      const sequences = sequencesOf(packet.payload);
      return sequences ? { kind: "ack", sequences } : refused("payload");
    }
    case PLAYER_INPUT:
      return inputOf(nestedValue(packet.payload));
    default:
      return refused("event");
  }
}

/** Writes a client's message. */
export function encodeClientMessage(message: ClientMessage): Uint8Array {
  switch (message.kind) {
    case "join":
      return encodePacket(PACKET.join, 0, false, ascii.encode("hello, world"));
    case "heartbeat":
      return encodePacket(PACKET.heartbeat, 0, false, integerPayload(1));
    case "fire":
      return encodePacket(PLAYER_FIRE, 0, false, integerPayload(0));
    case "ack":
      return encodePacket(PACKET.ack, 0, false, ackPayload(message.sequences));
    case "input": {
      const payload = new MsgpackWriter(24).array(2);
      for (const axis of [message.dx, message.dy]) {
        if (Number.isInteger(axis)) payload.integer(axis);
        else payload.float(axis);
      }
      return encodePacket(PLAYER_INPUT, 0, false, payload.take());
    }
  }
}

function integerPayload(value: number): Uint8Array {
  return new MsgpackWriter(16).integer(value).take();
}

function inputOf(value: MsgpackValue | undefined): Action | Refused {
  if (!Array.isArray(value) || value.length !== 2) return refused("payload");
  const [dx, dy] = value;
  if (!isFiniteNumber(dx) || !isFiniteNumber(dy)) return refused("payload");
  return { kind: "input", dx: clamped(dx), dy: clamped(dy) };
}

/** Never -0. */
function clamped(axis: number): number {
  return Math.min(1, Math.max(-1, axis)) + 0;
}

function isFiniteNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

// ---- what the server says

/** `player` and the number it was given. Asks for an ack. */
export function encodeWelcome(sequence: number, player: PlayerState): Uint8Array {
  const payload = writePlayer(new MsgpackWriter(80), encodeLook(player), player).take();
  return encodePacket(PACKET.welcome, sequence, true, payload);
}

/** How large the world is: half of its width and height. Asks for an ack. */
export function encodeWorldInfo(sequence: number, width: number, height: number): Uint8Array {
  const payload = new MsgpackWriter().map(2)
    .append(KEYS.width).integer(width)
    .append(KEYS.height).integer(height);
  return encodePacket(WORLD_INFO, sequence, true, payload.take());
}

/** That a player is gone. The original does not ask for an ack. */
export function encodeLeft(sequence: number, needsAck: boolean, number: number): Uint8Array {
  return encodePacket(PLAYER_LEFT, sequence, needsAck, integerPayload(number));
}

/** What stands before a player's coordinates: the same in every list. */
export function encodeLook(
  { number, red, green, blue }: Omit<PlayerState, "x" | "y">,
): Uint8Array {
  return new MsgpackWriter(64).map(5)
    .append(KEYS.uuid).integer(number)
    .append(KEYS.colorRed).integer(red)
    .append(KEYS.colorGreen).integer(green)
    .append(KEYS.colorBlue).integer(blue)
    .append(KEYS.position).array(2)
    .take();
}

/** What coordinates take at most behind a look: the walls are less than 32.768 away. */
export const COORDINATES_BYTES_MAX = 6;

/** A player of a list: its look, and where it is in thousandths. */
export interface ListedPlayer {
  readonly look: Uint8Array;
  readonly x: number;
  readonly y: number;
}

/** Some players; {@link LIST_BYTES_MAX} at most. */
export function encodeUpdates(sequence: number, players: readonly ListedPlayer[]): Uint8Array {
  const list = new MsgpackWriter(SENT_BYTES_MAX).array(players.length);
  for (const player of players) writePlayer(list, player.look, player);
  return encodePacket(PLAYER_UPDATES, sequence, false, list.take());
}

/** Some bullets, {@link BULLETS_PER_LIST} at most. */
export function encodeBullets(sequence: number, bullets: readonly BulletState[]): Uint8Array {
  const list = new MsgpackWriter(SENT_BYTES_MAX).array(bullets.length);
  for (const { x, y, rotation } of bullets) {
    list.map(2)
      .append(KEYS.position).array(2).integer(x).integer(y)
      .append(KEYS.rotation).integer(rotation);
  }
  return encodePacket(BULLETS, sequence, false, list.take());
}

function writePlayer(
  writer: MsgpackWriter,
  look: Uint8Array,
  { x, y }: { x: number; y: number },
): MsgpackWriter {
  return writer.append(look).integer(x).integer(y);
}

/** Reads a datagram of the server. Whatever the bytes are, this does not throw. */
export function decodeServerMessage(datagram: Uint8Array): Numbered | Refused {
  const packet = decodePacket(datagram);
  if (typeof packet === "string") return refused(packet);
  const { id, sequence, needsAck } = packet;
  const message = serverMessageOf(id, nestedValue(packet.payload));
  return typeof message === "string" ? refused(message) : { ...message, sequence, needsAck };
}

function serverMessageOf(
  id: number,
  value: MsgpackValue | undefined,
): ServerMessage | WireRefusal {
  switch (id) {
    case PACKET.welcome: {
      const player = playerOf(value);
      return player ? { kind: "welcome", player } : "payload";
    }
    case WORLD_INFO: {
      const [width, height] = integersIn(value, ["width", "height"]) ?? [];
      return height === undefined ? "payload" : { kind: "worldInfo", width: width!, height };
    }
    case PLAYER_UPDATES: {
      const players = listOf(value, playerOf);
      return players ? { kind: "updates", players } : "payload";
    }
    case PLAYER_LEFT:
      return isInteger(value) ? { kind: "left", number: value } : "payload";
    case BULLETS: {
      const bullets = listOf(value, bulletOf);
      return bullets ? { kind: "bullets", bullets } : "payload";
    }
    default:
      return "event";
  }
}

function playerOf(value: MsgpackValue | undefined): PlayerState | undefined {
  const look = integersIn(value, ["uuid", "colorRed", "colorGreen", "colorBlue"]);
  const position = positionIn(value);
  if (!look || !position) return undefined;
  const [number, red, green, blue] = look as [number, number, number, number];
  return { number, red, green, blue, ...position };
}

function bulletOf(value: MsgpackValue): BulletState | undefined {
  const rotation = integersIn(value, ["rotation"]);
  const position = positionIn(value);
  return rotation && position ? { ...position, rotation: rotation[0]! } : undefined;
}

// ---- parts of both

/** Map keys as they are written. */
const KEYS = {
  uuid: key("uuid"),
  colorRed: key("colorRed"),
  colorGreen: key("colorGreen"),
  colorBlue: key("colorBlue"),
  position: key("position"),
  rotation: key("rotation"),
  width: key("width"),
  height: key("height"),
};

function key(name: string): Uint8Array {
  return new MsgpackWriter(16).raw(ascii.encode(name)).take();
}

/** What stands behind a key, written as {@link KEYS} are, that is in ASCII. */
function valueIn(map: MsgpackValue | undefined, name: string): MsgpackValue | undefined {
  if (!(map instanceof MsgpackMap)) return undefined;
  const { entries } = map;
  for (let at = 0; at < entries.length; at += 2) {
    if (isText(entries[at], name)) return entries[at + 1];
  }
  return undefined;
}

function isText(value: MsgpackValue | undefined, text: string): boolean {
  if (!(value instanceof Uint8Array) || value.length !== text.length) return false;
  for (let at = 0; at < text.length; at++) {
    if (value[at] !== text.charCodeAt(at)) return false;
  }
  return true;
}

/** The integers of these names, if each of them is one. */
function integersIn(
  map: MsgpackValue | undefined,
  names: readonly string[],
): number[] | undefined {
  const values = names.map((name) => valueIn(map, name));
  return values.every(isInteger) ? values : undefined;
}

function positionIn(map: MsgpackValue | undefined): { x: number; y: number } | undefined {
  const position = valueIn(map, "position");
  if (!Array.isArray(position) || position.length !== 2 || !position.every(isInteger)) {
    return undefined;
  }
  return { x: position[0]!, y: position[1]! };
}

function listOf<T>(
  value: MsgpackValue | undefined,
  read: (entry: MsgpackValue) => T | undefined,
): T[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const entries = value.map(read);
  return entries.includes(undefined) ? undefined : entries as T[];
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function refused(reason: WireRefusal): Refused {
  return { kind: "refused", reason };
}
