"""Requests and replies on the wire: however a request is cut, quoted or piled up, it must be answered the same way.

Every reply is compared with its type (rawsock.py), and malformed requests with the exact text that closes the connection.
"""
import pytest

from tests.system.rawsock import (Attribute, Big, Double, Error, Map, Push, Raw, Set, Simple, Verbatim, dial,  # noqa: F401
                                  encode)

SERVER_FIELDS = [b"server", b"version", b"proto", b"id", b"mode", b"role", b"modules"]


# HELLO

def hello_fields(reply):
    return reply.as_dict() if isinstance(reply, Map) else dict(zip(reply[::2], reply[1::2]))


def test_a_new_connection_speaks_resp2(dial):
    c = dial()
    c.send_command("HELLO")
    raw = c.read_raw_reply()
    assert raw.startswith(b"*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n")
    c.send_command("GET", "nokey")
    assert c.read_raw_reply() == b"$-1\r\n"


@pytest.mark.parametrize("version", [2, 3])
def test_hello_fields_and_their_types(dial, version):
    c = dial()
    ident = c.cmd("CLIENT", "ID")
    reply = c.cmd("HELLO", version)
    assert isinstance(reply, Map) == (version == 3)
    fields = hello_fields(reply)
    assert list(fields) == SERVER_FIELDS
    assert fields[b"server"] == b"redis" and not isinstance(fields[b"server"], Simple)
    assert fields[b"proto"] == version
    assert fields[b"id"] == ident
    assert fields[b"mode"] == b"standalone"
    assert fields[b"role"] == b"master"
    assert fields[b"modules"] == []
    for name, value in fields.items():
        assert not isinstance(value, Simple), "HELLO answers with bulk strings, as Lettuce and others insist"
        assert not isinstance(name, Simple)


@pytest.mark.tarn_only
def test_hello_says_the_version_it_is_compatible_with(dial):
    assert hello_fields(dial().cmd("HELLO", 3))[b"version"] == b"8.2.0"


def test_hello_switches_both_ways(dial):
    c = dial()
    c.cmd("HELLO", 3)
    c.send_command("GET", "nokey")
    assert c.read_raw_reply() == b"_\r\n"
    assert not isinstance(c.cmd("HELLO", 2), Map)
    c.send_command("GET", "nokey")
    assert c.read_raw_reply() == b"$-1\r\n"


def test_hello_without_version_keeps_the_protocol(dial):
    c = dial()
    c.cmd("HELLO", 3)
    assert hello_fields(c.cmd("HELLO"))[b"proto"] == 3


@pytest.mark.parametrize("args, text", [
    (("1",), b"NOPROTO unsupported protocol version"),
    (("4",), b"NOPROTO unsupported protocol version"),
    (("0",), b"NOPROTO unsupported protocol version"),
    (("-1",), b"NOPROTO unsupported protocol version"),
    (("abc",), b"ERR Protocol version is not an integer or out of range"),
    (("",), b"ERR Protocol version is not an integer or out of range"),
    (("3 ",), b"ERR Protocol version is not an integer or out of range"),
    (("9223372036854775808",), b"ERR Protocol version is not an integer or out of range"),
    (("3", "foo"), b"ERR Syntax error in HELLO option 'foo'"),
    (("3", "AUTH", "default"), b"ERR Syntax error in HELLO option 'AUTH'"),
    (("3", "auth"), b"ERR Syntax error in HELLO option 'auth'"),
    (("2", "SETNAME"), b"ERR Syntax error in HELLO option 'SETNAME'"),
    (("3", "SETNAME", "a b"), b"ERR Client names cannot contain spaces, newlines or special characters."),
    (("3", "AUTH", "nouser", "pw"), b"WRONGPASS invalid username-password pair or user is disabled."),
])
def test_hello_errors_change_nothing(dial, args, text):
    c = dial()
    assert c.cmd("CLIENT", "SETNAME", "before") == b"OK"
    reply = c.cmd("HELLO", *args)
    assert isinstance(reply, Error) and reply == text
    c.send_command("GET", "nokey")
    assert c.read_raw_reply() == b"$-1\r\n", "a failed HELLO must not switch the protocol"
    assert c.cmd("CLIENT", "GETNAME") == b"before"


def test_hello_with_auth_and_setname(dial):
    c = dial()
    reply = c.cmd("hello", "3", "auth", "default", "anything", "setname", "worker-1")
    assert isinstance(reply, Map)
    assert c.cmd("CLIENT", "GETNAME") == b"worker-1"
    assert isinstance(c.cmd("HELLO", "2", "SETNAME", "a", "SETNAME", "b"), list)
    assert c.cmd("CLIENT", "GETNAME") == b"b"


# The types

def attribute_and_reply(c):
    first = c.read()
    assert isinstance(first, Attribute)
    assert first == [(b"key-popularity", [b"key:123", 90])]
    return c.read()


RESP3_BYTES = {
    "string": b"$11\r\nHello World\r\n",
    "integer": b":12345\r\n",
    "double": b",3.141\r\n",
    "bignum": b"(1234567999999999999999999999999999999\r\n",
    "null": b"_\r\n",
    "array": b"*3\r\n:0\r\n:1\r\n:2\r\n",
    "set": b"~3\r\n:0\r\n:1\r\n:2\r\n",
    "map": b"%3\r\n:0\r\n#f\r\n:1\r\n#t\r\n:2\r\n#f\r\n",
    "verbatim": b"=29\r\ntxt:This is a verbatim\nstring\r\n",
    "true": b"#t\r\n",
    "false": b"#f\r\n",
}
RESP2_BYTES = {
    "string": b"$11\r\nHello World\r\n",
    "integer": b":12345\r\n",
    "double": b"$5\r\n3.141\r\n",
    "bignum": b"$37\r\n1234567999999999999999999999999999999\r\n",
    "null": b"$-1\r\n",
    "array": b"*3\r\n:0\r\n:1\r\n:2\r\n",
    "set": b"*3\r\n:0\r\n:1\r\n:2\r\n",
    "map": b"*6\r\n:0\r\n:0\r\n:1\r\n:1\r\n:2\r\n:0\r\n",
    "verbatim": b"$25\r\nThis is a verbatim\nstring\r\n",
    "true": b":1\r\n",
    "false": b":0\r\n",
}


@pytest.mark.parametrize("name", sorted(RESP3_BYTES))
def test_every_type_in_both_protocols(dial, name):
    c = dial()
    c.send_command("DEBUG", "PROTOCOL", name)
    assert c.read_raw_reply() == RESP2_BYTES[name]
    c.cmd("HELLO", 3)
    c.send_command("DEBUG", "PROTOCOL", name)
    assert c.read_raw_reply() == RESP3_BYTES[name]


def test_types_as_a_client_sees_them(dial):
    c = dial(protocol=3)

    def ask(name):
        return c.cmd("DEBUG", "PROTOCOL", name)
    assert isinstance(ask("double"), Double)
    assert isinstance(ask("bignum"), Big)
    assert isinstance(ask("set"), Set)
    assert isinstance(ask("map"), Map)
    assert ask("true") is True and ask("false") is False
    assert ask("null") is None
    verbatim = ask("verbatim")
    assert isinstance(verbatim, Verbatim) and verbatim.kind == b"txt"


def test_attribute(dial):
    c = dial()
    c.send_command("DEBUG", "PROTOCOL", "attrib")
    assert c.read_raw_reply() == b"$39\r\nSome real reply following the attribute\r\n"
    c.cmd("HELLO", 3)
    c.send_command("DEBUG", "PROTOCOL", "attrib")
    assert attribute_and_reply(c) == b"Some real reply following the attribute"


def test_push(dial):
    c = dial()
    assert c.cmd("DEBUG", "PROTOCOL", "push") == b"ERR RESP2 is not supported by this command"
    c.cmd("HELLO", 3)
    c.send_command("DEBUG", "PROTOCOL", "push")
    push = c.read()
    assert isinstance(push, Push) and push == [b"server-cpu-usage", 42]
    assert c.read() == b"Some real reply following the push reply"


def test_unknown_type_name(dial):
    reply = dial().cmd("DEBUG", "PROTOCOL", "foo")
    assert reply == (b"ERR Wrong protocol type name. Please use one of the following: "
                     b"string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false")


@pytest.mark.parametrize("command", [("CONFIG", "GET", "port"), ("MEMORY", "STATS"), ("COMMAND", "DOCS", "get")])
def test_maps_are_flat_for_resp2(dial, command):
    c = dial()
    flat = c.cmd(*command)
    assert isinstance(flat, list) and not isinstance(flat, Map) and len(flat) % 2 == 0
    c.cmd("HELLO", 3)
    assert isinstance(c.cmd(*command), Map)


@pytest.mark.parametrize("command", [("INFO", "server"), ("CLIENT", "LIST"), ("CLIENT", "INFO"), ("LOLWUT",),
                                     ("MEMORY", "DOCTOR")])
def test_texts_are_verbatim_for_resp3_only(dial, command):
    c = dial()
    assert not isinstance(c.cmd(*command), Verbatim)
    c.cmd("HELLO", 3)
    text = c.cmd(*command)
    assert isinstance(text, Verbatim) and text.kind == b"txt"


# Inline requests

@pytest.mark.parametrize("line, reply", [
    (b"PING\r\n", b"PONG"),
    (b"PING\n", b"PONG"),
    (b"\t ping\t \r\n", b"PONG"),
    (b"PiNg hello\r\n", b"hello"),
    (b'ping "hello world"\r\n', b"hello world"),
    (b"ping 'hello world'\r\n", b"hello world"),
    (b'ping "a\\x41\\n\\r\\t\\a\\b\\"\\\\z"\r\n', b'aA\n\r\t\a\b"\\z'),
    (b"ping 'a\\'b\\n'\r\n", b"a'b\\n"),
    (b'ping ""\r\n', b""),
    (b"ping ''\r\n", b""),
    (b'ping "\\xff\\x00\\xzz"\r\n', b"\xff\x00xzz"),
    (b"ping caf\xc3\xa9\r\n", b"caf\xc3\xa9"),
    (b"echo   a\r\n", b"a"),
])
def test_inline(dial, line, reply):
    c = dial()
    c.send(line)
    assert c.read() == reply


@pytest.mark.parametrize("line", [b'ping "abc\r\n', b"ping 'abc\r\n", b'ping "a"b\r\n', b"ping 'a'b\r\n", b'ping "a\\"\r\n'])
def test_inline_with_unbalanced_quotes_closes(dial, line):
    c = dial()
    c.send(line + b"PING\r\n")
    assert c.read() == b"ERR Protocol error: unbalanced quotes in request"
    assert c.is_closed()


def test_inline_and_multibulk_in_one_stream(dial):
    c = dial()
    c.send(b"SET 'a b' one\r\n" + encode("GET", "a b") + b"\r\nGET \"a b\"\n" + encode("STRLEN", "a b"))
    assert c.read_many(4) == [b"OK", b"one", b"one", 3]


@pytest.mark.parametrize("nothing", [b"\r\n", b"\n", b"   \r\n", b"*0\r\n", b"*-1\r\n", b"*-10\r\n", b"\r\n\r\n*0\r\n"])
def test_empty_requests_are_not_answered(dial, nothing):
    c = dial()
    c.send(nothing + b"PING\r\n" + nothing + encode("ECHO", "x"))
    assert c.read() == b"PONG"
    assert c.read() == b"x"


# Malformed multibulk

@pytest.mark.parametrize("data, text", [
    (b"*abc\r\n", b"ERR Protocol error: invalid multibulk length"),
    (b"*\r\n", b"ERR Protocol error: invalid multibulk length"),
    (b"*01\r\n", b"ERR Protocol error: invalid multibulk length"),
    (b"*+1\r\n", b"ERR Protocol error: invalid multibulk length"),
    (b"* 1\r\n", b"ERR Protocol error: invalid multibulk length"),
    (b"*1 \r\n", b"ERR Protocol error: invalid multibulk length"),
    (b"*2147483648\r\n", b"ERR Protocol error: invalid multibulk length"),
    (b"*99999999999999999999\r\n", b"ERR Protocol error: invalid multibulk length"),
    (b"*1\r\nPING\r\n", b"ERR Protocol error: expected '$', got 'P'"),
    (b"*1\r\n+PING\r\n", b"ERR Protocol error: expected '$', got '+'"),
    (b"*1\r\n:4\r\n", b"ERR Protocol error: expected '$', got ':'"),
    (b"*1\r\n*1\r\n", b"ERR Protocol error: expected '$', got '*'"),
    (b"*1\r\n$abc\r\n", b"ERR Protocol error: invalid bulk length"),
    (b"*1\r\n$\r\n", b"ERR Protocol error: invalid bulk length"),
    (b"*1\r\n$-1\r\n", b"ERR Protocol error: invalid bulk length"),
    (b"*1\r\n$04\r\n", b"ERR Protocol error: invalid bulk length"),
    (b"*1\r\n$+4\r\n", b"ERR Protocol error: invalid bulk length"),
    (b"*1\r\n$ 4\r\n", b"ERR Protocol error: invalid bulk length"),
    (b"*1\r\n$99999999999999999999\r\n", b"ERR Protocol error: invalid bulk length"),
    (b"*2\r\n$4\r\nPING\r\n$x\r\n", b"ERR Protocol error: invalid bulk length"),
])
def test_malformed_requests_are_answered_and_closed(dial, data, text):
    c = dial()
    c.send(encode("PING") + data + encode("PING"))
    assert c.read() == b"PONG", "what came before the bad request is still served"
    reply = c.read()
    assert isinstance(reply, Error) and reply == text
    assert c.is_closed()


def test_the_two_bytes_after_a_bulk_are_not_looked_at(dial):
    """Redis skips them unread, and clients exist that got away with it."""
    c = dial()
    c.send(b"*1\r\n$4\r\nPINGXX*1\r\n$4\r\nPING\r\n")
    assert c.read_many(2) == [b"PONG", b"PONG"]


@pytest.mark.parametrize("line", [b"POST / HTTP/1.1\r\n", b"Host: example.org\r\n", b"host: x\r\n", b"post\r\n"])
def test_a_browser_is_cut_off(server, dial, line):
    """Cross-protocol scripting: a web page that makes a browser send a request to us must achieve nothing."""
    c = dial()
    c.send(line + b"SET evil 1\r\n")
    assert c.read_to_end() == b""
    server.wait_log("Possible SECURITY ATTACK detected", 5)  # said at most once a minute
    assert dial().cmd("EXISTS", "evil") == 0


# Unknown commands and wrong arity

@pytest.mark.parametrize("args, text", [
    (("foo",), b"ERR unknown command 'foo', with args beginning with: "),
    (("FOO", "a", "b"), b"ERR unknown command 'FOO', with args beginning with: 'a' 'b' "),
    (("",), b"ERR unknown command '', with args beginning with: "),
    ((b"foo", b"a\r\nb", b"\n\n"), b"ERR unknown command 'foo', with args beginning with: 'a  b' '  ' "),
    (("foo", "x" * 300), b"ERR unknown command 'foo', with args beginning with: '" + b"x" * 128 + b"' "),
    (("f" * 300,), b"ERR unknown command '" + b"f" * 128 + b"', with args beginning with: "),
    (("GET",), b"ERR wrong number of arguments for 'get' command"),
    (("gEt", "a", "b"), b"ERR wrong number of arguments for 'get' command"),
    (("CLIENT",), b"ERR wrong number of arguments for 'client' command"),
    (("CLIENT", "ID", "x"), b"ERR wrong number of arguments for 'client|id' command"),
    (("CONFIG", "nosuch"), b"ERR unknown subcommand 'nosuch'. Try CONFIG HELP."),
    (("client", "NoSuch", "x"), b"ERR unknown subcommand 'NoSuch'. Try CLIENT HELP."),
])
def test_errors_of_the_dispatcher(dial, args, text):
    reply = dial().cmd(*args)
    assert isinstance(reply, Error) and reply == text


def test_error_texts_stay_on_one_line(dial):
    """A line end inside an error would let the data of one client forge replies for it."""
    c = dial()
    c.send(encode(b"foo\r\n+OK", b"\r\n:1") + encode("PING"))
    reply = c.read()
    assert isinstance(reply, Error) and reply.startswith(b"ERR unknown command 'foo  +OK'")
    assert c.read() == b"PONG"


def test_unknown_command_lists_arguments_up_to_a_limit(dial):
    reply = dial().cmd("foo", *["a%02d" % i for i in range(100)])
    shown = reply.split(b"beginning with: ")[1]
    assert shown.startswith(b"'a00' 'a01' ")
    assert len(shown) <= 128 + 8


# Splitting

def test_requests_split_at_every_byte(dial):
    data = (encode("SET", "k", "value\r\n$1\r\n") + b"PING 'a b'\r\n" + encode("GET", "k") + b"*0\r\n"
            + encode("APPEND", "k", "") + b"\r\n" + encode("DEL", "k"))
    want = [b"OK", b"a b", b"value\r\n$1\r\n", 11, 1]
    c = dial()
    for cut in range(1, len(data)):
        c.send_split(data, cut)
        assert c.read_many(len(want)) == want, "cut at %d of %r" % (cut, data)


def test_requests_one_byte_at_a_time(dial):
    c = dial()
    data = encode("SET", "key", "a\r\nb") + b"GET key\r\n" + encode("MSET", "a", "1", "b", "2") + encode("MGET", "a", "b")
    for i in range(len(data)):
        c.send_split(data[i:i + 1])
        c._drain_acks()
    assert c.read_many(4) == [b"OK", b"a\r\nb", b"OK", [b"1", b"2"]]


@pytest.mark.parametrize("size", [15, 16383, 16384, 16385, 32767, 32768, 65535, 65536, 100_000, 1 << 20])
def test_values_around_the_sizes_of_buffers(dial, size):
    c = dial()
    value = bytes(range(256)) * (size // 256 + 1)
    value = value[:size]
    data = encode("SET", "big", value)
    cuts = [1, len(data) // 2, len(data) - 2, len(data) - 1]
    c.send_split(data + encode("STRLEN", "big"), *cuts)
    assert c.read_many(2) == [b"OK", size]
    c.send(encode("GET", "big") + encode("GETRANGE", "big", size - 5, -1) + encode("PING"))
    assert c.read_many(3) == [value, value[-5:], b"PONG"]


def test_big_values_inside_a_pipeline(dial):
    """The parser hands out slices of one buffer; a value that does not fit must not disturb its neighbours."""
    c = dial()
    sizes = [1, 20_000, 3, 70_000, 16_384, 0, 300_000, 5]
    data = b"".join(encode("SET", "v%d" % i, bytes([65 + i]) * n) for i, n in enumerate(sizes))
    data += b"".join(encode("GET", "v%d" % i) for i in range(len(sizes)))
    replies = c.send_and_collect(data, 2 * len(sizes))
    assert replies == [b"OK"] * len(sizes) + [bytes([65 + i]) * n for i, n in enumerate(sizes)]


# Pipelines

def test_pipeline_of_100_000(dial):
    count = 50_000
    c = dial()
    data = b"".join(encode("SET", "p:%d" % (i % 1000), i) + encode("GET", "p:%d" % (i % 1000)) for i in range(count))
    replies = c.send_and_collect(data, 2 * count)
    assert replies[0::2] == [b"OK"] * count
    assert replies[1::2] == [b"%d" % i for i in range(count)]


def test_pipeline_sent_whole_before_anything_is_read(dial):
    """A client that writes first and reads later must get everything, in order."""
    count = 20_000
    c = dial(rcvbuf=1 << 20)
    c.send(b"".join(encode("ECHO", i) for i in range(count)))
    assert c.read_many(count) == [b"%d" % i for i in range(count)]


def test_errors_inside_a_pipeline_stop_nothing(dial):
    c = dial()
    c.send(encode("SET", "k", "v") + encode("INCR", "k") + encode("nosuch") + encode("GET") + encode("GET", "k"))
    assert c.read_many(5) == [b"OK", b"ERR value is not an integer or out of range",
                              b"ERR unknown command 'nosuch', with args beginning with: ",
                              b"ERR wrong number of arguments for 'get' command", b"v"]


def test_a_request_of_100_000_arguments(dial):
    c = dial()
    names = ["many:%d" % i for i in range(50_000)]
    flat = [part for name in names for part in (name, name[5:])]
    c.send_and_collect(encode("MSET", *flat), 1)
    reply = c.send_and_collect(encode("MGET", *names), 1)[0]
    assert reply == [name[5:].encode() for name in names]
    assert c.send_and_collect(encode("UNLINK", *names), 1) == [50_000]


def test_half_closed_client_gets_its_replies(dial):
    """`printf ... | nc` sends, ends its side, and reads: all replies must arrive before the server closes."""
    c = dial()
    c.send(b"SET k v\r\nGET k\r\nPING\r\n")
    c.half_close()
    assert c.read_to_end() == b"+OK\r\n$1\r\nv\r\n+PONG\r\n"


def test_requests_before_quit_are_served_and_after_it_not(dial):
    c = dial()
    c.send(encode("SET", "k", "1") + encode("QUIT") + encode("SET", "k", "2"))
    assert c.read_to_end() == b"+OK\r\n+OK\r\n"
    assert dial().cmd("GET", "k") == b"1"


def test_command_names_in_any_case(dial):
    c = dial()
    assert c.cmd("set", "k", "v") == c.cmd("SET", "k", "v") == c.cmd("sEt", "k", "v") == b"OK"
    assert c.cmd("client", "id") == c.cmd("CLIENT", "iD")


def test_unix_socket_speaks_the_same(server):
    with Raw(server.unix_path) as c:
        assert c.cmd("PING") == b"PONG"
        c.send_split(encode("SET", "u", "x" * 100_000) + encode("STRLEN", "u"), 7, 50_000)
        assert c.read_many(2) == [b"OK", 100_000]
        assert isinstance(c.cmd("HELLO", 3), Map)
