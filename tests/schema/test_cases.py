"""The rules of the cases that the database keeps, whoever writes."""
# ruff: noqa: E501 (SQL in one line)

from __future__ import annotations

import json
import threading

import psycopg
import pytest

from service.dsl.registry import Registry
from tests.schema.conftest import Acting, Connection, Tenant
from tests.support.cluster import Database


def a_case(connection: Connection, tenant: Tenant, case_id: str = "A") -> None:
    connection.execute(
        "INSERT INTO cases.cases (tenant_id, project_id, case_id) VALUES (%s, %s, %s)",
        (tenant.id, tenant.project, case_id),
    )


def a_version(connection: Connection, tenant: Tenant, version: int, kind: str = "append") -> None:
    connection.execute(
        "INSERT INTO cases.case_versions (tenant_id, project_id, case_id, version, dsl, ast, change_kind, operation_id)"
        " VALUES (%s, %s, 'A', %s, '(kyc.start)', '[]', %s, uuidv7())",
        (tenant.id, tenant.project, version, kind),
    )


def entities(connection: Connection, tenant: Tenant, *names: str) -> None:
    for name in names:
        connection.execute(
            "INSERT INTO cases.entities (tenant_id, project_id, entity_id, entity_type) VALUES (%s, %s, %s, 'trust')",
            (tenant.id, tenant.project, name),
        )


def owns(connection: Connection, tenant: Tenant, owner: str, owned: str, percent: float) -> None:
    connection.execute(
        "INSERT INTO cases.entity_links (tenant_id, project_id, from_entity, to_entity, relationship_type, ownership_percent)"
        " VALUES (%s, %s, %s, %s, 'ownership', %s)",
        (tenant.id, tenant.project, owner, owned, percent),
    )


def broken(error: psycopg.Error) -> str:
    return error.diag.constraint_name or error.sqlstate or ""


def test_the_verbs_are_a_registry(module_database: Database) -> None:
    ((rows,),) = module_database.psql(
        "SELECT json_agg(json_build_object('name', name, 'domain', domain, 'summary', summary, 'effect', effect,"
        " 'arguments', arguments, 'preset', preset, 'stage', stage, 'at_least', at_least)) FROM cases.verbs"
    )
    registry = Registry.from_json(json.dumps(rows).encode())
    assert len(registry.verbs) >= 85
    assert {"case", "workflow", "tasks", "entity", "identity", "role", "products", "services",
            "resources", "attributes", "values", "kyc", "compliance", "ubo", "document", "isda",
            "notify", "communicate", "escalate", "audit", "external", "api", "webhook", ""} == {
        verb.domain for verb in registry.verbs.values()
    }  # fmt: skip
    required = {
        verb.name: {a.name for a in verb.arguments if a.required}
        for verb in registry.verbs.values()
    }
    assert required["ubo.outcome"] == {"target", "threshold", "ubos"}
    assert required["entity.link"] == {"from-entity", "to-entity", "relationship-type"}
    assert registry.keys(registry.verbs["document.use"])["doc-id"].name == "document-id"
    assert registry.keys(registry.verbs["ubo.calc"])["entity"].name == "target"


@pytest.mark.parametrize(
    ("verb", "constraint"),
    [
        ({"name": "x.y", "domain": "x", "effect": "rm.rf"}, "verbs_effect_known"),
        ({"name": "x.y", "domain": "z", "effect": "event"}, "verbs_domain_of_name"),
        ({"name": "X", "domain": "", "effect": "event"}, "verbs_name_shape"),
        ({"name": "x.y", "domain": "x", "effect": "event", "arguments": [{"name": "a", "type": "b"}]}, "verbs_arguments_shape"),
        ({"name": "x.y", "domain": "x", "effect": "event", "arguments": [{"name": "a", "typ": "map"}]}, "verbs_arguments_shape"),
    ],
)  # fmt: skip
def test_a_verb_that_cannot_be_is_refused(
    database: Database, verb: dict[str, object], constraint: str
) -> None:
    whole = {"summary": "", "arguments": []} | verb
    with psycopg.connect(database.owner_dsn) as owner, pytest.raises(psycopg.Error) as caught:
        owner.execute("SELECT cases.seed_verbs(%s)", (json.dumps([whole]),))
    assert broken(caught.value) == constraint


MISFITS = [
    ("string", {}, '"x"', True), ("string", {}, "1", False),
    ("string", {"length": {"min": 1, "max": 2}}, '"abc"', False),
    ("string", {"pattern": "[A-Z]+"}, '"AB"', True), ("string", {"pattern": "[A-Z]+"}, '"AB1"', False),
    ("integer", {}, "5", True), ("integer", {}, "5.0", True), ("integer", {}, "5.5", False),
    ("decimal", {"range": {"min": 0, "max": 1}}, "0.5", True), ("decimal", {"range": {"min": 0, "max": 1}}, "1.01", False),
    ("boolean", {}, "true", True), ("boolean", {}, '"true"', False),
    ("date", {}, '"2024-02-29"', True), ("date", {}, '"2023-02-29"', False), ("date", {}, '"today"', False),
    ("date", {"range": {"min": "1900-01-01"}}, '"1899-12-31"', False),
    ("datetime", {}, '"2024-02-29T10:00:00Z"', True), ("datetime", {}, '"2024-02-29"', False),
    ("uuid", {}, '"0197a000-0000-7000-8000-00000000000a"', True), ("uuid", {}, '"0197"', False),
    ("enum", {"values": ["a", "b"]}, '"a"', True), ("enum", {"values": ["a", "b"]}, '"c"', False),
    ("percent", {}, "100", True), ("percent", {}, '{"percent": 12.5}', True), ("percent", {}, "100.5", False), ("percent", {}, "-1", False),
    ("money", {}, '{"amount": 5, "currency": "EUR"}', True), ("money", {}, "5", False), ("money", {}, '{"amount": 5, "currency": "XQQ"}', False),
    ("string", {"format": "ISO-3166-1"}, '"LU"', True), ("string", {"format": "ISO-3166-1"}, '"XX"', False), ("string", {"format": "ISO-3166-1"}, '"L U"', False),
    ("string", {"format": "ISO-4217"}, '"CHF"', True), ("string", {"format": "ISO-4217"}, '"DM"', False),
    ("string", {"format": "email"}, '"ada@example.org"', True), ("string", {"format": "email"}, '"ada@example"', False),
    ("string", {"format": "E.164"}, '"+35226123456"', True), ("string", {"format": "E.164"}, '"0049123"', False),
    ("string", {"format": "IBAN"}, '"GB33BUKB20201555555555"', True), ("string", {"format": "IBAN"}, '"DE89 3704 0044 0532 0130 00"', True),
    ("string", {"format": "IBAN"}, '"GB33BUKB20201555555556"', False), ("string", {"format": "IBAN"}, '"DE8937040044053201300"', False),
    ("string", {"format": "IBAN"}, '"ZZ33BUKB20201555555555"', False),
    ("string", {"format": "BIC"}, '"DEUTDEFF500"', True), ("string", {"format": "BIC"}, '"DEUTZZFF"', False), ("string", {"format": "BIC"}, '"DEUT"', False),
    ("string", {"format": "LEI"}, '"529900T8BM49AURSDO55"', True), ("string", {"format": "LEI"}, '"529900T8BM49AURSDO56"', False),
    ("string", {"format": "ISIN"}, '"US0378331005"', True), ("string", {"format": "ISIN"}, '"US0378331006"', False),
    ("decimal", {"format": "percentage"}, "101", False), ("string", {}, "null", True),
]  # fmt: skip


def test_values_are_held_against_mask_and_rules(module_database: Database) -> None:
    with psycopg.connect(module_database.owner_dsn) as owner:
        for mask, rules, value, fits in MISFITS:
            row = owner.execute(
                "SELECT cases.misfit(%s, %s, %s)", (mask, json.dumps(rules), value)
            ).fetchone()
            assert row is not None
            assert (row[0] is None) == fits, (mask, rules, value, row[0])


@pytest.mark.parametrize(
    ("mask", "rules"),
    [
        ("enum", {}), ("string", {"values": []}), ("string", {"colour": 1}), ("string", {"pattern": 5}),
        ("string", {"pattern": "(a)\\1"}), ("string", {"pattern": "(("}), ("decimal", {"range": {"min": "a"}}),
        ("string", {"format": "ISO-9000"}), ("string", {"length": {"max": -1}}), ("string", []), ("colour", {}),
    ],
)  # fmt: skip
def test_rules_that_cannot_be_applied_are_refused(
    acting: Acting, ours: Tenant, mask: str, rules: object
) -> None:
    with acting(ours) as connection, pytest.raises(psycopg.Error) as caught:
        connection.execute(
            "INSERT INTO cases.dictionary (tenant_id, name, mask, rules) VALUES (%s, 'x.y', %s, %s)",
            (ours.id, mask, json.dumps(rules)),
        )
    assert broken(caught.value) in ("dictionary_rules_shape", "dictionary_mask_known", "2201B")


def test_every_tenant_begins_with_a_dictionary_of_its_own(
    acting: Acting, ours: Tenant, theirs: Tenant
) -> None:
    for tenant in (ours, theirs):
        with acting(tenant) as connection:
            row = connection.execute(
                "SELECT count(*), count(DISTINCT group_id), count(DISTINCT tenant_id) FROM cases.dictionary"
            ).fetchone()
            assert row is not None
            assert row[0] >= 80
            assert row[1] >= 8
            assert row[2] == 1


def test_versions_have_no_gap_and_never_change(acting: Acting, ours: Tenant) -> None:
    with acting(ours) as connection:
        a_case(connection, ours)
        a_version(connection, ours, 1, "new")
        a_version(connection, ours, 2)
        for number in (2, 4):
            with pytest.raises(psycopg.Error) as caught:
                a_version(connection, ours, number)
            assert broken(caught.value) == "case_versions_gapless"
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("UPDATE cases.case_versions SET dsl = 'x'")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM cases.case_versions")
        row = connection.execute("SELECT current_version FROM cases.cases").fetchone()
        assert row == (2,)


def test_versions_do_not_change_for_their_owner_either(
    database: Database, acting: Acting, ours: Tenant
) -> None:
    with acting(ours) as connection:
        a_case(connection, ours)
        a_version(connection, ours, 1, "new")
    with psycopg.connect(database.owner_dsn) as owner, pytest.raises(psycopg.Error) as caught:
        owner.execute("UPDATE cases.case_versions SET dsl = 'x'")
    assert broken(caught.value) == "case_versions_immutable"


def test_a_case_keeps_to_its_state_machine(acting: Acting, ours: Tenant) -> None:
    with acting(ours) as connection:
        a_case(connection, ours)
        with pytest.raises(psycopg.Error) as caught:
            connection.execute("UPDATE cases.cases SET state = 'approved'")
        assert caught.value.sqlstate == "QRY01"
        connection.execute("UPDATE cases.cases SET state = 'in_review'")
        connection.execute("UPDATE cases.cases SET state = 'approved'")
        assert connection.execute("SELECT status FROM cases.cases").fetchone() == ("approved",)


def test_owners_hold_100_percent_at_most(acting: Acting, ours: Tenant) -> None:
    with acting(ours) as connection:
        entities(connection, ours, "A", "B", "C")
        owns(connection, ours, "A", "C", 60)
        with pytest.raises(psycopg.Error) as caught:
            owns(connection, ours, "B", "C", 40.01)
        assert broken(caught.value) == "entity_links_ownership_sum"
        owns(connection, ours, "B", "C", 40)
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(
                "UPDATE cases.entity_links SET ownership_percent = 61 WHERE from_entity = 'A'"
            )
        assert broken(caught.value) == "entity_links_ownership_sum"
        for percent in (-1, 100.5):
            with pytest.raises(psycopg.Error) as caught:
                owns(connection, ours, "C", "A", percent)
            assert broken(caught.value) == "entity_links_ownership_percent_range"


def test_two_who_add_a_share_at_once_cannot_pass_100_together(acting: Acting, ours: Tenant) -> None:
    with acting(ours) as connection:
        entities(connection, ours, "A", "B", "C")
    ready = threading.Barrier(2)
    outcomes: list[str] = []

    def add(owner: str) -> None:
        with acting(ours) as connection:
            try:
                with connection.transaction():
                    connection.execute("SELECT 1")
                    ready.wait(10)
                    owns(connection, ours, owner, "C", 60)
                outcomes.append("stored")
            except psycopg.Error as error:
                outcomes.append(broken(error))

    threads = [threading.Thread(target=add, args=(name,)) for name in ("A", "B")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["entity_links_ownership_sum", "stored"]


@pytest.mark.parametrize(
    ("columns", "values", "constraint"),
    [
        ("verification", "'verified'", "entity_links_evidence_given"),
        ("verification", "'maybe'", "entity_links_verification_known"),
        ("to_entity", "'A'", "entity_links_ends_differ"),
        ("to_entity", "'nobody'", "entity_links_to_entity_fkey"),
    ],
)
def test_a_link_that_cannot_be_is_refused(
    acting: Acting, ours: Tenant, columns: str, values: str, constraint: str
) -> None:
    to = ("", "") if columns == "to_entity" else ("to_entity, ", "'B', ")
    with acting(ours) as connection:
        entities(connection, ours, "A", "B")
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(
                f"INSERT INTO cases.entity_links (tenant_id, project_id, from_entity, relationship_type, {to[0]}{columns})"
                f" VALUES (%s, %s, 'A', 'control', {to[1]}{values})",
                (ours.id, ours.project),
            )
        assert broken(caught.value) == constraint


def test_a_stored_value_fits_its_attribute(acting: Acting, ours: Tenant) -> None:
    store = (
        "INSERT INTO cases.attribute_values (tenant_id, project_id, attribute_id, subject_kind, subject_id, value, state)"
        " SELECT %s, %s, d.id, 'entity', 'A', %s, %s FROM cases.dictionary AS d WHERE d.name = 'banking.iban'"
    )
    with acting(ours) as connection:
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(
                store, (ours.id, ours.project, '"GB33BUKB20201555555556"', "resolved")
            )
        assert broken(caught.value) == "attribute_values_value_fits"
        connection.execute(store, (ours.id, ours.project, '"GB33BUKB20201555555556"', "invalid"))
        with pytest.raises(psycopg.Error) as caught:
            connection.execute("UPDATE cases.attribute_values SET state = 'resolved'")
        assert broken(caught.value) == "attribute_values_value_fits"


def test_another_tenant_sees_nothing_and_can_attach_nothing(
    acting: Acting, ours: Tenant, theirs: Tenant
) -> None:
    with acting(ours) as connection:
        a_case(connection, ours)
        a_version(connection, ours, 1, "new")
        entities(connection, ours, "A")
    with acting(theirs) as connection:
        for name in ("cases", "case_versions", "entities"):
            assert connection.execute(f"SELECT count(*) FROM cases.{name}").fetchone() == (0,)
        for change in (
            lambda: a_case(connection, ours, "B"),
            lambda: entities(connection, ours, "B"),
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                change()
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(
                "INSERT INTO cases.cases (tenant_id, project_id, case_id) VALUES (%s, %s, 'B')",
                (theirs.id, ours.project),
            )
        assert broken(caught.value) == "cases_project_fkey"
