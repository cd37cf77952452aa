// A server that does as it is told: real gRPC on loopback, with a script for each method.

import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { AnySchema, anyPack } from "@bufbuild/protobuf/wkt";
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  type status,
} from "@grpc/grpc-js";

import {
  ChatRequestSchema,
  ChatResponseSchema,
  CompleteRequestSchema,
  CompleteResponseSchema,
  GenerateRequestSchema,
  GenerateResponseSchema,
  type ChatRequest,
  type ChatResponse,
  type CompleteRequest,
  type CompleteResponse,
  type CompletionEventSchema,
  type GenerateRequest,
  type GenerateResponse,
} from "../src/api.js";
import { StatusSchema } from "../src/gen/google/rpc/status_pb.js";

export type CompleteStream = ServerWritableStream<CompleteRequest, CompleteResponse>;
export type ChatDuplex = ServerDuplexStream<ChatRequest, ChatResponse>;

/** What each method does. */
export interface Script {
  complete?: (stream: CompleteStream) => void;
  chat?: (stream: ChatDuplex) => void;
  generate?: (
    call: ServerUnaryCall<GenerateRequest, GenerateResponse>,
    done: sendUnaryData<GenerateResponse>,
  ) => void;
}

/** Start a server; returns its address and how to stop it. */
export async function fakeServer(script: Script): Promise<{ address: string; stop: () => void }> {
  const server = new Server();
  const missing = (): never => {
    throw new Error("nothing was scripted");
  };
  server.addService(
    {
      complete: definition("Complete", CompleteRequestSchema, CompleteResponseSchema, false, true),
      chat: definition("Chat", ChatRequestSchema, ChatResponseSchema, true, true),
      generate: definition("Generate", GenerateRequestSchema, GenerateResponseSchema, false, false),
    },
    {
      complete: script.complete ?? missing,
      chat: script.chat ?? missing,
      generate: script.generate ?? missing,
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { address: `127.0.0.1:${port}`, stop: () => server.forceShutdown() };
}

/** Numbers events from `first`. */
export function events(
  first: number,
  ...whats: MessageInitShape<typeof CompletionEventSchema>["event"][]
): MessageInitShape<typeof CompletionEventSchema>[] {
  return whats.map((event, i) => ({ sequence: BigInt(first + i), ...(event && { event }) }));
}

export const decision = { case: "decision", value: { model: "one/a" } } as const;
export const completed = { case: "completed", value: { model: "one/a" } } as const;

/** More of the answer. */
export function text(value: string) {
  return { case: "delta", value: { delta: { case: "text", value } } } as const;
}

/** A response of Complete with these events. */
export function batch(...parts: MessageInitShape<typeof CompletionEventSchema>[]) {
  return create(CompleteResponseSchema, { events: parts });
}

/** A response of Generate. */
export function whole(answer: string, model: string) {
  return create(GenerateResponseSchema, { text: answer, completed: { model } });
}

/** A response of Chat with these events. */
export function turnBatch(
  turnId: string,
  ...parts: MessageInitShape<typeof CompletionEventSchema>[]
) {
  return create(ChatResponseSchema, {
    turnId,
    response: { case: "events", value: { events: parts } },
  });
}

/** Trailers with a google.rpc.Status. */
export function statusTrailers(
  code: status,
  message: string,
  ...details: [DescMessage, Record<string, unknown>][]
): Metadata {
  const packed = details.map(([schema, value]) =>
    create(AnySchema, anyPack(schema, create(schema, value))),
  );
  const found = create(StatusSchema, { code, message, details: packed });
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, found)));
  return metadata;
}

function definition<I extends DescMessage, O extends DescMessage>(
  name: string,
  input: I,
  output: O,
  requestStream: boolean,
  responseStream: boolean,
) {
  return {
    path: `/pointsman.v1.RouterService/${name}`,
    requestStream,
    responseStream,
    requestSerialize: (message: MessageShape<I>) => Buffer.from(toBinary(input, message)),
    requestDeserialize: (bytes: Buffer) => fromBinary(input, bytes),
    responseSerialize: (message: MessageShape<O>) => Buffer.from(toBinary(output, message)),
    responseDeserialize: (bytes: Buffer) => fromBinary(output, bytes),
  };
}
