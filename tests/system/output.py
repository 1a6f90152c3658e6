"""What a child process prints, read by a thread as it comes: waiting for a line is waiting for an event."""
import re
import threading
import time


class Output:
    """The lines of a pipe, until its end."""

    def __init__(self, pipe):
        self._lines, self._ended = [], False
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._reader.start()

    def _read(self, pipe):
        for line in pipe:
            with self._news:
                self._lines.append(line.decode(errors="replace").rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def join(self, timeout=None):
        """Waits for the pipe's end."""
        self._reader.join(timeout)

    def text(self):
        with self._news:
            return "\n".join(self._lines)

    def position(self):
        """For wait_line's `since`: what is printed from now on."""
        with self._news:
            return len(self._lines)

    def wait_line(self, pattern, timeout, since=0):
        """Waits until a line matches; the match. LookupError, with the reason: there will be none, or not in time."""
        compiled, deadline = re.compile(pattern), time.monotonic() + timeout
        with self._news:
            while True:
                while since < len(self._lines):
                    found = compiled.search(self._lines[since])
                    since += 1
                    if found:
                        return found
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    why = "the process ended" if self._ended else f"{timeout} s went by"
                    raise LookupError(f"{why} without the line {pattern!r}")
                self._news.wait(left)
