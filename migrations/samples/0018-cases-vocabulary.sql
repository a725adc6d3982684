-- The migration seeds its tables itself.
SELECT count(*) FROM cases.verbs;
