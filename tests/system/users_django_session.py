"""A Django site's use of the server, in a process of its own, called by test_users_django.py with the port, RESP's version, and the way
in which cacheops keeps its books (`usual` or `insideout`): django-redis as cache, lock and session store, cacheops as cache of queries.
"""
import sys
import threading

import django
from django.conf import settings

PORT, PROTOCOL, BOOKS = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
URL = f"redis://127.0.0.1:{PORT}"


def cache_at(db, **options):
    return {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": f"{URL}/{db}?protocol={PROTOCOL}", "TIMEOUT": 86400,
            "OPTIONS": {"CLIENT_CLASS": "django_redis.client.DefaultClient", **options}}


settings.configure(
    SECRET_KEY="tests",
    INSTALLED_APPS=["django.contrib.sessions", "cacheops"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "file::memory:?cache=shared"}},
    CACHES={
        "default": cache_at(0),
        "small": cache_at(1, COMPRESSOR="django_redis.compressors.zlib.ZlibCompressor",
                          SERIALIZER="django_redis.serializers.json.JSONSerializer"),
    },
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
    CACHEOPS_REDIS=f"{URL}/2?protocol={PROTOCOL}",
    CACHEOPS_INSIDEOUT=BOOKS == "insideout",
    CACHEOPS={"shop.*": {"ops": "all", "timeout": 900}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    USE_TZ=True,
)
django.setup()

from cacheops import cached_as, invalidate_all, invalidate_model  # noqa: E402
from django.contrib.sessions.backends.cache import SessionStore  # noqa: E402
from django.core.cache import cache, caches  # noqa: E402
from django.db import connection, models  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django_redis import get_redis_connection  # noqa: E402


class Item(models.Model):
    name = models.CharField(max_length=50)
    kind = models.IntegerField(default=0)
    shelf = models.IntegerField(default=0)
    sold = models.BooleanField(default=False)

    class Meta:
        app_label = "shop"


def plain_cache():
    assert cache.set("user", "Aaron", 600) is True
    assert cache.get("user") == "Aaron" and 590 < cache.ttl("user") <= 600
    assert cache.add("user", "other") is False and cache.add("new", [1, {"a": None}]) is True
    assert cache.get("new") == [1, {"a": None}] and cache.get("missing", "default") == "default"
    cache.set_many({"a": 1, "b": 2, "c": 3})
    assert cache.get_many(["a", "b", "x"]) == {"a": 1, "b": 2}
    assert cache.incr("a", 5) == 6 and cache.decr("a") == 5  # a script, since the value is a number with an end
    try:
        cache.incr("missing")
        raise AssertionError("there is nothing to count")
    except ValueError:
        pass
    assert cache.touch("a", 50) is True and cache.ttl("a") <= 50
    assert cache.persist("a") is True and cache.ttl("a") is None
    assert cache.set("new", 1, timeout=0) is True and cache.get("new") is None  # taken away at once
    assert cache.get_or_set("lazy", lambda: 7) == 7 and cache.has_key("lazy")
    cache.set_many({f"page:{i}": i for i in range(250)})
    assert len(list(cache.iter_keys("page:*"))) == 250 and len(cache.keys("page:1*")) == 111
    assert cache.delete_pattern("page:*", itersize=100) == 250
    assert cache.set("v", 1, version=2) and cache.get("v") is None and cache.incr_version("v", version=2) == 3
    assert cache.delete("user") is True and cache.delete("user") is False
    cache.clear()
    assert cache.keys("*") == []


def compressed_json():
    small = caches["small"]
    small.set("long", {"text": "x" * 10_000})
    assert small.get("long") == {"text": "x" * 10_000}
    assert get_redis_connection("small").strlen(":1:long") < 200
    with get_redis_connection("default").pipeline() as pipe:
        assert pipe.set("raw", 1).incr("raw").execute() == [True, 2]
    assert small.sadd("tags", "a", "b") == 2 and small.smembers("tags") == {"a", "b"}


def locks():
    inside, visits = [], []

    def work():
        for _ in range(5):
            with cache.lock("room", timeout=20, sleep=0.002):
                inside.append(1)
                assert len(inside) == 1
                visits.append(1)
                inside.pop()
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(visits) == 15


def sessions():
    session = SessionStore()
    session["name"] = "alex"
    session.set_expiry(1200)
    session.save()
    again = SessionStore(session.session_key)
    assert again["name"] == "alex" and again.exists(session.session_key)
    assert 1190 < cache.ttl("django.contrib.sessions.cache" + session.session_key) <= 1200
    again.flush()
    assert not SessionStore().exists(session.session_key)


def queries(work):
    with CaptureQueriesContext(connection, ) as seen:
        result = work()
    return len(seen), result


def cached_queries():
    with connection.schema_editor() as editor:
        editor.create_model(Item)
    Item.objects.bulk_create([Item(name=f"item {i}", kind=i % 3, shelf=i % 5) for i in range(60)])
    invalidate_all()

    def names(**where):
        return sorted(Item.objects.filter(**where).values_list("name", flat=True))
    for where in ({"kind": 1}, {"kind": 1, "shelf": 2}, {"shelf": 2, "sold": False, "kind": 2}):
        count, first = queries(lambda: names(**where))
        assert count == 1, "not cached before"
        count, second = queries(lambda: names(**where))
        assert count == 0 and second == first, "cached now"
    count, _ = queries(lambda: Item.objects.filter(kind=0).count())
    item = Item.objects.get(name="item 1")  # kind 1, shelf 1
    item.name = "renamed"
    item.save()
    count, found = queries(lambda: names(kind=1))
    assert count == 1 and "renamed" in found, "what the change touches is asked again"
    assert queries(lambda: names(kind=1, shelf=2))[0] == 0, "what it does not touch stays"
    moved = Item.objects.get(name="item 2")  # kind 2, shelf 2, not sold
    moved.sold = True
    moved.save()
    count, found = queries(lambda: names(shelf=2, sold=False, kind=2))
    assert count == 1 and "item 2" not in found
    assert queries(lambda: Item.objects.filter(kind=0).count()) == (0, 20)
    Item.objects.create(name="new", kind=0)
    assert queries(lambda: Item.objects.filter(kind=0).count()) == (1, 21)

    calls = []

    @cached_as(Item.objects.filter(kind=2), timeout=120)
    def dear():
        calls.append(1)
        return len(calls)
    assert dear() == 1 and dear() == 1
    Item.objects.create(name="another", kind=1)
    assert dear() == 1
    Item.objects.create(name="another", kind=2)
    assert dear() == 2
    invalidate_model(Item)
    assert dear() == 3


def queries_of_many_threads():
    """Every thread has connections of its own, so that the books are kept by several workers: all must name a key alike."""
    errors = []

    def work(number):
        try:
            for i in range(8):
                Item.objects.create(name=f"{number}.{i}", kind=100 + number, shelf=i, sold=False)
                assert Item.objects.filter(kind=100 + number, sold=False, shelf=i).count() == 1
                assert Item.objects.filter(sold=False, shelf=i, kind=100 + number).count() == 1
                Item.objects.create(name=f"{number}.{i}", kind=100 + number, shelf=i, sold=False)
                assert Item.objects.filter(kind=100 + number, sold=False, shelf=i).count() == 2
        except Exception as error:  # told by the main thread
            errors.append(error)
        finally:
            connection.close()
    for number in range(4):  # one after the other: SQLite's shared memory has one writer, and the server's workers change anyway
        thread = threading.Thread(target=work, args=(number,))
        thread.start()
        thread.join()
    if errors:
        raise errors[0]


def main():
    for part in (plain_cache, compressed_json, locks, sessions, cached_queries, queries_of_many_threads):
        part()
        print(part.__name__, "well", flush=True)
    print("all well")


main()
