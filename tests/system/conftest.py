"""Fixtures of the system tests; README.md beside this file says how to use them."""
import pytest

from tests.system.harness import Server, binary_path, cts_file, is_reference, wait_until

WORKERS = (1, 4)
PROTOCOLS = (2, 3)

collect_ignore = [] if cts_file() else ["test_cts.py"]


def _version(text):
    return tuple(int(part) for part in text.split("."))


class Subject:
    """What is known about the server under test before the first test is chosen."""

    def __init__(self):
        self.binary = binary_path()
        self.reference = is_reference(self.binary)
        with Server(self.binary, {"threads": 1}) as server:
            self.commands = {name.decode().lower() for name in server.client()("COMMAND", "LIST")}
            self.version = _version(server.client().info("server")["redis_version"])


def _subject(config):
    if not hasattr(config, "tarn_subject"):
        try:
            config.tarn_subject = Subject()
        except (FileNotFoundError, AssertionError) as error:
            raise pytest.UsageError(str(error)) from error
    return config.tarn_subject


def _chosen(metafunc, name, usual):
    mark = metafunc.definition.get_closest_marker(name)
    return mark.args if mark else usual


def pytest_generate_tests(metafunc):
    if "workers" in metafunc.fixturenames:
        counts = _chosen(metafunc, "workers", WORKERS)
        if _subject(metafunc.config).reference:
            counts = counts[:1]  # the reference has no workers to vary
        metafunc.parametrize("workers", counts, ids=[f"w{n}" for n in counts], scope="session")
    if "protocol" in metafunc.fixturenames:
        versions = _chosen(metafunc, "protocols", PROTOCOLS)
        metafunc.parametrize("protocol", versions, ids=[f"resp{n}" for n in versions], scope="session")


def _applies(item, subject):
    if item.get_closest_marker("tarn_only") and subject.reference:
        return False
    if item.get_closest_marker("reference_only") and not subject.reference:
        return False
    if any(_version(mark.args[0]) > subject.version for mark in item.iter_markers("since")):
        return False
    needed = {str(c).lower() for mark in item.iter_markers("needs") for c in mark.args}
    return needed <= subject.commands


def pytest_collection_modifyitems(config, items):
    if not items:
        return
    subject = _subject(config)
    chosen = [item for item in items if _applies(item, subject)]
    left_out = [item for item in items if not _applies(item, subject)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = chosen


def pytest_report_header(config):
    subject = _subject(config)
    lines = [f"server: {subject.binary}{' (the reference)' if subject.reference else ''}"]
    if not cts_file():
        lines.append("compatibility suite: not here; set TARN_CTS to its cts.json to have it run")
    return lines


@pytest.fixture(scope="session")
def subject(request):
    return _subject(request.config)


@pytest.fixture(scope="session")
def binary(subject):
    return subject.binary


@pytest.fixture(scope="session")
def reference(subject):
    """Whether the server under test is a redis-server."""
    return subject.reference


class Servers:
    """The servers that tests share, one per number of workers; started when first wanted, looked at in the end."""

    def __init__(self, binary):
        self.binary, self.running = binary, {}

    def get(self, workers):
        if workers not in self.running:
            self.running[workers] = Server(self.binary, {"threads": workers}).start()
        return self.running[workers]

    def stop(self):
        failures = []
        for server in self.running.values():
            try:
                server.stop()
            except AssertionError as error:
                failures.append(str(error))
        assert not failures, "\n\n".join(failures)


@pytest.fixture(scope="session")
def servers(binary):
    shared = Servers(binary)
    yield shared
    shared.stop()


@pytest.fixture
def server(servers, workers):
    """The shared server with this many workers, empty."""
    running = servers.get(workers)
    running.check()
    with running.wire() as connection:
        assert bytes(connection("FLUSHALL")) == b"OK"
    yield running
    running.check()
    if not running.reference:
        with running.wire() as connection:
            found = connection("DEBUG", "CHECK").decode()
            assert found == "OK", found
            assert_alone(connection)


def assert_alone(connection):
    """All other clients are gone, or go at once: what a test leaves behind would be counted in the tests after it."""
    try:
        wait_until(lambda: b"connected_clients:1\r" in bytes(connection("INFO", "clients")))
    except AssertionError as e:
        left = bytes(connection("CLIENT", "LIST")).decode()
        connection("CLIENT", "KILL", "SKIPME", "yes")
        raise AssertionError(f"clients are left:\n{left}") from e


@pytest.fixture
def connect(server, protocol):
    """Makes more connections like `c`; all are closed after the test."""
    made = []

    def make(**kwargs):
        kwargs.setdefault("protocol", protocol)
        made.append(server.client(**kwargs))
        return made[-1]
    yield make
    for client in made:
        client.close()


@pytest.fixture
def c(connect):
    """A client of the shared server."""
    return connect()


@pytest.fixture
def wire(server, protocol):
    """A connection to the shared server that shows replies with their types."""
    with server.wire(protocol) as connection:
        yield connection


@pytest.fixture
def wires(server, protocol):
    """Makes more connections like `wire`; all are closed after the test."""
    made = []

    def make(version=protocol):
        made.append(server.wire(version))
        return made[-1]
    yield make
    for connection in made:
        connection.close()


@pytest.fixture
def settings(server):
    """settings(name=value, …): CONFIG SET, taken back after the test."""
    before = {}
    with server.wire() as connection:
        def change(**values):
            for name, value in values.items():
                name = name.replace("_", "-")
                before.setdefault(name, connection("CONFIG", "GET", name)[1])
                reply = connection("CONFIG", "SET", name, value)
                assert bytes(reply) == b"OK", reply
        yield change
        for name, value in before.items():
            connection("CONFIG", "SET", name, value)


@pytest.fixture
def own_server(binary, request):
    """own_server(settings, …): a server of the test's own, with these settings; looked at and stopped after the test."""
    started = []

    def make(settings=None, wait=True, **kwargs):
        server = Server(binary, settings, **kwargs)
        started.append(server)
        return server.start(wait)
    yield make
    for server in started:
        server.stop()
