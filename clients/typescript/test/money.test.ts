import assert from "node:assert/strict";
import { test } from "node:test";

import { formatUsd, toNanos } from "../src/index.js";

test("dollars become nano-dollars, a fraction of one rounded down", () => {
  assert.equal(toNanos("0.02"), 20_000_000n);
  assert.equal(toNanos(0.1), 100_000_000n);
  assert.equal(toNanos(1e-9), 1n);
  assert.equal(toNanos("0.0000000019"), 1n);
  assert.equal(toNanos("-0.0000000011"), -2n);
  assert.equal(toNanos("-1.5"), -1_500_000_000n);
  assert.equal(toNanos("9223372036.854775807"), 2n ** 63n - 1n);
  assert.equal(toNanos(1e21 / 1e21), 1_000_000_000n);
});

test("what is no amount of dollars, or too much of it, is refused", () => {
  for (const odd of ["", "-", ".", "1,5", "0x10", "NaN", "9223372036.854775808", "1e300", " "]) {
    assert.throws(() => toNanos(odd), RangeError, odd);
  }
  assert.throws(() => toNanos(Number.NaN), RangeError);
  assert.throws(() => toNanos(Infinity), RangeError);
});

test("amounts are written exactly, with two decimals at the least", () => {
  assert.equal(formatUsd(2_150_000n), "$0.00215");
  assert.equal(formatUsd(-1_500_000_000n), "-$1.50");
  assert.equal(formatUsd(0n), "$0.00");
  assert.equal(formatUsd(1n), "$0.000000001");
  assert.equal(formatUsd(12_000_000_000n), "$12.00");
});

test("what was written is read back as it was", () => {
  for (let i = 0n; i < 200n; i += 1n) {
    const nanos = (i * 7_919_000_123n) % 10n ** (i % 18n);
    assert.equal(toNanos(formatUsd(nanos).slice(1)), nanos);
  }
});
