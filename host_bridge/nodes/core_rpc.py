"""Bitcoin Core's JSON-RPC: calls and batches, and what its errors mean. Only calls that read: each may be repeated."""

import itertools
import json
from collections.abc import Sequence
from typing import Any

from host_bridge.limits import ANSWER_SECONDS, MAX_JSON_VALUES, MAX_NODE_ERROR, MAX_RPC_ANSWER, MAX_RPC_BATCH_ENTRY
from host_bridge.nodes.bounded_http import BoundedHttp, HttpAnswer
from host_bridge.nodes.core_login import Login
from host_bridge.nodes.node import NodeError, NodeLied, NodeRefused, NodeUnreachable, NotThere

# Core: rpc/protocol.h
RPC_MISC_ERROR = -1
RPC_INVALID_ADDRESS_OR_KEY = -5
RPC_INVALID_PARAMETER = -8
RPC_IN_WARMUP = -28
RPC_METHOD_NOT_FOUND = -32601


class CoreRpc:
    """A node's RPC at `http` (whose errors begin with `name`), let in by `login`."""

    def __init__(self, host: str, port: int, login: Login, name: str, answer_seconds: float = ANSWER_SECONDS) -> None:
        self.http = BoundedHttp(f"http://{host}:{port}", name, answer_seconds)
        self._login = login
        self._name = name
        self._ids = itertools.count(1)

    async def call(self, method: str, *params: object, most: int = MAX_RPC_ANSWER) -> Any:
        """The result of one call. Raises NodeError; NotThere for what it does not have."""
        number = next(self._ids)
        answer = await self._post({"id": number, "method": method, "params": params}, most)
        return self._result(answer, number, method)

    async def batch(self, method: str, calls: Sequence[Sequence[object]], most_each: int = MAX_RPC_BATCH_ENTRY) -> Any:
        """The results of one call with each of these parameters, in order; a NotThere stands in for its result."""
        if not calls:
            return []
        numbers = [next(self._ids) for _ in calls]
        asked = [{"id": i, "method": method, "params": params} for i, params in zip(numbers, calls, strict=True)]
        answers = await self._post(asked, MAX_RPC_ANSWER + most_each * len(calls))
        if isinstance(answers, dict):  # refused as a whole
            self._result(answers, None, method)
        if not isinstance(answers, list) or len(answers) != len(calls):
            raise NodeLied(f"{self._name}: {method}: {len(calls)} answers belong there")
        by_number = {a["id"]: a for a in answers if isinstance(a, dict) and isinstance(a.get("id"), int)}
        results: list[Any] = []
        for number in numbers:
            try:
                results.append(self._result(by_number.get(number), number, method))
            except NotThere as absent:
                results.append(absent)
        return results

    async def close(self) -> None:
        await self.http.close()

    # --- one exchange ---

    async def _post(self, asked: object, most: int) -> Any:
        body = json.dumps(asked).encode()
        if self._login.text is None:
            self._login.reload()
        answer = await self.http.post("/", most, body, self._headers())
        if answer.status == 401 and self._login.reload():  # a node that was restarted has a new cookie
            answer = await self.http.post("/", most, body, self._headers())
        if answer.status == 401:
            raise NodeRefused(f"{self._name} does not let us in: {self._login.hint()}")
        if answer.status == 403:
            raise NodeRefused(f"{self._name} does not let us in: its rpcallowip or rpcwhitelist forbids it")
        if answer.status == 503:
            raise NodeUnreachable(f"{self._name} is busy: its RPC work queue is full")
        return self._json(answer)

    def _headers(self) -> dict[str, str]:
        return {"Content-Type": "application/json", **self._login.header()}

    def _json(self, answer: HttpAnswer) -> Any:
        # Core gives errors of a call a status of 400, 404 or 500, and JSON all the same
        if answer.content_type == "application/json":
            if sum(answer.body.count(sign) for sign in (b",", b"[", b"{")) > MAX_JSON_VALUES:
                raise NodeLied(f"{self._name}: JSON of more than {MAX_JSON_VALUES} values")
            try:
                return json.loads(answer.body)
            except (ValueError, RecursionError):
                raise NodeLied(f"{self._name}: half or no JSON (status {answer.status})") from None
        raise NodeLied(f"{self._name}: no JSON-RPC but an answer of status {answer.status}: no Bitcoin Core?")

    def _result(self, answer: Any, number: int | None, method: str) -> Any:
        if not isinstance(answer, dict):
            raise NodeLied(f"{self._name}: {method}: no JSON-RPC answer")
        error = answer.get("error")
        if error is not None:
            raise self._error(error, method)
        if answer.get("id") != number or "result" not in answer:
            raise NodeLied(f"{self._name}: {method}: an answer to something else")
        return answer["result"]

    def _error(self, error: Any, method: str) -> NodeError:
        code = error.get("code") if isinstance(error, dict) else None
        said = shown(error.get("message")) if isinstance(error, dict) else ""
        if not isinstance(code, int):
            return NodeLied(f"{self._name}: {method}: an error without a code")
        if code == RPC_IN_WARMUP:
            return NodeUnreachable(f"{self._name} is starting: {said}")
        if code == RPC_METHOD_NOT_FOUND:
            return NodeRefused(f"{self._name}: it has no {method}")
        if code in (RPC_INVALID_ADDRESS_OR_KEY, RPC_INVALID_PARAMETER) or (
            # "Block not available (pruned data)", "Block not found on disk"
            code == RPC_MISC_ERROR and ("available" in said or "not found" in said)
        ):
            return NotThere(f"{self._name}: {method}: {said}")
        return NodeRefused(f"{self._name}: {method}: {said} ({code})")


def shown(text: object) -> str:
    """What a node says, as part of one line for people: printable, and not for ever."""
    line = " ".join(str(text).split())
    return "".join(c if c.isprintable() else "?" for c in line)[:MAX_NODE_ERROR]
