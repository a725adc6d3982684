"""`quarry import`: an inventory file through a running service, from the upload to its assets."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, NoReturn
from urllib.parse import quote, urlencode, urlsplit
from uuid import UUID

import orjson
import typer
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)

from service.cli.bootstrap import KEY_FILE
from service.cli.database import settings
from service.cli.output import FOUND, Json, fail, print_json, print_table, say, stderr

_CHUNK = 256 * 1024
_SECONDS = 60.0  # one answer at most; that of an upload comes when all rows are in
_UPLOAD_SECONDS = 3600.0
_PAUSE = 0.5  # between two looks at a flow
_INTERRUPTED = 130  # as shells have it: 128 + SIGINT
_STUBBORN = 20  # looks in a row that may fail: the service may be restarting
_ENDED = ("completed", "failed", "cancelled", "archived")
_HINTS = {
    401: "Is the key right? It is QUARRY_KEY, or what --key-file holds.",
    403: "The key may not do this: it takes the scope discovery:write.",
    404: "Is the project's id right, and may the key see it?",
}
_MEDIA_TYPES = {".json": "application/json", ".jsonl": "application/x-ndjson",
                ".ndjson": "application/x-ndjson"}  # fmt: skip

Answer = dict[str, Any]


def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True,
                                         help="CSV, a JSON array, or JSON Lines.")],
    project: Annotated[UUID, typer.Option(help="The project's id.")],
    name: Annotated[str | None, typer.Option(help="What to call it; else the file's name.")] = None,
    category: Annotated[str | None, typer.Option(
        help="cmdb_export, app_discovery, infrastructure or sensitive_data.")] = None,
    source: Annotated[str | None, typer.Option(help="Where it was exported from.")] = None,
    approve_all: Annotated[bool, typer.Option(
        "--approve-all", help="Approve every suggested mapping and go on.")] = False,
    follow: Annotated[bool, typer.Option(
        "--follow", help="Stay until the flow has ended, or waits for somebody.")] = False,
    url: Annotated[str | None, typer.Option(
        envvar="QUARRY_URL", help="Of the service; else the one that the settings name.")] = None,
    key_file: Annotated[Path | None, typer.Option(
        help="Holds the API key; else QUARRY_KEY, else the key of `serve --dev`.")] = None,
    key: Annotated[str | None, typer.Option(envvar="QUARRY_KEY", hidden=True)] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Upload an inventory to a running service. Exit 1 when it is refused, or its flow fails or
    waits for a decision; 2 when the service cannot be reached."""
    service = _Service(url or _own_url(), _key(key, key_file))
    told = {"name": name or file.name[:255], "category": category, "source_system": source}
    made: Answer | None = None
    try:
        with _progress() as bar:
            made, is_new = service.upload(file, str(project), told, bar)
            if not is_new:
                say("the project has this file already: this is its import")
            flow: Answer | None = None
            if approve_all or follow:
                watch = _Watch(service, made, bar)
                flow = watch.until_it_stays()
                if approve_all and _at_gate(flow):
                    watch.approve()
                    flow = watch.until_it_stays() if follow else service.flow(made)
        _tell(service, made, flow, as_json)
    except KeyboardInterrupt:
        say(_broken_off(made))
        raise typer.Exit(_INTERRUPTED) from None


def _broken_off(made: Answer | None) -> str:
    if made is None:
        return "\nstopped: of an upload that breaks off nothing is kept"
    return (f"\nstopped looking: import {made['id']} goes on in the service, flow"
            f" {made['master_flow_id']}; the same command finds it again")  # fmt: skip


def _own_url() -> str:
    config = settings()
    host = f"[{config.host}]" if ":" in config.host else config.host
    return f"http://{host}:{config.port}"


def _key(key: str | None, key_file: Path | None) -> str:
    where, found = Path(), (key or "").strip()
    if not found or key_file is not None:
        where = settings().data_dir / KEY_FILE if key_file is None else key_file
        try:
            found = where.read_text(errors="replace").strip()
        except OSError as error:
            fail(f"no API key: set QUARRY_KEY or give --key-file ({error.strerror}: {where})")
    if not (found and found.isascii() and found.isprintable()):
        fail(f"{'QUARRY_KEY' if where == Path() else where} holds no API key")
    return found


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[note]}"), TimeElapsedColumn(), console=stderr,
    )  # fmt: skip


def _stays(flow: Answer) -> bool:
    """Whether nothing more happens until somebody does something."""
    return flow["status"] in (*_ENDED, "paused", "waiting_for_approval")


def _at_gate(flow: Answer) -> bool:
    return (flow["status"], flow["current_phase"]) == ("waiting_for_approval", "mapping")


class _Service:
    """Calls of a running service with one key. Leaves the command with 1 on a refusal, 2 when the
    service does not answer."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            fail(f"{url} is no URL of a service: http://HOST:PORT")
        self._url = url
        self._parts = parts
        self._headers = {"Authorization": f"Bearer {key}", "Accept": "application/json"}

    def _link(self, timeout: float) -> http.client.HTTPConnection:
        kind: type[http.client.HTTPConnection] = http.client.HTTPConnection
        if self._parts.scheme == "https":
            kind = http.client.HTTPSConnection
        assert self._parts.hostname is not None  # noqa: S101  (__init__ made sure)
        return kind(self._parts.hostname, self._parts.port, timeout=timeout)

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Answer]:
        """The status and the JSON of one call. Raises OSError, http.client.HTTPException."""
        link = self._link(_SECONDS)
        try:
            sent = None if body is None else orjson.dumps(body)
            headers = self._headers if sent is None else self._headers | {
                "Content-Type": "application/json"}  # fmt: skip
            link.request(method, self._parts.path.rstrip("/") + path, sent, headers)
            return _read(link.getresponse())
        finally:
            link.close()

    def must(self, method: str, path: str, body: object = None) -> Answer:
        """The JSON of a call that has to succeed."""
        try:
            status, answer = self.ask(method, path, body)
        except (OSError, http.client.HTTPException) as error:
            self._unreachable(error)
        if status >= 400:
            fail(_refusal(status, answer), FOUND)
        return answer

    def flow(self, made: Answer) -> Answer:
        """The flow of an import, however often the service does not answer at first."""
        path = f"/projects/{made['project_id']}/flows/{made['master_flow_id']}"
        for left in range(_STUBBORN, -1, -1):
            try:
                status, answer = self.ask("GET", path)
            except (OSError, http.client.HTTPException) as error:
                if not left:
                    self._unreachable(error)
            else:
                if status < 500 or not left:
                    if status != 200:
                        fail(_refusal(status, answer), FOUND)
                    return answer
            time.sleep(_PAUSE)
        raise AssertionError("unreachable")

    def upload(
        self, file: Path, project: str, told: dict[str, str | None], bar: Progress
    ) -> tuple[Answer, bool]:
        """The import that the file became, and whether it is a new one."""
        asked = urlencode({name: value for name, value in told.items() if value is not None},
                          quote_via=quote)  # fmt: skip
        size = file.stat().st_size
        headers = self._headers | {
            "Content-Type": _MEDIA_TYPES.get(file.suffix.lower(), "text/csv"),
            "Content-Length": str(size),
        }
        task = bar.add_task("upload", total=max(size, 1), note="")
        link = self._link(_UPLOAD_SECONDS)
        path = f"{self._parts.path.rstrip('/')}/projects/{project}/imports?{asked}"
        try:
            # refused before all of it was sent: the answer says why
            with suppress(BrokenPipeError, ConnectionResetError):
                link.request("POST", path, _pieces(file, bar, task), headers)
            bar.update(task, note="the service loads the rows")
            status, answer = _read(link.getresponse())
        except (OSError, http.client.HTTPException) as error:
            self._unreachable(error)
        finally:
            link.close()
        if status not in (200, 202):
            bar.update(task, note="refused")
            bar.stop()
            fail(_refusal(status, answer), FOUND)
        bar.update(task, completed=max(size, 1), note=f"{answer['loaded_rows']} rows")
        return answer, status != 200

    def _unreachable(self, error: Exception) -> NoReturn:
        fail(f"{self._url} does not answer: {error or type(error).__name__}. Does the service run?")


def _pieces(file: Path, bar: Progress, task: Any) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while piece := opened.read(_CHUNK):
            yield piece
            bar.advance(task, len(piece))


def _read(response: http.client.HTTPResponse) -> tuple[int, Answer]:
    body = response.read()
    try:
        found = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError:
        raise http.client.HTTPException("what answers is no Quarry") from None
    return response.status, found if isinstance(found, dict) else {}


def _refusal(status: int, answer: Answer) -> str:
    """What a problem document says, in one line, and what to look at."""
    errors = "; ".join(f"{e['pointer']}: {e['detail']}" for e in answer.get("errors", []))
    told = " ".join(filter(None, (f"{status}", errors or answer.get("detail"))))
    return f"{told} {_HINTS[status]}" if status in _HINTS else told


class _Watch:
    """A flow as it goes through its phases, beside a bar."""

    def __init__(self, service: _Service, made: Answer, bar: Progress) -> None:
        self._service = service
        self._made = made
        self._bar = bar
        self._task = bar.add_task("flow", total=100, note="")

    def until_it_stays(self) -> Answer:
        """The flow once it has ended or waits for somebody."""
        while True:
            flow = self._service.flow(self._made)
            note = f"{flow['current_phase']}, {flow['status']}"
            self._bar.update(self._task, completed=flow["progress"], note=note)
            if _stays(flow):
                return flow
            time.sleep(_PAUSE)

    def approve(self) -> None:
        """Approve the suggested mappings and let the flow go on."""
        base = f"/projects/{self._made['project_id']}"
        path = f"{base}/imports/{self._made['id']}/mappings"
        wanted = []
        for one in self._service.must("GET", path)["mappings"]:
            if one["status"] == "suggested":
                kept = {"source_field": one["source_field"], "target_field": one["target_field"],
                        "status": "approved"}  # fmt: skip
                if one["transformation"] is not None:
                    kept["transformation"] = one["transformation"]
                wanted.append(kept)
        if wanted:
            self._service.must("PUT", path, {"mappings": wanted})
        self._service.must("POST", f"{base}/flows/{self._made['master_flow_id']}/resume")


def _tell(service: _Service, made: Answer, flow: Answer | None, as_json: bool) -> None:
    """The outcome on stdout; the exit code."""
    if flow is not None:
        path = f"/projects/{made['project_id']}"
        made = service.must("GET", f"{path}/imports/{made['id']}")
    if as_json:
        print_json(made if flow is None else made | {"flow": flow})
    else:
        shown = {"import": made["id"], "flow": made["master_flow_id"],
                 "rows": made["loaded_rows"], "status": made["status"]}  # fmt: skip
        if flow is not None:
            shown |= {"status": flow["status"], "phase": flow["current_phase"],
                      "progress": flow["progress"]}  # fmt: skip
        print_table(tuple(shown), [shown])
    if flow is None or flow["status"] in ("completed", "running"):
        return
    why = f": {flow['reason']}" if flow.get("reason") else "."
    fail(f"the flow is {flow['status']} in {flow['current_phase']}{why}{_remedy(flow)}", FOUND)


def _remedy(flow: Answer) -> str:
    """What lets a flow go on that does not."""
    where = f"/projects/{flow['project_id']}"
    resume = f"POST {where}/flows/{flow['id']}/resume"
    if _at_gate(flow):
        return (f" Approve mappings (--approve-all, or PUT {where}/imports/{flow['data_import_id']}"
                f"/mappings), then {resume}.")  # fmt: skip
    if flow["status"] == "waiting_for_approval":
        return f" Resolve them (POST {where}/conflicts/resolve), then {resume}."
    if flow["status"] == "failed":
        return f" Once its cause is gone: POST {where}/flows/{flow['id']}/retry."
    return f" To go on: {resume}." if flow["status"] == "paused" else ""
