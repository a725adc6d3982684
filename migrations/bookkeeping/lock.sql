-- A lock of the session: it ends with the connection, however the process ends. The session idles
-- in its transaction as long as the longest migration runs.
SELECT set_config('lock_timeout', %(wait)s, false),
       set_config('idle_in_transaction_session_timeout', '0', false),
       set_config('transaction_timeout', '0', false),
       set_config('statement_timeout', '0', false),
       set_config('client_connection_check_interval', '1s', false),
       pg_advisory_lock(hashtextextended('quarry.migrate', 0))
