"""Measure the server under load: requests per second and latencies, at several numbers of clients. Loopback only.

    python scripts/load_test.py                              # 1, 8 and 64 clients, en-ner, single sentences
    python scripts/load_test.py --peer spacy                 # and a spaCy pipeline behind the same server
    python scripts/load_test.py --requests 100000 --clients 8    # errors, and growth of memory

The server is a process of its own on this machine; nothing else is asked. The clients are threads of this process, with
one connection each: they need a core too, so that figures on two cores are those of server and clients together. On a
busy machine rates and latencies are those of the scheduler; the CPU time of the server's process is not.

The spaCy pipeline has the size of en_core_web_sm (its embedding and encoder, an entity recogniser), with random
weights: its speed is that of a trained one, its entities are not. Needs the extras `serve` and, for the peer, `spacy`.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tagger.corpus.document import Document
from tagger.corpus.sentence import Sentence
from tagger.files import shipped_folder, written_whole

MOST_SECONDS = 600  # of a measurement, whatever was asked for
_LABELS = ("PER", "LOC", "ORG", "MISC")


class SpacyTagger:
    """A spaCy pipeline of the size of en_core_web_sm, with the interface of a tagger."""

    labels, plain, language, tokenizer, engine = list(_LABELS), False, "en", "whitespace", None

    def __init__(self) -> None:
        import spacy

        self._nlp = spacy.blank("en")
        tok2vec = {
            "@architectures": "spacy.Tok2Vec.v2",
            "embed": {
                "@architectures": "spacy.MultiHashEmbed.v2",
                "width": 96,
                "attrs": ["NORM", "PREFIX", "SUFFIX", "SHAPE", "SPACY", "IS_SPACE"],
                "rows": [5000, 1000, 2500, 2500, 50, 50],
                "include_static_vectors": False,
            },
            "encode": {
                "@architectures": "spacy.MaxoutWindowEncoder.v2",
                "width": 96, "depth": 4, "window_size": 1, "maxout_pieces": 3,
            },
        }  # fmt: skip
        model = {
            "@architectures": "spacy.TransitionBasedParser.v2",
            "state_type": "ner", "extra_state_tokens": False, "hidden_width": 64, "maxout_pieces": 2, "use_upper": True,
            "tok2vec": tok2vec,
        }  # fmt: skip
        recogniser = self._nlp.add_pipe("ner", config={"model": model})
        for label in _LABELS:
            recogniser.add_label(label)
        self._nlp.initialize()

    def pipe(self, texts: Iterable[str], *, scores: bool = False, n_best: int = 0) -> Iterator[Document]:
        """Yield a document for each text."""
        for doc in self._nlp.pipe(texts):
            tokens = [token.text for token in doc]
            tags = [f"{token.ent_iob_}-{token.ent_type_}" if token.ent_type_ else "O" for token in doc]
            offsets = [(token.idx, token.idx + len(token)) for token in doc]
            yield Document(doc.text, [Sentence(tokens, tags, doc.text, offsets)] if tokens else [])


def serve_peer() -> None:
    """Serve the spaCy pipeline in this process, with the server's own code."""
    from tagger.serving import models, server
    from tagger.serving.settings import ServeSettings

    vars(models)["load"] = lambda path, **_: SpacyTagger()
    settings = ServeSettings(models=[("spacy", "spacy")], port=0)
    server.serve(settings, lambda address: print(f"peer: spacy at {address} (peer)", file=sys.stderr, flush=True))


def start(command: Sequence[str]) -> tuple[subprocess.Popen[str], int]:
    """Start a server; returns it with its port."""
    process = subprocess.Popen([sys.executable, *command], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if " at http://127.0.0.1:" in line:
            return process, int(line.partition("http://127.0.0.1:")[2].partition(" ")[0])
    raise SystemExit("load_test.py: the server did not start")


def sentences(count: int) -> list[str]:
    """Return texts of one sentence each, from the bundled corpus."""
    text = (shipped_folder("data") / "starter" / "test.conll").read_text(encoding="utf-8")
    blocks = [block.splitlines() for block in text.split("\n\n")]
    found = [" ".join(line.split()[0] for line in block if line and not line.startswith("#")) for block in blocks]
    found = [one for one in found if one and "-DOCSTART-" not in one]
    return [found[number % len(found)] for number in range(count)]


class Client(threading.Thread):
    """Sends requests one after the other on one connection."""

    def __init__(self, port: int, bodies: Sequence[bytes], until: float) -> None:
        super().__init__()
        self._port, self._bodies, self._until = port, bodies, until
        self.seconds: list[float] = []
        self.failed = 0

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        headers = {"Content-Type": "application/json"}
        for body in self._bodies:
            began = time.perf_counter()
            if began > self._until:
                break
            try:
                connection.request("POST", "/tag", body, headers)
                answer = connection.getresponse()
                content = answer.read()
                if answer.status != 200 or b'"documents"' not in content:
                    self.failed += 1
            except (OSError, http.client.HTTPException):
                self.failed += 1
                connection.close()
            self.seconds.append(time.perf_counter() - began)
        connection.close()


def measure(port: int, clients: int, requests: int, seconds: float) -> dict[str, Any]:
    """Send requests from several clients; returns their number, rate, latencies in milliseconds, and failures."""
    bodies = [json.dumps({"text": text, "scores": True}).encode() for text in sentences(requests)]
    until = time.perf_counter() + min(seconds, MOST_SECONDS)
    threads = [Client(port, bodies[number::clients], until) for number in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    latencies = sorted(1000 * one for thread in threads for one in thread.seconds)
    cuts = statistics.quantiles(latencies, n=100, method="inclusive") if len(latencies) > 1 else latencies * 99
    return {
        "clients": clients,
        "requests": len(latencies),
        "failed": sum(thread.failed for thread in threads),
        "requests_per_second": round(len(latencies) / took, 1),
        "p50_ms": round(cuts[49], 2),
        "p95_ms": round(cuts[94], 2),
        "p99_ms": round(cuts[98], 2),
    }


def memory_of(process: int) -> int | None:
    """Return the resident bytes of a process; None where the system does not say."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS")), None)


def cpu_seconds_of(process: int) -> float | None:
    """Return the CPU time of a process in seconds; None where the system does not say."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Measure, print a table, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="en-ner")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--requests", type=int, default=2000, help="of each measurement; default: 2000")
    parser.add_argument("--seconds", type=float, default=60, help=f"of each, at most {MOST_SECONDS}; default: 60")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--peer", choices=["spacy"])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--serve-peer", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve_peer:
        serve_peer()
        return 0
    own = ["-m", "tagger", "serve", "--port", "0", "--model", given.model, "--workers", str(given.workers)]
    systems = {"tagger": own} | ({"spacy": [__file__, "--serve-peer"]} if given.peer else {})
    rows: list[dict[str, Any]] = []
    for system, command in systems.items():
        process, port = start(command)
        try:
            measure(port, 1, 200, given.seconds)  # warm caches
            before = memory_of(process.pid)
            for clients in given.clients:
                used = cpu_seconds_of(process.pid)
                rows.append({"system": system, **measure(port, clients, given.requests, given.seconds)})
                after, then = memory_of(process.pid), cpu_seconds_of(process.pid)
                if used is not None and then is not None:  # tells more than the clock on a busy machine
                    rows[-1]["server_cpu_ms"] = round(1000 * (then - used) / rows[-1]["requests"], 3)
                rows[-1]["memory_growth"] = None if not before or not after else round(after / before - 1, 4)
                print(json.dumps(rows[-1]), flush=True)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    if given.json:
        about = {"model": given.model, "workers": given.workers, "cpus": os.cpu_count(), "load": os.getloadavg()}
        with written_whole(given.json) as stream:
            json.dump({"about": about, "rows": rows}, stream, indent=1)
    return int(any(row["failed"] for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
