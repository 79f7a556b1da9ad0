"""device_runner.py TEST_FILE [TEST_NAME...]: run the test functions of one file on MicroPython.

Functions are found by scanning, so none is forgotten. One line a test: "pass NAME", "skip NAME:
reason" or "FAIL NAME" followed by the traceback; the last line is "done PASSED SKIPPED FAILED".
Exit code 1 if one failed or there was none.
"""

import gc
import sys

# As the device program does: loading modules would else leave the heap in pieces.
gc.threshold(16 * 1024)

from support import Skipped  # noqa: E402


def main(path, names):
    folder, name = path.rsplit("/", 1) if "/" in path else (".", path)
    sys.path.append(folder)
    module = __import__(name[: -len(".py")])
    gc.collect()
    print("heap", gc.mem_alloc(), "bytes after import,", gc.mem_free(), "free")
    passed = skipped = failed = 0
    for test in sorted(dir(module)):
        if not test.startswith("test_") or (names and test not in names):
            continue
        gc.collect()
        try:
            getattr(module, test)()
        except Skipped as reason:
            print("skip " + test + ": " + str(reason))
            skipped += 1
        except Exception as error:
            print("FAIL " + test)
            sys.print_exception(error, sys.stdout)
            failed += 1
        else:
            print("pass " + test)
            passed += 1
    print("done", passed, skipped, failed)
    if failed or passed + skipped == 0:
        sys.exit(1)


main(sys.argv[1], sys.argv[2:])
