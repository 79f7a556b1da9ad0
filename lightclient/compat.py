"""What differs between MicroPython and CPython; no other file knows that there are two.

One source runs on both: `@micropython.native` and `@micropython.viper` functions are machine code on
a device and plain Python on a computer. For the latter `ptr8(b)` and `ptr32(b)` index the bytes or the aligned
little-endian words of a buffer, and `uint(x)` is an unsigned machine word. CPython does not wrap
at 32 bits: mask there where it matters.

Modules say `TYPE_CHECKING = const(False)`: what stands under a constant is not compiled, which makes the device's
code 5 % smaller.
"""

import sys

TYPE_CHECKING = False
IS_MICROPYTHON = sys.implementation.name == "micropython"

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    F = TypeVar("F", bound=Callable[..., object])
    ptr8 = memoryview
    ptr32 = memoryview
    uint = int

    class micropython:
        @staticmethod
        def native(function: F) -> F: ...
        @staticmethod
        def viper(function: F) -> F: ...

    def const(value: int) -> int: ...

elif IS_MICROPYTHON:
    import micropython
    from micropython import const

    # Inside a viper function these names are the compiler's own; outside they are not called.
    ptr8 = ptr32 = uint = int

else:

    class micropython:
        """Decorators that leave a function as it is."""

        @staticmethod
        def native(function):
            return function

        @staticmethod
        def viper(function):
            return function

    def const(value):
        return value

    def ptr8(buffer):
        return memoryview(buffer).cast("B")

    def ptr32(buffer):
        return memoryview(buffer).cast("B").cast("I")

    uint = int
