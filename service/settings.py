"""Every setting of the service, once. Environment variables carry the prefix `GATEWISE_`,
command line flags are the same names with dashes; the README's table is made from this file."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, CliImplicitFlag, SettingsConfigDict


class Settings(BaseSettings):
    """Runs the Gatewise service: serves the models of a repository over HTTP.

    With `clock accept` before the flags: trusts a clock that has jumped. With `store
    finish-upgrade`: writes everything as this release does, once all replicas are of it. With
    `models list|default|withdraw|restore`: which version new sessions get (`models --help`).
    """

    model_config = SettingsConfigDict(
        env_prefix="GATEWISE_",
        cli_prog_name="python -m service",
        cli_kebab_case=True,
        cli_exit_on_error=False,
        frozen=True,
    )

    repository: Path = Field(
        default=Path("models"), description="Folder of models, laid out as NAME/VERSION/."
    )
    repository_scan_seconds: float = Field(
        default=5.0,
        ge=0,
        description="How often the repository is searched for new versions, and for what is wanted "
        "of them; 0 means at start only.",
    )
    strict: CliImplicitFlag[bool] = Field(
        default=False,
        description="Refuse to start where any version in the repository cannot be served.",
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(
        default=8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one."
    )
    store: str = Field(
        default="sqlite:///gatewise.db",
        description="Where sessions live: sqlite:///PATH (one machine), redis://HOST:PORT/DB or "
        "redis-cluster://HOST:PORT,HOST:PORT (several replicas), memory:// (lost on exit).",
    )
    store_timeout_seconds: float = Field(
        default=2.0, gt=0, description="How long one answer of Redis may take before 503."
    )
    workers: int = Field(
        default=1, ge=1, description="Processes that share the port; more than one needs a store."
    )
    durability: Literal["normal", "full"] = Field(
        default="normal",
        description="What an answered step survives with SQLite: normal a killed process, "
        "full also power loss.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where graphs run; cuda refuses to start without a usable GPU."
    )
    threads: int = Field(
        default=1, ge=1, description="Threads of ONNX Runtime, and of NumPy, within one run."
    )
    session_ttl_seconds: float = Field(
        default=30 * 86400.0,
        gt=0,
        le=10 * 366 * 86400.0,
        description="Life of a session after its last use, where its creator names none.",
    )
    expired_retention_seconds: float = Field(
        default=2 * 86400.0,
        ge=86400.0,
        description="How long an expired session is remembered: 410 for so long, then 404.",
    )
    recent_bytes: int = Field(
        default=64 * 1024 * 1024,
        ge=0,
        description="Memory for the sessions used last, which are not read from the store again.",
    )
    max_sessions: int = Field(
        default=1_000_000, gt=0, description="Most live sessions in the store before 503."
    )
    max_traces: int = Field(
        default=64, gt=0, description="Most live traces of all tenants in the store before 503."
    )
    trace_bytes: int = Field(
        default=16 * 1024 * 1024,
        ge=64 * 1024,
        description="What one trace may keep; then its oldest steps leave it.",
    )
    trace_cache_bytes: int = Field(
        default=128 * 1024 * 1024,
        ge=0,
        description="Memory for what was computed of traces last.",
    )
    trace_ttl_seconds: float = Field(
        default=3600.0,
        gt=0,
        le=366 * 86400.0,
        description="Life of a trace, where its creator names none.",
    )
    max_body_bytes: int = Field(
        default=32 * 1024 * 1024, gt=0, description="Longest request body that is read."
    )
    max_numbers: int = Field(
        default=30_000_000,
        gt=0,
        description="Most numbers (outputs, states, gates) that one request may compute.",
    )
    max_queue: int = Field(
        default=4096, gt=0, description="Most requests waiting for the batcher before 503."
    )
    max_wait_seconds: float = Field(
        default=10.0, gt=0, description="How long a request may wait for its turn before 503."
    )
    max_waiting_sequences: int = Field(
        default=64, gt=0, description="Most requests for whole sequences waiting before 503."
    )
    max_batch: int = Field(default=256, gt=0, description="Most sessions in one batch.")
    drain_seconds: float = Field(
        default=5.0,
        ge=0,
        description="After SIGTERM, how long /health/ready says no while all is still served.",
    )
    grace_seconds: float = Field(
        default=20.0, ge=0, description="After that, how long requests under way may take."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe event that is logged."
    )
    access_log: bool = Field(
        default=False,
        description="Log every request when it is answered: route, status, duration and id.",
    )
    log_format: Literal["json", "console"] = Field(
        default="json", description="One JSON object a line, or text for a person."
    )
