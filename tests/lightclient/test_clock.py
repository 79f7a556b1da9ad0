from lightclient.clock import Clock

T = 1_700_000_000


def test_a_clock_of_its_own_is_followed_wherever_it_goes():
    clock = Clock()
    clock.tick(0, T)
    clock.tick(5_000, 0)
    assert clock.now() == T + 5
    clock.tick(6_000, T - 100)
    assert clock.now() == T - 100


def test_a_device_with_a_clock_does_not_listen_to_the_bridge():
    clock = Clock()
    clock.tick(0, T)
    clock.hint(T + 1_000_000, 0)
    assert clock.now() == T


def test_without_one_the_bridge_is_believed_but_never_back():
    clock = Clock()
    assert clock.now() == 0
    clock.hint(0, 0)
    assert clock.now() == 0  # a bridge without a clock
    clock.hint(T, T)
    assert clock.now() == 0  # not after what proof of work says
    clock.hint(T + 1, T)
    assert clock.now() == T + 1
    clock.tick(10_000, 0)
    assert clock.now() == T + 11
    clock.hint(T + 5, 0)
    assert clock.now() == T + 11
    clock.hint(0xFFFFFFFF, 0)
    assert clock.now() == 0xFFFFFFFF
