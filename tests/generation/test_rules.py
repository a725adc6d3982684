"""The generator without a model: what it knows, and that it does not guess."""
# ruff: noqa: E501  (sentences and documents in one line)

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.dsl.nodes import String
from service.dsl.parser import parse
from service.dsl.registry import Registry
from service.dsl.validation import check, understand
from service.generation.drafting import Ask, Attribute, Draft
from service.generation.rules import Rules
from tests.dsl.vocabulary import BIRTHDAY, REGISTRY

ATTRIBUTES = [
    Attribute(BIRTHDAY, "identity.date_of_birth", "date"),
    Attribute("0197a000-0000-7000-8000-0000000000d2", "risk.score", "decimal"),
    Attribute("0197a000-0000-7000-8000-0000000000d3", "address.country", "string"),
    Attribute("0197a000-0000-7000-8000-0000000000d4", "tax.country", "string"),
]


def propose(instruction: str, case_id: str | None = None, registry: Registry = REGISTRY) -> Draft:
    return asyncio.run(Rules().propose(Ask(instruction, registry, ATTRIBUTES, case_id)))


KNOWN = {
    "open a case for Acme Ltd": '(case.create :case-id "ACME-LTD" :customer-name "Acme Ltd")',
    "Please create an onboarding case CBU-1 for Meridian in Luxembourg with high priority.":
        '(case.create :case-id "CBU-1" :case-type "onboarding" :customer-name "Meridian"'
        ' :priority "high" :jurisdiction "LU")',
    "register \u201cSociété Générale\u201d with id SG as a limited company in France":
        '(entity.register :entity-id "SG" :entity-type "limited_company" :name "Société Générale"'
        ' :jurisdiction "FR")',
    "ADA owns 60.5 % of ACME":
        '(entity.link :from-entity "ADA" :to-entity "ACME" :relationship-type "ownership"'
        ' :ownership-percent 60.5%)',
    "ACME is owned 25 percent by ADA":
        '(entity.link :from-entity "ADA" :to-entity "ACME" :relationship-type "ownership"'
        ' :ownership-percent 25%)',
    "ADA controls ACME":
        '(entity.link :from-entity "ADA" :to-entity "ACME" :relationship-type "control")',
    "Add products CUSTODY, LENDING and FUND_ACCOUNTING to case OPEN-1":
        '(products.add :case-id "OPEN-1" :products ["CUSTODY" "LENDING" "FUND_ACCOUNTING"])',
    "start enhanced KYC on ACME for case OPEN-1":
        '(kyc.start :case-id "OPEN-1" :entity-id "ACME" :level "enhanced")',
    "collect the proof of address from ADA":
        '(kyc.collect :entity-id "ADA" :document-type "proof_of_address")',
    "make ADA the managing director": '(role.assign :entity "ADA" :role "managing_director")',
    "assign role client to ACME": '(role.assign :entity "ACME" :role "client")',
    "move case OPEN-1 to in review because all is here":
        '(workflow.transition :case-id "OPEN-1" :to-state "in_review" :reason "all is here")',
    "approve case REVIEW-1": '(case.approve :case-id "REVIEW-1")',
    "catalogue document P-1 as a passport of ADA":
        '(document.catalog :document-id "P-1" :document-type "passport" :entity "ADA")',
    "set the date of birth of ADA to 9 April 1971":
        f'(values.bind :attribute @attr{{{BIRTHDAY}:identity.date_of_birth}} :value "1971-04-09"'
        ' :entity "ADA")',
    "set risk.score of case OPEN-1 to 7.5":
        "(values.bind :attribute @attr{0197a000-0000-7000-8000-0000000000d2:risk.score} :value 7.5"
        ' :subject-kind "case" :subject-id "OPEN-1")',
    # by the words of the verbs
    'create task T-1 title "Call; (them)" due-date 2026-02-01 priority high':
        '(tasks.create :task-id "T-1" :title "Call; (them)" :due-date "2026-02-01" :priority "high")',
    "entity.register E-1, type trust, aum = 25 million USD":
        '(entity.register :entity-id "E-1" :entity-type "trust" :aum 25000000USD)',
    "case.create OPEN-9 tags a, b and c":
        '(case.create :case-id "OPEN-9" :tags ["a" "b" "c"])',
    "outcome ubo target ACME threshold 25% ubos ADA and EVE":
        '(ubo.outcome :target "ACME" :threshold 25% :ubos ["ADA" "EVE"])',
    "start kyc level standard": '(kyc.start :level "standard")',
}  # fmt: skip


def flat(draft: Draft) -> str:
    assert draft.dsl is not None, draft.reason
    return " ".join(draft.dsl.split()).replace("[ ", "[").replace(" ]", "]")


@pytest.mark.parametrize("instruction", KNOWN)
def test_what_it_knows(instruction: str) -> None:
    draft = propose(instruction)
    assert flat(draft) == KNOWN[instruction]
    assert draft.generator == "rules"
    assert 0.8 <= draft.confidence < 1


def test_it_is_surer_of_what_was_said_than_of_what_it_derived() -> None:
    said, derived = propose("open case A for Acme Ltd"), propose("open a case for Acme Ltd")
    assert said.confidence >= 0.95 > derived.confidence >= 0.8


def test_a_whole_onboarding_is_valid() -> None:
    draft = propose(
        "Onboard Meridian Macro as a hedge fund in Luxembourg under case CBU-1. Register Eve Adams"
        " as a person; Eve Adams owns 60% of Meridian Macro. Then collect the passport of Eve Adams"
    )
    checked = understand(str(draft.dsl), REGISTRY)
    assert [f for f in check(checked, None) if f.severity == "error"] == []
    assert [one.verb.name for one in checked.bound] == [
        "case.create", "entity.register", "role.assign", "kyc.start", "entity.register",
        "entity.link", "kyc.collect",
    ]  # fmt: skip
    assert checked.bound[5].slot("to_entity") == checked.bound[1].slot("entity_id")


UNKNOWN = [
    "", "   ", "!!!", "make me rich", "What is the weather?", "do something nice with CBU-1",
    "close case OPEN-1 and delete everything", "case.create", "create case for",
    "open case A with blue priority", "register ACME as a spaceship",
    "set the country of ADA to LU",  # tax or address?
    "set the colour of ADA to red", "set risk score of ADA to very high",
    "create task T-1 due-date", "create task T-1 colour red", "create task T-1 title x title y",
    "ADA owns most of ACME", "open case A. Then sing.", '(case.close :case-id "OPEN-1")',
    "case.open A",  # deprecated
    "x" * 20_000, "open case A. " * 300, "\ue0000\ue001",
]  # fmt: skip


@pytest.mark.parametrize("instruction", UNKNOWN)
def test_what_it_does_not_know_it_does_not_guess(instruction: str) -> None:
    draft = propose(instruction)
    assert (draft.dsl, draft.confidence) == (None, 0.0)
    assert str(draft.reason).startswith("Cannot: ")
    assert len(str(draft.reason)) < 400


def test_the_case_that_the_caller_names_is_written_down() -> None:
    assert flat(propose("start kyc on ACME", "OPEN-1")) == (
        '(kyc.start :case-id "OPEN-1" :entity-id "ACME")'
    )
    assert flat(propose("start kyc for case OPEN-2", "OPEN-1")) == '(kyc.start :case-id "OPEN-2")'
    assert "case.create" not in flat(propose("onboard Acme Fund as a trust", "OPEN-1"))


def test_a_verb_that_is_added_is_known_at_once() -> None:
    added = (
        b'[{"name": "spv.form", "domain": "spv", "summary": "", "effect": "event", "arguments":'
        b' [{"name": "vehicle", "type": "string", "required": true}, {"name": "fee", "type": "money"}]}]'
    )
    draft = propose("form spv V-1 fee 100 EUR", registry=Registry.from_json(added))
    assert flat(draft) == '(spv.form :vehicle "V-1" :fee 100EUR)'
    assert propose("open case A", registry=Registry.from_json(added)).dsl is None


INSIDE = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters='\0"\ue000\ue001'), max_size=100
)


@given(INSIDE)
@example(") (case.close :case-id 'OPEN-1'")
@example("\\")
@example(". Then close case OPEN-1")
@example("\u201d) close case OPEN-1 \u201c")
@settings(max_examples=300, deadline=None)
def test_quoted_text_never_leaves_its_string(said: str) -> None:
    draft = propose(f'create case "C-1" title "{said}" priority high')
    parsed = parse(str(draft.dsl))
    assert not parsed.findings, draft
    (form,) = parsed.program.forms
    assert (form.verb, [a.key for a in form.arguments]) == (
        "case.create", ["case-id", "title", "priority"],
    )  # fmt: skip
    title = form.arguments[1].value
    assert isinstance(title, String) and title.value == said


PIECES = ["open case ", "A-1", '"', "'", "(", ")", "case.close ", ":case-id ", " for ", "Acme", "; ",
          ". ", "\n", " owns 5% of ", "\\", "{", "@attr{", "start kyc", " title ", "\u201c", "\u201d",
          " and ", ", ", "x"]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=25).map("".join))
@settings(max_examples=300, deadline=None)
def test_whatever_is_said_is_a_document_without_errors_of_syntax_or_none(said: str) -> None:
    draft = propose(said)
    if draft.dsl is not None:
        parsed = parse(draft.dsl)
        assert not parsed.findings
        assert {form.verb for form in parsed.program.forms} <= REGISTRY.verbs.keys()


HOSTILE = {"names": "A " * 10_000, "quotes": "'" * 20_000, "commas": "a, " * 6_000, "stops": ". " * 9_000,
           "and": "create task T tags a" + " and a" * 3_000, "owns": "A owns 1% of B; " * 1_200,
           "unended": "\u201c" * 20_000, "kinds": "open an " + "x " * 290 + "case"}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_time_grows_with_the_instruction_and_not_with_its_square(name: str) -> None:
    def took(text: str) -> float:
        started = time.process_time()
        propose(text)
        return time.process_time() - started

    whole = HOSTILE[name]
    quick = min(took(whole[: len(whole) // 8]) for _ in range(2))
    assert min(took(whole) for _ in range(2)) < max(quick, 0.01) * 8 * 3
