"""The rows of the types section: commands on lists, hashes, sets, sorted sets, streams, HyperLogLogs and places.

A row is measured like those of the commands section, at pipeline 32 unless it says otherwise, and shown with the CPU ratio that
is wanted. Members and fields are of 16 bytes.
"""


class TypeRow:
    """`fills`: [(command, how often, range of {rand})] for an empty server; `requests`: in one round; `spends`: it uses the data up.
    Rows with the same fills share them."""

    def __init__(self, name, wanted, command, fills=(), requests=None, spends=False, pipeline=32, before=()):
        self.name, self.wanted, self.command, self.fills = name, wanted, command, tuple(fills)
        self.requests, self.spends, self.pipeline, self.before = requests, spends, pipeline, tuple(before)


MILLION = 1_000_000
MEMBER = "mem:{rand}"
VALUE = "value:0123456789"
LIST = [(("RPUSH", "list", "element:{seq}"), MILLION, MILLION)]
HASH = [(("HSET", "hash", "mem:{seq}", VALUE), MILLION, MILLION)]
SET = [(("SADD", "set", "mem:{seq}"), MILLION, MILLION)]
ZSET = [(("ZADD", "zset", "{num:100000:999999}", "mem:{seq}"), MILLION, MILLION)]
SETS = [(("SADD", "a", "mem:{seq}"), 100_000, MILLION), (("SADD", "b", MEMBER), 140_000, 200_000)]
ZSETS = [(("ZADD", "za", "{num:1000:9999}", "mem:{seq}"), 100_000, MILLION), (("ZADD", "zb", "{num:1000:9999}", MEMBER), 140_000, 200_000)]
STREAM = [(("XADD", "stream", "*", "field", VALUE, "other", "17"), MILLION, MILLION)]
NUMBERED = [(("XADD", "numbered", "1-1{seq}", "field", VALUE), MILLION, MILLION)]
SMALL = [(("RPUSH", "small:{seq}") + tuple(f"element:{i:08}" for i in range(100)), 1000, 1000),
         (("SADD", "members:{seq}") + tuple(f"member:{i:09}" for i in range(100)), 1000, 1000),
         (("HSET", "fields:{seq}") + tuple(word for i in range(50) for word in (f"field:{i:010}", VALUE)), 1000, 1000)]
PLACES = [(("GEOADD", "places", "1{num:0:9}.{num:100000:999999}", "4{num:0:9}.{num:100000:999999}", "mem:{seq}"), MILLION, MILLION)]
COUNTED = [(("PFADD", f"count:{i}", MEMBER), 20_000, MILLION) for i in range(10)]

ROWS = [
    TypeRow("LPUSH one list", 0.60, ["LPUSH", "grows", "element:{rand}"], spends=True),
    TypeRow("RPOP one list", 0.60, ["RPOP", "list"], LIST, spends=True),
    TypeRow("LPUSH small keys", 0.60, ["LPUSH", "l:{rand}", "element"], spends=True),
    TypeRow("HSET small keys", 0.60, ["HSET", "h:{rand}", "field{num:1:5}", "value"], spends=True),
    TypeRow("SADD small keys", 0.60, ["SADD", "s:{rand}", "member{num:1:5}"], spends=True),
    TypeRow("ZADD small keys", 0.60, ["ZADD", "z:{rand}", "{num:10:99}", "member{num:1:5}"], spends=True),
    TypeRow("HSET 1 M", 0.60, ["HSET", "hash", MEMBER, VALUE], HASH),
    TypeRow("HGET 1 M", 0.60, ["HGET", "hash", MEMBER], HASH),
    TypeRow("SADD 1 M", 0.60, ["SADD", "set", MEMBER], SET),
    TypeRow("SISMEMBER 1 M", 0.60, ["SISMEMBER", "set", MEMBER], SET),
    TypeRow("ZADD 1 M", 0.50, ["ZADD", "zset", "{num:100000:999999}", MEMBER], ZSET, requests=500_000, spends=True),
    TypeRow("ZRANK 1 M", 0.50, ["ZRANK", "zset", MEMBER], ZSET, requests=500_000),
    TypeRow("ZSCORE 1 M", 0.50, ["ZSCORE", "zset", MEMBER], ZSET),
    TypeRow("ZRANGEBYSCORE", 0.50, ["ZRANGEBYSCORE", "zset", "{num:100000:999999}", "+inf", "LIMIT", "0", "10"], ZSET, requests=500_000),
    TypeRow("ZINCRBY 1 M", 0.50, ["ZINCRBY", "zset", "1", MEMBER], ZSET, requests=500_000, spends=True),
    TypeRow("LINDEX middle", 0.02, ["LINDEX", "list", "{num:400000:599999}"], LIST, requests=50_000),
    TypeRow("LSET middle", 0.02, ["LSET", "list", "{num:400000:599999}", "element:999999999999"], LIST, requests=50_000),
    TypeRow("LRANGE 10 middle", 0.02, ["LRANGE", "list", "500000", "500009"], LIST, requests=50_000),
    TypeRow("LRANGE 100", 0.60, ["LRANGE", "small:000000000{num:100:999}", "0", "-1"], SMALL, requests=100_000),
    TypeRow("SMEMBERS 100", 0.60, ["SMEMBERS", "members:000000000{num:100:999}"], SMALL, requests=100_000),
    TypeRow("HGETALL 50", 0.60, ["HGETALL", "fields:000000000{num:100:999}"], SMALL, requests=100_000),
    TypeRow("SINTER 100 k", 0.50, ["SINTER", "a", "b"], SETS, requests=30, pipeline=1),
    TypeRow("SUNIONSTORE 100 k", 0.50, ["SUNIONSTORE", "c", "a", "b"], SETS, requests=30, pipeline=1),
    TypeRow("ZUNIONSTORE 100 k", 0.50, ["ZUNIONSTORE", "zc", "2", "za", "zb"], ZSETS, requests=20, pipeline=1),
    TypeRow("XADD one stream", 0.70, ["XADD", "events", "*", "field", VALUE, "other", "17"], spends=True),
    TypeRow("XREAD 100", 0.70, ["XREAD", "COUNT", "100", "STREAMS", "stream", "0"], STREAM, requests=50_000),
    TypeRow("XREADGROUP", 0.70, ["XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS", "numbered", ">"], NUMBERED, requests=400_000,
            spends=True, before=[("XGROUP", "CREATE", "numbered", "g", "0")]),
    TypeRow("XACK", 0.70, ["XACK", "numbered", "g", "1-1{seq}"], NUMBERED, requests=400_000, spends=True,
            before=[("XGROUP", "CREATE", "numbered", "g", "0"), ("XREADGROUP", "GROUP", "g", "c", "COUNT", "400000", "STREAMS", "numbered", ">")]),
    TypeRow("GEOSEARCH 100", 0.60, ["GEOSEARCH", "places", "FROMLONLAT", "1{num:2:7}.{num:100000:999999}", "4{num:2:7}.{num:100000:999999}",
                                    "BYRADIUS", "5.2", "km"], PLACES, requests=20_000),
    TypeRow("PFADD", 0.60, ["PFADD", "count:0", MEMBER], COUNTED),
    TypeRow("PFCOUNT 10 keys", 0.60, ["PFCOUNT"] + [f"count:{i}" for i in range(10)], COUNTED, requests=20_000),
]

# Bytes per member (or per key, of the small hashes), and the ratio that is wanted.
MEMORY = [
    ("sorted set", 0.55, ("ZADD", "zset", "{num:100000:999999}", "mem:{seq}"), MILLION),
    ("hash", 0.60, ("HSET", "hash", "mem:{seq}", VALUE), MILLION),
    ("set", 0.60, ("SADD", "set", "mem:{seq}"), MILLION),
    ("small hashes of 5 fields", 0.70, ("HSET", "h:{seq}") + tuple(word for i in range(5) for word in (f"field{i}", f"value{i}")), MILLION),
    ("list", 1.00, ("RPUSH", "list", "element:{seq}"), MILLION),
]
