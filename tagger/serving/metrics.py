"""Count requests and texts for Prometheus. The only module that imports prometheus_client."""

from __future__ import annotations

import os

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

CONTENT_TYPE = CONTENT_TYPE_LATEST
FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the variable that names the folder which worker processes share
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """Counts of one process, added up over all worker processes when read."""

    def __init__(self) -> None:
        self._registry = own = CollectorRegistry()
        labels = ["path", "status"]
        self.requests = Counter("tagger_requests", "Requests by path and status.", labels, registry=own)
        self.seconds = Histogram(
            "tagger_request_seconds", "Seconds of a request.", ["path"], buckets=_SECONDS, registry=own
        )
        self.open = Gauge("tagger_open_requests", "Requests being answered.", multiprocess_mode="livesum", registry=own)
        self.texts = Counter("tagger_texts", "Texts tagged.", ["model"], registry=own)
        self.characters = Counter("tagger_characters", "Characters of the texts tagged.", ["model"], registry=own)
        self.batches = Histogram(
            "tagger_batch_texts", "Texts tagged together.", ["model"], buckets=_TEXTS, registry=own
        )

    def text(self) -> bytes:
        """Return the counts in Prometheus's format."""
        if FOLDER not in os.environ:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
        return generate_latest(registry)
