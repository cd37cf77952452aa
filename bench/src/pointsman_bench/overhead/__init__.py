"""What a request through pointsman costs beyond calling the upstream directly."""
