// A conversation over one stream, turn by turn.

import { create, type MessageInitShape } from "@bufbuild/protobuf";

import { ChatStream, type ChatCall } from "./chat_stream.js";
import { Cancelled, PointsmanError } from "./errors.js";
import type { ClassificationOverridesSchema } from "./gen/pointsman/v1/classification_pb.js";
import type { RoutingConstraintsSchema } from "./gen/pointsman/v1/decision_pb.js";
import { ChatRequestSchema, type ChatSetupSchema } from "./gen/pointsman/v1/router_service_pb.js";
import { conversation, type Prompt } from "./messages.js";
import { checkedTimeout, type CallOptions } from "./rpc.js";
import { Turn, type TurnHost } from "./turn.js";

/** One turn of a chat: what the user says, or what the tools returned. */
export type TurnOptions = Prompt &
  CallOptions & {
    /** What the caller already knows of this turn. */
    readonly overrides?: MessageInitShape<typeof ClassificationOverridesSchema>;
    /** Replaces the chat's own, for this turn. */
    readonly constraints?: MessageInitShape<typeof RoutingConstraintsSchema>;
  };

/**
 * A conversation over one stream, opened by its first turn. `close` it at the end, or hold it by
 * `await using`.
 *
 * The server keeps the history while the stream is open. One turn at a time: the next may begin
 * once the one before has ended or been stopped.
 */
export class Chat {
  readonly #start: () => ChatCall;
  readonly #setup: MessageInitShape<typeof ChatSetupSchema>;
  readonly #target: string;
  readonly #timeoutMs: number;
  #stream: ChatStream | undefined;
  #underWay: Turn | undefined;
  #hearing: Promise<void> | undefined;
  #turns = 0;
  #closed = false;

  /** Made by `PointsmanClient.chat`. */
  constructor(
    start: () => ChatCall,
    setup: MessageInitShape<typeof ChatSetupSchema>,
    target: string,
    timeoutMs: number,
  ) {
    this.#start = start;
    this.#setup = setup;
    this.#target = target;
    this.#timeoutMs = timeoutMs;
  }

  /** Whether another turn can be taken: true after a turn that failed by itself. */
  get isOpen(): boolean {
    return !this.#closed && this.#stream?.error === undefined;
  }

  /**
   * Take the next turn. Nothing is sent before its answer is read; to read it while another turn is
   * under way throws. `timeoutMs` counts from then.
   */
  turn(what: string | TurnOptions): Turn {
    const options: TurnOptions = typeof what === "string" ? { prompt: what } : what;
    const { overrides, constraints, signal } = options;
    const timeoutMs = checkedTimeout(options.timeoutMs ?? this.#timeoutMs);
    this.#turns += 1;
    const request = {
      turnId: String(this.#turns),
      messages: conversation(options),
      ...(overrides && { overrides }),
      ...(constraints && { constraints }),
    };
    return new Turn(this.#host, request, timeoutMs, signal);
  }

  /** End the conversation; a turn that is under way is cut off. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#stream?.close(this.#underWay?.settled ?? true);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  readonly #host: TurnHost = {
    begin: async (turn, hear) => {
      if (this.#closed) {
        throw new Cancelled("the chat is closed");
      }
      while (this.#underWay !== undefined && !this.#underWay.settled) {
        if (!this.#underWay.cancelAsked) {
          throw new Error("another turn is under way: read it to its end, or stop it");
        }
        await hear(); // what is left of a cancelled turn comes before anything of the next
      }
      this.#underWay = turn;
      this.#opened();
    },
    hear: () => {
      this.#hearing ??= this.#hear().finally(() => (this.#hearing = undefined));
      return this.#hearing;
    },
    write: (request) => this.#opened().write(create(ChatRequestSchema, request)),
  };

  async #hear(): Promise<void> {
    const stream = this.#opened();
    try {
      const response = await stream.read();
      this.#underWay?.take(response);
    } catch (error) {
      throw error instanceof PointsmanError ? stream.fail(error) : error;
    }
  }

  #opened(): ChatStream {
    if (this.#stream === undefined) {
      this.#stream = new ChatStream(this.#start(), this.#target);
      this.#stream.write(
        create(ChatRequestSchema, { request: { case: "setup", value: this.#setup } }),
      );
    }
    return this.#stream;
  }
}
