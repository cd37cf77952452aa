// The answer to one turn of a chat.

import type { MessageInitShape } from "@bufbuild/protobuf";

import { Answer } from "./answer.js";
import {
  BrokenStream,
  Cancelled,
  DeadlineExceeded,
  fromStatus,
  type PointsmanError,
} from "./errors.js";
import type {
  ChatRequestSchema,
  ChatResponse,
  ChatTurnSchema,
  CompletionEvent,
} from "./gen/pointsman/v1/router_service_pb.js";
import type { Usage } from "./gen/pointsman/v1/usage_pb.js";
import { cancelledBy } from "./rpc.js";

const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** What a turn needs of its chat. */
export interface TurnHost {
  /** Make this turn the one under way. Waits for what is left of a cancelled one, by `hear`. */
  begin(turn: Turn, hear: () => Promise<void>): Promise<void>;
  /** Wait for the server's next message, and give it to the turn under way. */
  hear(): Promise<void>;
  /** Send a message. */
  write(request: MessageInitShape<typeof ChatRequestSchema>): void;
}

/**
 * The answer to one turn of a chat. See `Answer`.
 *
 * Its errors do not end the chat, unless the stream itself has failed.
 */
export class Turn extends Answer {
  readonly #host: TurnHost;
  readonly #request: MessageInitShape<typeof ChatTurnSchema> & { turnId: string };
  readonly #timeoutMs: number;
  readonly #signal: AbortSignal | undefined;
  #deadline: number | undefined;
  #begun = false;
  #settled = false;
  #cancelAsked = false;
  #inbox: CompletionEvent[] = [];
  #failure: PointsmanError | undefined;
  #cancelledUsage: Usage | undefined;

  /** Made by `Chat.turn`. */
  constructor(
    host: TurnHost,
    request: MessageInitShape<typeof ChatTurnSchema> & { turnId: string },
    timeoutMs: number,
    signal?: AbortSignal,
  ) {
    super();
    this.#host = host;
    this.#request = request;
    this.#timeoutMs = timeoutMs;
    this.#signal = signal;
  }

  /** What identifies the turn within its chat. */
  get turnId(): string {
    return this.#request.turnId;
  }

  /** What a cancelled turn consumed. Undefined where it was not cancelled. */
  get cancelledUsage(): Usage | undefined {
    return this.#cancelledUsage;
  }

  /** Whether the server is done with it. */
  get settled(): boolean {
    return this.#settled;
  }

  /** Whether this side has asked the server to stop it. */
  get cancelAsked(): boolean {
    return this.#cancelAsked;
  }

  /**
   * Stop the turn and wait for the server to say so; its text so far stays in the history.
   *
   * @returns what it consumed until then; undefined where it had ended, or never begun.
   * @throws PointsmanError the chat broke off.
   */
  async cancel(): Promise<Usage | undefined> {
    await this.return();
    while (this.#begun && !this.#settled) {
      await this.#host.hear();
    }
    return this.#cancelledUsage;
  }

  /** Take in the server's next message, which must be this turn's. */
  take({ turnId, response }: ChatResponse): void {
    if (turnId !== this.turnId) {
      throw new BrokenStream("the server answered a turn that is not under way");
    }
    switch (response.case) {
      case "events":
        this.#inbox.push(...response.value.events);
        this.#settled = response.value.events.some(({ event }) => event.case === "completed");
        break;
      case "error":
        this.#settled = true;
        this.#failure = fromStatus(response.value);
        break;
      case "cancelled":
        this.#settled = true;
        this.#cancelledUsage = response.value.usage;
        this.#failure = new Cancelled(
          this.#cancelAsked ? "the turn was cancelled" : "the server cancelled the turn",
        );
        break;
      default:
        break;
    }
  }

  protected override async read(): Promise<readonly CompletionEvent[] | undefined> {
    this.#deadline ??= performance.now() + this.#timeoutMs;
    const hear = (): Promise<void> => this.#bounded(this.#host.hear());
    if (!this.#begun) {
      if (this.#signal?.aborted) {
        throw cancelledBy(this.#signal);
      }
      await this.#host.begin(this, hear);
      this.#begun = true;
      this.#host.write({ request: { case: "turn", value: this.#request } });
    }
    for (;;) {
      if (this.#inbox.length > 0) {
        const events = this.#inbox;
        this.#inbox = [];
        return events;
      }
      if (this.#failure !== undefined) {
        throw this.#failure;
      }
      if (this.#settled) {
        return undefined;
      }
      await hear();
    }
  }

  protected override stop(): void {
    if (this.#begun && !this.#settled && !this.#cancelAsked) {
      this.#cancelAsked = true;
      const { turnId } = this;
      this.#host.write({ request: { case: "cancel", value: { turnId } } });
    }
  }

  /** Wait no longer than the turn may take, nor past its signal's abortion. */
  async #bounded(work: Promise<void>): Promise<void> {
    const signal = this.#signal;
    const left = (this.#deadline ?? Infinity) - performance.now();
    let timer: NodeJS.Timeout | undefined;
    let abort: (() => void) | undefined;
    const bounds = new Promise<never>((_, reject) => {
      if (left <= LONGEST_TIMER_MS) {
        const late = (): void =>
          reject(new DeadlineExceeded(`the turn took longer than ${this.#timeoutMs} ms`));
        timer = setTimeout(late, Math.max(0, left));
      }
      if (signal !== undefined) {
        abort = (): void => reject(cancelledBy(signal));
        signal.aborted ? abort() : signal.addEventListener("abort", abort, { once: true });
      }
    });
    try {
      await Promise.race([bounds, work]);
    } finally {
      clearTimeout(timer);
      if (abort !== undefined) {
        signal?.removeEventListener("abort", abort);
      }
    }
  }
}
