// What a failed call says besides its code: google.rpc error details, decoded.
//
// No surprise: what is unknown or malformed is skipped, since an error that cannot be read must not
// hide the error that was sent.

import { fromBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { anyIs, durationMs, type Any } from "@bufbuild/protobuf/wkt";

import {
  BadRequestSchema,
  ErrorInfoSchema,
  QuotaFailureSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "./gen/google/rpc/error_details_pb.js";
import { StatusSchema, type Status } from "./gen/google/rpc/status_pb.js";

const DOMAIN = "pointsman.dev";
const REASON_PREFIX = "ERROR_REASON_";

/** A field of the request that is malformed; `field` is its path, such as `messages[2].role`. */
export interface Violation {
  readonly field: string;
  readonly description: string;
}

/** A budget or limit that was reached. */
export interface QuotaViolation {
  readonly subject: string;
  readonly description: string;
}

/** A resource that an error is about. */
export interface Resource {
  readonly type: string;
  readonly name: string;
  readonly description: string;
}

/** The details of one error; empty where it carried none. */
export interface ErrorDetails {
  /** A name of `pointsman.v1.ErrorReason` without its prefix, such as `BUDGET_EXCEEDED`. */
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly violations: readonly Violation[];
  readonly quota: readonly QuotaViolation[];
  readonly resource: Resource | undefined;
  /** Milliseconds to wait before a retry; undefined where the server did not say. */
  readonly retryAfterMs: number | undefined;
}

export const NO_DETAILS: ErrorDetails = {
  reason: "",
  metadata: {},
  violations: [],
  quota: [],
  resource: undefined,
  retryAfterMs: undefined,
};

/** Read the value of `grpc-status-details-bin`; undefined where it is no such thing. */
export function parseStatus(serialized: Uint8Array): Status | undefined {
  return decoded(StatusSchema, serialized);
}

/** Gather what a status's details say. Of details that come twice, the last counts. */
export function decodeDetails(status: Status): ErrorDetails {
  let details = NO_DETAILS;
  for (const packed of status.details) {
    details = { ...details, ...said(packed, details) };
  }
  return details;
}

function said(packed: Any, before: ErrorDetails): Partial<ErrorDetails> {
  const info = unpacked(packed, ErrorInfoSchema);
  if (info !== undefined && info.domain === DOMAIN) {
    return { reason: info.reason.replace(REASON_PREFIX, ""), metadata: { ...info.metadata } };
  }
  const bad = unpacked(packed, BadRequestSchema);
  if (bad !== undefined) {
    const more = bad.fieldViolations.map(({ field, description }) => ({ field, description }));
    return { violations: [...before.violations, ...more] };
  }
  const quota = unpacked(packed, QuotaFailureSchema);
  if (quota !== undefined) {
    const more = quota.violations.map(({ subject, description }) => ({ subject, description }));
    return { quota: [...before.quota, ...more] };
  }
  const resource = unpacked(packed, ResourceInfoSchema);
  if (resource !== undefined) {
    const { resourceType: type, resourceName: name, description } = resource;
    return { resource: { type, name, description } };
  }
  const retry = unpacked(packed, RetryInfoSchema);
  if (retry?.retryDelay !== undefined) {
    return { retryAfterMs: Math.max(0, durationMs(retry.retryDelay)) };
  }
  return {};
}

function unpacked<D extends DescMessage>(packed: Any, schema: D): MessageShape<D> | undefined {
  return anyIs(packed, schema) ? decoded(schema, packed.value) : undefined;
}

function decoded<D extends DescMessage>(schema: D, bytes: Uint8Array): MessageShape<D> | undefined {
  try {
    return fromBinary(schema, bytes);
  } catch {
    return undefined;
  }
}
