-- Of the connection that runs a migration. When its process is killed, the server notices within a
-- second, in the middle of a statement too, and lets go of the tables.
SET client_connection_check_interval = '1s'
