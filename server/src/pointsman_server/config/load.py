"""From a file, or from the environment, to a `Config`."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from pointsman_server.config import units
from pointsman_server.config.config import Config, ProviderSettings
from pointsman_server.config.document import Location
from pointsman_server.config.errors import ConfigError, Problem
from pointsman_server.config.models import configured_model, default_models, overridden
from pointsman_server.config.policy import routing_policy
from pointsman_server.config.schema import File, ModelSection, ProviderSection
from pointsman_server.config.source import Source
from pointsman_server.config.vendors import VENDORS
from pointsman_server.domain.model import Model
from pointsman_server.engine import Limits
from pointsman_server.execution.retry import RetryPolicy
from pointsman_server.execution.timeout import TimeoutPolicy
from pointsman_server.providers.credentials import ApiKey
from pointsman_server.telemetry.logs import LogSettings
from pointsman_server.transports.base import GrpcSettings, TransportKind
from pointsman_server.upstream.settings import UpstreamSettings

DEFAULT_FILE = Path("pointsman.yaml")
FILE_VARIABLE = "POINTSMAN_CONFIG"
MAX_SECRET_BYTES = 16 * 1024
MAX_NAME = 200
DEFAULT_METRICS = ("127.0.0.1", 9464)


def find_file(given: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The file to use: the one given, else POINTSMAN_CONFIG's, else pointsman.yaml if it exists."""
    if given is not None:
        return given
    if environ.get(FILE_VARIABLE):
        return Path(environ[FILE_VARIABLE])
    return DEFAULT_FILE if DEFAULT_FILE.exists() else None


def load_file(path: Path, environ: Mapping[str, str], local_models: Sequence[Model] = ()) -> Config:
    """The configuration in ``path``.

    Args:
        path: a YAML file.
        environ: where env:NAME references look.
        local_models: what a provider of kind ``local`` can serve.

    Raises:
        ConfigError: with every fault that was found, each with its place.
    """
    return build(Source.read(path), environ, local_models)


def load_text(
    path: Path, text: bytes, environ: Mapping[str, str], local_models: Sequence[Model] = ()
) -> Config:
    """The configuration in ``text``, which was read from ``path`` before. See `load_file`."""
    return build(Source.decode(str(path), text), environ, local_models)


def file_schema() -> dict[str, object]:
    """The JSON Schema of the file, for editors and machines."""
    schema = File.model_json_schema()
    _drop_parsed_defaults(schema)
    return schema


def _drop_parsed_defaults(schema: object) -> None:
    """Take out defaults such as 30.0 of what is written as "30s": they would not be accepted."""
    if isinstance(schema, dict):
        if schema.get("type") == "string" and not isinstance(schema.get("default", ""), str):
            del schema["default"]
        for part in schema.values():
            _drop_parsed_defaults(part)
    elif isinstance(schema, list):
        for part in schema:
            _drop_parsed_defaults(part)


def from_environment(environ: Mapping[str, str]) -> Config:
    """A configuration of the well-known providers whose keys are in the environment.

    It has no providers where there are no keys.

    Raises:
        ConfigError: a key is malformed.
    """
    providers, models = [], []
    for name, vendor in VENDORS.items():
        key = environ.get(vendor.key_variable, "").strip()
        if not key:
            continue
        try:
            ApiKey(key)
        except ValueError as error:
            raise ConfigError(Problem(vendor.key_variable, 1, 1, str(error))) from None
        http = UpstreamSettings(base_url=vendor.base_url)
        providers.append(
            ProviderSettings(name, vendor.kind, http, key, ask_for_usage=vendor.ask_for_usage)
        )
        models += default_models(name, name)
    names = ", ".join(p.name for p in providers)
    return Config(
        tuple(providers),
        tuple(models),
        source=f"keys in the environment ({names})" if names else "the environment",
        digest=_digest(f"environment: {names}"),
        metrics_address=DEFAULT_METRICS,
    )


def with_local_models(config: Config, models: Sequence[Model]) -> Config:
    """``config`` with the local models added to what it has."""
    providers = tuple(ProviderSettings(name, "local") for name in _providers_of(models))
    names = ", ".join(m.name for m in models)
    return replace(
        config,
        providers=config.providers + providers,
        models=config.models + tuple(models),
        source=f"local models ({names})",
        digest=_digest(f"{config.digest} {names}"),
    )


def with_addresses(config: Config, address: str | None, metrics: str | None) -> Config:
    """``config`` listening elsewhere; ``None`` leaves an address as it is, "off" drops metrics.

    Raises:
        ConfigError: one of them is not an address.
    """
    changed = config
    for option, value in (("--address", address), ("--metrics", metrics)):
        if value is None:
            continue
        try:
            if option == "--metrics":
                listen = None if value == "off" else units.host_port(value)
                changed = replace(changed, metrics_address=_host_port(listen))
            else:
                changed = replace(changed, grpc=replace(changed.grpc, address=units.address(value)))
        except ValueError as error:
            cause, _, mend = str(error).partition("; ")
            raise ConfigError(Problem(option, 1, 1, cause, mend)) from None
    return changed


def with_transport(config: Config, transport: TransportKind | None) -> Config:
    """``config`` served over another transport; ``None`` leaves it as it is."""
    return config if transport is None else replace(config, transport=transport)


def with_workers(config: Config, workers: str | None) -> Config:
    """``config`` with another number of workers; ``None`` leaves it as it is.

    Raises:
        ConfigError: it is neither a number nor "auto".
    """
    if workers is None:
        return config
    try:
        return replace(config, workers=units.workers(workers))
    except ValueError as error:
        cause, _, mend = str(error).partition("; ")
        raise ConfigError(Problem("--workers", 1, 1, cause, mend)) from None


def build(source: Source, environ: Mapping[str, str], local_models: Sequence[Model]) -> Config:
    """The configuration that ``source`` describes. See `load_file`."""
    try:
        file = File.model_validate(source.data)
    except ValidationError as error:
        raise source.explain(error, File) from None
    problems: list[Problem] = []
    accounts = _Accounts(file, environ, source, problems)
    providers = accounts.providers(local_models)
    models = accounts.models(local_models)
    names = [m.name for m in models]
    routing, faults = routing_policy(file.policy, names, source)
    problems += faults
    if not models and not problems:
        mend = "name a provider under 'providers', such as openai: {kind: openai, ...}"
        problems.append(source.problem((), "there is no model to route to", mend))
    if problems:
        raise ConfigError(*problems)
    server, retry = file.server, file.retry
    return Config(
        tuple(providers),
        tuple(models),
        source=source.path,
        digest=_digest(file.model_dump_json() + " ".join(names)),
        grpc=GrpcSettings(
            address=server.address,
            max_request_bytes=server.max_request_bytes,
            max_concurrent_streams=server.max_concurrent_streams,
            max_drain_s=server.drain,
        ),
        transport=server.transport,
        metrics_address=_host_port(server.metrics),
        limits=Limits(server.max_in_flight, server.classify_within),
        timeouts=TimeoutPolicy(file.timeouts.first_token, file.timeouts.idle, file.timeouts.total),
        retry=RetryPolicy(
            retry.max_retries,
            retry.max_attempts,
            retry.base_delay,
            retry.max_delay,
            retry.max_retry_after,
        ),
        routing=routing,
        log=LogSettings(file.telemetry.log_level, file.telemetry.log_prompts),
        drain_s=server.drain,
        workers=server.workers,
    )


class _Accounts:
    """The providers and models of a file. Faults are noted, so that all are told at once."""

    def __init__(
        self, file: File, environ: Mapping[str, str], source: Source, problems: list[Problem]
    ) -> None:
        self._file = file
        self._environ = environ
        self._source = source
        self._problems = problems

    def providers(self, local_models: Sequence[Model]) -> list[ProviderSettings]:
        found: list[ProviderSettings] = []
        for name, section in self._file.providers.items():
            if section.kind == "local":
                found += self._local(name, local_models)
                continue
            settings = self._remote(name, section)
            if settings is not None:
                found.append(settings)
        return found

    def models(self, local_models: Sequence[Model]) -> list[Model]:
        """Those that are written, and the usual ones of providers that have none written."""
        sections = {n: s or ModelSection() for n, s in self._file.models.items()}
        for name in sections:
            if not _is_model_name(name):
                cause = f"a model's name has 1 to {MAX_NAME} ASCII characters and no space"
                self._note(("models", name), cause, "the provider's own may go to provider_model")
        owners = {n: s.provider or n.partition("/")[0] for n, s in sections.items()}
        found = [m for n, s in sections.items() if (m := self._model(n, s, local_models))]
        for name, section in self._file.providers.items():
            if name in owners.values():
                continue
            if section.kind == "local":
                found += [replace(m, provider=name) for m in local_models]
            else:
                found += default_models(name, _vendor(name, section))
        for name, count in Counter(m.name for m in found).items():
            if count > 1:
                mend = "write under 'models' which models one of the two has"
                self._note(("models", name), "is a model of two providers", mend)
        return found

    def _model(
        self, name: str, section: ModelSection, local_models: Sequence[Model]
    ) -> Model | None:
        owner = section.provider or name.partition("/")[0]
        account = self._file.providers.get(owner)
        if account is None:
            known = ", ".join(self._file.providers) or "none"
            cause = f"there is no provider called {owner!r} (providers: {known})"
            self._note(("models", name), cause, "write provider: NAME")
            return None
        if account.kind == "local":
            local = next((m for m in local_models if m.name == name), None)
            if local is None:
                cached = ", ".join(m.name for m in local_models) or "none"
                cause = f"is not a local model whose weights are here (here: {cached})"
                self._note(("models", name), cause, "fetch weights with: pointsman demo")
                return None
            return overridden(replace(local, provider=owner), section)
        model = configured_model(name, section, owner, _vendor(owner, account), self._source)
        if isinstance(model, Problem):
            self._problems.append(model)
            return None
        return model

    def _local(self, name: str, local_models: Sequence[Model]) -> list[ProviderSettings]:
        if not local_models:
            cause = "no weights of local models are here"
            self._note(("providers", name), cause, "fetch some with: pointsman demo")
        return [ProviderSettings(name, "local")]

    def _remote(self, name: str, section: ProviderSection) -> ProviderSettings | None:
        vendor = VENDORS.get(_vendor(name, section) or "")
        base_url = section.base_url or (vendor.base_url if vendor else None)
        at = ("providers", name)
        if section.vendor is not None and section.vendor not in VENDORS:
            known = ", ".join(VENDORS)
            self._note((*at, "vendor"), f"{section.vendor!r} is not known", f"known: {known}")
            return None
        if base_url is None:
            self._note(at, "needs a base_url", "write base_url: https://host/v1")
            return None
        key = self._secret((*at, "api_key"), section.api_key) if section.api_key else None
        try:
            http = UpstreamSettings(
                base_url=base_url,
                connect_timeout_s=section.connect_timeout,
                keep_alive=section.keep_alive,
                max_connections=section.max_connections,
            )
            if key is not None:
                ApiKey(key)
        except ValueError as error:
            self._note(at, str(error))
            return None
        asked = section.ask_for_usage
        if asked is None:
            asked = vendor is None or vendor.ask_for_usage
        return ProviderSettings(
            name,
            section.kind,
            http,
            key,
            section.max_tokens_field,
            ask_for_usage=asked,
            key_header=section.key_header,
        )

    def _secret(self, at: Location, reference: str) -> str | None:
        """The secret that env:NAME or file:PATH refers to."""
        scheme, _, where = reference.partition(":")
        if scheme == "env":
            value = self._environ.get(where, "").strip()
            if not value:
                cause = f"the environment variable {where} is not set"
                self._note(at, cause, f"export {where}=..., or remove this provider")
                return None
            return value
        try:
            with Path(where).expanduser().open("rb") as file:
                value = file.read(MAX_SECRET_BYTES).decode().strip()
        except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: ~ is nobody's home
            self._note(at, f"{where} cannot be read: {type(error).__name__}")
            return None
        if not value:
            self._note(at, f"{where} is empty")
            return None
        return value

    def _note(self, at: Location, cause: str, mend: str = "") -> None:
        self._problems.append(self._source.problem(at, cause, mend))


def _vendor(name: str, section: ProviderSection) -> str | None:
    """Whose prices and address a provider has: written, or its own name if it is well known."""
    if section.vendor is not None:
        return section.vendor
    known = VENDORS.get(name)
    usual_address = known is not None and section.base_url in (None, known.base_url)
    return name if usual_address and known and known.kind == section.kind else None


def _is_model_name(name: str) -> bool:
    """Whether ``name`` can stand in a gRPC header, as the chosen model's does."""
    return name.isascii() and name.isprintable() and " " not in name and 0 < len(name) <= MAX_NAME


def _providers_of(models: Sequence[Model]) -> list[str]:
    return list(dict.fromkeys(m.provider for m in models))


def _host_port(address: str | None) -> tuple[str, int] | None:
    if address is None:
        return None
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
