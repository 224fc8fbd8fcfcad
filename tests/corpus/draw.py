"""Random draws that depend on the seed alone."""

import random
import zlib

HEX = "0123456789abcdef"
B64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
KEYC = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


class Draw:
    """Draws from `random()` and `getrandbits()` alone, which Python keeps stable across versions."""

    def __init__(self, seed):
        # str -> int by hand: hash-independent and version-independent
        self.r = random.Random(zlib.crc32(seed.encode()) | (len(seed) << 40))
        self.f = self.r.random

    def n(self, k):  # 0..k-1
        return int(self.f() * k)

    def rng(self, a, b):  # a..b inclusive
        return a + int(self.f() * (b - a + 1))

    def pick(self, seq):
        return seq[int(self.f() * len(seq))]

    def zipf(self, seq, skew=2.2):  # early items much more often
        return seq[int((self.f() ** skew) * len(seq))]

    def p(self, x):
        return self.f() < x

    def hex(self, k):
        return format(self.r.getrandbits(4 * k), "0%dx" % k)

    def uuid(self):
        h = format(self.r.getrandbits(128), "032x")
        return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-{'89ab'[int(h[16], 16) & 3]}{h[17:20]}-{h[20:]}"

    def chars(self, alphabet, k):
        f, m = self.f, len(alphabet)
        return "".join([alphabet[int(f() * m)] for _ in range(k)])
