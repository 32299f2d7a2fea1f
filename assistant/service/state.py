"""What all requests to one service share: the inspector, its products, the queue, the records and the counters."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from assistant.inspector import Inspector
from assistant.products.live_store import LiveProducts
from assistant.service.answering import Answerer
from assistant.service.gathering import Gatherer
from assistant.service.keys import KeyRing
from assistant.service.metrics import Metrics
from assistant.service.quotas import CallerRates, InFlight
from assistant.service.records import HistoryRecords, MemoryRecords, Records
from assistant.service.settings import ServiceSettings


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
        self.metrics = Metrics(lambda: self.gatherer.waiting, lambda: self.in_flight.requests, self._count_waiting)
        # looking into records that may be slow holds up nobody but those who ask for them
        self.reading_threads = ThreadPoolExecutor(4, thread_name_prefix="look-up")
        # products change one after the other
        self.changing_thread = ThreadPoolExecutor(1, thread_name_prefix="teach")

    def _count_waiting(self) -> int:
        return len(self.records.outbox.rows()) if isinstance(self.records, HistoryRecords) else 0

    def drain(self) -> None:
        """Take no new requests; those in flight go on."""
        self.stopping = True

    def close(self) -> None:
        """End the threads, once what they do is done."""
        self.drain()
        self.gatherer.stop()
        self.changing_thread.shutdown(cancel_futures=True)
        self.reading_threads.shutdown(wait=False, cancel_futures=True)
        if close := getattr(self.records, "close", None):
            close()
