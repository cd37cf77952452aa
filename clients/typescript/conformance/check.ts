// What a check of conformance is given, and how its result is told.

import assert from "node:assert/strict";

import { PointsmanError, type PointsmanClient, type status } from "../src/index.js";

/** When the caller left an answer, for the host to compare with when the provider saw it. */
export interface Departure {
  /** What was asked, by which the host finds the provider's side of it. */
  readonly prompt: string;
  /** Nanoseconds on the machine's monotonic clock. */
  readonly leftAt: bigint;
}

/** A server behind which providers answer prompts as `tests/support/scripted_prompts.py` has it. */
export interface Stage {
  readonly address: string;
  readonly client: PointsmanClient;
  /** Note that the caller leaves now. */
  leaves(prompt: string): void;
  /** Have the host begin to drain the server. */
  drain(): void;
}

export type Check = (stage: Stage) => Promise<void>;

/** The PointsmanError that a promise is rejected with. */
export async function failure(promise: Promise<unknown>): Promise<PointsmanError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof PointsmanError, String(error));
    return error;
  }
  return assert.fail("the call did not fail");
}

/** That an error has this reason and this code. */
export function checkError(error: PointsmanError, reason: string, code: status): void {
  assert.deepEqual([error.reason, error.code], [reason, code], error.message);
}
