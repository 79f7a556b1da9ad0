from support import raises

from lightclient import errors


def _classes():
    found = []
    for name in dir(errors):
        value = getattr(errors, name)
        if isinstance(value, type) and issubclass(value, errors.LightClientError):
            found.append(value)
    return found


def test_codes_are_single_bytes_and_never_used_twice():
    codes = [c.code for c in _classes()]
    assert len(codes) > 40
    assert len(set(codes)) == len(codes)
    assert min(codes) >= 1 and max(codes) <= 0xFF


def test_an_error_says_what_and_where():
    error = errors.BadLink("header 3 does not name header 2", 3)
    assert str(error) == error.detail == "header 3 does not name header 2"
    assert error.height == 3
    assert errors.BadLink().height == -1


def test_raises_wants_exactly_that_class():
    def broken():
        raise errors.BadLink("x")

    assert raises(errors.BadLink, broken).detail == "x"
    raises(AssertionError, raises, errors.HeaderError, broken)
    raises(AssertionError, raises, errors.BadLink, len, "")
