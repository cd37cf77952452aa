"""Models that run on this machine: their weights, the process that serves them, and the provider.

`weights` fetches and checks GGUF files, `worker` is the child process around llama.cpp, `server`
supervises one such child, `provider` is what the router sees of them, and `models` says what they
are good for.
"""
