"""What the image's own copy of the program is: the same, with fewer names."""

import pytest

from host_bridge.device_code import DeviceCodeError, device_code

START = "from a.main import run\nrun()\n"
BOARD = {
    "firmware/console.py": "import sys\nIS_BOARD = sys.platform == 'rp2'\n",
    "lightclient/compat.py": "import sys\nIS_MICROPYTHON = sys.implementation.name == 'micropython'\n",
}


def code_of(keep_names: bool = False, **files: str) -> dict[str, str]:
    sources = {f"a/{name}.py": text for name, text in files.items()}
    return device_code({**BOARD, **sources, "start.py": START}, keep_names)[0]


def names_of(text: str) -> dict[str, object]:
    found: dict[str, object] = {}
    exec(text, found)
    return found


def test_a_number_of_another_file_takes_the_place_of_its_name() -> None:
    code = code_of(
        limits="from lightclient.compat import const\nMOST = const(3)\nALL = MOST << 2 | 1\n",
        main="from a.limits import ALL\ndef run():\n    return ALL\n",
    )
    assert code["a/main.py"] == "def run():\n    return 13\n"
    assert "a/limits.py" not in code


@pytest.mark.parametrize(
    "more",
    [
        "MOST = 4",
        "def f(MOST):\n    return MOST",
        "def f():\n    global MOST",
        "for MOST in (): pass",
        "import x as MOST",
    ],
)
def test_a_name_that_is_bound_twice_is_no_constant(more: str) -> None:
    code = code_of(limits=f"MOST = 3\n{more}\n", main="from a.limits import MOST\ndef run():\n    return MOST\n")
    assert "return MOST" in code["a/main.py"] and "import MOST" in code["a/main.py"]


def test_a_name_that_is_set_from_outside_is_no_constant() -> None:
    main = "from a import limits\ndef run():\n    limits.MOST = 4\n    return limits.MOST\n"
    code = code_of(limits="MOST = 3\n", main=main)
    assert "return limits.MOST" in code["a/main.py"] and "MOST = 3" in code["a/limits.py"]


def test_a_table_in_parts_becomes_one() -> None:
    text = "NAMES = ('x', 'y')\n_A = ('n', 2)\nTABLE = (_A, (_A, len(NAMES) - 1))\ndef run():\n    return TABLE\n"
    code = code_of(main=text)
    assert "TABLE = (('n', 2), (('n', 2), 1))" in code["a/main.py"] and "_A" not in code["a/main.py"]


def test_what_nobody_mentions_is_left_out_and_what_a_text_mentions_is_not() -> None:
    text = "import os\ndef unused():\n    os.x()\ndef named():\n    pass\ndef run():\n    return globals()['named']\n"
    code = code_of(main=text)
    assert "unused" not in code["a/main.py"] and "import os" not in code["a/main.py"]
    assert "def named" in code["a/main.py"]


def test_names_are_kept_where_tests_need_them() -> None:
    text = "MOST = 3\ndef unused(length):\n    return length + MOST\ndef run():\n    pass\n"
    code = code_of(True, main=text)["a/main.py"]
    assert names_of(code)["MOST"] == 3 and "def unused(length):\n    return length + 3" in code


def test_a_parameter_that_a_call_names_keeps_its_name() -> None:
    code = code_of(main="def f(width, height):\n    return width * height\ndef run(x):\n    return f(x, height=2)\n")
    assert "def f(a, height):\n    return a * height" in code["a/main.py"]


def test_inner_functions_see_the_parameters_of_outer_ones() -> None:
    text = "def run(start, values):\n    return [start + v for v in values] + list(map(lambda v: v - start, values))\n"
    run = names_of(code_of(main=text)["a/main.py"])["run"]
    assert callable(run) and run(10, [1, 2]) == [11, 12, -9, -8]


BASE = "class Base:\n    def __init__(self):\n        self._one = 1\n    def _tell(self):\n        return self._one\n"
CHILD = """from a.base import Base
class Child(Base):
    def __init__(self):
        Base.__init__(self)
        self._two = 2
    def both(self):
        return self._tell() + self._two
def run():
    return Child().both()
"""


def test_families_of_classes_share_short_names() -> None:
    code = code_of(base=BASE, main=CHILD)
    found = names_of(code["a/base.py"] + code["a/main.py"].replace("from a.base import Base", ""))
    assert callable(found["run"]) and found["run"]() == 3
    assert "_one" not in code["a/base.py"] and "_two" not in code["a/main.py"]


def test_a_private_name_that_others_read_is_kept() -> None:
    text = "class A:\n    def __init__(self):\n        self._mine = 1\ndef run(thing):\n    return A(), thing._mine\n"
    assert code_of(main=text)["a/main.py"].count("._mine") == 2


def test_sums_of_texts() -> None:
    code = code_of(main="def run(n, name):\n    return name + ': ' + str(n) + ' %, ' + str((n, 1))\n")["a/main.py"]
    run = names_of(code)["run"]
    assert callable(run) and run(5, "x") == "x: 5 %, (5, 1)"
    assert " + " not in code


def test_errors_are_the_same_classes() -> None:
    text = "class A(Exception):\n    code = 1\nclass B(A):\n    code = 2\ndef run():\n    raise B('x')\n"
    code = code_of(main=text)["a/main.py"]
    found = names_of(code)["B"]
    assert isinstance(found, type) and issubclass(found, Exception) and "class" not in code
    assert found.__name__ == "B" and vars(found)["code"] == 2


def test_an_import_of_nothing_is_told() -> None:
    with pytest.raises(DeviceCodeError, match=r"a/main.py: a.other has no missing"):
        code_of(other="there = []\n", main="from a.other import missing\ndef run():\n    missing()\n")
