"""A process that does jobs of kinds that tests know, as the service does those of its own.

`python -m tests.support.job_worker`, settings from the environment. Each attempt leaves a row in
`public.ran`, in the transaction that finishes the job. SIGTERM stops it as it stops the service.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from service.app import pool_options
from service.database.pool import Pool
from service.database.queries import Query, load
from service.database.session import Engine
from service.jobs.background import Background
from service.jobs.leader import Periodic
from service.jobs.queue import Attempt, GiveUp, Kind
from service.settings import Settings
from service.settings import load as load_settings
from tests.support.server import SQL_DIR

TABLES = """
CREATE TABLE public.ran (
    job uuid NOT NULL, attempt integer NOT NULL, word text NOT NULL, pid integer NOT NULL,
    user_id text, request_id text, actor text);
GRANT SELECT, INSERT ON public.ran TO quarry_app;
"""
_RAN = """\
-- name: t.ran :affected
-- What an attempt did.
-- param: job uuid
-- param: attempt int
-- param: word text
-- param: pid int
INSERT INTO public.ran AS r (job, attempt, word, pid, user_id, request_id, actor)
VALUES (:job, :attempt, :word, :pid, current_setting('app.user_id'),
        current_setting('app.request_id'), current_setting('app.actor'))
"""


def queries() -> dict[str, Query]:
    """The project's queries, and the one by which an attempt leaves its mark."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "t").mkdir()
        (Path(folder) / "t" / "ran.sql").write_text(_RAN)
        return load(SQL_DIR) | load(Path(folder))


async def mark(attempt: Attempt, word: str) -> None:
    """Store that the attempt was made, and finish the job with it."""
    db = attempt.session()
    async with db.transaction():
        await db.execute(
            "t.ran", job=attempt.job_id, attempt=attempt.number, word=word, pid=os.getpid()
        )  # type: ignore[arg-type]
        await attempt.finish(db)


async def count(attempt: Attempt) -> None:
    """Done at once."""
    await mark(attempt, "count")


async def slow(attempt: Attempt) -> None:
    """Done after args.seconds, in the first attempt; then at once."""
    if attempt.number == 1:
        steps = 50
        for step in range(steps):
            await attempt.progress(100 * step / steps)
            await asyncio.sleep(attempt.args["seconds"] / steps)
    await mark(attempt, "slow")


async def refuse(_attempt: Attempt) -> None:
    """Given up in the first attempt."""
    raise GiveUp("this will never do")


KINDS: Mapping[str, Kind] = {"count": Kind(count), "slow": Kind(slow), "refuse": Kind(refuse)}


async def main(settings: Settings) -> None:
    """Work until SIGTERM."""
    told = asyncio.Event()
    front = Pool(pool_options(settings))
    ticks: list[Periodic] = []

    async def tick() -> Mapping[str, int]:
        return {"ticks": 1}

    if os.environ.get("TICK"):
        ticks.append(Periodic("tick", float(os.environ["TICK"]), tick))
    background = Background(
        settings, pool_options(settings), Engine(front, queries()), KINDS, lambda _: ticks
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    await background.start()
    print(f"works {os.getpid()}", flush=True)
    await told.wait()
    await background.stop()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(load_settings()))
