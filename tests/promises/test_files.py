"""Files: streamed to the disk, kept once, served in parts, and gone without a rest."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conftest import Served
from tests.promises.assistant import make_conversation, path_of
from tests.promises.helpers import (
    ANY_VERSION,
    Json,
    Tenant,
    absent,
    at_once,
    make_user,
    ok,
    problem,
    walk,
)  # fmt: skip
from tests.support.cluster import Database
from tests.support.server import Server
from tests.support.wait import wait_until

pytestmark = pytest.mark.xdist_group("files")

LIMIT = 8 * 1024 * 1024


@pytest.fixture(scope="module")
def server(module_served: Served, module_database: Database) -> Server:
    return module_served(module_database, upload_max_bytes=LIMIT)


@pytest.fixture
def user(tenant: Tenant) -> str:
    return str(make_user(tenant.client)["id"])


def send(
    client: httpx.Client, user: str, data: bytes, name: str = "a.txt", **fields: Any
) -> httpx.Response:
    file = {"file": (name, data, fields.pop("media_type", "text/plain"))}
    headers = fields.pop("headers", {})
    return client.post("/files", files=file, data={"user_id": user} | fields, headers=headers)


def on_disk(server: Server) -> list[Path]:
    folder = Path(server.environment["QUARRY_DATA_DIR"]) / "files"
    return [path for path in folder.rglob("*") if path.is_file()]


def uploaded(server: Server, made: Json) -> Path:
    return next(path for path in on_disk(server) if path.name == made["stored_name"])


# ---------------------------------------------------------------- uploads


def test_an_upload_is_stored_with_its_hash_and_comes_back(
    server: Server, tenant: Tenant, user: str
) -> None:
    data = os.urandom(3_000_000)
    answer = send(tenant.client, user, data, "ảnh đẹp.png", media_type="image/png")
    made = ok(answer, 201)
    assert (made["size"], made["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert (made["original_name"], made["mime_type"]) == ("ảnh đẹp.png", "image/png")
    assert (made["status"], made["user_id"]) == ("uploaded", user)
    assert answer.headers["location"] == f"/files/{made['id']}"
    assert ok(tenant.client.get(answer.headers["location"])) == made
    assert uploaded(server, made).read_bytes() == data
    content = tenant.client.get(f"/files/{made['id']}/content")
    assert content.content == data
    assert content.headers["etag"] == f'"{made["sha256"]}"'
    assert content.headers["content-type"] == "image/png"
    assert "filename*=UTF-8''%E1%BA%A3nh" in content.headers["content-disposition"]
    known = {"If-None-Match": content.headers["etag"]}
    assert tenant.client.get(f"/files/{made['id']}/content", headers=known).status_code == 304


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 524_288, 524_289])
def test_every_size_comes_back(tenant: Tenant, user: str, size: int) -> None:
    data = os.urandom(size)
    made = ok(send(tenant.client, user, data), 201)
    assert tenant.client.get(f"/files/{made['id']}/content").content == data


def test_parts_of_a_file(tenant: Tenant, user: str) -> None:
    data = bytes(range(256)) * 4
    made = ok(send(tenant.client, user, data), 201)
    path = f"/files/{made['id']}/content"
    for asked, first, last in (
        ("0-9", 0, 9),
        ("1000-", 1000, 1023),
        ("-24", 1000, 1023),
        ("5-5", 5, 5),
    ):
        part = tenant.client.get(path, headers={"Range": f"bytes={asked}"})
        assert part.status_code == 206 and part.content == data[first : last + 1]
        assert part.headers["content-range"] == f"bytes {first}-{last}/1024"
    beyond = tenant.client.get(path, headers={"Range": "bytes=1024-"})
    problem(beyond, 416, "range_not_satisfiable")
    other = {"Range": "bytes=0-9", "If-Range": '"another"'}
    assert tenant.client.get(path, headers=other).content == data


def test_the_same_content_is_kept_once_for_each_user(
    server: Server, tenant: Tenant, user: str
) -> None:
    data = os.urandom(100_000)
    before = len(on_disk(server))
    answers = at_once([lambda: send(tenant.client, user, data)] * 8)
    assert sorted(a.status_code for a in answers) == [200] * 7 + [201]
    assert len({a.json()["id"] for a in answers}) == 1
    assert len(on_disk(server)) == before + 1
    other = make_user(tenant.client)["id"]
    ok(send(tenant.client, other, data), 201)
    assert len(on_disk(server)) == before + 2


def test_a_key_makes_an_upload_safe_to_send_again(tenant: Tenant, user: str) -> None:
    data, headers = os.urandom(3 * 1024 * 1024), {"Idempotency-Key": f"upload-{user}"}
    first = send(tenant.client, user, data, headers=headers)
    again = send(tenant.client, user, data, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content and again.headers["idempotency-replayed"] == "true"
    problem(send(tenant.client, user, data + b"x", headers=headers), 422, "idempotency_mismatch")


def test_what_is_too_large_is_refused_and_leaves_nothing(
    server: Server, tenant: Tenant, user: str
) -> None:
    before = on_disk(server)
    problem(send(tenant.client, user, b"x" * (LIMIT + 1)), 413, "too_large")
    problem(send(tenant.client, user, b"x" * (LIMIT + 1_000_000)), 413, "too_large")
    boundary = {"Content-Type": "multipart/form-data; boundary=b"}

    def endless() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
        for _ in range(LIMIT // 100_000 + 10):
            yield b"x" * 100_000

    problem(tenant.client.post("/files", content=endless(), headers=boundary), 413, "too_large")
    assert ok(send(tenant.client, user, b"y" * LIMIT), 201)["size"] == LIMIT
    assert len(on_disk(server)) == len(before) + 1


def test_whatever_is_wrong_leaves_nothing(server: Server, tenant: Tenant, user: str) -> None:
    before = on_disk(server)
    client, some = tenant.client, b"some"
    file = {"file": ("a.txt", some)}
    problem(client.post("/files", files=file), 422, "validation", "/user_id")
    problem(client.post("/files", files=file, data={"user_id": "x", "a": "b"}), 422, "validation",
            "/user_id", "/a")  # fmt: skip
    problem(send(client, absent(), some), 422, "foreign_key", "/user_id")
    problem(
        send(client, user, some, conversation_id=absent()), 422, "foreign_key", "/conversation_id"
    )
    problem(
        client.post("/files", files={"other": ("a", some)}, data={"user_id": user}),
        422,
        "validation",
    )
    problem(
        client.post("/files", files=[("file", ("a", b"x")), ("file", ("b", b"y"))]),
        422,
        "validation",
    )
    problem(send(client, user, some, "x" * 256), 422, "validation", "/file")
    problem(send(client, user, some, media_type="no media type"), 422, "validation", "/file")
    whole = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nxyz\r\n--b--\r\n'
    )
    for body, kind in (
        (whole[:-6], "b"),
        (b"", "b"),
        (b"nonsense", "b"),
        (whole, "c"),
        (whole, ""),
    ):
        headers = {"Content-Type": f"multipart/form-data; boundary={kind}"}
        problem(client.post("/files", content=body, headers=headers), 400, "malformed_json")
    assert on_disk(server) == before
    assert ok(client.get("/files", params={"user_id": user}))["items"] == []


def test_a_name_is_no_path(server: Server, tenant: Tenant, user: str) -> None:
    for number, name in enumerate(("../../etc/passwd", "C:\\temp\\passwd", "/passwd")):
        made = ok(send(tenant.client, user, b"%d" % number, name), 201)
        assert made["original_name"] == "passwd"
        assert "passwd" not in made["path"]
        assert uploaded(server, made).parent.parent.name == "uploads"


def test_a_client_that_hangs_up_leaves_nothing(server: Server, tenant: Tenant, user: str) -> None:
    before, url = on_disk(server), urlsplit(server.url)
    head = (
        "POST /files HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n"
        f"Authorization: {tenant.client.headers['authorization']}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        '--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
    )
    with socket.create_connection((url.hostname, url.port)) as link:
        link.sendall(head.encode() + b"x" * 2_000_000)
        wait_until(lambda: len(on_disk(server)) == len(before) + 1)
    wait_until(lambda: on_disk(server) == before)


def test_what_a_killed_process_left_is_swept(served: Served, database: Database) -> None:
    server = served(database, stray_file_seconds=0.0)
    client = server.client(server.key())
    user = make_user(client)["id"]
    kept = ok(send(client, user, b"kept"), 201)
    folder = uploaded(server, kept).parent
    server.stop(signal.SIGKILL)
    for name in ("incoming-1.part", "nobody-knows-me"):
        (folder / name).write_bytes(b"x")
    server.restart()
    wait_until(lambda: [p.name for p in on_disk(server)] == [kept["stored_name"]])


# ---------------------------------------------------------------- rows


def test_a_file_elsewhere_is_known_by_its_row(tenant: Tenant, user: str) -> None:
    body = {
        "user_id": user, "original_name": "b.png", "mime_type": "image/png", "size": 2**40,
        "path": "s3://bucket/b.png", "sha256": "ab" * 32, "analysis": {"x": 1.50},
    }  # fmt: skip
    made = ok(tenant.client.post("/files", json=body), 201)
    assert {name: made[name] for name in body} == body and made["stored_name"] is None
    assert ok(tenant.client.post("/files", json=body))["id"] == made["id"]
    problem(tenant.client.get(f"/files/{made['id']}/content"), 409, "conflict")
    for field, wrong in (("sha256", "x"), ("mime_type", "png"), ("size", -1), ("path", "")):
        problem(
            tenant.client.post("/files", json=body | {field: wrong}), 422, "validation", f"/{field}"
        )


def test_processing_ends_once(tenant: Tenant, user: str) -> None:
    first, second = (ok(send(tenant.client, user, data), 201)["id"] for data in (b"1", b"2"))
    done = ok(tenant.client.post(f"/files/{first}/processed", json={"analysis": {"words": 3}}))
    assert (done["status"], done["analysis"]) == ("processed", {"words": 3}) and done[
        "processed_at"
    ]
    failed = ok(tenant.client.post(f"/files/{second}/processed", json={"error": "unreadable"}))
    assert (failed["status"], failed["error"]) == ("failed", "unreadable")
    for body in ({"analysis": {}}, {"error": "again"}):
        for file_id in (first, second):
            problem(tenant.client.post(f"/files/{file_id}/processed", json=body), 409, "conflict")
    for wrong in ({}, {"analysis": {}, "error": "x"}):
        problem(tenant.client.post(f"/files/{first}/processed", json=wrong), 422, "validation")
    found = walk(tenant.client, "/files", user_id=user, status="failed")
    assert [f["id"] for f in found] == [second]


def test_a_deleted_file_is_gone_from_the_disk_and_may_come_again(
    server: Server, tenant: Tenant, user: str
) -> None:
    made = ok(send(tenant.client, user, b"delete me"), 201)
    path, stored = f"/files/{made['id']}", uploaded(server, made)
    assert tenant.client.delete(path).status_code == 204
    assert not stored.exists()
    for answer in (
        tenant.client.get(path),
        tenant.client.get(f"{path}/content"),
        tenant.client.delete(path),
    ):
        problem(answer, 404, "not_found")
    assert ok(send(tenant.client, user, b"delete me"), 201)["id"] != made["id"]


def test_content_that_the_disk_lost_is_gone(server: Server, tenant: Tenant, user: str) -> None:
    made = ok(send(tenant.client, user, b"to be lost"), 201)
    uploaded(server, made).write_bytes(b"short")
    problem(tenant.client.get(f"/files/{made['id']}/content"), 410, "gone")
    uploaded(server, made).unlink()
    problem(tenant.client.get(f"/files/{made['id']}/content"), 410, "gone")


def test_a_purged_conversation_takes_its_files_along(
    server: Server, tenant: Tenant, user: str
) -> None:
    conversation = make_conversation(tenant.client, user)
    made = ok(send(tenant.client, user, b"goes", conversation_id=conversation["id"]), 201)
    kept = ok(send(tenant.client, user, b"stays"), 201)
    stored = uploaded(server, made)
    path = f"/conversations/{conversation['id']}"
    stale = tenant.client.delete(path, params={"purge": "true"}, headers={"If-Match": '"77"'})
    problem(stale, 412, "stale_etag")
    assert stored.exists()
    purge = {"purge": "true"}
    assert tenant.client.delete(path, params=purge, headers=ANY_VERSION).status_code == 204
    assert not stored.exists() and uploaded(server, kept).exists()
    problem(tenant.client.get(f"/files/{made['id']}"), 404, "not_found")


def test_a_message_names_files_of_its_own_user_only(tenant: Tenant, user: str) -> None:
    conversation = make_conversation(tenant.client, user)
    own = ok(send(tenant.client, user, b"own"), 201)["id"]
    other = ok(send(tenant.client, make_user(tenant.client)["id"], b"other"), 201)["id"]
    body = {"role": "user", "content": "look"}
    assert ok(tenant.client.post(path_of(conversation), json=body | {"files": [own]}), 201)[
        "files"
    ] == [own]
    for named in (other, absent()):
        for wrong in (body | {"files": [own, named]}, [body | {"files": [named]}]):
            problem(
                tenant.client.post(path_of(conversation), json=wrong), 422, "foreign_key", "/files"
            )
        edit = tenant.client.patch(path_of(conversation, 1), json={"files": [named]})
        problem(edit, 422, "foreign_key", "/files")
    assert ok(tenant.client.get(f"/conversations/{conversation['id']}"))["message_count"] == 1


def test_a_key_that_is_bound_to_a_user_sees_only_that_users_files(
    tenant: Tenant, user: str
) -> None:
    other = make_user(tenant.client)["id"]
    foreign = ok(send(tenant.client, other, b"foreign"), 201)["id"]
    bound = tenant.caller(user=user)
    own = ok(bound.post("/files", files={"file": ("a", b"own")}), 201)
    assert own["user_id"] == user
    assert [f["id"] for f in walk(bound, "/files")] == [own["id"]]
    problem(send(bound, other, b"x"), 403, "forbidden")
    path = f"/files/{foreign}"
    for answer in (bound.get(path), bound.get(f"{path}/content"), bound.delete(path),
                   bound.post(f"{path}/processed", json={"analysis": {}})):  # fmt: skip
        problem(answer, 404, "not_found")


def test_an_upload_of_100_mib_streams_with_flat_memory(
    module_served: Served, module_database: Database
) -> None:
    server = module_served(module_database)  # with the default limit
    client = server.client(server.key("acme"))
    user, size, chunk = make_user(client)["id"], 100 * 1024 * 1024, os.urandom(1024 * 1024)
    head = (
        f'--b\r\nContent-Disposition: form-data; name="user_id"\r\n\r\n{user}\r\n'
        '--b\r\nContent-Disposition: form-data; name="file"; filename="big"\r\n\r\n'
    ).encode()
    most = before = resident(server.pid)

    def parts() -> Iterator[bytes]:
        nonlocal most
        yield head
        for _ in range(size // len(chunk)):
            most = max(most, resident(server.pid))
            yield chunk
        yield b"\r\n--b--\r\n"

    boundary = {"Content-Type": "multipart/form-data; boundary=b"}
    made = ok(client.post("/files", content=parts(), headers=boundary), 201)
    assert made["size"] == size
    assert made["sha256"] == hashlib.sha256(chunk * 100).hexdigest()
    whole = hashlib.sha256()
    with client.stream("GET", f"/files/{made['id']}/content") as answer:
        for part in answer.iter_bytes():
            whole.update(part)
            most = max(most, resident(server.pid))
    assert whole.hexdigest() == made["sha256"]
    assert most - before < 30_000_000, (before, most)


def resident(pid: int) -> int:
    """Bytes of memory that a process has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
