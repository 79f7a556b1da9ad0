"""A text file with one address a line, as a wallet exports it: what a till's invoices are paid to."""

from pathlib import Path

from host_bridge.files import Unusable, read_file
from host_bridge.limits import MAX_ADDRESS_FILE
from host_bridge.payments.address import BadAddress, script_from_address
from lightclient.limits import MAX_INVOICE_ADDRESSES
from lightclient.params import Network


class AddressList:
    """The addresses in the file; blank lines, and what stands behind a #, are passed over. Raises Unusable, OSError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            text = read_file(path, MAX_ADDRESS_FILE).decode("utf-8-sig")
        except UnicodeDecodeError:
            raise Unusable(f"{path}: not a text file") from None
        self._lines: list[tuple[int, str]] = []
        for number, line in enumerate(text.splitlines(), 1):
            address = line.partition("#")[0].strip()
            if address:
                self._lines.append((number, address))
            if len(self._lines) > MAX_INVOICE_ADDRESSES:
                raise Unusable(f"{path}: line {number}: more than {MAX_INVOICE_ADDRESSES} addresses")
        if not self._lines:
            raise Unusable(f"{path}: there is no address in it")

    def scripts(self, network: Network) -> list[bytes]:
        """Their script_pubkeys, each its own. Raises Unusable, with the number of the first line that is wrong."""
        lines: dict[bytes, int] = {}
        for number, address in self._lines:
            try:
                script = script_from_address(address, network)
            except BadAddress as error:
                raise Unusable(f"{self._path}: line {number}: {error}") from None
            if script in lines:
                raise Unusable(f"{self._path}: line {number}: the same address as in line {lines[script]}")
            lines[script] = number
        return list(lines)
