// The TypeScript client of pointsman, the LLM router.
//
//     const client = new PointsmanClient();
//     console.log(await client.complete("Why is the sky blue?").text());
//
// Requests are built from strings and plain objects; what comes back are the API's own messages, so
// that nothing the server says is lost on the way.

export { durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
export { status } from "@grpc/grpc-js";

export type { Answer } from "./answer.js";
export * from "./api.js";
export type { Chat, TurnOptions } from "./chat.js";
export {
  DEFAULT_ADDRESS,
  PointsmanClient,
  type ChatOptions,
  type ClassifyOptions,
  type ClientOptions,
  type CompleteOptions,
  type RouteOptions,
  type RoutingOptions,
} from "./client.js";
export type { Completion } from "./completion.js";
export type { ErrorDetails, QuotaViolation, Resource, Violation } from "./details.js";
export {
  BrokenStream,
  BudgetExceeded,
  Cancelled,
  DeadlineExceeded,
  PointsmanError,
  ServerUnreachable,
  TextDiscarded,
  Unavailable,
} from "./errors.js";
export * as messages from "./messages.js";
export type { Prompt } from "./messages.js";
export { formatUsd, toNanos } from "./money.js";
export type { CallOptions } from "./rpc.js";
export type { Turn } from "./turn.js";
