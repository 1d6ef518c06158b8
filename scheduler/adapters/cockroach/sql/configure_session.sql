-- Which session is this? A pooler has a cancellation key of its own for each client, and lends the sessions of the
-- server: those stay as they are, for other clients, except for the time zone, which poolers follow.
SELECT pg_backend_pid() = %(backend_pid)s::INT8,
       set_config('timezone', 'UTC', false),
       CASE WHEN pg_backend_pid() = %(backend_pid)s::INT8
            THEN set_config('default_transaction_isolation', %(isolation)s::TEXT, false) END,
       CASE WHEN pg_backend_pid() = %(backend_pid)s::INT8
            THEN set_config('statement_timeout', %(statement_timeout)s::TEXT, false) END
