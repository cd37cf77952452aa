// One answer over one call.

import type { ClientReadableStream, Metadata } from "@grpc/grpc-js";

import { Answer } from "./answer.js";
import { fromServiceError, isServiceError } from "./errors.js";
import type { CompleteResponse, CompletionEvent } from "./gen/pointsman/v1/router_service_pb.js";
import { cancelledBy } from "./rpc.js";

type Call = ClientReadableStream<CompleteResponse>;

/** The answer to `PointsmanClient.complete`. See `Answer`. */
export class Completion extends Answer {
  readonly #start: () => Call;
  readonly #target: string;
  readonly #signal: AbortSignal | undefined;
  readonly #abort = (): void => this.#call?.cancel();
  #call: Call | undefined;
  #responses: AsyncIterator<CompleteResponse> | undefined;
  #headers: Metadata | undefined;
  #trailers: Metadata | undefined;
  #answered = false;

  /** Made by `PointsmanClient.complete`. */
  constructor(start: () => Call, target: string, signal?: AbortSignal) {
    super();
    this.#start = start;
    this.#target = target;
    this.#signal = signal;
  }

  /** The metadata before the first event: `x-pointsman-model`, `x-pointsman-decision-id`, … */
  get headers(): Metadata | undefined {
    return this.#headers;
  }

  /** The metadata after the last event: `x-pointsman-cost-usd`, `x-pointsman-attempts`, … */
  get trailers(): Metadata | undefined {
    return this.#trailers;
  }

  protected override async read(): Promise<readonly CompletionEvent[] | undefined> {
    if (this.#signal?.aborted && this.completed === undefined) {
      throw cancelledBy(this.#signal);
    }
    this.#responses ??= this.#begin();
    try {
      const { done, value } = await this.#responses.next();
      if (done) {
        this.#settle();
        return undefined;
      }
      this.#answered = true;
      return value.events;
    } catch (error) {
      this.#settle();
      if (this.completed !== undefined) {
        return undefined; // the answer is whole, whatever became of the call
      }
      if (this.#signal?.aborted) {
        throw cancelledBy(this.#signal);
      }
      throw isServiceError(error)
        ? fromServiceError(error, this.#target, { answered: this.#answered })
        : error;
    }
  }

  protected override stop(): void {
    this.#settle();
    const cancel = (): void => this.#call?.cancel();
    if (this.completed === undefined) {
      cancel();
    } else {
      // The status is still to come. To cancel now would look like a caller who left.
      this.#responses?.next().then(cancel, cancel);
    }
  }

  #begin(): AsyncIterator<CompleteResponse> {
    const call = this.#start();
    call.once("metadata", (headers) => (this.#headers = headers));
    call.once("status", ({ metadata }) => (this.#trailers = metadata));
    this.#call = call;
    this.#signal?.addEventListener("abort", this.#abort, { once: true });
    return call.iterator({ destroyOnReturn: false });
  }

  #settle(): void {
    this.#signal?.removeEventListener("abort", this.#abort);
  }
}
