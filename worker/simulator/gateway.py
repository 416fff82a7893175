"""
Who is calling? Tokens and signatures, before the cloud looks at what is asked.
"""

from aiohttp import web

from worker.simulator.accounts import is_same
from worker.simulator.call import Call
from worker.simulator.dialect import RefusalError
from worker.simulator.services import CloudState
from worker.simulator.signatures import ALGORITHM
from worker.simulator.users import Caller


class Gateway:
    """
    Lets callers in.
    """

    def __init__(self, state: CloudState) -> None:
        self._state = state
        config = state.config
        self._anyone = Caller(config.tenant_id, config.role)
        self._is_open = config.token is None and not config.users

    def caller(self, call: Call) -> Caller:
        """
        On whose behalf the call is made.

        Raises:
            RefusalError: `unauthorized`, `invalid_token`, and what `KeyRing.caller` raises.
        """
        if self._is_open:
            return self._anyone
        is_signed = call.request.headers.get("Authorization", "").startswith(ALGORITHM)
        if is_signed and self._state.dialect.is_signing_known:
            return self._state.keys.caller(call)
        return self._by_token(call.request)

    def _by_token(self, request: web.Request) -> Caller:
        config = self._state.config
        sent = request.headers.get("X-Auth-Token", "")
        if config.token is not None and is_same(sent, config.token):
            return self._anyone
        token = self._state.accounts.tokens.find(sent)
        if token is not None:
            return token.caller
        raise RefusalError("invalid_token" if sent and config.bad_token_status == 403 else "unauthorized")
