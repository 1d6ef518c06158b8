-- KEYS: epoch. Returns 1 when a full rebuild was finished on the data that the server holds now.
return epoch(KEYS[1]) == run_id() and 1 or 0
