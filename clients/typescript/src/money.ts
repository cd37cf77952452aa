// Money. The API counts whole nano-US-dollars (1e-9 USD) in bigints, so that sums are exact.

const NANOS_PER_USD = 1_000_000_000n;
const MAX_NANOS = 2n ** 63n - 1n;
const DOLLARS = /^(-?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/;

/**
 * Nano-dollars for an amount of dollars, a fraction of one rounded down.
 *
 * A number stands for the shortest decimal that prints like it: `0.1` is ten cents.
 *
 * @throws RangeError the amount is no number, or does not fit the API's 64 bits.
 */
export function toNanos(usd: number | string): bigint {
  const text = String(usd).trim();
  const [, sign, whole = "", fraction = "", exponent = "0"] = DOLLARS.exec(text) ?? [];
  if (sign === undefined || whole + fraction === "") {
    throw new RangeError(`${JSON.stringify(usd)} is no amount of dollars`);
  }
  const shift = 9 + Number(exponent) - fraction.length;
  const digits = BigInt(whole + fraction);
  const power = 10n ** BigInt(Math.abs(shift));
  let nanos = shift >= 0 ? digits * power : digits / power;
  if (sign === "-") {
    nanos = -(shift >= 0 || digits % power === 0n ? nanos : nanos + 1n);
  }
  if (nanos > MAX_NANOS || nanos < -MAX_NANOS) {
    throw new RangeError(`${text} dollars are more than the API can carry`);
  }
  return nanos;
}

/** Write an amount for people, exactly, with two decimals at the least: `$0.00215`, `-$1.50`. */
export function formatUsd(nanos: bigint): string {
  const [sign, amount] = nanos < 0n ? ["-", -nanos] : ["", nanos];
  const fraction = String(amount % NANOS_PER_USD).padStart(9, "0");
  const shown = fraction.replace(/0+$/, "").padEnd(2, "0");
  return `${sign}$${amount / NANOS_PER_USD}.${shown}`;
}
