-- name: pipeline.settings :value
-- How the statements of a phase run. They join whole imports, whose rows nobody has counted yet, so they
-- join by hash: loops over rows that the planner believes to be one are all rows by all assets. A statement
-- whose process is gone ends within seconds, and with it the locks that the next one waits for.
-- param: seconds int             for one statement
-- route: primary
SELECT concat_ws(' ', set_config('statement_timeout', :seconds::int * 1000 || 'ms', true),
                 set_config('lock_timeout', '10s', true),
                 set_config('client_connection_check_interval', '2s', true),
                 set_config('jit', 'off', true),
                 set_config('enable_nestloop', 'off', true), set_config('enable_mergejoin', 'off', true),
                 set_config('enable_seqscan', 'off', true), set_config('work_mem', '64MB', true))
