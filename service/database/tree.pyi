"""Written by `quarry sql stubs` from the query files; do not edit."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from uuid import UUID

__all__ = ["Affected", "Many", "One", "Page", "QueryName", "Stream", "Tree", "Value", "sql"]

Json = object
Address = IPv4Address | IPv4Interface | IPv6Address | IPv6Interface | str

class One: ...
class Many: ...
class Page: ...
class Value: ...
class Affected: ...
class Stream: ...
class QueryName(str): ...

class _audit:
    class _count(QueryName):
        def __call__(self, *, table: str | None = ..., since: datetime | None = ..., until: datetime | None = ...) -> Value: ...
    count: _count
    class _count_of_actor(QueryName):
        def __call__(self, *, actor: str, table: str | None = ..., since: datetime | None = ..., until: datetime | None = ...) -> Value: ...
    count_of_actor: _count_of_actor
    class _count_of_row(QueryName):
        def __call__(self, *, row_id: UUID, table: str | None = ..., actor: str | None = ..., since: datetime | None = ..., until: datetime | None = ...) -> Value: ...
    count_of_row: _count_of_row
    class _list(QueryName):
        def __call__(self, *, table: str | None = ..., since: datetime | None = ..., until: datetime | None = ...) -> Page: ...
    list: _list
    class _list_of_actor(QueryName):
        def __call__(self, *, actor: str, table: str | None = ..., since: datetime | None = ..., until: datetime | None = ...) -> Page: ...
    list_of_actor: _list_of_actor
    class _list_of_row(QueryName):
        def __call__(self, *, row_id: UUID, table: str | None = ..., actor: str | None = ..., since: datetime | None = ..., until: datetime | None = ...) -> Page: ...
    list_of_row: _list_of_row

class _cache:
    class _newest(QueryName):
        def __call__(self, *, most: int) -> Many: ...
    newest: _newest

class _cases:
    class _append(QueryName):
        def __call__(self, *, project_id: UUID, operation_id: UUID, rows: Json) -> Affected: ...
    append: _append
    class _assign_roles(QueryName):
        def __call__(self, *, project_id: UUID, rows: Json) -> Many: ...
    assign_roles: _assign_roles
    class _create(QueryName):
        def __call__(self, *, project_id: UUID, rows: Json) -> Many: ...
    create: _create
    class _current(QueryName):
        def __call__(self, *, project_id: UUID, case_id: str) -> Value: ...
    current: _current
    class _differences(QueryName):
        def __call__(self, *, stored_id: UUID, replayed_id: UUID) -> Many: ...
    differences: _differences
    class _events(QueryName):
        def __call__(self, *, project_id: UUID, case_id: str) -> Page: ...
    events: _events
    class _get(QueryName):
        def __call__(self, *, project_id: UUID, case_id: str) -> One: ...
    get: _get
    class _history(QueryName):
        def __call__(self, *, project_id: UUID) -> Many: ...
    history: _history
    class _list(QueryName):
        def __call__(self, *, project_id: UUID, status: str | None = ..., state: str | None = ...) -> Page: ...
    list: _list
    class _lock(QueryName):
        def __call__(self, *, project_id: UUID, case_ids: list[str]) -> Many: ...
    lock: _lock
    class _note_events(QueryName):
        def __call__(self, *, project_id: UUID, operation_id: UUID, rows: Json) -> Many: ...
    note_events: _note_events
    class _projects(QueryName):
        def __call__(self) -> Many: ...
    projects: _projects
    class _put_documents(QueryName):
        def __call__(self, *, project_id: UUID, rows: Json) -> Many: ...
    put_documents: _put_documents
    class _reset(QueryName):
        def __call__(self, *, project_id: UUID, case_id: str) -> Many: ...
    reset: _reset
    class _set_products(QueryName):
        def __call__(self, *, project_id: UUID, rows: Json) -> Many: ...
    set_products: _set_products
    class _take_turn(QueryName):
        def __call__(self, *, project_id: UUID, names: list[str], anew: str | None = ...) -> Value: ...
    take_turn: _take_turn
    class _texts(QueryName):
        def __call__(self, *, project_id: UUID, case_id: str, version: int) -> Many: ...
    texts: _texts
    class _transition(QueryName):
        def __call__(self, *, project_id: UUID, rows: Json) -> Many: ...
    transition: _transition
    class _update(QueryName):
        def __call__(self, *, project_id: UUID, rows: Json) -> Many: ...
    update: _update
    class _version(QueryName):
        def __call__(self, *, project_id: UUID, case_id: str, version: int) -> One: ...
    version: _version
    class _versions(QueryName):
        def __call__(self, *, project_id: UUID, case_id: str) -> Page: ...
    versions: _versions

class _conversations:
    class _branch(QueryName):
        def __call__(self, *, conversation_id: UUID, owner_id: UUID | None = ..., at_seq: int, title: str | None = ...) -> One: ...
    branch: _branch
    class _context(QueryName):
        def __call__(self, *, conversation_id: UUID, owner_id: UUID | None = ..., max_tokens: int | None = ..., max_messages: int) -> One: ...
    context: _context
    class _count(QueryName):
        def __call__(self, *, user_id: UUID, archived: bool | None = ..., pinned: bool | None = ..., tag: str | None = ..., q: str | None = ...) -> Value: ...
    count: _count
    class _create(QueryName):
        def __call__(self, *, user_id: UUID, title: str | None = ..., template: str | None = ..., tags: list[str] | None = ..., metadata: Json | None = ...) -> One: ...
    create: _create
    class _delete(QueryName):
        def __call__(self, *, conversation_id: UUID, owner_id: UUID | None = ..., expected_version: int | None = ...) -> Affected: ...
    delete: _delete
    class _generation(QueryName):
        def __call__(self, *, conversation_id: UUID, owner_id: UUID | None = ...) -> Value: ...
    generation: _generation
    class _get(QueryName):
        def __call__(self, *, conversation_id: UUID, owner_id: UUID | None = ...) -> One: ...
    get: _get
    class _get_full(QueryName):
        def __call__(self, *, conversation_id: UUID, owner_id: UUID | None = ..., message_limit: int) -> One: ...
    get_full: _get_full
    class _list(QueryName):
        def __call__(self, *, user_id: UUID, archived: bool | None = ..., pinned: bool | None = ..., tag: str | None = ..., q: str | None = ...) -> Page: ...
    list: _list
    class _lock(QueryName):
        def __call__(self, *, conversation_id: UUID, owner_id: UUID | None = ...) -> Value: ...
    lock: _lock
    class _purge(QueryName):
        def __call__(self, *, conversation_id: UUID, owner_id: UUID | None = ..., expected_version: int | None = ...) -> Affected: ...
    purge: _purge
    class _restore(QueryName):
        def __call__(self, *, conversation_id: UUID, owner_id: UUID | None = ...) -> One: ...
    restore: _restore
    class _update(QueryName):
        def __call__(self, *, conversation_id: UUID, owner_id: UUID | None = ..., expected_version: int | None = ..., title: str | None = ..., template: str | None = ..., tags: list[str] | None = ..., metadata: Json | None = ..., is_pinned: bool | None = ..., is_archived: bool | None = ...) -> One: ...
    update: _update
    class _version(QueryName):
        def __call__(self, *, conversation_id: UUID, owner_id: UUID | None = ...) -> Value: ...
    version: _version
    class _version_of_any(QueryName):
        def __call__(self, *, conversation_id: UUID, owner_id: UUID | None = ...) -> Value: ...
    version_of_any: _version_of_any

class _dictionary:
    class _create(QueryName):
        def __call__(self, *, name: str, mask: str, group_id: str | None = ..., rules: Json | None = ..., domain: str | None = ..., long_description: str | None = ..., sensitivity: str | None = ..., source: Json | None = ..., sink: Json | None = ...) -> One: ...
    create: _create
    class _define(QueryName):
        def __call__(self, *, rows: Json) -> Many: ...
    define: _define
    class _delete(QueryName):
        def __call__(self, *, attribute_id: UUID, expected_version: int | None = ...) -> Affected: ...
    delete: _delete
    class _get(QueryName):
        def __call__(self, *, attribute_id: UUID) -> One: ...
    get: _get
    class _known(QueryName):
        def __call__(self, *, most: int) -> Many: ...
    known: _known
    class _list(QueryName):
        def __call__(self, *, mask: str | None = ...) -> Page: ...
    list: _list
    class _list_of_group(QueryName):
        def __call__(self, *, group_id: str, mask: str | None = ...) -> Page: ...
    list_of_group: _list_of_group
    class _resolve(QueryName):
        def __call__(self, *, claims: Json) -> Many: ...
    resolve: _resolve
    class _search(QueryName):
        def __call__(self, *, q: str, group_id: str | None = ..., mask: str | None = ...) -> Page: ...
    search: _search
    class _set_values(QueryName):
        def __call__(self, *, project_id: UUID, rows: Json) -> Many: ...
    set_values: _set_values
    class _subject(QueryName):
        def __call__(self, *, project_id: UUID, subject_kind: str, subject_id: str) -> Value: ...
    subject: _subject
    class _update(QueryName):
        def __call__(self, *, attribute_id: UUID, expected_version: int | None = ..., name: str | None = ..., mask: str | None = ..., group_id: str | None = ..., rules: Json | None = ..., domain: str | None = ..., long_description: str | None = ..., sensitivity: str | None = ..., source: Json | None = ..., sink: Json | None = ...) -> One: ...
    update: _update
    class _values(QueryName):
        def __call__(self, *, project_id: UUID, subject_kind: str, subject_id: str) -> Page: ...
    values: _values
    class _version(QueryName):
        def __call__(self, *, attribute_id: UUID) -> Value: ...
    version: _version

class _documents:
    class _annotate(QueryName):
        def __call__(self, *, project_id: UUID, document_id: UUID, expected_revision: int | None = ..., metadata: Json | None = ..., readability_score: float | None = ..., grammar_score: float | None = ...) -> One: ...
    annotate: _annotate
    class _count(QueryName):
        def __call__(self, *, project_id: UUID, document_type: str | None = ..., latest_only: bool) -> Value: ...
    count: _count
    class _create(QueryName):
        def __call__(self, *, project_id: UUID, document_type: str, content: str, metadata: Json | None = ..., readability_score: float | None = ..., grammar_score: float | None = ..., created_by: UUID | None = ...) -> One: ...
    create: _create
    class _delete(QueryName):
        def __call__(self, *, project_id: UUID, document_id: UUID, expected_revision: int | None = ...) -> Affected: ...
    delete: _delete
    class _get(QueryName):
        def __call__(self, *, project_id: UUID, document_id: UUID) -> One: ...
    get: _get
    class _latest(QueryName):
        def __call__(self, *, project_id: UUID, document_type: str) -> One: ...
    latest: _latest
    class _list(QueryName):
        def __call__(self, *, project_id: UUID, document_type: str | None = ..., latest_only: bool) -> Page: ...
    list: _list
    class _list_full(QueryName):
        def __call__(self, *, project_id: UUID, document_type: str | None = ..., latest_only: bool) -> Page: ...
    list_full: _list_full
    class _pair(QueryName):
        def __call__(self, *, project_id: UUID, document_id: UUID, against: UUID | None = ...) -> Many: ...
    pair: _pair
    class _restore(QueryName):
        def __call__(self, *, project_id: UUID, document_id: UUID, created_by: UUID | None = ...) -> One: ...
    restore: _restore
    class _revise(QueryName):
        def __call__(self, *, project_id: UUID, document_id: UUID, expected_revision: int | None = ..., content: str | None = ..., metadata: Json | None = ..., readability_score: float | None = ..., grammar_score: float | None = ..., created_by: UUID | None = ...) -> One: ...
    revise: _revise
    class _revision(QueryName):
        def __call__(self, *, project_id: UUID, document_id: UUID) -> Value: ...
    revision: _revision
    class _search(QueryName):
        def __call__(self, *, project_id: UUID, q: str, document_type: str | None = ..., latest_only: bool) -> Page: ...
    search: _search
    class _search_count(QueryName):
        def __call__(self, *, project_id: UUID, q: str, document_type: str | None = ..., latest_only: bool) -> Value: ...
    search_count: _search_count

class _dsl:
    class _facts(QueryName):
        def __call__(self, *, project_id: UUID, case_ids: list[str], entity_ids: list[str], document_ids: list[str], attribute_ids: list[UUID], attribute_names: list[str], claims: Json, owned: list[str]) -> One: ...
    facts: _facts
    class _operation_id(QueryName):
        def __call__(self) -> Value: ...
    operation_id: _operation_id
    class _operations(QueryName):
        def __call__(self, *, project_id: UUID, outcome: str | None = ...) -> Page: ...
    operations: _operations
    class _record(QueryName):
        def __call__(self, *, project_id: UUID, operation_id: UUID, kind: str, case_id: str | None = ..., outcome: str, dsl: str, keep_text: bool, forms: int, errors: Json, stages: Json, rows: Json, cases: Json) -> Affected: ...
    record: _record
    class _starter(QueryName):
        def __call__(self) -> Many: ...
    starter: _starter
    class _verbs(QueryName):
        def __call__(self) -> Many: ...
    verbs: _verbs

class _entities:
    class _get(QueryName):
        def __call__(self, *, project_id: UUID, entity_id: str) -> One: ...
    get: _get
    class _link(QueryName):
        def __call__(self, *, project_id: UUID, rows: Json) -> Many: ...
    link: _link
    class _list(QueryName):
        def __call__(self, *, project_id: UUID, entity_type: str | None = ...) -> Page: ...
    list: _list
    class _ownership(QueryName):
        def __call__(self, *, project_id: UUID, entity_id: str, depth: int, threshold: Decimal) -> One: ...
    ownership: _ownership
    class _upsert(QueryName):
        def __call__(self, *, project_id: UUID, rows: Json) -> Many: ...
    upsert: _upsert

class _erasure:
    class _conversations(QueryName):
        def __call__(self, *, user_id: UUID, batch: int) -> Many: ...
    conversations: _conversations
    class _files(QueryName):
        def __call__(self, *, user_id: UUID) -> Many: ...
    files: _files
    class _forget_answers(QueryName):
        def __call__(self, *, ids: list[UUID]) -> Affected: ...
    forget_answers: _forget_answers
    class _memories(QueryName):
        def __call__(self, *, user_id: UUID) -> Many: ...
    memories: _memories
    class _messages(QueryName):
        def __call__(self, *, user_id: UUID) -> Value: ...
    messages: _messages
    class _redact(QueryName):
        def __call__(self, *, user_id: UUID, of_table: str, ids: list[UUID]) -> Value: ...
    redact: _redact

class _events:
    class _after(QueryName):
        def __call__(self, *, topic: str, topic_id: UUID, after: int, limit: int) -> Many: ...
    after: _after

class _executions:
    class _count(QueryName):
        def __call__(self, *, project_id: UUID, agent_type: str | None = ..., status: str | None = ..., since: datetime | None = ...) -> Value: ...
    count: _count
    class _count_correlated(QueryName):
        def __call__(self, *, project_id: UUID, correlation_id: str, agent_type: str | None = ..., status: str | None = ..., since: datetime | None = ...) -> Value: ...
    count_correlated: _count_correlated
    class _count_open(QueryName):
        def __call__(self, *, project_id: UUID, status: str, agent_type: str | None = ..., since: datetime | None = ...) -> Value: ...
    count_open: _count_open
    class _create(QueryName):
        def __call__(self, *, project_id: UUID, agent_type: str, correlation_id: str, input: Json | None = ..., requested_by: UUID | None = ...) -> One: ...
    create: _create
    class _get(QueryName):
        def __call__(self, *, project_id: UUID, execution_id: UUID) -> One: ...
    get: _get
    class _heartbeat(QueryName):
        def __call__(self, *, project_id: UUID, execution_id: UUID) -> Affected: ...
    heartbeat: _heartbeat
    class _list(QueryName):
        def __call__(self, *, project_id: UUID, agent_type: str | None = ..., status: str | None = ..., since: datetime | None = ...) -> Page: ...
    list: _list
    class _list_correlated(QueryName):
        def __call__(self, *, project_id: UUID, correlation_id: str, agent_type: str | None = ..., status: str | None = ..., since: datetime | None = ...) -> Page: ...
    list_correlated: _list_correlated
    class _list_open(QueryName):
        def __call__(self, *, project_id: UUID, status: str, agent_type: str | None = ..., since: datetime | None = ...) -> Page: ...
    list_open: _list_open
    class _metrics(QueryName):
        def __call__(self, *, project_id: UUID, days: int) -> One: ...
    metrics: _metrics
    class _report(QueryName):
        def __call__(self, *, project_id: UUID, execution_id: UUID, expected_version: int | None = ..., output: Json | None = ..., error_message: str | None = ..., progress: int | None = ...) -> One: ...
    report: _report
    class _state(QueryName):
        def __call__(self, *, project_id: UUID, execution_id: UUID) -> One: ...
    state: _state
    class _step(QueryName):
        def __call__(self, *, project_id: UUID, execution_id: UUID, expected_version: int | None = ..., status: str, output: Json | None = ..., error_message: str | None = ..., progress: int | None = ...) -> One: ...
    step: _step
    class _sweep_stale(QueryName):
        def __call__(self, *, stale: timedelta, batch: int) -> Value: ...
    sweep_stale: _sweep_stale

class _explain:
    class _example(QueryName):
        def __call__(self) -> One: ...
    example: _example

class _exports:
    class _abandon(QueryName):
        def __call__(self) -> Value: ...
    abandon: _abandon
    class _begin(QueryName):
        def __call__(self, *, export_id: UUID) -> One: ...
    begin: _begin
    class _complete(QueryName):
        def __call__(self, *, export_id: UUID, manifest: Json, file_name: str, file_size: int, file_sha256: bytes, seconds: float) -> Affected: ...
    complete: _complete
    class _count_download(QueryName):
        def __call__(self, *, export_id: UUID) -> Affected: ...
    count_download: _count_download
    class _create(QueryName):
        def __call__(self, *, project_id: UUID, format: str, document_types: list[str] | None = ..., versions: str | None = ..., created_by: UUID | None = ...) -> One: ...
    create: _create
    class _delete(QueryName):
        def __call__(self, *, project_id: UUID, export_id: UUID) -> Value: ...
    delete: _delete
    class _describe(QueryName):
        def __call__(self, *, tenants: list[UUID], exports: list[UUID]) -> Many: ...
    describe: _describe
    class _documents(QueryName):
        def __call__(self, *, project_id: UUID, document_types: list[str] | None = ..., latest_only: bool) -> Stream: ...
    documents: _documents
    class _expire(QueryName):
        def __call__(self, *, batch: int) -> Many: ...
    expire: _expire
    class _fail(QueryName):
        def __call__(self, *, export_id: UUID, error_message: str) -> Affected: ...
    fail: _fail
    class _file(QueryName):
        def __call__(self, *, project_id: UUID, export_id: UUID) -> One: ...
    file: _file
    class _get(QueryName):
        def __call__(self, *, project_id: UUID, export_id: UUID) -> One: ...
    get: _get
    class _list(QueryName):
        def __call__(self, *, project_id: UUID) -> Page: ...
    list: _list
    class _lose(QueryName):
        def __call__(self, *, export_id: UUID) -> Affected: ...
    lose: _lose
    class _measure(QueryName):
        def __call__(self, *, project_id: UUID, document_types: list[str] | None = ..., latest_only: bool) -> One: ...
    measure: _measure

class _files:
    class _create(QueryName):
        def __call__(self, *, user_id: UUID, conversation_id: UUID | None = ..., original_name: str, stored_name: str | None = ..., mime_type: str, size: int, sha256: bytes | None = ..., path: str, analysis: Json | None = ...) -> One: ...
    create: _create
    class _delete(QueryName):
        def __call__(self, *, file_id: UUID, owner_id: UUID | None = ...) -> One: ...
    delete: _delete
    class _get(QueryName):
        def __call__(self, *, file_id: UUID, owner_id: UUID | None = ...) -> One: ...
    get: _get
    class _list(QueryName):
        def __call__(self, *, user_id: UUID, status: str | None = ...) -> Page: ...
    list: _list
    class _list_of_conversation(QueryName):
        def __call__(self, *, user_id: UUID, conversation_id: UUID, status: str | None = ...) -> Page: ...
    list_of_conversation: _list_of_conversation
    class _missing(QueryName):
        def __call__(self, *, conversation_id: UUID, ids: list[UUID]) -> Value: ...
    missing: _missing
    class _processed(QueryName):
        def __call__(self, *, file_id: UUID, owner_id: UUID | None = ..., analysis: Json | None = ..., error: str | None = ...) -> One: ...
    processed: _processed
    class _purge_of_conversation(QueryName):
        def __call__(self, *, conversation_id: UUID, owner_id: UUID | None = ...) -> Many: ...
    purge_of_conversation: _purge_of_conversation
    class _same(QueryName):
        def __call__(self, *, user_id: UUID, sha256: bytes | None = ...) -> One: ...
    same: _same
    class _stored(QueryName):
        def __call__(self, *, names: list[str]) -> Many: ...
    stored: _stored

class _health:
    class _head(QueryName):
        def __call__(self) -> Value: ...
    head: _head

class _idempotency:
    class _claim(QueryName):
        def __call__(self, *, actor: str, key: str, request_hash: bytes, expires_at: datetime) -> Affected: ...
    claim: _claim
    class _find(QueryName):
        def __call__(self, *, actor: str, key: str) -> One: ...
    find: _find
    class _store(QueryName):
        def __call__(self, *, actor: str, key: str, status: int, headers: Json, body: bytes) -> Affected: ...
    store: _store

class _jobs:
    class _again(QueryName):
        def __call__(self, *, job_id: UUID) -> Affected: ...
    again: _again
    class _beat(QueryName):
        def __call__(self, *, claims: list[UUID], lease: float) -> Many: ...
    beat: _beat
    class _cancel(QueryName):
        def __call__(self, *, job_id: UUID) -> Affected: ...
    cancel: _cancel
    class _claim(QueryName):
        def __call__(self, *, kinds: list[str], slots: int, worker: str, lease: float) -> Many: ...
    claim: _claim
    class _depth(QueryName):
        def __call__(self) -> Many: ...
    depth: _depth
    class _enqueue(QueryName):
        def __call__(self, *, kind: str, args: Json | None = ..., id: UUID | None = ..., run_at: datetime | None = ..., max_attempts: int | None = ...) -> Value: ...
    enqueue: _enqueue
    class _expire(QueryName):
        def __call__(self) -> Affected: ...
    expire: _expire
    class _finish(QueryName):
        def __call__(self, *, job_id: UUID, claim: UUID, state: str, error: str | None = ...) -> Affected: ...
    finish: _finish
    class _list(QueryName):
        def __call__(self, *, kind: str | None = ..., state: str | None = ..., tenant: str | None = ..., most: int) -> Many: ...
    list: _list
    class _progress(QueryName):
        def __call__(self, *, job_id: UUID, claim: UUID, progress: int) -> Affected: ...
    progress: _progress
    class _release(QueryName):
        def __call__(self, *, claims: list[UUID]) -> Affected: ...
    release: _release
    class _retry_later(QueryName):
        def __call__(self, *, job_id: UUID, claim: UUID, pause: float, error: str) -> Affected: ...
    retry_later: _retry_later
    class _sweep(QueryName):
        def __call__(self, *, days: float, batch: int) -> Affected: ...
    sweep: _sweep

class _keys:
    class _add(QueryName):
        def __call__(self, *, id: UUID, secret_hash: bytes, name: str, scopes: list[str], user_id: UUID | None = ..., project_ids: list[UUID] | None = ..., rate_limit: int | None = ..., expires_at: datetime | None = ...) -> One: ...
    add: _add
    class _find(QueryName):
        def __call__(self, *, key_id: UUID) -> One: ...
    find: _find
    class _list(QueryName):
        def __call__(self, *, tenant: str | None = ...) -> Many: ...
    list: _list
    class _revoke(QueryName):
        def __call__(self, *, key_id: UUID) -> Affected: ...
    revoke: _revoke
    class _tenant(QueryName):
        def __call__(self, *, tenant: str) -> Value: ...
    tenant: _tenant

class _maintenance:
    class _begin(QueryName):
        def __call__(self, *, task: str, run_by: str) -> Value: ...
    begin: _begin
    class _end(QueryName):
        def __call__(self, *, run_id: UUID, outcome: str, counts: Json, error: str | None = ...) -> Affected: ...
    end: _end
    class _last(QueryName):
        def __call__(self) -> Many: ...
    last: _last
    class _sweep(QueryName):
        def __call__(self, *, days: float) -> Affected: ...
    sweep: _sweep

class _members:
    class _count(QueryName):
        def __call__(self, *, project_id: UUID) -> Value: ...
    count: _count
    class _delete(QueryName):
        def __call__(self, *, project_id: UUID, user_id: UUID) -> Affected: ...
    delete: _delete
    class _get(QueryName):
        def __call__(self, *, project_id: UUID, user_id: UUID) -> One: ...
    get: _get
    class _list(QueryName):
        def __call__(self, *, project_id: UUID) -> Page: ...
    list: _list
    class _put(QueryName):
        def __call__(self, *, project_id: UUID, user_id: UUID, role: str) -> One: ...
    put: _put
    class _role(QueryName):
        def __call__(self, *, project_id: UUID, user_id: UUID) -> Value: ...
    role: _role

class _memories:
    class _create(QueryName):
        def __call__(self, *, user_id: UUID, conversation_id: UUID | None = ..., question: str, answer: str, importance: int | None = ..., tags: list[str] | None = ..., metadata: Json | None = ..., expires_at: datetime | None = ...) -> One: ...
    create: _create
    class _delete(QueryName):
        def __call__(self, *, memory_id: UUID, owner_id: UUID | None = ..., expected_version: int | None = ...) -> Affected: ...
    delete: _delete
    class _generation(QueryName):
        def __call__(self, *, user_id: UUID) -> Value: ...
    generation: _generation
    class _get(QueryName):
        def __call__(self, *, memory_id: UUID, owner_id: UUID | None = ...) -> One: ...
    get: _get
    class _list(QueryName):
        def __call__(self, *, user_id: UUID, tag: str | None = ..., min_importance: int | None = ...) -> Page: ...
    list: _list
    class _list_full(QueryName):
        def __call__(self, *, user_id: UUID, q: str, tag: str | None = ..., min_importance: int | None = ...) -> Page: ...
    list_full: _list_full
    class _update(QueryName):
        def __call__(self, *, memory_id: UUID, owner_id: UUID | None = ..., expected_version: int | None = ..., question: str | None = ..., answer: str | None = ..., importance: int | None = ..., tags: list[str] | None = ..., metadata: Json | None = ..., set_expiry: bool, expires_at: datetime | None = ..., used: bool) -> One: ...
    update: _update
    class _version(QueryName):
        def __call__(self, *, memory_id: UUID, owner_id: UUID | None = ...) -> Value: ...
    version: _version

class _messages:
    class _append(QueryName):
        def __call__(self, *, conversation_id: UUID, owner_id: UUID | None = ..., items: Json) -> One: ...
    append: _append
    class _append_many(QueryName):
        def __call__(self, *, conversation_id: UUID, owner_id: UUID | None = ..., items: Json) -> One: ...
    append_many: _append_many
    class _choose(QueryName):
        def __call__(self, *, conversation_id: UUID, seq: int, variant: int) -> One: ...
    choose: _choose
    class _edit(QueryName):
        def __call__(self, *, conversation_id: UUID, seq: int, only_role: str | None = ..., truncate: bool, carry: bool, changes: Json) -> One: ...
    edit: _edit
    class _get(QueryName):
        def __call__(self, *, conversation_id: UUID, owner_id: UUID | None = ..., seq: int) -> One: ...
    get: _get
    class _list(QueryName):
        def __call__(self, *, conversation_id: UUID, behind: int | None = ..., before: int | None = ...) -> Page: ...
    list: _list
    class _list_before(QueryName):
        def __call__(self, *, conversation_id: UUID, before: int, most: int) -> Many: ...
    list_before: _list_before
    class _search(QueryName):
        def __call__(self, *, user_id: UUID, q: str) -> Page: ...
    search: _search
    class _variants(QueryName):
        def __call__(self, *, conversation_id: UUID, seq: int) -> Page: ...
    variants: _variants

class _operator:
    class _identify(QueryName):
        def __call__(self, *, actor: str, tenant: str | None = ...) -> Value: ...
    identify: _identify

class _projects:
    class _count(QueryName):
        def __call__(self, *, status: str | None = ..., language: str | None = ..., created_by: UUID | None = ..., q: str | None = ..., project_ids: list[UUID] | None = ..., member_id: UUID | None = ...) -> Value: ...
    count: _count
    class _create(QueryName):
        def __call__(self, *, name: str, language: str, status: str | None = ..., current_step: int | None = ..., metadata: Json | None = ..., created_by: UUID | None = ...) -> One: ...
    create: _create
    class _create_many(QueryName):
        def __call__(self, *, items: Json, created_by: UUID | None = ...) -> One: ...
    create_many: _create_many
    class _delete(QueryName):
        def __call__(self, *, project_id: UUID, expected_version: int | None = ...) -> Affected: ...
    delete: _delete
    class _generation(QueryName):
        def __call__(self, *, project_id: UUID) -> Value: ...
    generation: _generation
    class _get(QueryName):
        def __call__(self, *, project_id: UUID) -> One: ...
    get: _get
    class _list(QueryName):
        def __call__(self, *, status: str | None = ..., language: str | None = ..., q: str | None = ...) -> Page: ...
    list: _list
    class _list_allowed(QueryName):
        def __call__(self, *, project_ids: list[UUID] | None = ..., member_id: UUID | None = ..., status: str | None = ..., language: str | None = ..., created_by: UUID | None = ..., q: str | None = ...) -> Page: ...
    list_allowed: _list_allowed
    class _list_of_creator(QueryName):
        def __call__(self, *, created_by: UUID, status: str | None = ..., language: str | None = ..., q: str | None = ...) -> Page: ...
    list_of_creator: _list_of_creator
    class _purge(QueryName):
        def __call__(self, *, project_id: UUID) -> Affected: ...
    purge: _purge
    class _restore(QueryName):
        def __call__(self, *, project_id: UUID) -> One: ...
    restore: _restore
    class _strangers(QueryName):
        def __call__(self, *, items: Json) -> Value: ...
    strangers: _strangers
    class _update(QueryName):
        def __call__(self, *, project_id: UUID, expected_version: int | None = ..., name: str | None = ..., status: str | None = ..., language: str | None = ..., current_step: int | None = ..., metadata: Json | None = ...) -> One: ...
    update: _update
    class _version(QueryName):
        def __call__(self, *, project_id: UUID) -> Value: ...
    version: _version

class _proposals:
    class _create(QueryName):
        def __call__(self, *, project_id: UUID, instruction: str, generator: str, model: str | None = ..., dsl: str | None = ..., confidence: Decimal, verdict: str, reason: str | None = ..., findings: Json) -> One: ...
    create: _create
    class _decide(QueryName):
        def __call__(self, *, project_id: UUID, proposal_id: UUID, verdict: str, reason: str | None = ..., operation_id: UUID | None = ...) -> One: ...
    decide: _decide
    class _get(QueryName):
        def __call__(self, *, project_id: UUID, proposal_id: UUID) -> One: ...
    get: _get
    class _list(QueryName):
        def __call__(self, *, project_id: UUID, status: str | None = ...) -> Page: ...
    list: _list
    class _waiting(QueryName):
        def __call__(self, *, project_id: UUID, proposal_id: UUID) -> Many: ...
    waiting: _waiting

class _tenants:
    class _add(QueryName):
        def __call__(self, *, name: str) -> One: ...
    add: _add
    class _disable(QueryName):
        def __call__(self, *, name: str, disabled: bool) -> Affected: ...
    disable: _disable
    class _find(QueryName):
        def __call__(self, *, tenant: str) -> One: ...
    find: _find
    class _list(QueryName):
        def __call__(self) -> Many: ...
    list: _list

class _upkeep:
    class _events(QueryName):
        def __call__(self, *, older_than: timedelta, batch: int) -> Value: ...
    events: _events
    class _idempotency(QueryName):
        def __call__(self, *, batch: int) -> Value: ...
    idempotency: _idempotency
    class _memories(QueryName):
        def __call__(self, *, batch: int) -> Value: ...
    memories: _memories
    class _partitions(QueryName):
        def __call__(self, *, months_ahead: int) -> Value: ...
    partitions: _partitions

class _users:
    class _count(QueryName):
        def __call__(self, *, q: str | None = ...) -> Value: ...
    count: _count
    class _create(QueryName):
        def __call__(self, *, email: str, name: str, profile: Json | None = ...) -> One: ...
    create: _create
    class _create_many(QueryName):
        def __call__(self, *, items: Json) -> One: ...
    create_many: _create_many
    class _delete(QueryName):
        def __call__(self, *, user_id: UUID) -> Affected: ...
    delete: _delete
    class _erase(QueryName):
        def __call__(self, *, user_id: UUID) -> Affected: ...
    erase: _erase
    class _export(QueryName):
        def __call__(self, *, user_id: UUID) -> Stream: ...
    export: _export
    class _find(QueryName):
        def __call__(self, *, user: str) -> Value: ...
    find: _find
    class _forget_answers(QueryName):
        def __call__(self, *, user_id: UUID) -> Affected: ...
    forget_answers: _forget_answers
    class _generation(QueryName):
        def __call__(self, *, user_id: UUID) -> Value: ...
    generation: _generation
    class _get(QueryName):
        def __call__(self, *, user_id: UUID) -> One: ...
    get: _get
    class _list(QueryName):
        def __call__(self, *, q: str | None = ...) -> Page: ...
    list: _list
    class _log_in(QueryName):
        def __call__(self, *, email: str, name: str | None = ..., profile: Json | None = ...) -> One: ...
    log_in: _log_in
    class _redact(QueryName):
        def __call__(self, *, user_id: UUID) -> Value: ...
    redact: _redact
    class _storage(QueryName):
        def __call__(self, *, user_id: UUID) -> One: ...
    storage: _storage
    class _taken(QueryName):
        def __call__(self, *, items: Json) -> Value: ...
    taken: _taken
    class _update(QueryName):
        def __call__(self, *, user_id: UUID, email: str | None = ..., name: str | None = ..., profile: Json | None = ...) -> One: ...
    update: _update

class Tree:
    audit: _audit
    cache: _cache
    cases: _cases
    conversations: _conversations
    dictionary: _dictionary
    documents: _documents
    dsl: _dsl
    entities: _entities
    erasure: _erasure
    events: _events
    executions: _executions
    explain: _explain
    exports: _exports
    files: _files
    health: _health
    idempotency: _idempotency
    jobs: _jobs
    keys: _keys
    maintenance: _maintenance
    members: _members
    memories: _memories
    messages: _messages
    operator: _operator
    projects: _projects
    proposals: _proposals
    tenants: _tenants
    upkeep: _upkeep
    users: _users

sql: Tree
