"""The log: a line an event, for people or programs, whatever devices say and whoever reads it."""

import io
import json
import logging
import os
import re
import threading
import time

from host_bridge.service import log as log_module
from host_bridge.service.log import INFO, WARNING, DeviceLog, FromLogging, Log


def said(write, **options):
    stream = io.StringIO()
    log = Log(stream=stream, **options)
    write(log)
    log.close()
    return stream.getvalue().splitlines()


def test_a_line_for_people():
    (line,) = said(lambda log: log.info("in sync at height 5", device="door"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d door: in sync at height 5", line)
    (line,) = said(lambda log: log.warning("two\nlines \x1b[31m"))
    assert line.endswith(r" WARNING two lines \x1b[31m")
    (line,) = said(lambda log: log.info("x" * 10_000))
    assert len(line) < 600


def test_a_line_for_programs():
    lines = said(lambda log: log.error("a\x1bb", device="door", event="e", height=5), as_json=True)
    (value,) = map(json.loads, lines)
    assert {"level": "error", "device": "door", "event": "e", "height": 5}.items() <= value.items()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value["time"])
    assert "\x1b" not in lines[0]


def test_levels():
    assert said(lambda log: (log.debug("no"), log.info("no")), level=WARNING) == []


def test_under_the_journal_a_line_has_a_priority_and_no_time(tmp_path, monkeypatch):
    with (tmp_path / "journal").open("w+") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        log = Log(stream=stream)
        log.info("one", device="door")
        log.error("two")
        log.close()
        stream.seek(0)
        assert stream.read() == "<6>door: one\n<3>two\n"


def test_a_reader_that_takes_nothing_never_makes_the_bridge_wait(monkeypatch):
    monkeypatch.setattr(log_module, "MAX_LOG_QUEUE", 10)
    taken = threading.Event()
    lines = []

    class Stuck(io.StringIO):
        def write(self, text):
            taken.wait()
            lines.append(text)
            return len(text)

    log = Log(stream=Stuck())
    started = time.monotonic()
    for i in range(1000):
        log.info(f"line {i}")
    assert time.monotonic() - started < 1.0
    taken.set()
    while not log._lines.empty():
        time.sleep(0.01)
    log.info("the last")
    log.close()
    assert len(lines) < 20 and "lines of this log were lost" in lines[-2] and "the last" in lines[-1]


def test_a_closed_stream_does_not_end_the_bridge():
    reader, writer = os.pipe()
    os.close(reader)
    log = Log(stream=open(writer, "w"))
    for _ in range(10):
        log.info("nobody reads")
        log.flush()
    log.close()


def test_a_device_that_says_too_much_is_cut_short():
    def write(log):
        device = DeviceLog(log, "chatty")
        for i in range(1000):
            device.write(INFO, f"line {i}")
        device._allowed = 5.0
        device.write(INFO, "later")

    lines = said(write)
    assert len(lines) == log_module.LOG_LINES_BURST + 2
    assert "940 lines were left out" in lines[-2]


def test_what_other_modules_log_is_said_once_a_minute():
    def write(log):
        logger = logging.Logger("lightclient.x")
        logger.addHandler(FromLogging(log))
        for _ in range(5):
            logger.error("the same %d", 1)
        logger.warning("another")

    lines = said(write)
    assert len(lines) == 2 and "ERROR the same 1" in lines[0] and "WARNING another" in lines[1]
