SELECT set_config('default_transaction_isolation', %(isolation)s::TEXT, false),
       set_config('statement_timeout', %(statement_timeout)s::TEXT, false),
       set_config('timezone', 'UTC', false)
