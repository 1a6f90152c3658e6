"""Geo: GEOADD GEOPOS GEODIST GEOHASH GEOSEARCH GEOSEARCHSTORE GEORADIUS GEORADIUSBYMEMBER and the _RO forms. Coordinates, distances, the
order of results and all errors are those of redis-server 7.0.15, against which this file passes too."""
import math
import random

import pytest

WRONGTYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
SYNTAX = "ERR syntax error"
NOT_FLOAT = "ERR value is not a valid float"
NOT_INTEGER = "ERR value is not an integer or out of range"
UNIT = "ERR unsupported unit provided. please use M, KM, FT, MI"
NO_FROM = "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {}"
NO_BY = "ERR exactly one of BYRADIUS and BYBOX can be specified for {}"
NO_COUNT = "ERR the ANY argument requires COUNT argument"
NO_MEMBER = "ERR could not decode requested zset member"
STORE_WITH = "ERR {} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
RADIUS = 6372797.560856
SICILY = ["13.361389", "38.115556", "Palermo", "15.087269", "37.502669", "Catania", "12.758489", "38.788135", "edge1",
          "17.241510", "38.788135", "edge2"]
PALERMO = (13.36138933897018433, 38.11555639549629859)
CATANIA = (15.08726745843887329, 37.50266842333162032)


@pytest.fixture
def sicily(c):
    assert c("GEOADD", "g", *SICILY) == 4
    c("SET", "s", "x")
    return c


def words(text):
    return text.split()


def numbers(point):
    return point and tuple(float(part) for part in point)


@pytest.mark.parametrize("command", ["GEOADD", "GEOADD g 1 2", "GEOADD g NX", "GEOPOS", "GEODIST g a", "GEOHASH", "GEOSEARCH g FROMMEMBER a BYRADIUS 1",
                                     "GEOSEARCHSTORE d g FROMMEMBER a BYRADIUS 1", "GEORADIUS g 1 1 1", "GEORADIUS_RO g 1 1 1",
                                     "GEORADIUSBYMEMBER g a 1", "GEORADIUSBYMEMBER_RO g a 1"])
def test_arity(c, command):
    name, *args = words(command)
    assert c.fails(name, *args) == f"ERR wrong number of arguments for '{name.lower()}' command"


# GEOADD.

def test_geoadd(c):
    assert c("GEOADD", "g", *SICILY[:6]) == 2
    assert c("GEOADD", "g", *SICILY) == 2
    assert c("GEOADD", "g", "CH", *SICILY) == 0
    assert c("GEOADD", "g", "1", "1", "Palermo") == 0
    assert c("GEOADD", "g", "ch", *SICILY) == 1
    assert c("TYPE", "g") == b"zset"
    assert c("OBJECT", "ENCODING", "g") == b"listpack"


@pytest.mark.needs("ZSCORE")
def test_scores_are_hashes(sicily):
    assert [float(sicily("ZSCORE", "g", name)) for name in ("Palermo", "Catania")] == [3479099956230698, 3479447370796909]


def test_geoadd_conditions(c):
    assert c("GEOADD", "g", "XX", "1", "1", "a") == 0
    assert c("EXISTS", "g") == 0
    assert c("GEOADD", "g", "NX", "1", "1", "a") == 1
    assert c("GEOADD", "g", "NX", "CH", "2", "2", "a", "3", "3", "b") == 1
    assert numbers(c("GEOPOS", "g", "a")[0]) == pytest.approx((1, 1), abs=1e-5)
    assert c("GEOADD", "g", "XX", "CH", "2", "2", "a", "3", "3", "c") == 1
    assert c("GEOPOS", "g", "c") == [None]
    assert c("GEOADD", "g", "NX", "NX", "CH", "CH", "1", "1", "q") == 1


@pytest.mark.parametrize("args, error", [
    ("1 2 m 3", SYNTAX), ("1 2 m 3 4", SYNTAX), ("NX XX 1 2 m", SYNTAX), ("NX XX 1 2", SYNTAX), ("GT 1 1 q", SYNTAX), ("NX 1 2", SYNTAX),
    ("x 2 m", NOT_FLOAT), ("1 x m", NOT_FLOAT), ("nan 1 m", NOT_FLOAT), ("1e400 1 m", NOT_FLOAT),
    ("181 2 m", "ERR invalid longitude,latitude pair 181.000000,2.000000"),
    ("1 86 m", "ERR invalid longitude,latitude pair 1.000000,86.000000"),
    ("200 100 m", "ERR invalid longitude,latitude pair 200.000000,100.000000"),
    ("inf 1 m", "ERR invalid longitude,latitude pair inf,1.000000"),
    ("180.0000001 1 m", "ERR invalid longitude,latitude pair 180.000000,1.000000"),
    ("1 2 a 1 2 b 300 2 c", "ERR invalid longitude,latitude pair 300.000000,2.000000"),
])
def test_geoadd_errors(c, args, error):
    c("SET", "s", "x")
    assert c.fails("GEOADD", "g", *words(args)) == error
    # The arguments come before the key.
    assert c.fails("GEOADD", "s", *words(args)) == error
    assert c("EXISTS", "g") == 0


def test_the_limits_are_valid(c):
    assert c("GEOADD", "g", "-180", "-85.05112878", "lo", "180", "85.05112878", "hi") == 2
    assert [numbers(p) for p in c("GEOPOS", "g", "lo", "hi")] == [
        (-179.99999731779098511, -85.05112751263942528), (180, 85.0511287799999991)]
    assert c("GEOHASH", "g", "lo", "hi") == [b"00bh0hbj200", b"bp05b5048p0"]
    assert c("GEODIST", "g", "lo", "hi") == b"18919844.5891"


def test_wrong_type(sicily):
    for command in ("GEOADD s 1 2 m", "GEOPOS s a", "GEODIST s a b", "GEOHASH s a", "GEOSEARCH s FROMLONLAT x y BYRADIUS z xx",
                    "GEOSEARCHSTORE d s x x x x x x", "GEORADIUS s x y z km", "GEORADIUS_RO s x y z km", "GEORADIUSBYMEMBER s a x km",
                    "GEORADIUSBYMEMBER_RO s a x km"):
        assert sicily.fails(*words(command)) == WRONGTYPE


# GEOPOS, GEODIST, GEOHASH.

def test_geopos(sicily):
    assert [numbers(p) for p in sicily("GEOPOS", "g", "Palermo", "nope", "Catania")] == [PALERMO, None, CATANIA]
    assert sicily("GEOPOS", "g") == []
    assert sicily("GEOPOS", "missing", "a", "b") == [None, None]
    c = sicily
    assert c("GEOADD", "g", "10", "0", "equator") == 1
    assert numbers(c("GEOPOS", "g", "equator")[0]) == pytest.approx((10.000002086162567, 1.2673605809254695e-6), rel=1e-9)


def test_coordinates_have_17_digits(sicily, wire, protocol):
    """As up to 7: the public compatibility suite compares them as text. (8 prints the shortest digits.)"""
    shown = repr(wire("GEOPOS", "g", "Palermo", "nope"))
    if protocol == 2:
        assert shown == "[[b'13.36138933897018433', b'38.11555639549629859'], nil(*-1)]"
    else:
        assert shown == "[[Double(text=b'13.36138933897018433'), Double(text=b'38.11555639549629859')], nil(_)]"


def test_geodist(sicily):
    for unit, distance in (("", b"166274.1516"), ("m", b"166274.1516"), ("km", b"166.2742"), ("KM", b"166.2742"), ("mi", b"103.3182"),
                           ("ft", b"545518.8700")):
        assert sicily("GEODIST", "g", "Palermo", "Catania", *words(unit)) == distance
    assert sicily("GEODIST", "g", "Palermo", "Palermo") == b"0.0000"
    assert sicily("GEODIST", "g", "Palermo", "nope") is None
    assert sicily("GEODIST", "g", "nope", "Palermo") is None
    assert sicily("GEODIST", "missing", "a", "b") is None
    for key in ("g", "missing", "s"):
        assert sicily.fails("GEODIST", key, "Palermo", "Catania", "xx") == UNIT
        assert sicily.fails("GEODIST", key, "Palermo", "Catania", "m", "x") == SYNTAX


def test_geohash(sicily):
    assert sicily("GEOHASH", "g", "Palermo", "nope", "Catania") == [b"sqc8b49rny0", None, b"sqdtr74hyu0"]
    assert sicily("GEOHASH", "g") == []
    assert sicily("GEOHASH", "missing", "a") == [None]


@pytest.mark.needs("ZADD")
def test_scores_that_no_geoadd_made(c):
    c("ZADD", "z", "1", "a", "-5", "neg", "1.5", "frac", "1e300", "huge", "inf", "inf", "-inf", "ninf", "4503599627370496", "over",
      "4503599627370495", "max")
    names = ("a", "neg", "frac", "huge", "inf", "ninf", "over", "max")
    low, high = -179.99999731779098511, 85.0511287799999991
    south, second = -85.05112751263942528, -85.05112497791824921
    assert [numbers(p) for p in c("GEOPOS", "z", *names)] == [
        (low, second), (180, high), (low, second), (low, south), (low, south), (180, south), (low, high),
        (179.99999731779098511, 85.05112751263942528)]
    assert c("GEOHASH", "z", *names) == [b"00bh0hbj210", b"bp05b5048p0", b"00bh0hbj210", b"00bh0hbj200", b"00bh0hbj200", b"00bh0hbj200",
                                         b"bp05b5048p0", b"zzpgzgpfxz0"]
    assert c("GEODIST", "z", "a", "neg") == b"18919844.3072"
    for centre, found in (("a", [b"a", b"frac"]), ("neg", [b"max"]), ("inf", [b"a", b"frac"]), ("over", [b"over", b"max"])):
        assert c("GEOSEARCH", "z", "FROMMEMBER", centre, "BYRADIUS", "100", "km") == found
    assert c("GEOSEARCH", "z", "FROMLONLAT", "0", "0", "BYRADIUS", "30000", "km") == [b"max", b"a", b"frac"]


# Searching.

NEAR = ["FROMLONLAT", "15", "37", "BYRADIUS", "200", "km"]


def test_search_in_circle_and_box(sicily):
    assert sicily("GEOSEARCH", "g", *NEAR) == [b"Palermo", b"Catania"]
    assert sicily("GEOSEARCH", "g", *NEAR, "ASC") == [b"Catania", b"Palermo"]
    assert sicily("GEOSEARCH", "g", *NEAR, "DESC") == [b"Palermo", b"Catania"]
    assert sicily("GEOSEARCH", "g", *NEAR, "DESC", "ASC") == [b"Catania", b"Palermo"]
    assert sicily("GEOSEARCH", "g", *words("frommember Palermo byradius 200 KM")) == [b"Palermo", b"edge1", b"Catania"]
    box = words("FROMLONLAT 15 37 BYBOX 400 400 km")
    assert sicily("GEOSEARCH", "g", *box, "ASC") == [b"Catania", b"Palermo", b"edge2", b"edge1"]
    assert sicily("GEOSEARCH", "g", *box, "ASC", "WITHDIST") == [
        [b"Catania", b"56.4413"], [b"Palermo", b"190.4424"], [b"edge2", b"279.7403"], [b"edge1", b"279.7405"]]
    assert sicily("GEOSEARCH", "missing", *NEAR) == []
    assert sicily("GEOSEARCH", "missing", *words("FROMMEMBER nope BYRADIUS 200 km")) == []


def test_what_comes_with_a_hit(sicily):
    rows = sicily("GEOSEARCH", "g", *NEAR, "WITHCOORD", "WITHHASH", "ASC", "WITHDIST")
    assert [row[:3] for row in rows] == [[b"Catania", b"56.4413", 3479447370796909], [b"Palermo", b"190.4424", 3479099956230698]]
    assert [numbers(row[3]) for row in rows] == [CATANIA, PALERMO]
    assert sicily("GEOSEARCH", "g", *NEAR, "WITHHASH") == [[b"Palermo", 3479099956230698], [b"Catania", 3479447370796909]]
    assert [numbers(row[1]) for row in sicily("GEOSEARCH", "g", *NEAR, "WITHCOORD")] == [PALERMO, CATANIA]


def test_count(sicily):
    for args, names in (("COUNT 1", "Catania"), ("COUNT 2", "Catania Palermo"), ("COUNT 1 DESC", "Palermo"), ("COUNT 9", "Catania Palermo"),
                        ("COUNT 1 ANY", "Palermo"), ("ANY COUNT 1", "Palermo"), ("COUNT 1 ASC ANY", "Palermo"), ("COUNT 2 ANY", "Palermo Catania"),
                        ("COUNT 2 ANY ASC", "Catania Palermo"), ("COUNT 1 COUNT 2", "Catania Palermo")):
        assert sicily("GEOSEARCH", "g", *NEAR, *words(args)) == [name.encode() for name in words(names)], args


def test_words_that_come_again(sicily):
    assert sicily("GEOSEARCH", "g", *NEAR, *words("BYRADIUS 100 km")) == [b"Catania"]
    assert sicily("GEOSEARCH", "g", *NEAR, *words("FROMLONLAT 15.08 37.5 BYRADIUS 1 km")) == [b"Catania"]
    assert sicily("GEOSEARCH", "g", *words("FROMMEMBER Palermo FROMMEMBER Catania BYRADIUS 20 km")) == [b"Catania"]
    assert sicily("GEOSEARCH", "g", *words("FROMLONLAT 15 37 BYBOX 400 400 km BYBOX 1 1 km")) == []


@pytest.mark.parametrize("args, error", [
    ("FROMLONLAT 15 37 BYRADIUS 200", SYNTAX),
    ("FROMLONLAT 15 37 BYRADIUS 200 km BYBOX 100 100 km", SYNTAX),
    ("FROMLONLAT 15 37 BYBOX 100 100 km BYRADIUS 200 km", SYNTAX),
    ("FROMLONLAT 15 37 FROMMEMBER Palermo BYRADIUS 200 km", SYNTAX),
    ("FROMMEMBER Palermo FROMLONLAT 15 37 BYRADIUS 200 km", SYNTAX),
    ("BYRADIUS 200 km ASC ASC FROMMEMBER", SYNTAX),
    ("BYRADIUS 200 km ASC FROMLONLAT 1", SYNTAX),
    ("FROMLONLAT 1 1 ASC BYBOX 1 1", SYNTAX),
    ("FROMLONLAT 15 37 BYRADIUS 1 km foo", SYNTAX),
    ("FROMLONLAT 15 37 BYRADIUS 1 km STORE d", SYNTAX),
    ("FROMLONLAT 15 37 BYRADIUS 1 km STOREDIST", SYNTAX),
    ("FROMLONLAT 15 37 BYRADIUS 1 km COUNT", SYNTAX),
    ("FROMLONLAT 15 37 ASC WITHDIST", NO_BY.format("GEOSEARCH")),
    ("FROMLONLAT 15 37 ANY ASC", NO_BY.format("GEOSEARCH")),
    ("BYRADIUS 200 km ANY WITHDIST", NO_FROM.format("GEOSEARCH")),
    ("ASC DESC WITHDIST WITHCOORD WITHHASH", NO_FROM.format("GEOSEARCH")),
    ("FROMLONLAT 15 37 BYRADIUS 1 km ANY", NO_COUNT),
    ("FROMLONLAT 15 37 BYRADIUS 1 km COUNT 0", "ERR COUNT must be > 0"),
    ("FROMLONLAT 15 37 BYRADIUS 1 km COUNT -1", "ERR COUNT must be > 0"),
    ("FROMLONLAT 15 37 BYRADIUS 1 km COUNT x", NOT_INTEGER),
    ("FROMLONLAT 15 37 BYRADIUS 1 km COUNT 1.5", NOT_INTEGER),
    ("FROMLONLAT 15 37 BYRADIUS 1 km COUNT 9223372036854775808", NOT_INTEGER),
    ("FROMLONLAT 15 37 BYRADIUS 1 km COUNT 0 foo", "ERR COUNT must be > 0"),
    ("FROMLONLAT 15 37 BYRADIUS -1 km", "ERR radius cannot be negative"),
    ("FROMLONLAT 15 37 BYRADIUS -1 xx", "ERR radius cannot be negative"),
    ("FROMLONLAT 15 37 BYRADIUS x xx", "ERR need numeric radius"),
    ("FROMLONLAT 15 37 BYRADIUS nan km", "ERR need numeric radius"),
    ("FROMLONLAT 15 37 BYRADIUS 1e400 km", "ERR need numeric radius"),
    ("FROMLONLAT 15 37 BYRADIUS 1 xx", UNIT),
    ("FROMLONLAT 15 37 BYBOX -1 1 km", "ERR height or width cannot be negative"),
    ("FROMLONLAT 15 37 BYBOX 1 -1 xx", "ERR height or width cannot be negative"),
    ("FROMLONLAT 15 37 BYBOX x y km", "ERR need numeric width"),
    ("FROMLONLAT 15 37 BYBOX 1 x km", "ERR need numeric height"),
    ("FROMLONLAT 15 37 BYBOX 1 1 xx", UNIT),
    ("FROMLONLAT 200 100 BYRADIUS x km", "ERR invalid longitude,latitude pair 200.000000,100.000000"),
    ("BYRADIUS x km FROMLONLAT 200 100", "ERR need numeric radius"),
    ("FROMLONLAT x 100 BYRADIUS 1 km", NOT_FLOAT),
    ("FROMLONLAT 1 y BYRADIUS 1 km", NOT_FLOAT),
])
def test_search_errors(sicily, args, error):
    assert sicily.fails("GEOSEARCH", "g", *words(args)) == error
    # A missing key is no excuse.
    assert sicily.fails("GEOSEARCH", "missing", *words(args)) == error


def test_unknown_centre(sicily):
    assert sicily.fails("GEOSEARCH", "g", *words("FROMMEMBER nope BYRADIUS 200 km")) == NO_MEMBER
    assert sicily.fails("GEOSEARCH", "g", "FROMMEMBER", "", "BYRADIUS", "x", "km") == NO_MEMBER
    assert sicily.fails("GEOSEARCHSTORE", "d", "g", *words("FROMMEMBER nope BYRADIUS 200 km")) == NO_MEMBER
    assert sicily.fails("GEORADIUSBYMEMBER", "g", "nope", "x", "xx") == NO_MEMBER


@pytest.mark.parametrize("area, found", [
    ("BYRADIUS 0 km", 0), ("BYRADIUS 1e300 km", 4), ("BYRADIUS inf km", 4), ("BYBOX 0 0 km", 0), ("BYBOX inf inf km", 4), ("BYBOX inf 0 km", 0),
    ("BYBOX 1e300 1e300 km", 4),
])
def test_tiny_and_endless_areas(sicily, area, found):
    assert len(sicily("GEOSEARCH", "g", "FROMLONLAT", "15", "37", *words(area))) == found


# GEOSEARCHSTORE.

def test_searchstore(sicily):
    assert sicily("GEOSEARCHSTORE", "d", "g", *NEAR) == 2
    assert sicily("GEOHASH", "d", "Palermo", "Catania", "edge1") == [b"sqc8b49rny0", b"sqdtr74hyu0", None]
    assert sicily("OBJECT", "ENCODING", "d") == b"listpack"
    # Whatever the key held, its time included, is replaced.
    sicily("SET", "d", "x", "EX", "100")
    assert sicily("GEOSEARCHSTORE", "d", "g", *NEAR, "COUNT", "1") == 1
    assert sicily("TYPE", "d") == b"zset"
    assert sicily("TTL", "d") == -1
    assert sicily("GEOSEARCHSTORE", "d", "missing", *NEAR) == 0
    assert sicily("EXISTS", "d") == 0
    assert sicily("GEOSEARCHSTORE", "d", "g", *NEAR, "STOREDIST", "STOREDIST") == 2
    assert sicily("GEOSEARCHSTORE", "d", "g", *words("FROMLONLAT 15 37 BYRADIUS 0 m")) == 0
    assert sicily("EXISTS", "d") == 0
    # Onto its source.
    assert sicily("GEOSEARCHSTORE", "g", "g", *words("FROMLONLAT 15 37 BYRADIUS 150 km")) == 1
    assert sicily("GEOPOS", "g", "Palermo") == [None]


@pytest.mark.needs("ZRANGE")
def test_stored_distances(sicily):
    def scores(key):
        flat = sicily("ZRANGE", key, "0", "-1", "WITHSCORES")
        pairs = flat if flat and isinstance(flat[0], list) else list(zip(flat[::2], flat[1::2]))
        return [(name, float(score)) for name, score in pairs]
    wanted = [(b"Catania", 56.441257870158204), (b"Palermo", 190.44242984775784)]
    sicily("GEOSEARCHSTORE", "d", "g", *NEAR, "STOREDIST")
    assert scores("d") == wanted
    sicily("GEORADIUS", "g", *words("15 37 200 km STOREDIST d"))
    assert scores("d") == wanted
    sicily("GEORADIUS", "g", *words("15 37 200 km STOREDIST d STORE e"))
    assert scores("e") == [(b"Palermo", 3479099956230698), (b"Catania", 3479447370796909)]
    sicily("GEORADIUS", "g", *words("15 37 200 km STORE e STOREDIST f"))
    assert scores("f") == wanted


@pytest.mark.parametrize("args, error", [
    ("ASC ASC ASC ASC ASC ASC", NO_FROM.format("GEOSEARCHSTORE")),
    ("FROMLONLAT 15 37 ASC ASC ASC", NO_BY.format("GEOSEARCHSTORE")),
    ("FROMLONLAT 15 37 BYRADIUS 1 km STORE d", SYNTAX),
    ("FROMLONLAT 15 37 BYRADIUS 1 km WITHDIST ANY", STORE_WITH.format("GEOSEARCHSTORE")),
    ("FROMLONLAT 15 37 BYRADIUS 1 km WITHCOORD", STORE_WITH.format("GEOSEARCHSTORE")),
    ("WITHHASH ASC ASC ASC ASC ASC", STORE_WITH.format("GEOSEARCHSTORE")),
    ("FROMLONLAT 15 37 BYRADIUS 1 km ANY", NO_COUNT),
])
def test_searchstore_errors(sicily, args, error):
    for source in ("g", "missing"):
        assert sicily.fails("GEOSEARCHSTORE", "d", source, *words(args)) == error
    assert sicily("EXISTS", "d") == 0


# The older commands.

def test_georadius(sicily):
    for name in ("GEORADIUS", "GEORADIUS_RO"):
        assert sicily(name, "g", *words("15 37 200 km")) == [b"Palermo", b"Catania"]
        assert sicily(name, "g", *words("15 37 200 km ASC COUNT 1 WITHDIST")) == [[b"Catania", b"56.4413"]]
        assert sicily(name, "g", *words("15 37 200 km WITHDIST WITHDIST")) == [[b"Palermo", b"190.4424"], [b"Catania", b"56.4413"]]
        assert sicily(name, "missing", *words("15 37 200 km")) == []
    for name in ("GEORADIUSBYMEMBER", "GEORADIUSBYMEMBER_RO"):
        assert sicily(name, "g", *words("Palermo 200 km")) == [b"Palermo", b"edge1", b"Catania"]
        assert sicily(name, "g", *words("Palermo 200 km DESC")) == [b"Catania", b"edge1", b"Palermo"]
        assert sicily(name, "missing", *words("Palermo 200 km")) == []
        # Nobody looks at the radius when the key is missing, only at the rest.
        assert sicily(name, "missing", *words("Palermo x xx")) == []
        assert sicily.fails(name, "missing", *words("Palermo x xx foo")) == SYNTAX


def test_georadius_store(sicily):
    assert sicily("GEORADIUS", "g", *words("15 37 200 km STORE d")) == 2
    assert sicily("GEOHASH", "d", "Palermo", "edge1") == [b"sqc8b49rny0", None]
    assert sicily("GEORADIUSBYMEMBER", "g", *words("Palermo 200 km STORE d")) == 3
    assert sicily("GEORADIUSBYMEMBER", "g", *words("Palermo 200 km ASC COUNT 1 STOREDIST d")) == 1
    assert sicily("GEORADIUS", "missing", *words("15 37 200 km STORE d")) == 0
    assert sicily("EXISTS", "d") == 0
    assert sicily("GEORADIUS", "g", *words("15 37 200 km STORE STORE")) == 2
    assert sicily("EXISTS", "STORE") == 1
    assert sicily("GEORADIUS", "g", *words("15 37 200 km STORE d")) == 2
    assert sicily("GEORADIUSBYMEMBER", "missing", *words("Palermo 200 km STORE d")) == 0
    assert sicily("EXISTS", "d") == 0


@pytest.mark.parametrize("args, error", [
    ("x 37 200 km", NOT_FLOAT), ("15 97 x xx", "ERR invalid longitude,latitude pair 15.000000,97.000000"),
    ("15 37 x xx", "ERR need numeric radius"), ("15 37 -1 xx", "ERR radius cannot be negative"), ("15 37 200 xx", UNIT),
    ("15 37 200 km foo", SYNTAX), ("15 37 200 km FROMMEMBER Palermo", SYNTAX), ("15 37 200 km BYRADIUS 1 km", SYNTAX),
    ("15 37 200 km STORE", SYNTAX), ("15 37 200 km STOREDIST", SYNTAX), ("15 37 200 km COUNT", SYNTAX), ("15 37 200 km ANY", NO_COUNT),
    ("15 37 200 km COUNT 0", "ERR COUNT must be > 0"),
    ("15 37 200 km STORE d WITHDIST ANY", STORE_WITH.format("STORE option in GEORADIUS")),
    ("15 37 200 km WITHCOORD STORE d", STORE_WITH.format("STORE option in GEORADIUS")),
    ("15 37 200 km STOREDIST d WITHHASH", STORE_WITH.format("STORE option in GEORADIUS")),
])
def test_georadius_errors(sicily, args, error):
    for key in ("g", "missing"):
        assert sicily.fails("GEORADIUS", key, *words(args)) == error
    assert sicily("EXISTS", "d") == 0


def test_ro_forms_do_not_store(sicily):
    for word in ("STORE", "STOREDIST"):
        assert sicily.fails("GEORADIUS_RO", "g", *words(f"15 37 200 km {word} d")) == SYNTAX
        assert sicily.fails("GEORADIUSBYMEMBER_RO", "g", *words(f"Palermo 200 km {word} d")) == SYNTAX


@pytest.mark.tarn_only
def test_one_place_to_store(sicily):
    """Redis takes the last of several; here the keys of a command are known before it runs, and they are the first."""
    assert sicily.fails("GEORADIUS", "g", *words("15 37 200 km STORE d STORE e")) == SYNTAX
    assert sicily.fails("GEORADIUS", "g", *words("15 37 200 km STOREDIST STORE STORE e")) == SYNTAX
    assert sicily.fails("GEORADIUSBYMEMBER", "g", *words("Palermo 200 km STOREDIST d STOREDIST e")) == SYNTAX


# Many places, against measuring every one.

def distance(a, b):
    lon1, lat1, lon2, lat2 = (math.radians(x) for x in (*a, *b))
    u, v = math.sin((lat2 - lat1) / 2), math.sin((lon2 - lon1) / 2)
    return 2 * RADIUS * math.asin(math.sqrt(u * u + math.cos(lat1) * math.cos(lat2) * v * v))


def inside(centre, place, area):
    if len(area) == 1:
        return distance(centre, place) <= area[0]
    width, height = area
    along = RADIUS * abs(math.radians(place[1]) - math.radians(centre[1]))
    return along <= height / 2 and distance((centre[0], place[1]), place) <= width / 2


@pytest.mark.parametrize("count", [100, 5000])
def test_search_against_measuring(c, count):
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    places = {}
    for start in range(0, count, 500):
        args = []
        for i in range(start, min(start + 500, count)):
            near_date_line = rng.random() < 0.2
            lon = rng.choice([-1, 1]) * rng.uniform(179, 180) if near_date_line else rng.uniform(-180, 180)
            args += [repr(lon), repr(rng.uniform(-75, 75)), str(i)]
        c("GEOADD", "g", *args)
    for i, point in enumerate(c("GEOPOS", "g", *range(count))):
        places[str(i).encode()] = numbers(point)
    for _ in range(60):
        centre = (rng.choice([rng.uniform(-180, 180), 179.9, -179.9]), rng.uniform(-60, 60))
        size = 10 ** rng.uniform(3, 6.3)
        area = (size,) if rng.random() < 0.5 else (size * rng.uniform(0.3, 2), size * rng.uniform(0.3, 2))
        by = ["BYRADIUS", repr(size), "m"] if len(area) == 1 else ["BYBOX", repr(area[0]), repr(area[1]), "m"]
        query = ["g", "FROMLONLAT", repr(centre[0]), repr(centre[1]), *by]
        wanted = sorted((distance(centre, place), name) for name, place in places.items() if inside(centre, place, area))
        assert sorted(c("GEOSEARCH", *query)) == sorted(name for _, name in wanted)
        assert [name for name in c("GEOSEARCH", *query, "ASC")] == [name for _, name in wanted]
        assert c("GEOSEARCH", *query, "DESC", "COUNT", "7") == [name for _, name in wanted[:-8:-1]]
        assert c("GEOSEARCH", *query, "COUNT", "7") == [name for _, name in wanted[:7]]
        assert c("GEOSEARCH", *query, "COUNT", "7", "ANY") == c("GEOSEARCH", *query)[:7]
        for row, (metres, name) in zip(c("GEOSEARCH", *query, "WITHDIST", "ASC"), wanted):
            assert row[0] == name and abs(float(row[1]) - metres) < 1e-3
        assert c("GEOSEARCHSTORE", "d", *query) == len(wanted)
