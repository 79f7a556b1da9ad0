"""The bridge as a service: from its configuration to a clean end.

Order: the state folder is locked, the ports are bound, systemd is told, and then comes what may take long:
a node that is away, an index of many headers. A signal ends it at any of these points, within two seconds.
"""

import asyncio
import fcntl
import logging
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from host_bridge.files import Unusable
from host_bridge.limits import MAX_CONNECTIONS_PER_ADDRESS, MAX_STRANGERS, NODE_SECONDS, STOP_SECONDS
from host_bridge.links.serial_ports import SerialPorts
from host_bridge.links.tcp_listener import Ceilings, TlsListener
from host_bridge.node_source import NodeSource, open_index
from host_bridge.nodes.node import Node, NodeError, NodeInfo, NodeUnreachable
from host_bridge.nodes.url import open_node
from host_bridge.pairing.certificate import BadCertificate, load_or_make
from host_bridge.pairing.paired_devices import BadDeviceList, PairedDevices
from host_bridge.places import LOCK_FILE, state_folder
from host_bridge.service.bridge import Bridge
from host_bridge.service.config import BridgeConfig
from host_bridge.service.log import FromLogging, Log
from host_bridge.service.systemd_notify import keep_watchdog, notify
from host_bridge.trouble import Trouble
from lightclient import __version__
from lightclient.errors import LightClientError, describe
from lightclient.params import NETWORKS, Network

VERSION = f"lightclient {__version__}"
_FIRST_ANSWER_SECONDS = 3.0  # that the start waits for a node whose network was named: it may be another's
_CLOSE_SECONDS = 0.3


class BridgeFailed(Exception):
    """An error of this program ended it; the text is one line."""


async def run_service(config: BridgeConfig, log: Log) -> None:
    """Until a signal ends it. Raises Unusable where it can't start as it was told, BridgeFailed."""
    stop = asyncio.Event()
    with _signals(stop), _logging_to(log):
        try:
            folder = state_folder(Path(config.state_dir) if config.state_dir else None)
            with _alone_in(folder):
                await _serve(config, log, folder, stop)
        except OSError as error:
            raise Unusable(f"{error.filename or 'state folder'}: {error.strerror or error}") from None
        except (BadDeviceList, BadCertificate) as error:
            raise Unusable(str(error)) from None
        except LightClientError as error:  # of the index
            raise Unusable(describe(error)) from None
        log.info("stopped", event="stopped")


async def _serve(config: BridgeConfig, log: Log, folder: Path, stop: asyncio.Event) -> None:
    devices = PairedDevices(folder)
    try:
        node = open_node(config.node)
    except (ValueError, NodeError) as error:
        raise Unusable(f"node: {error}") from None
    try:
        log.info(f"{VERSION}, node {node.name}, state in {folder}", event="started")
        watchdog = asyncio.create_task(keep_watchdog())  # from now on: what comes first may take minutes
        lobby = _Lobby()
        ports = SerialPorts(config.serial, lobby.serve, log, config.serial_baud)
        listener = await _listen(config, log, folder, lobby) if config.listen else None
        try:
            network = await _until(stop, _network_of(node, config, log))
            if network is None:
                return
            await _until(stop, _open_and_run(config, log, folder, stop, node, network, devices, lobby, ports, listener))
        finally:
            notify("STOPPING=1")
            watchdog.cancel()
            if listener:
                listener.close()
    finally:
        with suppress(Exception):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await node.close()


class _Lobby:
    """Where lines are served; the bridge comes when the index is open."""

    bridge: Bridge

    async def serve(self, line: Any) -> None:
        await self.bridge.serve(line)


async def _listen(config: BridgeConfig, log: Log, folder: Path, lobby: _Lobby) -> TlsListener:
    certificate = load_or_make(folder)
    most = config.max_connections
    ceilings = Ceilings(most, min(most, MAX_CONNECTIONS_PER_ADDRESS), min(most, MAX_STRANGERS))
    listener = TlsListener(config.addresses(), certificate.server_context(), lobby.serve, log, ceilings)
    try:
        bound = await listener.open()
    except OSError as error:
        raise Unusable(f"listen: {', '.join(config.listen)}: {error.strerror or error}") from None
    for address in bound:
        text = f"listening on {address}, certificate {certificate.fingerprint}"
        log.info(text, event="listening", address=address, fingerprint=certificate.fingerprint)
    return listener


async def _open_and_run(
    config: BridgeConfig,
    log: Log,
    folder: Path,
    stop: asyncio.Event,
    node: Node,
    network: Network,
    devices: PairedDevices,
    lobby: _Lobby,
    ports: SerialPorts,
    listener: TlsListener | None,
) -> None:
    notify("READY=1")
    headers = folder / "headers" / network.name
    headers.mkdir(mode=0o700, parents=True, exist_ok=True)
    trouble = Trouble(node.name)
    while True:
        try:
            index = await open_index(headers, node, network, _progress(stop, log))
            break
        except (NodeError, TimeoutError) as error:
            await trouble.pause(error)
    try:
        source = NodeSource(node, index)
        log.info(f"{network.name}: headers to height {index.best_height:,}", event="index", height=index.best_height)
        notify("STATUS=serving devices")
        bridge = Bridge(source, devices, log, VERSION, serial_unpaired=config.serial_unpaired)
        lobby.bridge = bridge
        if config.serial and config.serial_unpaired:
            log.warning("serial_unpaired: whoever is on a serial line is served, paired or not", event="unpaired")
        work = [source.run(bridge.announce), bridge.look_after(), ports.run()]
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(part) for part in (*work, *([listener.run()] if listener else []))]
            await stop.wait()
            await bridge.say_goodbye()
            for task in running:
                task.cancel()
    except ExceptionGroup as group:
        raise BridgeFailed(f"an error of this program: {group.exceptions[0]!r}") from group
    finally:
        index.close()


def _progress(stop: asyncio.Event, log: Log) -> Callable[[int, int], None]:
    """For the thread that checks the index: it ends when the bridge does."""
    tenth = -1

    def tell(done: int, total: int) -> None:
        nonlocal tenth
        if stop.is_set():
            raise _Stopped
        if total > 100_000 and done * 10 // total != tenth:
            tenth = done * 10 // total
            notify(f"STATUS=checking the headers on disk: {done:,} of {total:,}; devices are served after that")
            log.info(f"checking the headers on disk: {done:,} of {total:,}", event="checking", done=done, total=total)

    return tell


class _Stopped(Exception):
    """A signal came while the index was checked."""


async def _until(stop: asyncio.Event, work: Coroutine[Any, Any, Any]) -> Any:
    """What `work` returns; None when the signal came first. Work that ends by itself in time is let."""
    task = asyncio.create_task(work)
    waiting = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            await asyncio.wait({task}, timeout=STOP_SECONDS + 0.3)
        if task.done():
            return task.result()
    except _Stopped:
        return None
    finally:
        waiting.cancel()
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task
    return None


async def _network_of(node: Node, config: BridgeConfig, log: Log) -> Network:
    """The network to serve: the one named, else the node's. Raises Unusable when these are two.

    A node that is away is waited for only where the network has to come from it.
    """
    trouble = Trouble(node.name)
    waiting = False
    while True:
        try:
            info = await _first_info(node, _FIRST_ANSWER_SECONDS if config.network else NODE_SECONDS)
        except NodeError as error:
            if config.network:
                return NETWORKS[config.network]
            notify("READY=1")  # it may take long, and systemd would not wait
            if not waiting:
                waiting = True
                log.warning("the node does not answer, and no network was named: waiting for it", event="waiting")
            await trouble.pause(error)
            continue
        if info.network not in NETWORKS:
            raise Unusable(f"node: it is on {info.network}, which this program does not know")
        if config.network and info.network != config.network:
            raise Unusable(f"node: it is on {info.network}, not on {config.network}")
        return NETWORKS[info.network]


async def _first_info(node: Node, seconds: float) -> NodeInfo:
    try:
        async with asyncio.timeout(seconds):
            return await node.info()
    except TimeoutError:
        raise NodeUnreachable(f"no answer in {seconds:.0f} s") from None


# --- the process ---


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """One bridge on a state folder. Raises Unusable. (The system lets go of it however we end.)"""
    handle = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unusable(f"{folder}: another bridge runs with this state folder") from None
        yield
    finally:
        os.close(handle)


@contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


@contextmanager
def _logging_to(log: Log) -> Iterator[None]:
    """What other modules say through `logging` goes to our log."""
    handler = FromLogging(log)
    loggers = [logging.getLogger("lightclient"), logging.getLogger("asyncio")]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.propagate = False
    loggers[0].setLevel(logging.DEBUG)
    try:
        yield
    finally:
        for logger, (level, propagate) in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagate
