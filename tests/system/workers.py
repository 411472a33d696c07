# SPDX-License-Identifier: MIT
"""Threads that keep a daemon busy for the length of a with block. What they do, and what they do when
it stops or dies, is each test's own."""
import threading


class Workers:
    """Each thread is a run(number) of the subclass, which ends soon after `over` is set; the block's
    end sets it and waits for all. `odd` takes what should not have happened, for the test to look
    at."""

    def __init__(self, threads):
        self.odd = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(threads)]

    def run(self, number):
        raise NotImplementedError

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


class EvenWorkers(Workers):
    """Nothing odd may happen to them."""

    def __exit__(self, *_):
        super().__exit__()
        assert self.odd == []
