"""What the router talks about: frozen values, typed failures, and nothing that does I/O."""
