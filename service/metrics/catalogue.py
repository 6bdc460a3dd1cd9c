"""Every metric of the service. `docs/metrics.md` says what to make of them, and is checked.

Values of labels come from the code, the settings or the model repository, never from a caller.
"""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)

# When a series began says nothing new, and doubles their number.
disable_created_metrics()

REGISTRY = CollectorRegistry()

_SHORT_SECONDS = (
    *(0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01),
    *(0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0),
)
_REQUEST_SECONDS = (*_SHORT_SECONDS[3:], 60.0)

HTTP_REQUESTS = Counter(
    "gatewise_http_requests_total",
    "HTTP requests answered, by route template; 499 where the client left first.",
    ("method", "route", "status"),
    registry=REGISTRY,
)
HTTP_SECONDS = Histogram(
    "gatewise_http_request_duration_seconds",
    "From a request's head to the last byte of its answer.",
    ("method", "route"),
    buckets=_REQUEST_SECONDS,
    registry=REGISTRY,
)
OPEN_STREAMS = Gauge(
    "gatewise_open_streams",
    "WebSockets, and answers of server-sent events, that are open now.",
    ("kind",),
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
PROBLEMS = Counter(
    "gatewise_problems_total",
    "Errors answered, by their code, over HTTP and WebSockets and for single items.",
    ("code",),
    registry=REGISTRY,
)
STEPS = Counter(
    "gatewise_steps_total",
    "Time steps applied to sessions and stored.",
    ("model",),
    registry=REGISTRY,
)
REPLAYS = Counter(
    "gatewise_replays_total",
    "Keyed requests answered again that had been applied before.",
    registry=REGISTRY,
)
CONFLICTS = Counter(
    "gatewise_conflicts_total",
    "Commits that came too late: the session had changed meanwhile.",
    registry=REGISTRY,
)
BATCH_SIZE = Histogram(
    "gatewise_batch_size",
    "Requests in a group that was run and committed as one.",
    buckets=tuple(float(1 << power) for power in range(11)),
    registry=REGISTRY,
)
QUEUE_LENGTH = Gauge(
    "gatewise_queue_length",
    "Requests that wait for their turn.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
QUEUE_SECONDS = Histogram(
    "gatewise_queue_wait_seconds",
    "How long the first request of a group had waited for its turn.",
    buckets=_SHORT_SECONDS,
    registry=REGISTRY,
)
COMPUTE_SECONDS = Histogram(
    "gatewise_compute_seconds",
    "Running the graphs for a group, or for one long request aside.",
    ("where",),
    buckets=_SHORT_SECONDS,
    registry=REGISTRY,
)
STORE_SECONDS = Histogram(
    "gatewise_store_seconds",
    "One access to the store; replace is the commit of a group.",
    ("operation",),
    buckets=_SHORT_SECONDS,
    registry=REGISTRY,
)
STORE_ERRORS = Counter(
    "gatewise_store_errors_total",
    "Accesses to the store that failed.",
    ("kind",),
    registry=REGISTRY,
)
SESSIONS = Gauge(
    "gatewise_sessions",
    "Live sessions in the store; counted every minute, and followed in between.",
    multiprocess_mode="mostrecent",
    registry=REGISTRY,
)
FELL_BACK = Counter(
    "gatewise_sessions_fell_back_total",
    "Sessions found at an earlier state than one that was answered: the store has lost changes.",
    registry=REGISTRY,
)
THREAD_FAILURES = Counter(
    "gatewise_thread_failures_total",
    "Mistakes of the service that a background thread has met; it goes on.",
    ("thread",),
    registry=REGISTRY,
)
CLOCK_HELD = Gauge(
    "gatewise_clock_held",
    "1 while the clock has jumped and nothing expires, until somebody accepts it.",
    multiprocess_mode="livemax",
    registry=REGISTRY,
)
