import { create } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { Metadata, status, type ServiceError } from "@grpc/grpc-js";
import assert from "node:assert/strict";
import { test } from "node:test";

import { fromServiceError, fromStatus } from "../src/errors.js";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  QuotaFailureSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "../src/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../src/gen/google/rpc/status_pb.js";
import {
  BudgetExceeded,
  Cancelled,
  DeadlineExceeded,
  PointsmanError,
  ServerUnreachable,
  Unavailable,
} from "../src/index.js";
import { statusTrailers } from "./fake_server.js";

const DOMAIN = "pointsman.dev";

function failed(code: status, details: string, metadata = new Metadata()): ServiceError {
  return Object.assign(new Error(details), { code, details, metadata });
}

test("every detail of a status is decoded", () => {
  const trailers = statusTrailers(
    status.INVALID_ARGUMENT,
    "two fields are malformed",
    [ErrorInfoSchema, { reason: "INVALID_REQUEST", domain: DOMAIN, metadata: { a: "b" } }],
    [BadRequestSchema, { fieldViolations: [{ field: "messages", description: "is empty" }] }],
    [BadRequestSchema, { fieldViolations: [{ field: "tools", description: "are many" }] }],
    [QuotaFailureSchema, { violations: [{ subject: "user:1", description: "$2 a day" }] }],
    [ResourceInfoSchema, { resourceType: "model", resourceName: "x/y", description: "gone" }],
    [RetryInfoSchema, { retryDelay: { seconds: 1n, nanos: 500_000_000 } }],
  );
  const error = fromServiceError(failed(status.INVALID_ARGUMENT, "no", trailers), "here:1");
  assert.ok(error instanceof PointsmanError);
  assert.equal(error.code, status.INVALID_ARGUMENT);
  assert.equal(error.reason, "INVALID_REQUEST");
  assert.deepEqual(error.metadata, { a: "b" });
  assert.deepEqual(error.violations, [
    { field: "messages", description: "is empty" },
    { field: "tools", description: "are many" },
  ]);
  assert.deepEqual(error.quota, [{ subject: "user:1", description: "$2 a day" }]);
  assert.deepEqual(error.resource, { type: "model", name: "x/y", description: "gone" });
  assert.equal(error.retryAfterMs, 1500);
  assert.equal(error.message, "INVALID_REQUEST: no");
  assert.equal(error.name, "PointsmanError");
});

test("details that are foreign, malformed or unknown are skipped", () => {
  const info = anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason: "X", domain: "else" }));
  const torn = { typeUrl: "type.googleapis.com/google.rpc.RetryInfo", value: Buffer.from("\xff") };
  const odd = { typeUrl: "type.googleapis.com/not.Known", value: Buffer.from("\xff") };
  const found = create(StatusSchema, { code: 8, message: "m", details: [info, torn, odd] });
  const error = fromStatus(found);
  assert.deepEqual([error.reason, error.retryAfterMs, error.code], ["", undefined, 8]);
  const garbage = new Metadata();
  garbage.set("grpc-status-details-bin", Buffer.from([0xff]));
  assert.equal(fromServiceError(failed(status.INTERNAL, "m", garbage), "t").reason, "");
});

test("codes become classes", () => {
  const of = (code: status, reason = "") =>
    fromStatus(
      create(StatusSchema, {
        code,
        message: "m",
        details: [anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason, domain: DOMAIN }))],
      }),
    );
  assert.ok(of(status.UNAVAILABLE, "OVERLOADED") instanceof Unavailable);
  assert.ok(of(status.DEADLINE_EXCEEDED) instanceof DeadlineExceeded);
  assert.ok(of(status.CANCELLED) instanceof Cancelled);
  assert.ok(of(status.RESOURCE_EXHAUSTED, "BUDGET_EXCEEDED") instanceof BudgetExceeded);
  assert.ok(!(of(status.RESOURCE_EXHAUSTED, "OVERLOADED") instanceof BudgetExceeded));
  assert.equal(of(99 as status).code, status.UNKNOWN);
  assert.equal(of(0 as status).code, status.UNKNOWN);
});

test("who is not there is told from who has gone and from who says no", () => {
  const bare = failed(status.UNAVAILABLE, "refused");
  assert.ok(fromServiceError(bare, "here:1") instanceof ServerUnreachable);
  assert.match(fromServiceError(bare, "here:1").message, /here:1.*pointsman serve/);
  const gone = fromServiceError(bare, "here:1", { answered: true });
  assert.ok(gone instanceof Unavailable && !(gone instanceof ServerUnreachable));
  assert.equal(gone.cause, bare);
  const said = statusTrailers(status.UNAVAILABLE, "m", [
    ErrorInfoSchema,
    { reason: "SHUTTING_DOWN", domain: DOMAIN },
  ]);
  const no = fromServiceError(failed(status.UNAVAILABLE, "m", said), "here:1");
  assert.ok(!(no instanceof ServerUnreachable));
  assert.equal(no.reason, "SHUTTING_DOWN");
});
