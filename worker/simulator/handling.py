"""
The way of every call through the simulator: count it, read it, let time pass, admit it, let a fault strike or do it.
"""

from aiohttp import web

from worker.simulator.call import CUT_STATUS, Call
from worker.simulator.dialect import RefusalError
from worker.simulator.faults import KINDS
from worker.simulator.services import CloudState


async def handle(state: CloudState, call: Call) -> web.StreamResponse:
    """
    The answer to a call, counted.
    """
    state.calls[call.kind] += 1
    state.notify()
    answer = await _answer(state, call)
    state.answers["cut" if answer.status == CUT_STATUS else str(answer.status)] += 1
    state.notify()
    return answer


async def _answer(state: CloudState, call: Call) -> web.StreamResponse:
    try:
        call.body = await call.request.read()
    except web.HTTPRequestEntityTooLarge:
        return call.refuse("too_large")
    except web.RequestPayloadError:
        return call.refuse("malformed", {"reason": "the body does not have the encoding it claims"})
    except ConnectionError:
        return call.cut()
    try:
        await _pass_time(state, call)
        call.deeds.admit(call)
        state.advance()  # a fault can look for a status
        rule = state.faults.take(call.kind, call.deeds.subject(call))
        state.notify()
        return await KINDS[rule.fault].run(call, rule) if rule else call.proceed()
    except RefusalError as refusal:
        return call.refuse(refusal.kind, refusal.details, refusal.headers)


async def _pass_time(state: CloudState, call: Call) -> None:
    if state.rate is not None and call.kind != "token":
        state.rate.take()
    if call.kind == "create":
        await state.capacity.work(call)
    else:
        await call.wait(call.deeds.latency_s)
