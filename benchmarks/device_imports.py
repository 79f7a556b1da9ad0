"""On MicroPython: what importing the device program leaves on the heap, and how often it collects garbage."""

import gc
import json

gc.collect()
before = gc.mem_alloc()
import firmware.device  # noqa: E402
import firmware.main  # noqa: E402, F401

gc.collect()
print(json.dumps({"bytes": gc.mem_alloc() - before, "free": gc.mem_free(), "threshold": gc.threshold()}))
