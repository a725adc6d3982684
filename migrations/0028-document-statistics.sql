-- depends: 0020-cases
-- What the planner must know of documents to look one up by its id.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

-- Without it the planner takes tenant and project for independent: it then believes that a project has
-- next to no documents, and reads all of a project's versions to find the one with the id.
CREATE STATISTICS workspace.document_versions_of_project (dependencies, ndistinct)
    ON tenant_id, project_id FROM workspace.document_versions;

COMMENT ON STATISTICS workspace.document_versions_of_project IS 'That a project is of one tenant: makes the estimates of rows right.';

ANALYZE workspace.document_versions (tenant_id, project_id);
