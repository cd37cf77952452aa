// Why calls fail. Every failure of a call is one of these.
//
// PointsmanError               carries the reason, the code and all details
//  +-- Unavailable             nothing can answer now: try later, or elsewhere
//  |    +-- ServerUnreachable  no server answers at the address
//  +-- DeadlineExceeded        the time given has passed
//  +-- BudgetExceeded          a budget is spent
//  +-- Cancelled               the call, turn or chat was cancelled
//  +-- BrokenStream            the stream broke off or broke its contract: no answer came of it
//  +-- TextDiscarded           text that was handed out no longer counts; the answer goes on

import { status, type Metadata, type ServiceError } from "@grpc/grpc-js";

import {
  decodeDetails,
  NO_DETAILS,
  parseStatus,
  type ErrorDetails,
  type QuotaViolation,
  type Resource,
  type Violation,
} from "./details.js";
import type { Status } from "./gen/google/rpc/status_pb.js";

const DETAILS_KEY = "grpc-status-details-bin";

/** A call failed. Branch on `reason`, then `code`; never on the message. */
export class PointsmanError extends Error {
  /** The gRPC status code. */
  readonly code: status;
  /**
   * A name of `pointsman.v1.ErrorReason` without its prefix, such as `OVERLOADED`. Empty where
   * pointsman did not raise the error: the network, a proxy or this client did.
   */
  readonly reason: string;
  /** What the reason documents, such as `budget` and `reset_time`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The request's malformed fields. */
  readonly violations: readonly Violation[];
  /** The budgets or limits reached. */
  readonly quota: readonly QuotaViolation[];
  /** What was not found. */
  readonly resource: Resource | undefined;
  /** Milliseconds to wait before a retry; undefined where the server did not say. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, code: status, details = NO_DETAILS, options?: ErrorOptions) {
    super(`${details.reason || status[code]}: ${message}`, options);
    this.name = new.target.name;
    this.code = code;
    this.reason = details.reason;
    this.metadata = details.metadata;
    this.violations = details.violations;
    this.quota = details.quota;
    this.resource = details.resource;
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** Nothing can answer now: no model, or no server. `retryAfterMs` may say when to retry. */
export class Unavailable extends PointsmanError {
  constructor(message: string, details?: ErrorDetails, options?: ErrorOptions) {
    super(message, status.UNAVAILABLE, details, options);
  }
}

/** No server answers at the client's address. */
export class ServerUnreachable extends Unavailable {}

/** The time given to the call or turn has passed. */
export class DeadlineExceeded extends PointsmanError {
  constructor(message: string, details?: ErrorDetails, options?: ErrorOptions) {
    super(message, status.DEADLINE_EXCEEDED, details, options);
  }
}

/** A budget is spent. `metadata` names it and says when it is reset. */
export class BudgetExceeded extends PointsmanError {
  constructor(message: string, details?: ErrorDetails, options?: ErrorOptions) {
    super(message, status.RESOURCE_EXHAUSTED, details, options);
  }
}

/** The call, turn or chat was cancelled before its answer was whole; `cause` says by what. */
export class Cancelled extends PointsmanError {
  constructor(message: string, details?: ErrorDetails, options?: ErrorOptions) {
    super(message, status.CANCELLED, details, options);
  }
}

/** The stream broke off or broke its contract: what came of it must not pass for an answer. */
export class BrokenStream extends PointsmanError {
  constructor(message: string) {
    super(message, status.DATA_LOSS);
  }
}

/** Another model starts over: the text so far no longer counts. Iterate on for what replaces it. */
export class TextDiscarded extends PointsmanError {
  constructor(message: string) {
    super(message, status.ABORTED);
  }
}

/** The error that a google.rpc.Status tells of. */
export function fromStatus(message: Status): PointsmanError {
  const known = status[message.code] !== undefined && message.code !== status.OK;
  return ofCode(known ? message.code : status.UNKNOWN, message.message, decodeDetails(message));
}

/**
 * The error that a failed call to `target` tells of. `answered` says that the server had begun to
 * answer, so that it was there.
 */
export function fromServiceError(
  error: ServiceError,
  target: string,
  { answered = false }: { answered?: boolean } = {},
): PointsmanError {
  const details = trailingDetails(error.metadata);
  if (error.code === status.UNAVAILABLE && details === undefined) {
    const options = { cause: error };
    if (answered) {
      const message = `the connection to ${target} was lost (${error.details})`;
      return new Unavailable(message, NO_DETAILS, options);
    }
    const message =
      `no pointsman server answers at ${target}: start one with \`pointsman serve\`, or give` +
      ` PointsmanClient the address of one that runs (${error.details})`;
    return new ServerUnreachable(message, NO_DETAILS, options);
  }
  return ofCode(error.code, error.details, details ?? NO_DETAILS, { cause: error });
}

/** Whether a value that was thrown is gRPC's report of a failed call. */
export function isServiceError(thrown: unknown): thrown is ServiceError {
  return thrown instanceof Error && "code" in thrown && "details" in thrown && "metadata" in thrown;
}

function trailingDetails(metadata: Metadata | undefined): ErrorDetails | undefined {
  const [serialized] = metadata?.get(DETAILS_KEY) ?? [];
  if (serialized === undefined || typeof serialized === "string") {
    return undefined;
  }
  const found = parseStatus(serialized);
  return found === undefined ? NO_DETAILS : decodeDetails(found);
}

function ofCode(
  code: status,
  message: string,
  details: ErrorDetails,
  options?: ErrorOptions,
): PointsmanError {
  if (details.reason === "BUDGET_EXCEEDED") {
    return new BudgetExceeded(message, details, options);
  }
  switch (code) {
    case status.UNAVAILABLE:
      return new Unavailable(message, details, options);
    case status.DEADLINE_EXCEEDED:
      return new DeadlineExceeded(message, details, options);
    case status.CANCELLED:
      return new Cancelled(message, details, options);
    default:
      return new PointsmanError(message, code, details, options);
  }
}
