SELECT m.name, m.checksum
FROM schema_migrations AS m
