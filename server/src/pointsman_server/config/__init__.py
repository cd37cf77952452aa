"""Configuration: a YAML file, or the environment's keys, made into one frozen `Config`.

The only room that sees files and the environment.
"""

from pointsman_server.config.config import Config, ProviderSettings
from pointsman_server.config.errors import ConfigError, Problem
from pointsman_server.config.load import (
    file_schema,
    find_file,
    from_environment,
    load_file,
    load_text,
    with_addresses,
    with_local_models,
    with_transport,
    with_workers,
)

__all__ = [
    "Config",
    "ConfigError",
    "Problem",
    "ProviderSettings",
    "file_schema",
    "find_file",
    "from_environment",
    "load_file",
    "load_text",
    "with_addresses",
    "with_local_models",
    "with_transport",
    "with_workers",
]
