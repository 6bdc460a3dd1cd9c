"""Every metric of the service. `docs/metrics.md` says what to make of them, and is checked.

Values of labels come from the code, the settings or the model repository, never from a caller.
"""

from service.metrics.instruments import Counter, Gauge, Histogram

_SHORT_SECONDS = (
    *(0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01),
    *(0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0),
)
_REQUEST_SECONDS = (*_SHORT_SECONDS[3:], 60.0)

HTTP_REQUESTS = Counter(
    "gatewise_http_requests_total",
    "HTTP requests answered, by route template; 499 where the client left first.",
    ("method", "route", "status"),
)
HTTP_SECONDS = Histogram(
    "gatewise_http_request_duration_seconds",
    "From a request's head to the last byte of its answer.",
    ("method", "route"),
    bounds=_REQUEST_SECONDS,
)
OPEN_STREAMS = Gauge(
    "gatewise_open_streams",
    "WebSockets, and answers of server-sent events, that are open now.",
    ("kind",),
)
PROBLEMS = Counter(
    "gatewise_problems_total",
    "Errors answered, by their code, over HTTP and WebSockets and for single items.",
    ("code",),
)
STEPS = Counter("gatewise_steps_total", "Time steps applied to sessions and stored.", ("model",))
REPLAYS = Counter(
    "gatewise_replays_total", "Keyed requests answered again that had been applied before."
)
CONFLICTS = Counter(
    "gatewise_conflicts_total", "Commits that came too late: the session had changed meanwhile."
)
BATCH_SIZE = Histogram(
    "gatewise_batch_size",
    "Requests in a group that was run and committed as one.",
    bounds=tuple(float(1 << power) for power in range(11)),
)
QUEUE_LENGTH = Gauge("gatewise_queue_length", "Requests that wait for their turn.")
QUEUE_SECONDS = Histogram(
    "gatewise_queue_wait_seconds",
    "How long the first request of a group had waited for its turn.",
    bounds=_SHORT_SECONDS,
)
COMPUTE_SECONDS = Histogram(
    "gatewise_compute_seconds",
    "Running the graphs for a group, or for one long request aside.",
    ("where",),
    bounds=_SHORT_SECONDS,
)
STORE_SECONDS = Histogram(
    "gatewise_store_seconds",
    "One access to the store; replace is the commit of a group.",
    ("operation",),
    bounds=_SHORT_SECONDS,
)
STORE_ERRORS = Counter(
    "gatewise_store_errors_total", "Accesses to the store that failed.", ("kind",)
)
SESSIONS = Gauge(
    "gatewise_sessions",
    "Live sessions in the store, as known since the latest creation.",
    latest=True,
)

CATALOGUE = (
    HTTP_REQUESTS,
    HTTP_SECONDS,
    OPEN_STREAMS,
    PROBLEMS,
    STEPS,
    REPLAYS,
    CONFLICTS,
    BATCH_SIZE,
    QUEUE_LENGTH,
    QUEUE_SECONDS,
    COMPUTE_SECONDS,
    STORE_SECONDS,
    STORE_ERRORS,
    SESSIONS,
)
