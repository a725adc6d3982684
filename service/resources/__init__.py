"""One module per JSON resource: request struct → named queries → answer."""

from service.resources import (
    audit,
    docs,
    documents,
    executions,
    health,
    members,
    projects,
    sql_files,
    users,
)

ENDPOINTS = [
    *health.ENDPOINTS,
    *users.ENDPOINTS,
    *projects.ENDPOINTS,
    *members.ENDPOINTS,
    *documents.ENDPOINTS,
    *executions.ENDPOINTS,
    *audit.ENDPOINTS,
    *docs.ENDPOINTS,
]
ADMIN_ENDPOINTS = [*health.ADMIN_ENDPOINTS, *sql_files.ADMIN_ENDPOINTS]
