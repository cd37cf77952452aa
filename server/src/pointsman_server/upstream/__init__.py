"""The HTTP/1.1 client that providers are called with: thin, streaming, on asyncio and httptools."""
