// Unary calls, errors, metadata, deadlines.

import assert from "node:assert/strict";

import {
  Capability,
  CostSensitivity,
  DeadlineExceeded,
  DecisionBasis,
  FinishReason,
  formatUsd,
  PointsmanClient,
  RegistryService,
  ServerUnreachable,
  status,
  Unavailable,
  UsageService,
  type PointsmanError,
} from "../src/index.js";
import { checkError, failure, type Check } from "./check.js";

/**
 * The server's own word on a deadline that passed. On a machine that is very busy it may come too
 * late, and this side's library has made up a bare one by then: some try must be in time.
 */
async function soonTyped(attempt: () => Promise<PointsmanError>): Promise<PointsmanError> {
  for (let tries = 1; ; tries += 1) {
    const error = await attempt();
    assert.ok(error instanceof DeadlineExceeded);
    if (error.reason !== "" || tries === 5) {
      checkError(error, "DEADLINE_EXCEEDED", status.DEADLINE_EXCEEDED);
      return error;
    }
  }
}

export const calls: Record<string, Check> = {
  "classify reads a prompt": async ({ client }) => {
    const prompt = "Write a Python function that merges two sorted lists.";
    const reading = await client.classify({ prompt, includeScores: true });
    assert.equal(reading.taskType?.value, "code");
    assert.equal(reading.taskType?.scores[0]?.value, "code");
    const overrides = { costSensitivity: CostSensitivity.HIGH };
    const told = await client.classify({ prompt, overrides });
    assert.deepEqual([told.costSensitivity, told.costSensitivityConfidence], [3, 1]);
  },

  "route chooses a model and says why": async ({ client }) => {
    const decision = await client.route({ prompt: "hi", explain: true });
    assert.equal(decision.model, "one/a");
    assert.equal(decision.basis, DecisionBasis.DECISION_TREE);
    assert.deepEqual(
      decision.candidates.map(({ model }) => model),
      ["one/a", "two/b"],
    );
    const pinned = await client.route({ prompt: "hi", constraints: { allowedModels: ["two/b"] } });
    assert.deepEqual([pinned.model, pinned.basis], ["two/b", DecisionBasis.PINNED]);
  },

  "generate gives the whole answer": async ({ client }) => {
    const answer = await client.generate({ prompt: "hello", system: "Be brief." });
    assert.equal(answer.text, "Hello, world");
    assert.equal(answer.completed?.finishReason, FinishReason.STOP);
    assert.equal(answer.decision?.decisionId, answer.completed?.decisionId);
  },

  "money is exact": async ({ client }) => {
    const { completed } = await client.generate("hello");
    assert.equal(completed?.usage?.costUsdNanos, 18_000n);
    assert.equal(formatUsd(completed?.totalUsage?.costUsdNanos ?? 0n), "$0.000018");
  },

  "tool calls come whole": async ({ client }) => {
    const generation = { tools: [{ name: "look", parametersJsonSchema: "{}" }] };
    const answer = await client.generate({ prompt: "use a tool", generation });
    const calls = answer.toolCalls.map((call) => [call.callId, call.name, call.argumentsJson]);
    assert.deepEqual(calls, [["c1", "look", '{"at": "it"}']]);
  },

  "models and facts are told": async ({ client }) => {
    const models = await client.models();
    assert.deepEqual(
      models.map(({ name, pricing }) => [name, pricing?.inputUsdNanosPerMillionTokens]),
      [
        ["one/a", 1_000_000_000n],
        ["two/b", 10_000_000_000n],
      ],
    );
    const facts = await client.serverInfo();
    assert.ok(facts.taskTypes.includes("code"));
    assert.equal(facts.maxRequestBytes, 4 * 1024 * 1024);
  },

  "health is told": async ({ client }) => {
    assert.equal(await client.health(), true);
    assert.equal(await client.health("pointsman.v1.RouterService"), true);
    const error = await failure(client.health("nobody"));
    assert.equal(error.code, status.NOT_FOUND);
  },

  "five hundred calls one after the other": async ({ client }) => {
    for (let i = 0; i < 500; i += 1) {
      assert.equal((await client.serverInfo()).maxRequestBytes, 4 * 1024 * 1024);
    }
  },

  "a malformed request names its fields": async ({ client }) => {
    const generation = { temperature: 3, topP: 2 };
    const error = await failure(client.generate({ prompt: "hi", generation, requestId: "odd" }));
    checkError(error, "INVALID_REQUEST", status.INVALID_ARGUMENT);
    assert.deepEqual(
      error.violations.map(({ field }) => field).sort(),
      ["generation.temperature", "generation.top_p", "request_id"],
    );
    const empty = await failure(client.complete({ messages: [] }).text());
    assert.equal(empty.violations[0]?.field, "messages");
  },

  "what is not there is named, in any script": async ({ client }) => {
    const name = "漢字 50%\n🚂";
    const error = await failure(client.unary(RegistryService.method.getModel, { name }));
    checkError(error, "NOT_FOUND", status.NOT_FOUND);
    assert.deepEqual([error.resource?.type, error.resource?.name], ["model", name]);
    assert.match(error.message, /漢字 50%/);
  },

  "no model that may serve is told from none that can": async ({ client }) => {
    const constraints = { requiredCapabilities: [Capability.VISION] };
    const error = await failure(client.route({ prompt: "hi", constraints }));
    checkError(error, "NO_ELIGIBLE_MODEL", status.FAILED_PRECONDITION);
    assert.deepEqual(error.metadata, { candidates: "2" });
  },

  "all models failing says when to try again": async ({ client }) => {
    const error = await failure(client.complete("fail everywhere").text());
    assert.ok(error instanceof Unavailable && !(error instanceof ServerUnreachable));
    checkError(error, "ALL_MODELS_FAILED", status.UNAVAILABLE);
    assert.equal(error.retryAfterMs, 7000);
    assert.equal(error.metadata["attempts"], "2");
  },

  "a refused prompt is told": async ({ client }) => {
    const error = await failure(client.generate("refuse this"));
    checkError(error, "PROMPT_REFUSED", status.INVALID_ARGUMENT);
  },

  "what is not served is unimplemented": async ({ client }) => {
    const error = await failure(client.unary(UsageService.method.queryUsage, {}));
    checkError(error, "", status.UNIMPLEMENTED);
  },

  "a request over the limit is refused": async ({ address }) => {
    const wide = new PointsmanClient(address, { maxMessageBytes: 16 * 1024 * 1024 });
    const error = await failure(wide.classify("x".repeat(4 * 1024 * 1024 + 1)));
    checkError(error, "INVALID_REQUEST", status.INVALID_ARGUMENT);
    assert.match(error.message, /the limit is 4194304/);
    wide.close();
  },

  "metadata comes before the events and after them": async ({ client }) => {
    const answer = client.complete("hello");
    await answer.next();
    const header = (name: string): unknown => answer.headers?.get(`x-pointsman-${name}`)[0];
    assert.equal(header("model"), "one/a");
    assert.equal(header("decision-id"), answer.decision?.decisionId);
    assert.equal(header("cost-usd"), undefined);
    await answer.text();
    const trailer = (name: string): unknown => answer.trailers?.get(`x-pointsman-${name}`)[0];
    assert.equal(trailer("cost-usd"), "0.000018000");
    assert.equal(trailer("attempts"), "1");
    assert.equal(trailer("hedged"), "false");
  },

  "a key in the metadata does no harm": async ({ address }) => {
    const keyed = new PointsmanClient(address, { apiKey: "sk-of-the-caller" });
    assert.equal((await keyed.generate("hello")).text, "Hello, world");
    keyed.close();
  },

  "a deadline is told by the server, with its stage": async ({ client }) => {
    for (const prompt of ["hang: no token", "hang after half: some tokens"]) {
      const error = await soonTyped(async () => {
        const answer = client.complete({ prompt, timeoutMs: 500 });
        const error = await failure(answer.text());
        assert.equal(answer.textSoFar, prompt.includes("half") ? "half" : "");
        return error;
      });
      assert.deepEqual(error.metadata, { stage: "execute" });
    }
    await soonTyped(() => failure(client.generate({ prompt: "hang: unary", timeoutMs: 500 })));
  },

  "a deadline that is past already is one": async ({ client }) => {
    const error = await failure(client.complete({ prompt: "hello", timeoutMs: 0 }).text());
    assert.ok(error instanceof DeadlineExceeded);
    assert.equal((await client.generate({ prompt: "hello", timeoutMs: Infinity })).text.length, 12);
  },
};
