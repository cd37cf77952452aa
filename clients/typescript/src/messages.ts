// Conversations: messages of the API, made from strings.

import { create, type MessageInitShape } from "@bufbuild/protobuf";

import {
  MessageSchema,
  Role,
  type Message,
  type ToolCallSchema,
} from "./gen/pointsman/v1/message_pb.js";

/** What a call is about: the user's words, or a conversation, oldest message first. */
export type Prompt =
  | { readonly prompt: string; readonly messages?: never }
  | { readonly messages: readonly Message[]; readonly prompt?: never };

/** The instructions that precede a conversation. */
export function system(text: string): Message {
  return create(MessageSchema, { role: Role.SYSTEM, parts: [textPart(text)] });
}

/** What the person or program being served says. */
export function user(text: string): Message {
  return create(MessageSchema, { role: Role.USER, parts: [textPart(text)] });
}

/** What the model said, and the tools that it asked for. */
export function assistant(
  text: string,
  toolCalls: readonly MessageInitShape<typeof ToolCallSchema>[] = [],
): Message {
  const calls = toolCalls.map((value) => ({ content: { case: "toolCall" as const, value } }));
  const parts = text === "" ? calls : [textPart(text), ...calls];
  return create(MessageSchema, { role: Role.ASSISTANT, parts });
}

/** A tool's answer to the model's call `callId`. */
export function toolResult(callId: string, text: string, options?: { isError?: boolean }): Message {
  const value = { callId, text, isError: options?.isError ?? false };
  return create(MessageSchema, {
    role: Role.TOOL,
    parts: [{ content: { case: "toolResult", value } }],
  });
}

/** Spell a prompt out as messages, `systemText` first. */
export function conversation(prompt: Prompt, systemText?: string): Message[] {
  const said = prompt.prompt === undefined ? prompt.messages : [user(prompt.prompt)];
  return systemText === undefined ? [...said] : [system(systemText), ...said];
}

function textPart(value: string) {
  return { content: { case: "text" as const, value } };
}
