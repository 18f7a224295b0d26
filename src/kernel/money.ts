/** One US dollar in nano-dollars, the integer unit of every amount in Sluice. */
export const NANOS_PER_USD = 1_000_000_000n;

const DECIMAL = /^(-?)(\d{1,9})(?:\.(\d{1,9}))?$/;

/** Reads a decimal string of US dollars (`"12.5"`) as nano-dollars; undefined when it is not one. */
export function usdToNanos(text: string): bigint | undefined {
  const match = DECIMAL.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = "0", fraction = ""] = match;
  const nanos = BigInt(whole) * NANOS_PER_USD + BigInt(fraction.padEnd(9, "0"));
  return sign === "-" ? -nanos : nanos;
}

/** Shows nano-dollars as a decimal string of US dollars, without trailing zeros: `"0.0125"`. */
export function nanosToUsd(nanos: bigint): string {
  const sign = nanos < 0n ? "-" : "";
  const magnitude = nanos < 0n ? -nanos : nanos;
  const fraction = (magnitude % NANOS_PER_USD).toString().padStart(9, "0").replace(/0+$/, "");
  const whole = (magnitude / NANOS_PER_USD).toString();
  return fraction === "" ? `${sign}${whole}` : `${sign}${whole}.${fraction}`;
}
