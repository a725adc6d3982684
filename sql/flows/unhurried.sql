-- name: flows.unhurried :value
-- All rows of a flow may go in this transaction, each with its links, so a statement may take longer; but
-- nobody waits long for a phase that works on them.
-- param: seconds int             for one statement
-- route: primary
SELECT concat_ws(' ', set_config('statement_timeout', :seconds::int * 1000 || 'ms', true),
                 set_config('lock_timeout', '1s', true)) AS settings
