"""Who is asking: keys and tokens that are let in, and every one that is not."""

from __future__ import annotations

import asyncio
import base64
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from service.http.auth import Authenticator, PublishedKeys
from service.http.keys import new_key
from service.http.problems import Problem
from service.settings import Settings
from tests.conftest import Served
from tests.promises.helpers import (
    Json,
    Tenant,
    make_project,
    make_user,
    ok,
    problem,
    same_refusal,
    tenant_id,
    unique,
)
from tests.support.cluster import Database
from tests.support.server import Server
from tests.support.wait import wait_until

pytestmark = pytest.mark.xdist_group("auth")

SECRET = "a secret of at least thirty-two bytes"
ISSUER, AUDIENCE = "https://login.example.org", "quarry"


class Signers(NamedTuple):
    """Private keys of an identity provider, and one that is not its own."""

    rsa: rsa.RSAPrivateKey
    ec: ec.EllipticCurvePrivateKey
    stranger: rsa.RSAPrivateKey

    def jwks(self) -> Json:
        """What the provider publishes."""
        return {
            "keys": [
                RSAAlgorithm.to_jwk(self.rsa.public_key(), as_dict=True) | {"kid": "r"},
                ECAlgorithm.to_jwk(self.ec.public_key(), as_dict=True) | {"kid": "e"},
            ]
        }


@pytest.fixture(scope="module")
def signers() -> Signers:
    """Fresh keys."""
    return Signers(
        rsa.generate_private_key(65537, 2048),
        ec.generate_private_key(ec.SECP256R1()),
        rsa.generate_private_key(65537, 2048),
    )


class Provider:
    """The JWKS URL of an identity provider on the loopback."""

    def __init__(self, jwks: Any) -> None:
        self.fetched = 0
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.fetched += 1
                body = jwks if isinstance(jwks, bytes) else json.dumps(jwks).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/jwks"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def provider(signers: Signers) -> Iterator[Provider]:
    """Publishes the signers' keys."""
    running = Provider(signers.jwks())
    yield running
    running.close()


@pytest.fixture(scope="module")
def by_file(
    module_served: Served, module_database: Database, signers: Signers,
    tmp_path_factory: pytest.TempPathFactory,
) -> Server:  # fmt: skip
    """A server that takes HS256 by a secret, RS256 and ES256 by a file; tenant acme is there."""
    file = tmp_path_factory.mktemp("jwks") / "jwks.json"
    file.write_text(json.dumps(signers.jwks()))
    server = module_served(
        module_database, jwt_secret=SECRET, jwt_jwks_file=file, jwt_issuer=ISSUER,
        jwt_audience=AUDIENCE,
    )  # fmt: skip
    server.key("acme")
    return server


@pytest.fixture(scope="module")
def by_url(module_served: Served, module_database: Database, provider: Provider) -> Server:
    """A server that takes RS256 and ES256 by a URL, whoever issued them, for whom ever."""
    server = module_served(module_database, jwt_jwks_url=provider.url)
    server.key("acme")
    return server


def claims(**changed: Any) -> Json:
    """Good claims; a value of None takes one out."""
    good = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "tenant": "acme", "scope": "projects:read",
        "exp": int(time.time()) + 300,
    }  # fmt: skip
    return {name: value for name, value in (good | changed).items() if value is not None}


def by_secret(**changed: Any) -> str:
    """An HS256 token."""
    return jwt.encode(claims(**changed), SECRET, "HS256")


def by_rsa(signers: Signers, **changed: Any) -> str:
    """An RS256 token."""
    return jwt.encode(claims(**changed), signers.rsa, "RS256", headers={"kid": "r"})


def by_ec(signers: Signers, **changed: Any) -> str:
    """An ES256 token."""
    return jwt.encode(claims(**changed), signers.ec, "ES256", headers={"kid": "e"})


def ask(server: Server, token: str, path: str = "/projects") -> httpx.Response:
    """A read with this bearer token."""
    return httpx.get(
        f"{server.url}{path}", headers={"Authorization": f"Bearer {token}"}, timeout=30
    )


def refused(server: Server, token: str) -> None:
    """The token is a 401 that tells how to do better."""
    answer = ask(server, token)
    problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


# keys


def test_all_keys_that_are_no_good_get_the_same_answer(server: Server) -> None:
    """So that nothing is learnt by trying."""
    good = server.key("acme", name=unique("good"))
    _, key_id, secret = good.split("_", 2)
    revoked = server.key("acme", name=unique("revoked"))
    assert server.quarry("key", "revoke", revoked).returncode == 0
    past = datetime.now(UTC) - timedelta(seconds=1)
    disabled = server.key(unique("disabled"))
    bad = {
        "unknown": f"qk_{uuid4().hex}_{secret}",
        "of a wrong secret": f"qk_{key_id}_{secret[::-1]}",
        "revoked": revoked,
        "expired": server.key("acme", expires_at=past),
        "too short": good[:-1],
        "too long": f"{good}x",
        "malformed": "qk_x_y",
        "of upper case": good.upper(),
        "of another form": f"qk_{UUID(key_id)}_{secret}",
        "empty": "qk__",
    }
    ok(ask(server, good))
    ok(ask(server, disabled))
    answers = {name: ask(server, key) for name, key in bad.items()}
    for name, answer in answers.items():
        problem(answer, 401, "unauthenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer"), name
        assert same_refusal(answer, answers["unknown"]), name


@pytest.mark.parametrize(
    ("scopes", "read", "write", "purge"),
    [
        (["*"], 200, 201, 404),
        (["projects:*"], 200, 201, 403),
        (["projects:read"], 200, 403, 403),
        (["projects:write"], 403, 201, 403),
        (["projects:read", "projects:write", "admin"], 200, 201, 404),
        (["admin"], 403, 403, 404),
        (["audit", "cases:*", "discovery:*", "assistant:*"], 403, 403, 403),
    ],
)
def test_a_scope_opens_what_it_names_and_nothing_else(
    server: Server, scopes: list[str], read: int, write: int, purge: int
) -> None:
    client = server.client(server.key("acme", scopes))
    answers = [
        (client.get("/projects"), read),
        (client.post("/projects", json={"name": "x", "language": "en"}), write),
        (client.post(f"/projects/{uuid4()}/purge"), purge),
    ]
    for answer, status in answers:
        assert answer.status_code == status, answer.text
        if status == 403:
            problem(answer, 403, "forbidden")


def test_a_cached_key_still_ends_at_its_time(server: Server) -> None:
    expires = datetime.now(UTC) + timedelta(seconds=4)
    key = server.key("acme", expires_at=expires)
    ok(ask(server, key))
    ok(ask(server, key))
    time.sleep(max(0.0, (expires - datetime.now(UTC)).total_seconds()) + 0.05)
    refused(server, key)


# tokens that are let in


@pytest.mark.parametrize("kind", ["HS256", "RS256", "ES256"])
def test_a_good_token_is_let_in(by_file: Server, signers: Signers, kind: str) -> None:
    make: dict[str, Callable[..., str]] = {
        "HS256": by_secret,
        "RS256": lambda **c: by_rsa(signers, **c),
        "ES256": lambda **c: by_ec(signers, **c),
    }
    token = make[kind](scope="projects:*")
    ok(ask(by_file, token))
    client = by_file.client(token)
    made = make_project(client)
    assert ok(ask(by_file, by_file.key("acme"), f"/projects/{made['id']}")) == made
    refused(by_file, make[kind](exp=int(time.time()) - 1))
    refused(by_file, make[kind](iss="https://elsewhere.example.org"))
    refused(by_file, make[kind](aud="another"))


def test_a_good_token_is_let_in_by_the_url(by_url: Server, signers: Signers) -> None:
    ok(ask(by_url, by_rsa(signers)))
    ok(ask(by_url, by_ec(signers)))
    ok(ask(by_url, by_ec(signers, iss=None, aud=None)))
    refused(by_url, by_secret())  # there is no secret here


def test_the_url_is_not_asked_for_every_token(
    by_url: Server, signers: Signers, provider: Provider
) -> None:
    """Nor for tokens that anyone can make up."""
    ok(ask(by_url, by_rsa(signers)))
    before = provider.fetched
    for number in range(20):
        ok(ask(by_url, by_rsa(signers, sub=f"s{number}")))
        strange = jwt.encode(claims(), signers.stranger, "RS256", headers={"kid": f"k{number}"})
        refused(by_url, strange)
    assert provider.fetched <= before + 1


@pytest.mark.parametrize("way", ["down", "not JSON", "no key set"])
def test_a_provider_that_gives_no_keys_is_a_503_and_not_the_callers_fault(
    served: Served, module_database: Database, signers: Signers, way: str
) -> None:
    provider = Provider(b"<html>" if way == "not JSON" else {"not": "a key set"})
    server = served(module_database, jwt_jwks_url=provider.url)
    if way == "down":
        provider.close()
    for _ in range(3):
        answer = ask(server, by_rsa(signers))
        problem(answer, 503, "auth_unavailable")
        assert int(answer.headers["retry-after"]) > 0
    ok(ask(server, server.key("acme")))
    if way != "down":
        provider.close()


def test_a_provider_that_failed_is_left_alone_for_a_moment() -> None:
    """Else each token would hold a thread for as long as the provider hangs."""
    provider = Provider(b"<html>")
    keys = PublishedKeys(provider.url)
    for expected in (1, 1, 1):
        with pytest.raises(jwt.PyJWKClientConnectionError):
            keys.get_signing_keys()
        assert provider.fetched == expected
    keys.silent_until = 0.0
    with pytest.raises(jwt.PyJWKClientConnectionError):
        keys.get_signing_keys()
    assert provider.fetched == 2
    provider.close()


def test_known_keys_outlive_their_provider(
    served: Served, module_database: Database, signers: Signers
) -> None:
    """And tokens of keys that nobody can have published yet do not change that."""
    provider = Provider(signers.jwks())
    server = served(module_database, jwt_jwks_url=provider.url)
    server.key("acme")
    ok(ask(server, by_rsa(signers)))
    provider.close()
    for number in range(3):
        strange = jwt.encode(claims(), signers.stranger, "RS256", headers={"kid": "new"})
        assert ask(server, strange).status_code in (401, 503)
        ok(ask(server, by_rsa(signers, sub=f"s{number}")))


@pytest.mark.parametrize(
    ("scope", "read", "write"),
    [
        ("projects:read projects:write", 200, 201),
        ("*", 200, 201),
        (["projects:read"], 200, 403),
        ("projects:reads", 403, 403),
        ("", 403, 403),
        (None, 403, 403),
        (5, 403, 403),
        ({"projects:read": True}, 403, 403),
        ([5, None], 403, 403),
    ],
)
def test_a_tokens_scopes_are_words_or_a_list(
    by_file: Server, scope: Any, read: int, write: int
) -> None:
    client = by_file.client(by_secret(scope=scope))
    assert client.get("/projects").status_code == read
    body = {"name": "x", "language": "en"}
    assert client.post("/projects", json=body).status_code == write


def test_a_null_scope_is_none(by_file: Server) -> None:
    token = jwt.encode(claims() | {"scope": None}, SECRET, "HS256")
    problem(ask(by_file, token), 403, "forbidden")


def test_a_token_names_its_tenant_by_name_or_id(by_file: Server, module_database: Database) -> None:
    ok(ask(by_file, by_secret(tenant=tenant_id(module_database, "acme"))))
    other = unique("other")
    by_file.key(other)
    made = make_project(by_file.client(by_secret(tenant=other, scope="*")))
    problem(ask(by_file, by_secret(), f"/projects/{made['id']}"), 404, "not_found")


def test_a_token_of_a_user_sees_what_the_user_sees(by_file: Server) -> None:
    tenant = Tenant(by_file, unique("users"))
    user = make_user(tenant.client)
    mine = make_project(tenant.client, created_by=user["id"])
    make_project(tenant.client)
    token = by_secret(tenant=tenant.name, user_id=user["id"])
    assert [item["id"] for item in ok(ask(by_file, token))["items"]] == [mine["id"]]


def test_a_token_of_a_user_who_is_none_is_refused(by_file: Server) -> None:
    """Above all it must not be taken for one that is bound to nobody."""
    tenant, other = (Tenant(by_file, unique("users")) for _ in range(2))
    user, foreign = make_user(tenant.client)["id"], make_user(other.client)["id"]
    for named in (str(uuid4()), foreign, "ada", "", 7, user[:-1], [user], {}):
        refused(by_file, by_secret(tenant=tenant.name, user_id=named))
    token = by_secret(tenant=tenant.name, user_id=user)
    ok(ask(by_file, token))
    assert tenant.client.delete(f"/users/{user}").status_code == 204
    wait_until(lambda: ask(by_file, token).status_code == 401, 3.0)
    refused(by_file, token)


def test_a_token_ends_at_its_time_even_when_it_is_known(by_file: Server) -> None:
    expires = int(time.time()) + 2
    token = by_secret(exp=expires)
    ok(ask(by_file, token))
    time.sleep(max(0.0, expires - time.time()) + 0.05)
    refused(by_file, token)


# tokens that are not


def _part(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _pem(signers: Signers) -> str:
    return (
        signers.rsa.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def _forged(header: Json, key: bytes, payload: Json | None = None) -> str:
    """A token signed by HMAC with any bytes: PyJWT itself would refuse to."""
    import hashlib
    import hmac

    signed = f"{_part(header)}.{_part(payload or claims())}"
    return f"{signed}.{_part(hmac.new(key, signed.encode(), hashlib.sha256).digest())}"


BAD_CLAIMS: dict[str, Json] = {
    "expired": {"exp": 1},
    "expired as text": {"exp": "never"},
    "without an end": {"exp": None},
    "not yet valid": {"nbf": 4_000_000_000},
    "of another issuer": {"iss": "https://evil.example.org"},
    "of no issuer": {"iss": None},
    "for another audience": {"aud": "other"},
    "for others": {"aud": ["a", "b"]},
    "for nobody": {"aud": None},
    "of nobody": {"sub": None},
    "of a number": {"sub": 5},
    "of a subject that breaks lines": {"sub": "a\r\nb"},
    "of a subject that is SQL": {"sub": "'; DROP TABLE x; --"},
    "of an empty subject": {"sub": ""},
    "of a subject without end": {"sub": "x" * 201},
    "of no tenant": {"tenant": None},
    "of an unknown tenant": {"tenant": "nobody-knows"},
    "of a tenant that is SQL": {"tenant": "' OR '1'='1"},
    "of a tenant that is a list": {"tenant": ["acme"]},
    "of a tenant that is all": {"tenant": "%"},
    "of a tenant with NUL": {"tenant": "acme\0"},
    "of a tenant with a surrogate": {"tenant": "acme\ud800"},
}


@pytest.mark.parametrize("fault", BAD_CLAIMS)
def test_a_token_with_bad_claims_is_refused(by_file: Server, fault: str) -> None:
    refused(by_file, by_secret(**BAD_CLAIMS[fault]))


def _bad_tokens(signers: Signers) -> dict[str, str]:
    good = by_rsa(signers)
    head, body, signature = good.split(".")
    more = _part(claims(scope="*", tenant="globex"))
    pem = _pem(signers).encode()
    stranger = jwt.encode(claims(), signers.stranger, "RS256", headers={"kid": "r"})
    own_key = RSAAlgorithm.to_jwk(signers.stranger.public_key(), as_dict=True)
    unsigned = [_part({"alg": alg, "typ": "JWT"}) for alg in ("none", "None", "NONE", "", None)]
    return {
        **{f"unsigned {n}": f"{head}.{body}." for n, head in enumerate(unsigned)},
        **{f"unsigned {n}, with a signature": f"{h}.{body}.{signature}"
           for n, h in enumerate(unsigned)},
        "HS256 by the public key": _forged({"alg": "HS256", "typ": "JWT", "kid": "r"}, pem),
        "HS256 by the public key, stripped": _forged({"alg": "HS256", "kid": "r"}, pem.strip()),
        "HS256 by nothing": _forged({"alg": "HS256"}, b""),
        "HS256 by a guess": _forged({"alg": "HS256"}, b"secret"),
        "HS512 by the secret": jwt.encode(claims(), SECRET + SECRET, "HS512"),
        "PS256": jwt.encode(claims(), signers.rsa, "PS256", headers={"kid": "r"}),
        "RS512": jwt.encode(claims(), signers.rsa, "RS512", headers={"kid": "r"}),
        "ES256 that names the RSA key": jwt.encode(
            claims(), signers.ec, "ES256", headers={"kid": "r"}),
        "RS256 that names the EC key": jwt.encode(
            claims(), signers.rsa, "RS256", headers={"kid": "e"}),
        "of a stranger": stranger,
        "of an unknown key": jwt.encode(claims(), signers.rsa, "RS256", headers={"kid": "x"}),
        "of a key that it brings": jwt.encode(
            claims(), signers.stranger, "RS256", headers={"kid": "r", "jwk": own_key}),
        "of a key that it links": jwt.encode(
            claims(), signers.stranger, "RS256",
            headers={"kid": "r", "jku": "https://evil.example.org/jwks", "x5u": "file:///etc/passwd"}),
        "with a kid that is a path": jwt.encode(
            claims(), signers.rsa, "RS256", headers={"kid": "../../etc/passwd"}),
        "with a kid that is SQL": jwt.encode(
            claims(), signers.rsa, "RS256", headers={"kid": "r' OR '1'='1"}),
        "with more rights written in": f"{head}.{more}.{signature}",
        "with a signature cut off": f"{head}.{body}.",
        "with a signature cut short": good[:-8],
        "with another's signature": f"{head}.{body}.{by_rsa(signers, sub='b').split('.')[2]}",
        "with a byte changed": good[:-2] + ("A" if good[-2] != "A" else "B") + good[-1],
        "with a part too many": f"{good}.{signature}",
        "with a part too few": f"{head}.{body}",
        "with a crit of its own": jwt.encode(
            claims(), signers.rsa, "RS256", headers={"kid": "r", "crit": ["x"], "x": 1}),
        "whose kid is no text": f"{_part({'alg': 'RS256', 'kid': {'a': 1}})}.{body}.{signature}",
        "whose alg is a list": f"{_part({'alg': ['RS256'], 'kid': 'r'})}.{body}.{signature}",
        "whose head is a list": f"{_part([])}.{body}.{signature}",
        "whose head is null": f"{_part(None)}.{body}.{signature}",
        "whose head is no JSON": f"{_part(b'{')}.{body}.{signature}",
        "whose head is deep": f"{_part(b'[' * 3000)}.{body}.{signature}",
        "whose head is no base64": f"!!!.{body}.{signature}",
        "of several issuers": _forged({"alg": "HS256"}, SECRET.encode(), claims(iss=[ISSUER])),
        "whose body is a list": _forged({"alg": "HS256"}, SECRET.encode(), [1]),  # type: ignore[arg-type]
        "of dots": "..",
        "of dots and letters": "a.b.c",
        "of no ASCII": "é.é.é",
        "without end": f"{head}.{'A' * 20_000}.{signature}",
    }  # fmt: skip


def test_a_token_that_is_not_of_the_provider_is_refused(
    by_file: Server, by_url: Server, signers: Signers
) -> None:
    """In whatever way it is not; and never by a 500."""
    for name, token in _bad_tokens(signers).items():
        for server in (by_file, by_url):
            raw = [(b"Authorization", b"Bearer " + token.encode())]
            answer = httpx.get(f"{server.url}/projects", headers=raw)
            assert answer.status_code == 401, f"{name}: {answer.status_code} {answer.text}"
            problem(answer, 401, "unauthenticated")
    ok(ask(by_file, by_rsa(signers)))


def test_the_secret_of_tokens_must_be_long(served: Served, module_database: Database) -> None:
    server = served(module_database, ready=False, jwt_secret="short")
    assert server.process.wait(20) not in (0, None)
    assert "QUARRY_JWT_SECRET must have at least 32 bytes" in server.log()


def test_keys_of_tokens_are_not_fetched_in_the_clear(
    served: Served, module_database: Database
) -> None:
    server = served(module_database, ready=False, jwt_jwks_url="http://login.example.org/jwks")
    assert server.process.wait(20) not in (0, None)
    assert "QUARRY_JWT_JWKS_URL must be https" in server.log()


# what stays secret


def test_no_log_holds_a_credential(
    served: Served, module_database: Database, signers: Signers, tmp_path: Path
) -> None:
    """Whatever was sent, and at the most talkative level."""
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps(signers.jwks()))
    server = served(
        module_database, log_level="debug", jwt_secret=SECRET, jwt_jwks_file=file, rate_limit=5
    )
    key = server.key("acme", name=unique("secret"))
    secret = key.split("_", 2)[2]
    wrong, _ = new_key(uuid4())
    tokens = [by_secret(), by_rsa(signers), by_ec(signers), by_secret(exp=1), by_rsa(signers)[:-9]]
    for credential in (key, f"{key[:-1]}!", wrong, *tokens):
        ask(server, credential)
        ask(server, credential, "/nowhere")
        ask(server, credential, "/projects?limit=x&cursor=x")
        headers = {"Authorization": f"Bearer {credential}", "X-Request-Timeout-Ms": "x"}
        httpx.post(f"{server.url}/projects", headers=headers, json={"name": 5})
    with server.client(key) as client:
        client.put(f"/projects/{uuid4()}", json={"name": "x"}, headers={"If-Match": "x"})
    wait_until(lambda: server.log().count('"event":"request"') >= 20)
    server.stop()
    log = server.log()
    assert '"status":401' in log
    hidden = [secret, wrong.split("_", 2)[2], SECRET]
    hidden += [part for token in tokens for part in token.split(".")[1:]]
    for each in hidden:
        assert each not in log


# what is remembered


def test_a_key_that_was_revoked_while_it_was_looked_up_is_not_remembered() -> None:
    """The answer of the database is older than the notification that arrived before it."""
    key_id = uuid4()
    text, secret_hash = new_key(key_id)
    row: Json = {
        "tenant_id": uuid4(), "secret_hash": secret_hash, "scopes": ["*"], "user_id": None,
        "project_ids": None, "rate_limit": None, "expires_at": None, "revoked_at": None,
        "tenant_disabled": False,
    }  # fmt: skip

    class Engine:
        """Answers with the row as it was when it was asked."""

        asked = 0
        meanwhile: Callable[[], None] = staticmethod(lambda: None)

        def session(self, *_: object) -> Engine:
            return self

        async def __aenter__(self) -> Engine:
            return self

        async def __aexit__(self, *_: object) -> None:
            return None

        async def fetch(self, *_: object, **__: object) -> list[Json]:
            self.asked += 1
            answer = dict(row)
            self.meanwhile()
            return [answer]

    class Listening:
        connected = True

    async def check() -> None:
        engine = Engine()
        authenticator = Authenticator(Settings(), engine)  # type: ignore[arg-type]
        authenticator.listener = Listening()  # type: ignore[assignment]
        header = f"Bearer {text}".encode()
        await authenticator(header, 5.0)
        await authenticator(header, 5.0)
        assert engine.asked == 1  # it is remembered

        def revoke() -> None:
            row["revoked_at"] = datetime.now(UTC)
            authenticator.forget(str(key_id))

        authenticator.forget_all()
        engine.meanwhile = revoke
        await authenticator(header, 5.0)  # this one was asked before
        with pytest.raises(Problem) as refusal:
            await authenticator(header, 5.0)
        assert refusal.value.code == "unauthenticated"

    asyncio.run(check())
