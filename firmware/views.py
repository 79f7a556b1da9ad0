"""What a device shows to the person in front of it, as views (screen.py)."""

from firmware.screen import FAULT, INVOICE, NO_BRIDGE, NO_PROGRESS, NO_WIFI, NOT_PAIRED, READY, STALE, SYNCING
from lightclient.address import address_of
from lightclient.compat import const
from lightclient.errors import LightClientError, NotEnoughWork, NotSynced, StaleTip, describe
from lightclient.messages import STATE_READY, STATE_STOPPED, STATE_SYNCING

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from firmware.links import Link
    from firmware.screen import View
    from lightclient.client import Client
    from lightclient.spv.payment import PaymentRequest

NO_NETWORK = "wifi: "  # how a link's problem begins that is not the bridge's (wifi.py)
_LAST_LETTERS = const(8)  # of an address, for people to compare


def state_view(client: "Client", is_paired: bool, link: "Link") -> "View":
    """How things are, for a device that waits for nothing."""
    if client.fault:
        return (FAULT, "FAULT", client.fault, NO_PROGRESS, None)
    if not client.is_open:
        if not is_paired:
            return (NOT_PAIRED, "NOT PAIRED", "Plug me in and run\nlightclient pair", NO_PROGRESS, None)
        if link.problem.startswith(NO_NETWORK):
            return (NO_WIFI, "NO WI-FI", link.problem[len(NO_NETWORK) :], NO_PROGRESS, None)
        return (NO_BRIDGE, "NO BRIDGE", link.problem or "nothing answers", NO_PROGRESS, None)
    chain = client.chain
    if client.state in (STATE_SYNCING, STATE_STOPPED) or chain.tip_height < client.best_height:
        percent = 100 * chain.tip_height // max(client.best_height, 1)
        text = "%d %%\n%s of %s" % (percent, thousands(chain.tip_height), thousands(client.best_height))
        return (SYNCING, "SYNCING", text, percent, None)
    text = "tip " + thousands(chain.tip_height) + "\n"
    now = client.now()
    if now:
        text += age(now - chain.state.time) + " old"
    text += replay_line(client)
    if client.state == STATE_READY:
        return (READY, "READY", text, NO_PROGRESS, None)
    try:
        chain.require_ready(now, client.best_height)
        title = "WAITING"  # until the next look
    except NotSynced:
        title = "SYNCING"
    except StaleTip:
        title = "STALE TIP" if now else "NO CLOCK"
    except NotEnoughWork:
        title = "LOW WORK"
        text += "\nbelow the minimum of\n" + chain.network.name
    except LightClientError as error:
        title = "WAITING"
        text += "\n" + describe(error)
    return (STALE, title, text, NO_PROGRESS, None)


def invoice_view(client: "Client", request: "PaymentRequest", name: str, confirmations: int, foot: str) -> "View":
    """What is to be paid, and where to. Only for a device in STATE_READY: else nobody may be asked to pay."""
    address = address_of(request.script_pubkey, client.chain.network)
    lines = ["REPLAY"] if client.chain.network.is_replay else []
    if name:
        lines.append(name[:10])
    lines += [thousands(request.min_amount), "sat", "to ..."]
    lines.append((address or request.script_pubkey.hex())[-_LAST_LETTERS:])
    if confirmations:  # it is in a block, and not paid before there are enough of them
        lines.append("seen %d/%d" % (confirmations, request.min_confirmations))
    if foot:
        lines += [""] * (7 - len(lines)) + [foot]
    title = thousands(request.min_amount)
    invoice = (address, request.min_amount, "\n".join(lines)) if address else None
    return (INVOICE, title, "\n".join(lines), NO_PROGRESS, invoice)


def replay_line(client: "Client") -> str:
    """One line more of a view, where nothing real is paid."""
    return "\nreplay, not for money" if client.chain.network.is_replay else ""


def thousands(number: int) -> str:
    """ "905,123" """
    text = str(number)
    start = len(text) % 3 or 3
    return ",".join([text[:start]] + [text[i : i + 3] for i in range(start, len(text), 3)])


def age(seconds: int) -> str:
    """ "12 min" """
    seconds = max(seconds, 0)
    if seconds < 7200:
        return str(seconds // 60) + " min"
    if seconds < 172_800:
        return str(seconds // 3600) + " h"
    return str(seconds // 86_400) + " days"
