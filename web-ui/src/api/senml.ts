// A SenML pack in CBOR (RFC 8428, Content-Format 112) in words: as much of CBOR as such packs are made of.
// Whatever else stands there is not understood, and shown as bytes.

export const SENML_CBOR = 112;

/** Nested deeper than this is no pack. */
const DEPTH_MAX = 4;

class Reader {
  #at = 0;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get over(): boolean {
    return this.#at === this.#view.byteLength;
  }

  #take(length: number): DataView {
    if (length > this.#view.byteLength - this.#at) throw new RangeError("cut off");
    const taken = new DataView(this.#view.buffer, this.#view.byteOffset + this.#at, length);
    this.#at += length;
    return taken;
  }

  #argument(info: number): number {
    if (info < 24) return info;
    if (info === 24) return this.#take(1).getUint8(0);
    if (info === 25) return this.#take(2).getUint16(0);
    if (info === 26) return this.#take(4).getUint32(0);
    if (info === 27) return Number(this.#take(8).getBigUint64(0));
    throw new RangeError("no definite length");
  }

  value(depth: number): unknown {
    if (depth > DEPTH_MAX) throw new RangeError("too deep");
    const head = this.#take(1).getUint8(0);
    const [major, info] = [head >> 5, head & 31];
    if (major === 7) return this.#simple(info);
    const argument = this.#argument(info);
    switch (major) {
      case 0:
        return argument;
      case 1:
        return -1 - argument;
      case 2:
        return this.#take(argument);
      case 3:
        return new TextDecoder("utf-8", { fatal: true }).decode(this.#take(argument));
      case 4:
        return this.#many(argument, () => this.value(depth + 1));
      case 5:
        return new Map(this.#many(argument, () => [this.value(depth + 1), this.value(depth + 1)] as const));
      default:
        throw new RangeError("a tag");
    }
  }

  #many<T>(count: number, one: () => T): T[] {
    // Each takes a byte at least.
    if (count > this.#view.byteLength - this.#at) throw new RangeError("cut off");
    return Array.from({ length: count }, one);
  }

  #simple(info: number): unknown {
    if (info === 20) return false;
    if (info === 21) return true;
    if (info === 22 || info === 23) return null;
    if (info === 25) return half(this.#take(2).getUint16(0));
    if (info === 26) return this.#take(4).getFloat32(0);
    if (info === 27) return this.#take(8).getFloat64(0);
    throw new RangeError("not used in packs");
  }
}

/** IEEE 754 binary16. */
function half(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 15 === 1 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 0) return sign * 2 ** -14 * (fraction / 1024);
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * 2 ** (exponent - 15) * (1 + fraction / 1024);
}

/** RFC 8428, table 4: labels of what is shown. */
const [BASE_NAME, NAME, UNIT, VALUE, TEXT, FLAG] = [-2, 0, 1, 2, 3, 4];

export type Reading = { name: string; value: string; unit: string };

/** What was measured; nothing where it is no pack. */
export function senml(bytes: Uint8Array): readonly Reading[] | null {
  let pack: unknown;
  try {
    const reader = new Reader(bytes);
    pack = reader.value(0);
    if (!reader.over) return null;
  } catch {
    return null;
  }
  if (!Array.isArray(pack)) return null;
  const readings: Reading[] = [];
  let base = "";
  for (const record of pack as unknown[]) {
    if (!(record instanceof Map)) return null;
    const text = (label: number) => {
      const said: unknown = record.get(label);
      return typeof said === "string" ? said : "";
    };
    base = text(BASE_NAME) || base;
    const value: unknown = record.get(VALUE) ?? record.get(TEXT) ?? record.get(FLAG);
    if (typeof value === "number") readings.push({ name: base + text(NAME), value: String(Number(value.toPrecision(7))), unit: text(UNIT) });
    else if (typeof value === "string" || typeof value === "boolean") readings.push({ name: base + text(NAME), value: String(value), unit: text(UNIT) });
  }
  return readings;
}
