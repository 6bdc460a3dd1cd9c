"""Every metric of the service. `docs/metrics.md` says what to make of them, and is checked.

Values of labels come from the code, the settings or the model repository, never from a caller.
"""

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

# When a series began says nothing new, and doubles their number.
disable_created_metrics()

REGISTRY = CollectorRegistry()
_counter = partial(Counter, registry=REGISTRY)
_gauge = partial(Gauge, registry=REGISTRY)
_histogram = partial(Histogram, registry=REGISTRY)

_SHORT_SECONDS = (
    *(0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01),
    *(0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0),
)
_REQUEST_SECONDS = (*_SHORT_SECONDS[3:], 60.0)

HTTP_REQUESTS = _counter(
    "gatewise_http_requests_total",
    "HTTP requests answered, by route template; 499 where the client left first.",
    ("method", "route", "status"),
)
HTTP_SECONDS = _histogram(
    "gatewise_http_request_duration_seconds",
    "From a request's head to the last byte of its answer.",
    ("method", "route"),
    buckets=_REQUEST_SECONDS,
)
OPEN_STREAMS = _gauge(
    "gatewise_open_streams",
    "WebSockets, and answers of server-sent events, that are open now.",
    ("kind",),
    multiprocess_mode="livesum",
)
PROBLEMS = _counter(
    "gatewise_problems_total",
    "Errors answered, by their code, over HTTP and WebSockets and for single items.",
    ("code",),
)
STEPS = _counter("gatewise_steps_total", "Time steps applied to sessions and stored.", ("model",))
REPLAYS = _counter(
    "gatewise_replays_total", "Keyed requests answered again that had been applied before."
)
CONFLICTS = _counter(
    "gatewise_conflicts_total", "Commits that came too late: the session had changed meanwhile."
)
BATCH_SIZE = _histogram(
    "gatewise_batch_size",
    "Requests in a group that was run and committed as one.",
    buckets=tuple(float(1 << power) for power in range(11)),
)
QUEUE_LENGTH = _gauge(
    "gatewise_queue_length", "Requests that wait for their turn.", multiprocess_mode="livesum"
)
QUEUE_SECONDS = _histogram(
    "gatewise_queue_wait_seconds",
    "How long the first request of a group had waited for its turn.",
    buckets=_SHORT_SECONDS,
)
COMPUTE_SECONDS = _histogram(
    "gatewise_compute_seconds",
    "Running the graphs for a group, or for one long request aside.",
    ("where",),
    buckets=_SHORT_SECONDS,
)
STORE_SECONDS = _histogram(
    "gatewise_store_seconds",
    "One access to the store; replace is the commit of a group.",
    ("operation",),
    buckets=_SHORT_SECONDS,
)
STORE_ERRORS = _counter(
    "gatewise_store_errors_total", "Accesses to the store that failed.", ("kind",)
)
SESSIONS = _gauge(
    "gatewise_sessions",
    "Live sessions in the store; counted every minute, and followed in between.",
    multiprocess_mode="mostrecent",
)
TRACE_STEPS_LOST = _counter(
    "gatewise_trace_steps_lost_total",
    "Time steps of recorded sessions that could not be added to their traces.",
)
FELL_BACK = _counter(
    "gatewise_sessions_fell_back_total",
    "Sessions found at an earlier state than one that was answered: the store has lost changes.",
)
THREAD_FAILURES = _counter(
    "gatewise_thread_failures_total",
    "Mistakes of the service that a background thread has met; it goes on.",
    ("thread",),
)
CLOCK_HELD = _gauge(
    "gatewise_clock_held",
    "1 while the clock has jumped and nothing expires, until somebody accepts it.",
    multiprocess_mode="livemax",
)
