"""One module per JSON resource: request struct → named queries → answer."""

from service.files import FileStore
from service.jobs.queue import Kind
from service.resources import (
    assets,
    audit,
    cases,
    conflicts,
    conversations,
    dictionary,
    discovery_job,
    docs,
    documents,
    dsl,
    entities,
    execution,
    executions,
    export_job,
    exports,
    files,
    flows,
    health,
    imports,
    integrity,
    mappings,
    members,
    memories,
    messages,
    pages,
    possessions,
    projects,
    proposals,
    sql_files,
    users,
)
from service.settings import Settings

ENDPOINTS = [
    *health.ENDPOINTS,
    *users.ENDPOINTS,
    *projects.ENDPOINTS,
    *members.ENDPOINTS,
    *documents.ENDPOINTS,
    *executions.ENDPOINTS,
    *exports.ENDPOINTS,
    *dsl.ENDPOINTS,
    *execution.ENDPOINTS,
    *proposals.ENDPOINTS,
    *dictionary.ENDPOINTS,
    *cases.ENDPOINTS,
    *entities.ENDPOINTS,
    *imports.ENDPOINTS,
    *assets.ENDPOINTS,
    *flows.ENDPOINTS,
    *mappings.ENDPOINTS,
    *conflicts.ENDPOINTS,
    *audit.ENDPOINTS,
    *conversations.ENDPOINTS,
    *messages.ENDPOINTS,
    *memories.ENDPOINTS,
    *files.ENDPOINTS,
    *possessions.ENDPOINTS,
    *integrity.ENDPOINTS,
    *docs.ENDPOINTS,
    *pages.ENDPOINTS,
]
ADMIN_ENDPOINTS = [*health.ADMIN_ENDPOINTS, *sql_files.ADMIN_ENDPOINTS]


def kinds(settings: Settings, store: FileStore) -> dict[str, Kind]:
    """The jobs that this version can do."""
    return {
        "export": export_job.kind(settings, store),
        discovery_job.JOB: discovery_job.kind(settings),
    }
