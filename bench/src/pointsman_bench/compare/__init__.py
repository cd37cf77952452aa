"""Two runs compared: by how much, how sure that is, and whether it may pass.

`metrics` names what is compared, `slices` takes it out of a run by slices of time, `bootstrap` says
how far chance alone could have gone, `judge` puts a plain verdict on it, `fail_if` is the gate.
"""
