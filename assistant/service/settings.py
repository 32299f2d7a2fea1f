"""The settings of the service: how much it takes at once, how fast, and from where."""

from __future__ import annotations

from dataclasses import dataclass

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class ServiceSettings:
    """Limits of the service; ValueError for one that makes no sense.

    `most_gathered`: pictures of all requests that are inspected together at most, gathered for `wait_ms`
    milliseconds by `threads` threads; 1 inspects each by itself. `queue`: pictures that may wait. `most_pictures`
    and `most_bytes` are those of one request, `most_requests` and `most_bytes_together` those of all in flight, of
    which one key takes at most half of what the others leave. `head_seconds`: how long the head of a request may
    take to arrive, and `body_seconds` its body, which may never lag more than `lag_seconds` behind `least_rate`
    bytes a second. `rate` and `burst`: requests a second for each key, and how many at once. `grace_seconds`: how
    long requests in flight may take once the service is to stop, `records_seconds`: how long looking into records
    may. `decode_seconds`: how long one picture may be decoded, by default as the environment's
    `LOOKTWICE_DECODE_SECONDS` says, or 10. `hosts`: names under which it may be addressed, any where empty.
    `origins`: pages of other sites that may call it. `kept`: inspections that are remembered where no other
    records are given.
    """

    most_gathered: int = 8
    wait_ms: float = 10.0
    threads: int = 1
    queue: int = 256
    most_pictures: int = 32
    most_bytes: int = 64_000_000
    most_bytes_together: int = 512_000_000
    most_requests: int = 128
    head_seconds: float = 5.0
    body_seconds: float = 60.0
    lag_seconds: float = 5.0
    least_rate: float = 64_000.0
    rate: float = 100.0
    burst: int = 200
    grace_seconds: float = 30.0
    records_seconds: float = 5.0
    decode_seconds: float | None = None
    hosts: tuple[str, ...] = LOOPBACK
    origins: tuple[str, ...] = ()
    kept: int = 1000

    def __post_init__(self) -> None:
        for name in (
            "most_gathered",
            "threads",
            "queue",
            "most_pictures",
            "most_bytes",
            "most_requests",
            "burst",
            "kept",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, which lets nothing through")
        times = (self.head_seconds, self.body_seconds, self.lag_seconds, self.grace_seconds, self.records_seconds)
        if self.decode_seconds is not None and self.decode_seconds <= 0:
            raise ValueError(f"decode_seconds is {self.decode_seconds}, which is no time for a picture")
        if self.wait_ms < 0 or min(self.rate, self.least_rate, *times) <= 0:
            raise ValueError("times and rates are positive")
        if self.queue < self.most_pictures:
            raise ValueError("a request may have more pictures than the queue takes")
        if self.most_bytes_together < self.most_bytes:
            raise ValueError("a single request may be larger than all together")
        if "*" in self.origins:
            raise ValueError("pages of other sites are allowed by name, not all of them")
