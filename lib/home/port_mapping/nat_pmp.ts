/** NAT-PMP (RFC 6886) as bytes. All numbers are big-endian. */

/** Where a router listens for it (RFC 6886, section 3.1). */
export const NAT_PMP_PORT = 5_351;

/** The protocol's version; 2 is PCP (RFC 6887), whose routers answer that they do not support 0. */
const VERSION = 0;
const OPCODE_ADDRESS = 0;
const OPCODE_MAP = { UDP: 1, TCP: 2 } as const;
/** An answer's opcode is its question's plus this. */
const ANSWER = 128;
const ADDRESS_ANSWER_BYTES = 12;
const MAP_ANSWER_BYTES = 16;
/** Version, opcode, result, and where routers add it the epoch: what an error may be as short as. */
const ERROR_BYTES_MIN = 4;

/** A router's answer. */
export type NatPmpAnswer =
  | { kind: "address"; epochS: number; externalIp: string }
  | {
    kind: "mapped";
    transport: "UDP" | "TCP";
    epochS: number;
    port: number;
    externalPort: number;
    /** 0: there is no mapping (any more). */
    lifetimeS: number;
  }
  /** `code` as in RFC 6886, section 3.5; `opcode` of the question. */
  | { kind: "error"; opcode: number; code: number };

/** Asks for the router's external address (section 3.2). */
export function encodeAddressRequest(): Uint8Array {
  return Uint8Array.of(VERSION, OPCODE_ADDRESS);
}

/** What is asked of a router for one port. */
export interface MapRequest {
  transport: "UDP" | "TCP";
  /** This machine's. */
  port: number;
  /** The external one that would be best; 0 together with `lifetimeS` 0. */
  externalPort: number;
  /** 0 removes the mapping (section 3.4). */
  lifetimeS: number;
}

/** Asks for a mapping, or for its end (section 3.3). */
export function encodeMapRequest(request: MapRequest): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, VERSION);
  view.setUint8(1, OPCODE_MAP[request.transport]);
  view.setUint16(4, request.port);
  view.setUint16(6, request.externalPort);
  view.setUint32(8, request.lifetimeS);
  return bytes;
}

/** Reads an answer. Longer ones are read as far as they are known; undefined for what is none. */
export function decodeNatPmp(bytes: Uint8Array): NatPmpAnswer | undefined {
  if (bytes.length < ERROR_BYTES_MIN || bytes[1]! < ANSWER) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const opcode = view.getUint8(1) - ANSWER;
  const code = view.getUint16(2);
  // Whoever speaks another version says so with an error, and with its own version in front.
  if (code !== 0) return { kind: "error", opcode, code };
  if (view.getUint8(0) !== VERSION) return undefined;
  if (opcode === OPCODE_ADDRESS) return decodeAddress(bytes, view);
  if (opcode === OPCODE_MAP.UDP || opcode === OPCODE_MAP.TCP) return decodeMapped(opcode, view);
  return undefined;
}

function decodeAddress(bytes: Uint8Array, view: DataView): NatPmpAnswer | undefined {
  if (bytes.length < ADDRESS_ANSWER_BYTES) return undefined;
  const externalIp = bytes.subarray(8, 12).join(".");
  return { kind: "address", epochS: view.getUint32(4), externalIp };
}

function decodeMapped(opcode: number, view: DataView): NatPmpAnswer | undefined {
  if (view.byteLength < MAP_ANSWER_BYTES) return undefined;
  return {
    kind: "mapped",
    transport: opcode === OPCODE_MAP.UDP ? "UDP" : "TCP",
    epochS: view.getUint32(4),
    port: view.getUint16(8),
    externalPort: view.getUint16(10),
    lifetimeS: view.getUint32(12),
  };
}

/** When a router said which time it counts. */
export interface Epoch {
  epochS: number;
  /** On a clock that never goes back. */
  atMs: number;
}

/** Whether a router lost its mappings between two answers: its clock is behind where it should be (section 3.6). */
export function hasRestarted(before: Epoch, now: Epoch): boolean {
  const elapsedS = (now.atMs - before.atMs) / 1_000;
  return now.epochS < before.epochS + elapsedS * 7 / 8 - 2;
}
