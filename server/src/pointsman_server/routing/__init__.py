"""Choosing a model: filter what cannot serve, rank what can, say why."""
