"""The gRPC API: messages in, domain calls, messages out. Handlers don't know their transport."""
