(VALUES (0::INT2), (1::INT2), (2::INT2), (3::INT2), (4::INT2), (5::INT2), (6::INT2), (7::INT2)) AS s (shard)
