"""What the service counts for Prometheus. No label comes from a client, so their number is bounded."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

METHODS = frozenset({"GET", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "PUT"})
MEDIA_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_PICTURES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counters of one app."""

    def __init__(
        self,
        waiting: Callable[[], int],
        in_flight: Callable[[], int],
        unkept: Callable[[], int],
        stuck: Callable[[], int],
        decoding: Callable[[], int],
        given_up: Callable[[], int],
        drifted: Callable[[], int],
    ) -> None:
        self.registry = CollectorRegistry()
        which = ("route", "method", "status")
        self.requests = Counter("looktwice_requests", "Requests answered.", which, registry=self.registry)
        self.seconds = Histogram(
            "looktwice_request_seconds", "Time of a request.", ("route",), buckets=_SECONDS, registry=self.registry
        )
        self.pictures = Counter("looktwice_pictures", "Pictures inspected.", ("verdict",), registry=self.registry)
        self.signed = Counter(
            "looktwice_sign_offs",
            "Sign-offs of people, by the verdict that they stand beside.",
            ("verdict", "decision"),
            registry=self.registry,
        )
        self.gathered = Histogram(
            "looktwice_batch_pictures",
            "Pictures inspected in one call.",
            buckets=_PICTURES,
            registry=self.registry,
        )
        self.answers = Counter("looktwice_answers", "Answers begun.", registry=self.registry)
        queue = Gauge("looktwice_queue_pictures", "Pictures that wait.", registry=self.registry)
        queue.set_function(waiting)
        flying = Gauge("looktwice_requests_in_flight", "Requests in flight.", registry=self.registry)
        flying.set_function(in_flight)
        late = Gauge(
            "looktwice_inspections_waiting", "Inspections that wait for the history.", registry=self.registry
        )
        late.set_function(unkept)
        for name, said, count in (
            ("stuck_workers", "Decoding processes and threads that are at one thing for too long.", stuck),
            ("decoding_pictures", "Pictures in decoding processes.", decoding),
            ("decoding_given_up", "Pictures that took too long to decode, since the start.", given_up),
            ("drifted_streams", "Streams of parts whose product's limits have stopped fitting.", drifted),
        ):
            Gauge(f"looktwice_{name}", said, registry=self.registry).set_function(count)

    def note_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self.requests.labels(route, method if method in METHODS else "other", str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def note_picture(self, verdict: str) -> None:
        """Count a picture: good, review, defect, unrated or error."""
        self.pictures.labels(verdict).inc()

    def note_sign_off(self, verdict: str, decision: str) -> None:
        """Count a sign-off: good or defect, or that one was withdrawn."""
        self.signed.labels(verdict, decision).inc()

    def note_gathered(self, count: int) -> None:
        """Count the pictures of one call of the inspector."""
        self.gathered.observe(count)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)
