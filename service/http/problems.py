"""Every error that a caller can see: `application/problem+json` (RFC 9457) with stable codes.

`CODES` is the one table of codes, titles and statuses (also printed in docs/errors.md), `_FAILURES`
the one table from what the database says to what is answered, `_FIELDS` the one table from
constraint names to the field of the request that is at fault.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from service.database.errors import Failure, Kind


class Code(NamedTuple):
    """A stable code: HTTP status, title, and what it means for the caller."""

    status: int
    title: str
    meaning: str


CODES: dict[str, Code] = {
    "malformed_json": Code(400, "Malformed JSON", "The body is not one JSON document."),
    "bad_cursor": Code(400, "Bad cursor", "The cursor was not made by this list and filter."),
    "bad_header": Code(400, "Bad header", "A header has a value that cannot be read."),
    "unauthenticated": Code(401, "Not authenticated", "No credentials, or not valid ones."),
    "forbidden": Code(403, "Forbidden", "The credentials lack the scope or the role for this."),
    "not_found": Code(404, "Not found", "Absent, deleted, or not yours."),
    "method_not_allowed": Code(405, "Method not allowed", "See the Allow header."),
    "conflict": Code(409, "Conflict", "The state of the resource does not allow this."),
    "duplicate": Code(409, "Duplicate", "A unique value is taken; the constraint is named."),
    "illegal_transition": Code(409, "Illegal transition", "The state machine has no such step."),
    "version_conflict": Code(409, "Version conflict", "The expected version is not the current."),
    "idempotency_in_progress": Code(
        409, "Still in progress", "The first request with this Idempotency-Key still runs."
    ),
    "gone": Code(410, "Gone", "It was there and has expired."),
    "stale_etag": Code(412, "Stale ETag", "If-Match names a version that is not the current one."),
    "too_large": Code(413, "Too large", "The body is larger than this route accepts."),
    "unsupported_media_type": Code(415, "Unsupported media type", "Send application/json."),
    "range_not_satisfiable": Code(
        416, "Range not satisfiable", "The file ends before the first byte that was asked for."
    ),
    "validation": Code(422, "Validation failed", "Every field at fault is listed in errors."),
    "invalid_document": Code(
        422, "Document refused", "A document with errors: findings has all, with line and column."
    ),
    "idempotency_mismatch": Code(
        422, "Idempotency mismatch", "This Idempotency-Key was used with another request."
    ),
    "foreign_key": Code(422, "Unknown reference", "A referenced resource does not exist."),
    "precondition_required": Code(428, "Precondition required", "Send If-Match."),
    "rate_limited": Code(429, "Rate limited", "Wait for Retry-After seconds."),
    "internal": Code(500, "Internal error", "Our fault; the request id finds the log entry."),
    "auth_unavailable": Code(
        503, "Cannot check credentials", "The keys that tokens are checked with cannot be had now."
    ),
    "database_unavailable": Code(503, "Database unavailable", "Try again after Retry-After."),
    "generator_unavailable": Code(
        503,
        "Generator unavailable",
        "The language model cannot be asked, or answers nothing usable.",
    ),
    "pool_exhausted": Code(503, "Too busy", "No connection came free in time."),
    "draining": Code(503, "Draining", "This process is stopping; another one will answer."),
    "deadline_exceeded": Code(504, "Deadline exceeded", "The request's time was used up."),
}


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field at fault: JSON pointer (or query:/header: name), code, detail."""

    pointer: str
    code: str
    detail: str


@dataclass(slots=True)
class Problem(Exception):
    """An answer that is not a success; raised anywhere, rendered by the outermost layer."""

    code: str
    detail: str = ""
    errors: Sequence[FieldError] = ()
    headers: dict[str, str] = field(default_factory=dict)
    extra: Mapping[str, object] = field(default_factory=dict)

    @property
    def status(self) -> int:
        """The HTTP status of the code."""
        return CODES[self.code].status

    def render(self, request_id: str) -> bytes:
        """The body, in UTF-8."""
        code = CODES[self.code]
        body: dict[str, object] = {
            "type": f"urn:quarry:problem:{self.code}",
            "title": code.title,
            "status": code.status,
            "detail": self.detail or code.meaning,
            "code": self.code,
            "request_id": request_id,
        }
        if self.errors:
            body["errors"] = [
                {"pointer": e.pointer, "code": e.code, "detail": e.detail} for e in self.errors
            ]
        return orjson.dumps(body | dict(self.extra))


def invalid(pointer: str, code: str, detail: str) -> Problem:
    """A 422 about one field."""
    return Problem("validation", errors=[FieldError(pointer, code, detail)])


# what the database says → what is answered; Retry-After in seconds where waiting helps
_FAILURES: dict[Kind, tuple[str, int | None]] = {
    Kind.DUPLICATE: ("duplicate", None),
    Kind.FOREIGN_KEY: ("foreign_key", None),
    Kind.CHECK: ("validation", None),
    Kind.INVALID: ("validation", None),
    Kind.IMMUTABLE: ("validation", None),
    Kind.TRANSITION: ("illegal_transition", None),
    Kind.CONFLICT: ("conflict", None),
    Kind.SERIALIZATION: ("database_unavailable", 1),
    Kind.LOCKED: ("conflict", 1),
    Kind.DEADLINE: ("deadline_exceeded", None),
    Kind.READ_ONLY: ("database_unavailable", 1),
    Kind.UNAVAILABLE: ("database_unavailable", 1),
    Kind.EXHAUSTED: ("pool_exhausted", 1),
    Kind.STALE_PLAN: ("database_unavailable", 1),
    Kind.UNEXPECTED: ("internal", None),
}

# constraint → (pointer, what the caller should know)
_FIELDS: dict[str, tuple[str, str]] = {
    "users_email_key": ("/email", "this e-mail address is taken"),
    "users_email_shape": ("/email", "not an e-mail address"),
    "users_email_length": ("/email", "at most 254 characters"),
    "users_name_length": ("/name", "1 to 255 characters"),
    "users_profile_object": ("/profile", "must be a JSON object"),
    "projects_name_length": ("/name", "1 to 255 characters"),
    "projects_status_known": ("/status", "draft, active, in_review, completed or archived"),
    "projects_language_length": ("/language", "2 to 10 characters"),
    "projects_language_shape": ("/language", "a BCP 47 tag of 2 to 10 characters, such as en-GB"),
    "projects_language_immutable": ("/language", "never changes after creation"),
    "projects_current_step_range": ("/current_step", "1 to 4"),
    "projects_metadata_object": ("/metadata", "must be a JSON object"),
    "projects_created_by_fkey": ("/created_by", "no such user"),
    "project_members_user_fkey": ("/user_id", "no such user"),
    "project_members_role_known": ("/role", "owner, editor or viewer"),
    "document_versions_document_type_length": ("/document_type", "1 to 50 characters"),
    "document_versions_content_length": ("/content", "1 character to 1 MiB"),
    "document_versions_metadata_object": ("/metadata", "must be a JSON object"),
    "document_versions_readability_score_range": ("/readability_score", "0 to 100"),
    "document_versions_grammar_score_range": ("/grammar_score", "0 to 100"),
    "document_versions_created_by_fkey": ("/created_by", "no such user"),
    "agent_executions_status_known": (
        "/status",
        "pending, running, needs_input, completed, failed or cancelled",
    ),
    "agent_executions_agent_type_length": ("/agent_type", "1 to 50 characters"),
    "agent_executions_input_object": ("/input", "must be a JSON object"),
    "agent_executions_output_object": ("/output", "must be a JSON object"),
    "agent_executions_error_message_length": ("/error_message", "at most 10,000 characters"),
    "agent_executions_progress_range": ("/progress", "0 to 100"),
    "agent_executions_requested_by_fkey": ("/requested_by", "no such user"),
    "dictionary_name_key": ("/name", "an attribute of this name is there already"),
    "dictionary_name_shape": ("/name", "letters, digits, _ and -, in parts joined by single dots"),
    "dictionary_long_description_length": ("/long_description", "at most 4,000 characters"),
    "dictionary_group_id_length": ("/group_id", "1 to 100 characters"),
    "dictionary_domain_length": ("/domain", "1 to 100 characters"),
    "dictionary_mask_known": (
        "/mask",
        "string, integer, decimal, date, datetime, boolean, enum, uuid, money or percent",
    ),
    "dictionary_rules_shape": (
        "/rules",
        "values, pattern, range, length or format, as the mask allows; an enum needs values",
    ),
    "dictionary_source_object": ("/source", "must be a JSON object"),
    "dictionary_sink_object": ("/sink", "must be a JSON object"),
    "dictionary_sensitivity_known": (
        "/sensitivity",
        "public, internal, confidential or restricted",
    ),
    "attribute_values_value_fits": ("/values", "a value does not fit its attribute"),
    "dsl_proposals_instruction_length": ("/instruction", "1 to 20,000 characters"),
    "exports_created_by_fkey": ("/created_by", "no such user"),
    "exports_status_known": ("/status", "pending, running, completed, failed or expired"),
    "exports_file_name_length": ("/file_name", "1 to 255 characters"),
    "exports_format_known": ("/format", "zip or ndjson"),
    "exports_versions_known": ("/versions", "latest or all"),
    "exports_document_types_size": ("/document_types", "1 to 100 types"),
    "conversations_user_fkey": ("/user_id", "no such user"),
    "conversations_title_length": ("/title", "1 to 255 characters"),
    "conversations_template_length": ("/template", "1 to 100 characters"),
    "conversations_tags_fit": ("/tags", "at most 32 tags of 1 to 64 characters"),
    "conversations_metadata_object": ("/metadata", "must be a JSON object"),
    "messages_role_known": ("/role", "system, user, assistant or tool"),
    "messages_content_length": ("/content", "at most 1 MiB in UTF-8"),
    "messages_content_given": ("/content", "may be empty only beside tool_calls"),
    "messages_model_length": ("/model", "1 to 255 characters"),
    "messages_tool_calls_array": ("/tool_calls", "must be a JSON array"),
    "messages_tool_results_array": ("/tool_results", "must be a JSON array"),
    "messages_images_array": ("/images", "must be a JSON array"),
    "messages_files_size": ("/files", "at most 100 ids"),
    "messages_metadata_object": ("/metadata", "must be a JSON object"),
    "files_conversation_fkey": ("/conversation_id", "the user has no such conversation"),
    "files_original_name_length": ("/original_name", "1 to 255 characters"),
    "files_mime_type_shape": ("/mime_type", "a media type of at most 127 characters"),
    "files_path_length": ("/path", "1 to 2000 characters"),
    "files_analysis_object": ("/analysis", "must be a JSON object"),
    "memories_user_fkey": ("/user_id", "no such user"),
    "memories_conversation_fkey": ("/conversation_id", "the user has no such conversation"),
    "memories_question_length": ("/question", "1 byte to 32 KiB"),
    "memories_answer_length": ("/answer", "1 byte to 32 KiB"),
    "memories_importance_range": ("/importance", "1 to 10"),
    "memories_tags_fit": ("/tags", "at most 32 tags of 1 to 64 characters"),
    "memories_metadata_object": ("/metadata", "must be a JSON object"),
    "messages_token_count_positive": ("/token_count", "0 or more"),
    "master_flows_flow_name_length": ("query:name", "1 to 255 characters"),
    "master_flows_created_by_fkey": ("/created_by", "no such user"),
    "data_imports_name_length": ("query:name", "1 to 255 characters"),
    "data_imports_source_system_length": ("query:source_system", "1 to 255 characters"),
    "data_imports_category_known": (
        "query:category",
        "cmdb_export, app_discovery, infrastructure or sensitive_data",
    ),
    "data_imports_file_name_length": ("/file", "a file name of 1 to 255 characters"),
    "data_imports_content_type_length": ("/file", "a media type of at most 255 characters"),
    "data_imports_imported_by_fkey": ("/imported_by", "no such user"),
    "assets_hostname_key": ("/hostname", "another asset of this type has this host name"),
    "assets_ip_key": ("/ip", "another asset of this type has this address"),
    "assets_name_length": ("/name", "1 to 255 characters"),
    "assets_asset_type_known": ("/asset_type", "no such type of asset"),
    "assets_hostname_shape": ("/hostname", "1 to 255 characters in lower case"),
    "assets_fqdn_shape": ("/fqdn", "1 to 255 characters in lower case"),
    "assets_os_length": ("/os", "1 to 255 characters"),
    "assets_os_version_length": ("/os_version", "1 to 255 characters"),
    "assets_environment_known": (
        "/environment",
        "production, staging, test, development, disaster_recovery or other",
    ),
    "assets_location_length": ("/location", "1 to 1000 characters"),
    "assets_business_owner_length": ("/business_owner", "1 to 255 characters"),
    "assets_technical_owner_length": ("/technical_owner", "1 to 255 characters"),
    "assets_department_length": ("/department", "1 to 255 characters"),
    "assets_application_length": ("/application", "1 to 255 characters"),
    "assets_technology_stack_length": ("/technology_stack", "1 to 1000 characters"),
    "assets_criticality_known": ("/criticality", "critical, high, medium or low"),
    "assets_cpu_positive": ("/cpu", "0 or more"),
    "assets_memory_gb_positive": ("/memory_gb", "0 or more"),
    "assets_storage_gb_positive": ("/storage_gb", "0 or more"),
    "assets_cost_positive": ("/cost", "0 or more"),
    "assets_custom_object": ("/custom", "must be a JSON object"),
    "assets_six_r_strategy_known": (
        "/six_r_strategy",
        "rehost, replatform, refactor, repurchase, retire or retain",
    ),
    "assets_status_known": (
        "/status",
        "discovered, confirmed, in_migration, migrated or decommissioned",
    ),
    "asset_conflicts_resolution_known": ("/resolutions", "keep_existing, replace or merge"),
    "asset_conflicts_merge_fields_fit": ("/resolutions", "merge alone takes merge_fields"),
    "asset_conflicts_resolved_by_fkey": ("/resolved_by", "no such user"),
    "field_mappings_source_field_key": ("/mappings", "a column is there twice"),
    "field_mappings_source_field_length": ("/mappings", "columns have 1 to 255 characters"),
    "field_mappings_target_field_shape": ("/mappings", "no such field of assets"),
    "field_mappings_status_known": ("/mappings", "suggested, approved or rejected"),
    "field_mappings_transformation_length": ("/mappings", "boolean, date, lower or upper"),
    "field_mappings_decided_by_fkey": ("/decided_by", "no such user"),
}


# rules about a resource's state rather than about a field
_STATES: dict[str, tuple[str, str]] = {
    "project_members_keep_owner": ("/role", "a project always keeps one owner"),
}


def field_of(constraint: str) -> tuple[str, str] | None:
    """The field that a constraint is about, and what to tell the caller."""
    return _FIELDS.get(constraint)


def refused(code: str, constraint: str, items: Iterable[int] | None = None) -> Problem:
    """What a constraint refused: its field, in each of these items (from 0) of a bulk body."""
    pointer, message = _FIELDS[constraint]
    places = [""] if items is None else [f"/{item}" for item in items]
    errors = [FieldError(place + pointer, code, message) for place in places]
    return Problem(code, errors=errors, extra={"constraint": constraint})


def from_failure(failure: Failure) -> Problem:
    """The problem that a failure of the database is answered with; no SQL, values or DETAIL."""
    code, retry_after = _FAILURES[failure.kind]
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    if code in ("internal", "deadline_exceeded") or retry_after is not None:
        return Problem(code, headers=headers)
    if failure.constraint in _STATES:
        pointer, message = _STATES[failure.constraint]
        error = FieldError(pointer, "conflict", message)
        return Problem("conflict", errors=[error], extra=_constraint(failure))
    known = _FIELDS.get(failure.constraint)
    if known is None:
        detail = {
            Kind.INVALID: "A value does not fit: out of range, too long, or with characters that "
            "cannot be stored (such as NUL).",
            Kind.TRANSITION: str(failure),
            Kind.CONFLICT: str(failure),
        }.get(failure.kind, "")
        return Problem(code, detail, headers=headers, extra=_constraint(failure))
    pointer, message = known
    return Problem(
        code, errors=[FieldError(pointer, code, message)], headers=headers,
        extra=_constraint(failure),
    )  # fmt: skip


def _constraint(failure: Failure) -> dict[str, object]:
    return {"constraint": failure.constraint} if failure.constraint else {}
