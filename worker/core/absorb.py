"""
What an answer of the cloud makes of a job.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from worker.core.answers import (
    LEFTOVER,
    Busy,
    Conflict,
    CreateAnswer,
    Created,
    ListAnswer,
    Listed,
    Misconfigured,
    Refused,
    Service,
    Throttled,
    Trouble,
    Unknown,
)
from worker.core.backoff import ACCOUNT_DELAY_S, QUICK_TRIES, failed_look_delay_s, look_delay_s, retry_delay_s
from worker.core.job import Blame, Doubt, Job, Outcome, OutcomeKind, Phase, conclude, start_looking
from worker.core.ownership import Nothing, Ours, Several, Someone, judge
from worker.core.policy import Policy, WhenNotFound

_TIME_TO_MEND_S = 3600.0


def absorb_create(
    job: Job, answer: CreateAnswer, now: datetime, roll: float, policy: Policy, blame: Blame = Blame.OPEN
) -> Job:
    """
    The job after the answer to its POST.

    Args:
        job: in phase SENT.
        answer: what the cloud said.
        now: aware UTC, after the answer.
        roll: luck in [0, 1) for the wait that may follow.
        policy: how patient to be.
        blame: whose fault a failure is.
    """
    match answer:
        case Created(service=service, api_request_id=api_request_id):
            made = _made(service, now, reconciled=False)
            return conclude(job, replace(made, api_request_id=api_request_id))
        case Refused(trouble=trouble, names_leftover=False):
            return _absorb_refused(job, trouble, now, blame)
        case Busy() | Throttled() | Misconfigured():
            return _absorb_denied(job, answer, now, roll, policy, blame)
        case Conflict(trouble=trouble) | Refused(trouble=trouble):
            # A definite no to this POST, and the service in the way has an id to report: only an earlier unanswered
            # one can have made a service of ours.
            looking = start_looking(job, Doubt.CONFLICT, now, first_delay_s=0.0)
            return replace(looking, trouble=trouble)
        case Unknown(trouble=trouble):
            looking = start_looking(job, Doubt.UNKNOWN, now, look_delay_s(0, roll))
            strikes = job.strikes if blame is Blame.CLOUD else _strikes(job, trouble)
            return replace(looking, trouble=trouble, strikes=strikes)
        case _:
            assert_never(answer)


def _strikes(job: Job, trouble: Trouble) -> int:
    is_same = job.trouble is not None and _signature(trouble) == _signature(job.trouble)
    return job.strikes + 1 if is_same else 1


def _absorb_refused(job: Job, trouble: Trouble, now: datetime, blame: Blame) -> Job:
    if trouble.http_status == 403 and blame is Blame.CLOUD:
        # Nobody may do it at present: that is for an operator to mend, not for the requests to suffer.
        return _taken_back(job, trouble, now)
    return conclude(job, Outcome(OutcomeKind.FAILED, now, trouble=trouble))


def _absorb_denied(
    job: Job, answer: Busy | Throttled | Misconfigured, now: datetime, roll: float, policy: Policy, blame: Blame
) -> Job:
    match answer:
        case Busy(is_account_only=True) | Misconfigured(is_account_only=True):
            return _held_back(job, answer.trouble, now)
        case Busy():
            return _absorb_busy(job, answer, now, roll, blame)
        case Throttled() | Misconfigured():
            return _absorb_general(job, answer, now, roll, policy, blame)


def _absorb_busy(job: Job, answer: Busy, now: datetime, roll: float, blame: Blame) -> Job:
    if answer.was_sent and blame is not Blame.CLOUD:
        return _try_later(job, answer.trouble, now, retry_delay_s(job.attempts, roll, answer.retry_after_s))
    # Nobody has read it, or all are told the same: no attempt. Quick tries only, since that trips the kill switch.
    waiting = _try_later(job, answer.trouble, now, retry_delay_s(min(job.attempts, QUICK_TRIES), roll))
    return replace(waiting, attempts=job.attempts - 1)


def _absorb_general(
    job: Job, answer: Throttled | Misconfigured, now: datetime, roll: float, policy: Policy, blame: Blame
) -> Job:
    trouble = answer.trouble
    if isinstance(answer, Throttled) or blame is not Blame.REQUEST:
        return _taken_back(job, trouble, now)
    # Others were answered meanwhile, so nothing is wrong with the settings: it is this request that the API cannot bear.
    strikes = _strikes(job, trouble)
    if strikes >= policy.same_500_limit:
        return conclude(job, Outcome(OutcomeKind.FAILED, now, trouble=trouble, is_dead_letter=True))
    delay_s = retry_delay_s(job.attempts + QUICK_TRIES, roll)
    return replace(_try_later(job, trouble, now, delay_s), strikes=strikes)


def _taken_back(job: Job, trouble: Trouble, now: datetime) -> Job:
    # It says nothing about this request, so it was no try: not even the one that is left after the deadline.
    due_at = min(now, job.deadline_at)
    return replace(_denied(job), attempts=job.attempts - 1, trouble=trouble, due_at=due_at)


def _held_back(job: Job, trouble: Trouble, now: datetime) -> Job:
    # Only this account is in trouble: its requests wait on a rung, at no cost of attempts, and the others go on.
    return replace(_try_later(job, trouble, now, ACCOUNT_DELAY_S), attempts=job.attempts - 1)


def _denied(job: Job) -> Job:
    # This POST made nothing for certain. Unless an earlier one was lost, no service until the next can be ours.
    return replace(job, phase=Phase.READY, first_sent_at=job.first_sent_at if job.may_own else None)


def absorb_list(job: Job, answer: ListAnswer, taken: frozenset[str], now: datetime, roll: float, policy: Policy) -> Job:
    """
    The job after a look-up.

    Args:
        job: in phase LOOKING.
        answer: the services of the job's router, or why they could not be listed.
        taken: ids of services that other jobs own.
        now: aware UTC, after the answer.
        roll: luck in [0, 1) for the wait that may follow.
        policy: how patient to be.
    """
    match answer:
        case Misconfigured(trouble=trouble):
            # An operator has time to mend it; it must not turn a request that may exist into one in doubt at once.
            is_last = now >= job.deadline_at + timedelta(seconds=_TIME_TO_MEND_S)
            delay_s = max(look_delay_s(job.looks, roll), failed_look_delay_s(_since_s(job, now), roll))
            due_at = now + timedelta(seconds=delay_s)
            return replace(job, due_at=due_at, trouble=job.trouble or trouble, looks=job.looks + is_last)
        case Busy(trouble=trouble, retry_after_s=retry_after_s):
            again_s = failed_look_delay_s(_since_s(job, now), roll)
            delay_s = max(look_delay_s(job.looks, roll), again_s, retry_after_s or 0.0)
            # After the deadline a failed look counts: there is no time for another (next_step).
            looks = job.looks + (now >= job.deadline_at)
            return replace(job, due_at=now + timedelta(seconds=delay_s), trouble=job.trouble or trouble, looks=looks)
        case Throttled():
            return job
        case Listed(services=services):
            return _absorb_services(replace(job, looks=job.looks + 1), services, taken, now, roll, policy)
        case _:
            assert_never(answer)


def _since_s(job: Job, now: datetime) -> float:
    return (now - (job.doubt_since or now)).total_seconds()


def _absorb_services(
    job: Job, services: tuple[Service, ...], taken: frozenset[str], now: datetime, roll: float, policy: Policy
) -> Job:
    finding = judge(job, services, taken, policy.clock_tolerance_s)
    match finding:
        case Ours(service=service, is_proven=False) if job.doubt is Doubt.STRANGER and job.first_sent_at is None:
            # It fits, but nothing says that it is not older than the request: evidence, no proof.
            trouble = Trouble("age_unknown", f"Service {service.id} fits, but may be older than the request.")
            outcome = Outcome(OutcomeKind.IN_DOUBT, now, trouble=trouble, evidence=(service,), is_dead_letter=True)
            return conclude(job, outcome)
        case Ours(service=service):
            return conclude(job, _made(service, now, reconciled=True))
        case Several(services=several):
            trouble = Trouble("several_matches", f"{len(several)} services match the request; none can be told apart.")
            outcome = Outcome(OutcomeKind.IN_DOUBT, now, trouble=trouble, evidence=several, is_dead_letter=True)
            return conclude(job, outcome)
        case Someone(service=service) if job.doubt is Doubt.CONFLICT:
            return conclude(job, _in_the_way(job, service, now))
        case Someone() | Nothing():
            return _not_found(job, now, roll, policy)
        case _:
            assert_never(finding)


def _made(service: Service, now: datetime, *, reconciled: bool) -> Outcome:
    if service.status != "ERROR":
        return Outcome(OutcomeKind.CREATED, now, service=service, reconciled=reconciled)
    # A half-made leftover must be reported with its id, never as created (docs of the cloud API, Life of a service).
    trouble = Trouble(
        "service_error", f"The cloud left service {service.id} in status ERROR; delete it and order again."
    )
    return Outcome(OutcomeKind.FAILED, now, service=service, trouble=trouble, is_retryable=True, reconciled=reconciled)


def _in_the_way(job: Job, service: Service, now: datetime) -> Outcome:
    words = f"Router {job.router_id} already has VPN service {service.id}, which this request did not create."
    trouble = job.trouble or Trouble("conflict", "")
    if trouble.code == LEFTOVER:
        trouble = replace(trouble, message=f"{trouble.message} {words} Have it deleted, and order again.")
    else:
        trouble = replace(trouble, code="conflict", message=words)
    return Outcome(OutcomeKind.FAILED, now, trouble=trouble, existing_service_id=service.id)


def _not_found(job: Job, now: datetime, roll: float, policy: Policy) -> Job:
    since = job.doubt_since or now
    look_again = replace(job, due_at=now + timedelta(seconds=look_delay_s(job.looks, roll)))
    match job.doubt:
        case Doubt.CONFLICT if not job.may_own:
            if job.looks < policy.conflict_looks:
                return look_again
            return conclude(job, Outcome(OutcomeKind.FAILED, now, trouble=job.trouble, is_retryable=True))
        case Doubt.STRANGER:
            window_s = policy.stranger_window_s
        case _:
            window_s = policy.reconcile_window_s
    ends_at = since + timedelta(seconds=window_s)
    if now < ends_at:
        # The last look falls on the end of the window, not short of it.
        return replace(look_again, due_at=min(look_again.due_at or ends_at, ends_at))
    return _window_over(job, now, roll, policy)


def _window_over(job: Job, now: datetime, roll: float, policy: Policy) -> Job:
    ready = replace(job, phase=Phase.READY, doubt=None, doubt_since=None, looks=0, due_at=None)
    if job.doubt is Doubt.STRANGER:
        return replace(ready, due_at=now)
    trouble = job.trouble
    if _is_refusal(job, policy):
        return conclude(job, Outcome(OutcomeKind.FAILED, now, trouble=trouble))
    # A conflict says that there is a service, and an earlier POST of ours may have made it: no failure, no new POST.
    if policy.when_not_found is WhenNotFound.IN_DOUBT or job.doubt is Doubt.CONFLICT:
        words = "The service may exist: it was looked for and not found, and may still appear."
        doubt = replace(trouble, message=f"{words} {trouble.message}") if trouble else Trouble("in_doubt", words)
        return conclude(job, Outcome(OutcomeKind.IN_DOUBT, now, trouble=doubt, is_dead_letter=True))
    return replace(ready, due_at=now + timedelta(seconds=retry_delay_s(max(1, job.attempts), roll)))


def _is_refusal(job: Job, policy: Policy) -> bool:
    # Only an answer can repeat itself into a refusal: a lost one says nothing.
    match job.trouble:
        case Trouble(http_status=500):
            return job.strikes >= policy.same_500_limit
        case Trouble(http_status=400):
            return job.strikes > policy.system_error_retries
        case _:
            return False


def _try_later(job: Job, trouble: Trouble, now: datetime, delay_s: float) -> Job:
    return replace(_denied(job), trouble=trouble, strikes=0, due_at=now + timedelta(seconds=delay_s))


def _signature(trouble: Trouble) -> tuple[int | None, str | None]:
    return trouble.http_status, trouble.api_code
