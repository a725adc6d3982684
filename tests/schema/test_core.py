"""Keys, their announcements, idempotency keys, the unaccent wrapper."""

from __future__ import annotations

import hashlib
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import errors

from tests.schema.conftest import Acting, Connection, Tenant
from tests.support.cluster import Database

ADD = (
    "INSERT INTO core.api_keys (tenant_id, secret_hash, scopes, user_id)"
    " VALUES (%s, %s, %s, %s) RETURNING id"
)


def test_a_key_is_found_before_a_tenant_is_known(
    database: Database, acting: Acting, ours: Tenant
) -> None:
    digest = hashlib.sha256(b"secret").digest()
    ((key,),) = database.psql(ADD, ours.id, digest, ["projects:read"], ours.user)
    find = "SELECT tenant_id, secret_hash, scopes, user_id, tenant_disabled FROM core.find_key(%s)"
    with acting() as nobody:
        found = nobody.execute(find, (key,)).fetchall()
        assert found == [(ours.id, digest, ["projects:read"], ours.user, False)]
        assert nobody.execute(find, (uuid4(),)).fetchall() == []
        database.psql("UPDATE core.tenants SET disabled_at = now() WHERE id = %s", ours.id)
        assert nobody.execute(find, (key,)).fetchall()[0][-1] is True


def test_a_tenant_is_found_by_id_or_name_while_active(
    database: Database, acting: Acting, ours: Tenant
) -> None:
    with acting() as nobody:

        def found(name: str) -> object:
            return nobody.execute("SELECT core.find_tenant(%s)", (name,)).fetchall()[0][0]

        assert found("ours") == found(str(ours.id)) == found(str(ours.id).upper()) == ours.id
        assert found("nobody") is found(str(uuid4())) is found("") is None
        database.psql("UPDATE core.tenants SET disabled_at = now()")
        assert found("ours") is None


@pytest.mark.parametrize("name", ["", "Ours", "a_b", "-a", "a-", "a" * 64, str(UUID(int=7))])
def test_a_tenant_has_a_slug_for_a_name(database: Database, name: str) -> None:
    with pytest.raises(errors.CheckViolation):
        database.psql("INSERT INTO core.tenants (name) VALUES (%s)", name)


@pytest.mark.parametrize("scopes", [[], ["everything"], ["projects:delete"]])
def test_unknown_scopes_are_refused(database: Database, ours: Tenant, scopes: list[str]) -> None:
    with pytest.raises(errors.CheckViolation, match="api_keys_scopes_known"):
        database.psql(ADD, ours.id, bytes(32), scopes, None)


def test_a_hash_is_a_hash(database: Database, ours: Tenant) -> None:
    with pytest.raises(errors.CheckViolation, match="api_keys_secret_hash_length"):
        database.psql(ADD, ours.id, b"secret", ["*"], None)


def heard(listener: Connection) -> list[str]:
    return [note.payload for note in listener.notifies(timeout=0.3)]


def test_changed_keys_are_announced_and_used_ones_are_not(
    database: Database, acting: Acting, ours: Tenant
) -> None:
    ((key,),) = database.psql(ADD, ours.id, bytes(32), ["*"], None)
    with psycopg.connect(database.app_dsn, autocommit=True) as listener:
        listener.execute("LISTEN quarry_keys")
        with acting(ours) as connection:
            connection.execute("UPDATE core.api_keys SET last_used_at = now()")
        assert heard(listener) == []
        database.psql("UPDATE core.api_keys SET revoked_at = now() WHERE id = %s", key)
        assert heard(listener) == [str(key)]
        database.psql("DELETE FROM core.api_keys WHERE id = %s", key)
        assert heard(listener) == [str(key)]
        database.psql("UPDATE core.tenants SET disabled_at = now() WHERE id = %s", ours.id)
        assert heard(listener) == [f"tenant:{ours.id}"]


def test_the_sweeper_takes_expired_idempotency_keys_of_all_tenants(
    database: Database, acting: Acting, ours: Tenant, theirs: Tenant
) -> None:
    for tenant in (ours, theirs):
        for expires in ("-1 hour", "1 hour"):
            database.psql(
                "INSERT INTO core.idempotency (tenant_id, actor, key, request_hash, expires_at)"
                " VALUES (%s, 'a', %s, %s, now() + %s::interval)",
                tenant.id, expires, bytes(32), expires,
            )  # fmt: skip
    with acting() as nobody:
        swept = [nobody.execute("SELECT core.sweep_idempotency(1)").fetchall()[0][0] for _ in "123"]
    assert swept == [1, 1, 0]
    assert database.psql("SELECT DISTINCT key FROM core.idempotency") == [("1 hour",)]


def test_unaccent_may_be_indexed(database: Database) -> None:
    assert database.psql("SELECT core.unaccent('Čeština à la Œuvre')") == [("Cestina a la OEuvre",)]
    database.psql("CREATE INDEX ON workspace.users (core.unaccent(name))")
