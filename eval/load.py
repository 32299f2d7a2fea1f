"""How fast a running service is: `python -m assistant.eval.load http://127.0.0.1:8100 --clients 64 picture.png`.

Each client sends one picture, waits for its row, and sends the next. Given several addresses, such as a service
that gathers requests and one that does not (`looktwice serve --port 8101 --gather 1`), they are measured in turn,
in as many rounds as wanted, so that what else a machine does falls on all of them. It measures what clients see
and knows nothing of what happens inside.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from assistant.errors import LooktwiceError
from assistant.images.sources import shown_name

PATIENCE = 120.0  # seconds that a client waits for an answer


@dataclass
class LoadFigures:
    """What the clients of one service saw: seconds of each answered request, and what went wrong how often."""

    gathering: str
    seconds: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    elapsed: float = 0.0

    def take(self, other: LoadFigures) -> None:
        """Count what was seen in another round too."""
        self.gathering = other.gathering
        self.seconds += other.seconds
        self.errors += other.errors
        self.elapsed += other.elapsed

    @property
    def pictures_a_second(self) -> float:
        """Answered pictures over the time from the first request to the last answer."""
        return len(self.seconds) / self.elapsed if self.elapsed else 0.0

    def quantile(self, share: float) -> float:
        """The time in milliseconds that this share of the requests stayed under; NaN where none was answered."""
        if len(self.seconds) < 2:
            return 1000 * self.seconds[0] if self.seconds else float("nan")
        return 1000 * statistics.quantiles(self.seconds, n=1000, method="inclusive")[round(1000 * share) - 1]


async def measure(
    address: str,
    pictures: Sequence[tuple[str, bytes]],
    *,
    clients: int,
    seconds: float,
    key: str | None = None,
    product: str | None = None,
) -> LoadFigures:
    """Let `clients` ask a service for `seconds`, each with the pictures (name, file) in turn."""
    import httpx2

    headers = {"Authorization": f"Bearer {key}"} if key else {}
    limits = httpx2.Limits(max_connections=clients, max_keepalive_connections=clients)
    async with httpx2.AsyncClient(
        base_url=address, headers=headers, limits=limits, timeout=PATIENCE, trust_env=False
    ) as client:
        tally = LoadFigures(await _gathering(client, address))
        await _send(client, pictures[0], product, LoadFigures(""))  # the first one warms the service up
        start = time.perf_counter()
        until = start + seconds
        await asyncio.gather(*(_ask(client, pictures, i, product, until, tally) for i in range(clients)))
        tally.elapsed = time.perf_counter() - start
    return tally


async def _ask(
    client: Any,
    pictures: Sequence[tuple[str, bytes]],
    turn: int,
    product: str | None,
    until: float,
    tally: LoadFigures,
) -> None:
    while time.perf_counter() < until:
        await _send(client, pictures[turn % len(pictures)], product, tally)
        turn += 1


async def _send(client: Any, picture: tuple[str, bytes], product: str | None, tally: LoadFigures) -> None:
    import httpx2

    start = time.perf_counter()
    fields = {"product": product} if product else {}
    try:
        answer = await client.post("/v1/inspect", files={"pictures": picture}, data=fields)
    except httpx2.HTTPError as error:
        tally.errors[type(error).__name__] += 1
        return
    if answer.status_code != 200:
        tally.errors[f"status {answer.status_code}"] += 1
    elif (row := answer.json()["inspections"][0])["status"] != "ok":
        tally.errors["error row"] += 1
    elif row["path"] != picture[0]:
        tally.errors["somebody else's row"] += 1
    else:
        tally.seconds.append(time.perf_counter() - start)


async def _gathering(client: Any, address: str) -> str:
    """How the service gathers pictures, in its own words; LooktwiceError where it does not answer."""
    import httpx2

    try:
        answer = await client.get("/v1/version")
    except httpx2.HTTPError as error:
        raise LooktwiceError(f"No service answers at {address}.") from error
    if answer.status_code != 200:
        raise LooktwiceError(
            f"The service at {address} answers with status {answer.status_code}; is the key valid?"
        )
    row = answer.json()
    return "off" if row["batch"] == 1 else f"up to {row['batch']}, {row['wait_ms']:g} ms"


def print_tallies(tallies: Sequence[LoadFigures], clients: int) -> None:
    """A row for each service."""
    columns = ("gathered requests", "pictures", "errors", "p50 ms", "p95 ms", "p99 ms", "pictures a second")
    table = Table(*columns, title=f"{clients} clients at once")
    for tally in tallies:
        table.add_row(
            tally.gathering,
            str(len(tally.seconds)),
            ", ".join(f"{count} {what}" for what, count in tally.errors.items()) or "0",
            *(f"{tally.quantile(share):.0f}" for share in (0.5, 0.95, 0.99)),
            f"{tally.pictures_a_second:.1f}",
        )
    Console().print(table)


def main(
    targets: Annotated[list[str], typer.Argument(help="Addresses of services, and picture files.")],
    clients: Annotated[int, typer.Option(min=1)] = 64,
    seconds: Annotated[float, typer.Option(min=0.1, help="For each service, all rounds together.")] = 60.0,
    rounds: Annotated[int, typer.Option(min=1, help="The services take turns so often.")] = 1,
    product: Annotated[str | None, typer.Option(help="A product that the services know.")] = None,
    key: Annotated[str | None, typer.Option(help="By default $LOOKTWICE_KEY.")] = None,
) -> None:
    """Measure services under load."""
    addresses = [target for target in targets if target.startswith(("http://", "https://"))]
    paths = [Path(target) for target in targets if target not in addresses]
    if not addresses or not paths:
        raise typer.BadParameter("give the address of a service and a picture")
    pictures = [(shown_name(path.name), path.read_bytes()) for path in paths]
    key = key or os.environ.get("LOOKTWICE_KEY")
    tallies = {one: LoadFigures("") for one in addresses}
    for _ in range(rounds):
        for one, tally in tallies.items():
            share = seconds / rounds
            seen = measure(one, pictures, clients=clients, seconds=share, key=key, product=product)
            tally.take(asyncio.run(seen))
    print_tallies(list(tallies.values()), clients)
    raise typer.Exit(1 if any(tally.errors for tally in tallies.values()) else 0)


if __name__ == "__main__":
    typer.run(main)
