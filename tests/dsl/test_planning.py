"""Values keep every digit, types are recognised, forms become rows."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from service.dsl.facts import Facts
from service.dsl.ownership import Link, cycles, totals
from service.dsl.parser import parse
from service.dsl.planning import Plan, plan
from service.dsl.registry import Registry, Verb, kind_of
from service.dsl.validation import check, understand
from service.dsl.values import Mismatch, encode, typed, untyped
from tests.dsl.vocabulary import FACTS, REGISTRY


def value(text: str) -> object:
    (form,) = parse(f"(a.b :k {text})").program.forms
    return form.arguments[0].value


def planned(text: str, facts: Facts = FACTS) -> Plan:
    understood = understand(text, REGISTRY)
    assert [f.code for f in check(understood, facts) if f.severity == "error"] == []
    return plan(understood.bound, facts)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("0.1", Decimal("0.1")),
        ("12345678901234567890123456789012345678901", 12345678901234567890123456789012345678901),
        ("007", 7),
        ("1.50", Decimal("1.50")),
        ("25%", {"percent": 25}),
        ("1000.00USD", {"amount": Decimal("1000.00"), "currency": "USD"}),
        ("[1 nil true sym]", [1, None, True, "sym"]),
        ('{:a {"b c" 1}}', {"a": {"b c": 1}}),
        ('"\\ud83d\\ude00 \\"x\\" \\\\"', '😀 "x" \\'),
    ],
)
def test_plain_values_are_exact(text: str, plain: object) -> None:
    assert untyped(value(text)) == plain  # type: ignore[arg-type]


def test_json_keeps_every_digit() -> None:
    numbers = {"a": 10**40 + 1, "b": Decimal("0.1000000000000000000000000001"), "c": -5, "d": True}
    assert encode(numbers) == (
        b'{"a":10000000000000000000000000000000000000001,'
        b'"b":0.1000000000000000000000000001,"c":-5,"d":true}'
    )


@pytest.mark.parametrize(
    ("text", "kind", "plain"),
    [
        ('"2026-02-28"', "date", "2026-02-28"),
        ('"2026-02-28T10:00:00.5+02:00"', "datetime", "2026-02-28T10:00:00.5+02:00"),
        ('"0197A000-0000-7000-8000-0000000000D1"', "uuid", "0197a000-0000-7000-8000-0000000000d1"),
        ("HEDGE-FUND", "enum[hedge_fund|trust]", "hedge_fund"),
        ('"GET"', "enum[GET|POST]", "GET"),
        ("33.3%", "percent", Decimal("33.3")),
        ("33", "percent", 33),
        ('{:amount 5 :currency "EUR"}', "money", {"amount": 5, "currency": "EUR"}),
        ("[a b]", "list of entity-ref", ["a", "b"]),
        ("nil", "date", None),
        ('"identity.name"', "attr-ref", {"name": "identity.name"}),
        ("@attr{0197a000-0000-7000-8000-0000000000d1}", "date",
         {"attribute_id": "0197a000-0000-7000-8000-0000000000d1"}),
    ],
)  # fmt: skip
def test_typed_values(text: str, kind: str, plain: object) -> None:
    assert typed(value(text), kind_of(kind)) == plain  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('"2026-13-01"', "date"), ('"2026-1-1"', "date"), ("20260101", "date"),
        ('"2026-01-01"', "datetime"), ('"2026-01-01T25:00:00Z"', "datetime"),
        ('"xyz"', "uuid"), ("1USD", "number"), ("1%", "number"), ("1", "money"),
        ('{:amount 5 :currency "XQQ"}', "money"), ('"yes"', "boolean"), ("1", "string"),
        ('""', "entity-ref"), ('"a\\nb"', "case-ref"), ("[1]", "list of string"), ("1", "map"),
        ("@attr{0197a000-0000-7000-8000-0000000000d1}", "entity-ref"), ("true", "enum[true1|b]"),
    ],
)  # fmt: skip
def test_what_is_of_another_type_is_refused(text: str, kind: str) -> None:
    with pytest.raises(Mismatch):
        typed(value(text), kind_of(kind))  # type: ignore[arg-type]


def test_a_thousand_forms_are_as_many_groups_as_one() -> None:
    text = "\n".join(
        f'(entity.register :entity-id "E{n}" :entity-type trust :name "n{n}")' for n in range(1000)
    )
    made = planned(text)
    assert [(group.effect, len(group.rows)) for group in made.groups] == [("entity.upsert", 1000)]
    assert len(made.events) == 1000
    assert made.cases == {}


def test_forms_about_one_row_are_folded_in_their_order() -> None:
    made = planned(
        '(case.create :case-id "A")'
        '(entity.register :entity-id "E" :entity-type trust :name "one" :colour "red" :size 1)'
        '(entity.register :entity-id "E" :entity-type trust :name "two" :size 2)'
    )
    (group,) = [g for g in made.groups if g.effect == "entity.upsert"]
    (row,) = group.rows
    assert (row["name"], row["props"], row["form"]) == ("two", {"colour": "red", "size": 2}, 1)
    assert group.folded == [(2, 1)]
    assert made.cases == {"A": [0, 1, 2]}


def test_forms_belong_to_the_case_named_last() -> None:
    made = planned(
        '(case.create :case-id "A") (kyc.start) (case.create :case-id "B") (kyc.start)'
        '(case.update :case-id "OPEN-1" :title "x") (role.assign :entity "ACME" :role "client")'
    )
    assert made.cases == {"A": [0, 1], "B": [2, 3], "OPEN-1": [4, 5]}


def test_an_entity_may_be_left_to_its_case() -> None:
    made = planned('(entity.register :case-id "REVIEW-1" :entity-type trust :name "T")')
    assert made.groups[0].rows[0]["entity_id"] == "ACME"
    made = planned('(case.create :case-id "A" :entity-id "NEW") (entity.register :type trust)')
    rows = {group.effect: group.rows for group in made.groups}
    assert rows["entity.upsert"][0]["entity_id"] == "NEW"


def test_values_are_rows_by_attribute() -> None:
    made = planned(
        '(values.bind :case-id "OPEN-1" :attribute "identity.date_of_birth" :value "1990-01-01"'
        ' :entity "ADA" :source "passport")'
    )
    (row,) = made.groups[0].rows
    assert (row["subject_kind"], row["subject_id"], row["value"]) == ("entity", "ADA", "1990-01-01")
    assert row["attribute_id"] == FACTS.attributes[0].attribute_id


def test_a_verb_of_a_known_effect_is_data_alone() -> None:
    data = json.dumps([{
        "name": "spv.form", "domain": "spv", "summary": "", "effect": "entity.upsert",
        "preset": {"entity_type": "spv"},
        "arguments": [{"name": "vehicle", "required": True, "slot": "entity_id"}],
    }]).encode()  # fmt: skip
    understood = understand('(spv.form :vehicle "V1" :colour "red")', Registry.from_json(data))
    row = plan(understood.bound).groups[0].rows[0]
    assert (row["entity_id"], row["entity_type"], row["props"]) == ("V1", "spv", {"colour": "red"})


def test_a_registry_that_cannot_be_is_refused() -> None:
    verb = Verb("a.b", "a", "", "event")
    with pytest.raises(ValueError, match="twice"):
        Registry([verb, verb])
    with pytest.raises(ValueError, match="no type"):
        kind_of("enum")


def test_cycles_and_sums() -> None:
    def link(owner: str, owned: str, percent: int) -> Link:
        return Link(owner, owned, "ownership", Decimal(percent))

    ring = [link(str(n), str((n + 1) % 5), 10) for n in range(5)]
    chain = [link(f"c{n}", f"c{n + 1}", 60) for n in range(5000)]  # deeper than recursion goes
    assert sorted(map(sorted, cycles([*ring, *chain]))) == [["0", "1", "2", "3", "4"]]
    assert totals([link("a", "c", 60), link("b", "c", 50)]) == {"c": Decimal(110)}


def test_values_of_attributes_that_the_document_defines_are_rows_of_their_own() -> None:
    made = planned(
        '(attributes.define :name "new.one" :mask "string") (attributes.define :name "new.two")'
        '(values.bind :case-id "OPEN-1" :bindings {"new.one" "a" "new.two" "b"})'
        '(values.bind :case-id "OPEN-1" :bindings {"new.one" "c"})'
    )
    (values,) = [group for group in made.groups if group.effect == "value.set"]
    assert [(row["name"], row["value"]) for row in values.rows] == [
        ("new.one", "c"),
        ("new.two", "b"),
    ]
    assert values.folded == [(3, 2)]
