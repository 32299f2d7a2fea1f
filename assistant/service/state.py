"""What all requests to one service share: the inspector, its products, the queue, the records and the counters."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from assistant.images.decoders import DECODERS
from assistant.inspector import Inspector
from assistant.products.live_store import LiveProducts
from assistant.records.drift import DriftWatch
from assistant.service.answering import Answerer
from assistant.service.gathering import Gatherer
from assistant.service.keys import KeyRing
from assistant.service.metrics import Metrics
from assistant.service.quotas import CallerRates, InFlight
from assistant.service.records import HistoryRecords, MemoryRecords, Records
from assistant.service.settings import ServiceSettings

STUCK_SECONDS = 60.0
"""A thread that inspects pictures together for so long is stuck."""


class Service:
    """One inspector with its queue, products, records, keys and counters; `keys` None asks for no key."""

    def __init__(
        self,
        inspector: Inspector,
        settings: ServiceSettings,
        *,
        keys: KeyRing | None = None,
        records: Records | None = None,
    ) -> None:
        self.inspector, self.settings, self.keys = inspector, settings, keys
        self.records: Records = records or MemoryRecords(settings.kept)
        self.drift = DriftWatch(self.records.history if isinstance(self.records, HistoryRecords) else None)
        self.in_flight = InFlight(settings.most_requests, settings.most_bytes_together, settings.most_bytes)
        self.rates = CallerRates(settings.rate, settings.burst)
        self.products = LiveProducts(inspector.store, inspector.load)
        self.answerer = Answerer(inspector)
        self.stopping = False
        self.gatherer = Gatherer(
            inspector,
            most=settings.most_gathered,
            wait=settings.wait_ms / 1000 if settings.most_gathered > 1 else 0.0,
            queue=settings.queue,
            threads=settings.threads,
            tell=lambda count: self.metrics.note_gathered(count),
        )
        # pictures of one request that are compared with each other, beside those that wait for nobody
        self.comparer = Gatherer(
            inspector, most=1, wait=0.0, queue=settings.queue, tell=lambda count: self.metrics.note_gathered(count)
        )
        self.metrics = Metrics(
            lambda: self.gatherer.waiting + self.comparer.waiting,
            lambda: self.in_flight.requests,
            self._count_waiting,
            lambda: self.stuck,
            lambda: DECODERS.busy,
            lambda: DECODERS.ended,
            lambda: self.drift.alarms,
        )
        # looking into records that may be slow holds up nobody but those who ask for them
        self.reading_threads = ThreadPoolExecutor(4, thread_name_prefix="look-up")
        # products change one after the other
        self.changing_thread = ThreadPoolExecutor(1, thread_name_prefix="teach")

    def _count_waiting(self) -> int:
        return len(self.records.outbox.rows()) if isinstance(self.records, HistoryRecords) else 0

    @property
    def stuck(self) -> int:
        """Workers that have been at one thing for too long: processes that decode, threads that inspect."""
        return DECODERS.slow() + self.gatherer.slow(STUCK_SECONDS) + self.comparer.slow(STUCK_SECONDS)

    def drain(self) -> None:
        """Take no new requests; those in flight go on."""
        self.stopping = True

    def close(self) -> None:
        """End the threads, once what they do is done."""
        self.drain()
        DECODERS.stop()
        self.gatherer.stop()
        self.comparer.stop()
        self.changing_thread.shutdown(cancel_futures=True)
        self.reading_threads.shutdown(wait=False, cancel_futures=True)
        if close := getattr(self.records, "close", None):
            close()
