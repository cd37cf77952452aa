"""pointsman's server: reads prompts, chooses models for them, streams what the models answer."""

__version__ = "0.1.0"
