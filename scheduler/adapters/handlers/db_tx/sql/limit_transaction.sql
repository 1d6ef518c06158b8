SELECT set_config('statement_timeout', %(limit)s::TEXT, true),
       set_config('lock_timeout', %(limit)s::TEXT, true),
       set_config('idle_in_transaction_session_timeout', %(limit)s::TEXT, true)
