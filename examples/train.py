#!/usr/bin/env python3
"""Teach a small neural network to read digits, with the standard library only.

Ten digits are drawn on 8 × 8 pixels; each sample shifts one about, scales its
ink, adds noise and flips pixels, so that no two are alike. A network with one
hidden layer learns them by stochastic gradient descent, its gradients worked
out by hand below. Nothing is downloaded and nothing is kept.

    python3 train.py                  # about ten seconds on one core
    python3 train.py --epochs 3       # a taste
    python3 train.py --workers 4      # the same numbers, shared among processes

The same seed prints the same numbers, whatever the number of workers: every
batch is cut into the same shards, and their gradients are added in order.
"""

import argparse
import math
import multiprocessing
import random
import sys
import time
from operator import mul

PIXELS, HIDDEN, DIGITS = 64, 32, 10
SHARDS = 4  # of every batch; workers share them out
BATCH = 40

GLYPHS = [
    "..###... .#...#.. .#...#.. .#...#.. .#...#.. .#...#.. ..###... ........",
    "...#.... ..##.... ...#.... ...#.... ...#.... ...#.... ..###... ........",
    "..###... .#...#.. .....#.. ....#... ...#.... ..#..... .#####.. ........",
    "..###... .#...#.. .....#.. ...##... .....#.. .#...#.. ..###... ........",
    "....#... ...##... ..#.#... .#..#... .#####.. ....#... ....#... ........",
    ".#####.. .#...... .####... .....#.. .....#.. .#...#.. ..###... ........",
    "..###... .#...... .#...... .####... .#...#.. .#...#.. ..###... ........",
    ".#####.. .....#.. ....#... ...#.... ...#.... ..#..... ..#..... ........",
    "..###... .#...#.. .#...#.. ..###... .#...#.. .#...#.. ..###... ........",
    "..###... .#...#.. .#...#.. ..####.. .....#.. .....#.. ..###... ........",
]


def draw(digit, rng):
    """Return the 64 pixels of a digit as somebody careless might draw it."""
    rows = GLYPHS[digit].split()
    down, right = rng.randint(0, 1), rng.randint(0, 1)
    ink = rng.uniform(0.5, 1.0)
    pixels = []
    for y in range(8):
        for x in range(8):
            inside = 0 <= y - down < 8 and 0 <= x - right < 8
            on = inside and rows[y - down][x - right] == "#"
            if rng.random() < 0.02:
                on = not on
            pixels.append(ink * on + rng.gauss(0, 0.15))
    return pixels


def samples(count, rng):
    """Return (pixels, digit) pairs, every digit equally often."""
    drawn = [(draw(i % DIGITS, rng), i % DIGITS) for i in range(count)]
    rng.shuffle(drawn)
    return drawn


def layer(inputs, outputs, rng):
    """Return a weight matrix, one row per output; the last column is the bias."""
    spread = math.sqrt(1 / inputs)
    return [[rng.gauss(0, spread) for _ in range(inputs)] + [0.0] for _ in range(outputs)]


def forward(network, pixels):
    """Return the hidden layer's activations and the probability of each digit."""
    first, second = network
    pixels = pixels + [1.0]
    hidden = [math.tanh(sum(map(mul, row, pixels))) for row in first] + [1.0]
    scores = [sum(map(mul, row, hidden)) for row in second]
    top = max(scores)
    odds = [math.exp(score - top) for score in scores]
    total = sum(odds)
    return hidden, [o / total for o in odds]


def gradient(task):
    """Return the loss of a shard and its derivatives by both layers' weights."""
    network, shard = task
    second = network[1]
    loss = 0.0
    by_first = [[0.0] * (PIXELS + 1) for _ in range(HIDDEN)]
    by_second = [[0.0] * (HIDDEN + 1) for _ in range(DIGITS)]
    for pixels, digit in shard:
        hidden, chances = forward(network, pixels)
        loss -= math.log(chances[digit])
        # Softmax with cross-entropy: what was claimed minus what is so.
        errors = chances
        errors[digit] -= 1
        for row, error in zip(by_second, errors):
            row[:] = [d + error * h for d, h in zip(row, hidden)]
        pixels = pixels + [1.0]
        for j in range(HIDDEN):
            blame = sum(error * row[j] for error, row in zip(errors, second))
            blame *= 1 - hidden[j] * hidden[j]  # the slope of tanh
            row = by_first[j]
            row[:] = [d + blame * p for d, p in zip(row, pixels)]
    return loss, by_first, by_second


def step(weights, gradients, rate):
    """Move weights against the sum of the shards' gradients, in place."""
    for j, row in enumerate(weights):
        row[:] = [w - rate * sum(ds) for w, *ds in zip(row, *(g[j] for g in gradients))]


def accuracy(network, data):
    """Return the share of data that the network reads correctly."""
    right = 0
    for pixels, digit in data:
        _, chances = forward(network, pixels)
        right += chances.index(max(chances)) == digit
    return right / len(data)


def train(options, spread):
    """Train and print an epoch at a time; spread maps gradient over shards."""
    rng = random.Random(options.seed)
    training, test = samples(options.samples, rng), samples(500, rng)
    network = layer(PIXELS, HIDDEN, rng), layer(HIDDEN, DIGITS, rng)
    started = time.monotonic()

    print(f"{len(training)} digits to learn from, {len(test)} to be tested on")
    print(f"before training: test accuracy {accuracy(network, test):6.1%}")
    for epoch in range(1, options.epochs + 1):
        rng.shuffle(training)
        rate = 0.25 * 0.95**epoch / BATCH
        loss = 0.0
        for at in range(0, len(training), BATCH):
            batch = training[at : at + BATCH]
            tasks = [(network, batch[i::SHARDS]) for i in range(SHARDS)]
            losses, by_first, by_second = zip(*spread(gradient, tasks))
            loss += sum(losses)
            step(network[0], by_first, rate)
            step(network[1], by_second, rate)
        loss /= len(training)
        print(f"epoch {epoch:2}: loss {loss:.4f}, test accuracy {accuracy(network, test):6.1%}", flush=True)
        if options.seconds and time.monotonic() - started >= options.seconds:
            break


def positive(text):
    """Parse a whole number of at least 1, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=positive, default=9, help="passes over the digits (default %(default)s)")
    parser.add_argument("--samples", type=positive, default=3000, help="digits to learn from (default %(default)s)")
    parser.add_argument("--seconds", type=float, help="stop after the epoch in which this time is up")
    parser.add_argument("--workers", type=positive, default=1, help="processes to share the work (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="where the random numbers start (default %(default)s)")
    options = parser.parse_args()
    if options.workers == 1:
        train(options, map)
    else:
        with multiprocessing.Pool(options.workers) as pool:
            train(options, pool.map)
    return 0


if __name__ == "__main__":
    sys.exit(main())
