"""Work of tests that several threads do at once."""
import threading


def in_threads(count, work):
    """work(number) in as many threads; what they returned. A failure of one is the test's."""
    results, failures = [None] * count, []

    def run(number):
        try:
            results[number] = work(number)
        except BaseException as error:  # handed to the test, which fails with it
            failures.append(error)
    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return results
