-- name: dsl.operation_id :value
-- An id for an operation, ordered by time.
SELECT uuidv7() AS id
