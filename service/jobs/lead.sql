-- Whether this session leads, and leads until it ends: the lock is the session's, not a
-- transaction's. Not a query of sql/, which leave nothing on the connection that they run on.
SELECT pg_try_advisory_lock(hashtextextended('quarry.lead', 0))
