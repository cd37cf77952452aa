"""Upstreams: one dialect a module, each turning a provider's wire into the same few events."""
