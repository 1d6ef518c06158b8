-- KEYS: epoch. Returns the server's run when a full rebuild was finished on the data that it holds now, else nothing.
local run = run_id()
return epoch(KEYS[1]) == run and run
