"""What a device says in one line each, for its console and its log."""

from lightclient.compat import const
from lightclient.messages import (
    EVENT_CONFIRMED,
    EVENT_PAYMENT_SEEN,
    EVENT_REFUSED,
    EVENT_TAKEN_BACK,
    STATE_READY,
    STATES,
)

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from firmware.links import Link
    from lightclient.client import Client, Event


def event_line(event: "Event") -> str:
    """One line about an event, empty for those that are not for people."""
    kind, request_id, _, amount, confirmations, detail = event
    if kind == EVENT_CONFIRMED:
        return "paid: " + str(amount) + " sat for request " + str(request_id)
    if kind == EVENT_PAYMENT_SEEN:  # which is not yet paid
        return "seen, not yet paid: " + str(amount) + " sat, confirmations: " + str(confirmations)
    if kind == EVENT_TAKEN_BACK:
        return "taken back by a reorg: request " + str(request_id)
    if kind == EVENT_REFUSED:
        return "refused: " + detail
    return ""


def state_line(client: "Client", is_paired: bool, link: "Link") -> str:
    """One line about how things are."""
    if client.fault:
        return "fault: " + client.fault
    if not client.is_open:
        line = "no bridge" if is_paired else "not paired, no bridge"
        return line + (": " + link.problem if link.problem else "")
    line = STATES[client.state]
    if client.state == STATE_READY:
        line += ", tip " + str(client.chain.tip_height)
    return line + (", replay" if client.chain.network.is_replay else "")
