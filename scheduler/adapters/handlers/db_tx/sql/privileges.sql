SELECT r.rolname
FROM pg_roles AS r
WHERE pg_has_role(session_user, r.oid, 'MEMBER')
  AND (r.rolsuper OR r.rolname IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files'))
ORDER BY r.rolname
LIMIT 1
