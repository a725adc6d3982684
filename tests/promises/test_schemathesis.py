"""Requests made from /openapi.json, fitting ones and others, are answered as described there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from service.resources import ENDPOINTS
from tests.conftest import Served
from tests.promises.assistant import make_conversation
from tests.promises.helpers import make_document, make_execution, make_project, make_user, ok
from tests.promises.inventory import make_flow
from tests.support.cluster import Database

pytestmark = pytest.mark.xdist_group("schemathesis")  # one server for all

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
SETTINGS = settings(
    max_examples=15,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
# What takes nothing cannot be sent anything unfitting.
KINDS = [
    pytest.param(e.method, e.path, mode, id=f"{e.method} {e.path} {mode.value}")
    for e in ENDPOINTS
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or e.query or e.body or "{" in e.path
]
# Who asks for an answer within 1 ms is told 504, and rightly so.
PATIENT = {"X-Request-Timeout-Ms": "30000"}


class Aimed:
    """The operations, a session with a key, and the ids of what is there to ask for."""

    def __init__(self, served: Served, database: Database) -> None:
        server = served(database)
        key = server.key("acme")
        config = SchemathesisConfig.from_dict({"generation": {"with-security-parameters": False}})
        self.schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json", config=config)
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {key}"
        client = server.client(key)
        user = make_user(client)["id"]
        project = make_project(client, created_by=user)["id"]
        document = make_document(client, project)["id"]
        ended = make_execution(client, project, "cancelled")["id"]  # its events have an end
        text = '(case.create :case-id "C") (entity.register :id "E" :type trust)'
        ok(client.post(f"/projects/{project}/dsl/execute", json={"dsl": text}))
        instruction = {"instruction": "open case N for Acme"}
        asked = client.post(f"/projects/{project}/dsl/generate", json=instruction)
        proposal = ok(asked, 201)["id"]
        attribute = ok(client.post("/dictionary", json={"name": "own", "mask": "date"}), 201)["id"]
        conversation = make_conversation(client, user, messages=3)["id"]
        kept = {"user_id": user, "question": "?", "answer": "tea"}
        memory = client.post("/memories", json=kept).json()["id"]
        upload = {"file": ("a.txt", b"text")}
        file = client.post("/files", files=upload, data={"user_id": user}).json()["id"]
        inventory = make_flow(database, project, "cancelled")  # its events have an end as well
        self._ids = {
            "user_id": user, "project_id": project, "document_id": document, "execution_id": ended,
            "case_id": "C", "entity_id": "E", "version": "1", "verb": "kyc.start",
            "attribute_id": attribute, "proposal_id": proposal, "subject_kind": "case",
            "subject_id": "C",
            "conversation_id": conversation, "seq": "1", "memory_id": memory, "file_id": file,
            "import_id": inventory.inventory, "flow_id": inventory.flow,
            "asset_id": inventory.asset, "phase": "validation",
        }  # fmt: skip

    def aim(self, case: Case[Any]) -> None:
        """Lead to what is there, and to its version: by chance, an id leads to nothing."""
        for name in case.path_parameters.keys() & self._ids.keys():
            case.path_parameters[name] = self._ids[name]
        if "If-Match" in case.headers:
            case.headers["If-Match"] = "*"


@pytest.fixture(scope="module")
def aimed(module_database: Database, module_served: Served) -> Iterator[Aimed]:
    made = Aimed(module_served, module_database)
    yield made
    made.session.close()


@pytest.mark.parametrize(("method", "path", "mode"), KINDS)
def test_whatever_is_sent_is_answered_as_described(
    method: str, path: str, mode: GenerationMode, aimed: Aimed
) -> None:
    operation = aimed.schema[path][method]

    @SETTINGS
    @given(case=operation.as_strategy(generation_mode=mode, headers=PATIENT))
    def send(case: Case[Any]) -> None:
        if mode is GenerationMode.POSITIVE and case.method != "DELETE":
            aimed.aim(case)
        case.call_and_validate(session=aimed.session, checks=CHECKS, timeout=30)

    send()
