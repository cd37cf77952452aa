"""The models that can be routed to, what they are good at, and how they are doing."""
