"""What differs between MicroPython and CPython; no other file knows that there are two.

One source runs on both: `@micropython.viper` functions are machine code on a device and plain
Python on a computer. For them `ptr8(b)` and `ptr32(b)` index the bytes or the aligned
little-endian words of a buffer, and `uint(x)` is an unsigned machine word. CPython does not wrap
at 32 bits: mask there where it matters.
"""

import sys

IS_MICROPYTHON = sys.implementation.name == "micropython"

if IS_MICROPYTHON:
    import micropython
    from micropython import const

    # Inside a viper function these names are the compiler's own; outside they are not called.
    ptr8 = ptr32 = uint = int
else:

    class micropython:  # noqa: N801 - it stands for the module of that name
        """Decorators that leave a function as it is."""

        @staticmethod
        def viper(function):  # type: ignore[no-untyped-def]
            return function

        @staticmethod
        def native(function):  # type: ignore[no-untyped-def]
            return function

    def const(value):  # type: ignore[no-untyped-def]
        return value

    def ptr8(buffer):  # type: ignore[no-untyped-def]
        return memoryview(buffer).cast("B")

    def ptr32(buffer):  # type: ignore[no-untyped-def]
        return memoryview(buffer).cast("B").cast("I")

    uint = int
