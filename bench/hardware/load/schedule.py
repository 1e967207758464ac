"""When a load is busy: plays a list of (start, end, percent) in seconds."""

import time

SLICE = 0.05  # the longest kernel: Ctrl-C is heard between two


def slices(start, end, longest=SLICE):
    """Cuts an interval into equal parts that are short enough."""
    n = max(1, -int(-(end - start) // longest))
    return [(start + (end - start) * i / n, start + (end - start) * (i + 1) / n) for i in range(n)]


def play(busy, epoch, burn, clock=time.monotonic, sleep=time.sleep):
    """Burns during the intervals, which count from epoch, and returns for how long.

    What is late is cut short, so that delays do not add up.
    """
    total = 0.0
    for start, end, percent in busy:
        for since, until in slices(start, end):
            wait = epoch + since - clock()
            if wait > 0:
                sleep(wait)
            began = clock()
            left = epoch + until - began
            if left > 0:
                burn(left, percent)
                total += clock() - began
    return total
