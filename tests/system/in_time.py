# SPDX-License-Identifier: MIT
"""Times that may not be longer than they may. A busy machine makes anything late now and then: what was
late is tried again, and what is late three times is late by itself."""
import functools

TRIES = 3


class Late(AssertionError):
    """It took too long, and all else was well."""


def in_time(took, most, what="it"):
    if took > most:
        raise Late(f"{what} took {took:.3f} s, and may take {most} s")


def tried_again_if_late(test):
    """For tests that may run more than once with the same fixtures."""
    @functools.wraps(test)
    def tried(*args, **named):
        for _ in range(TRIES - 1):
            try:
                return test(*args, **named)
            except Late as late:
                print(f"tried again: {late}")
        return test(*args, **named)
    return tried


def best_time(first, again, most):
    """The least of some times: of the first one, and where that is too long, of more tries."""
    times = [first]
    while min(times) >= most and len(times) < TRIES:
        times.append(again())
    return min(times)
