"""All that one app shares between its requests."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from assistant.inspector import Inspector
from assistant.products.live_store import Shelf
from assistant.service.answering import Speaker
from assistant.service.gathering import Batcher
from assistant.service.keys import KeyRing
from assistant.service.metrics import Metrics
from assistant.service.quotas import Load, Rates
from assistant.service.records import MemoryRecords, Records
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
        self.load = Load(settings.most_requests, settings.most_bytes_together)
        self.rates = Rates(settings.rate, settings.burst)
        self.shelf = Shelf(inspector)
        self.speaker = Speaker(inspector)
        self.stopping = False
        self.batcher = Batcher(
            inspector,
            most=settings.batch,
            wait=settings.wait_ms / 1000 if settings.batch > 1 else 0.0,
            queue=settings.queue,
            threads=settings.threads,
            tell=lambda count: self.metrics.note_batch(count),
        )
        self.metrics = Metrics(lambda: self.batcher.waiting, lambda: self.load.requests)
        self.teacher = ThreadPoolExecutor(1, thread_name_prefix="teach")  # changes come one after the other

    def drain(self) -> None:
        """Take no new requests; those in flight go on."""
        self.stopping = True

    def close(self) -> None:
        """End the threads, once what they do is done."""
        self.drain()
        self.batcher.stop()
        self.teacher.shutdown(cancel_futures=True)
