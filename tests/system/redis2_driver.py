"""Runs in .venv-redis2, whose redis-py is 2.10.6, and does there what test_types_tutorial.py asks for.

Pickled requests (class name, method, arguments) come on standard input; pickled answers leave on standard output: a value, or
the class and text of an error. It imports nothing of the tests, whose environment is another.
"""
import pickle
import sys


def answer(clients, port, request):
    import redis
    kind, method, args, kwargs = request
    if kind not in clients:
        clients[kind] = getattr(redis, kind)(host="127.0.0.1", port=port)
    try:
        value = getattr(clients[kind], method)(*args, **kwargs)
        if hasattr(value, "__next__"):
            value = list(value)
        return "value", value
    except Exception as error:  # whatever it is, the test wants to see it
        return "error", (type(error).__name__, str(error))


def main():
    clients = {}
    while True:
        try:
            request = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(answer(clients, int(sys.argv[1]), request), sys.stdout.buffer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
