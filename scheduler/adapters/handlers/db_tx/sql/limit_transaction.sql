SELECT set_config('statement_timeout', %(limit)s::TEXT, true),
       set_config('lock_timeout', %(limit)s::TEXT, true),
       set_config('idle_in_transaction_session_timeout', %(limit)s::TEXT, true),
       -- A statement is read here before it is sent; the server must read its strings likewise.
       set_config('standard_conforming_strings', 'on', true)
