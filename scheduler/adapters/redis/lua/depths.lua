-- KEYS: sorted sets. Returns their sizes.
local sizes = {}
for k = 1, #KEYS do
  sizes[k] = heal('ZCARD', KEYS[k])
end
return sizes
