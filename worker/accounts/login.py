"""
Several sources made into one login: which way it goes, and which piece wins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from worker.accounts.remarks import Remarks
from worker.accounts.source import PIECES, Given, Method, Source

#: Names for the same thing: when a stronger source gives one, the weaker ones' others are out of date.
_ALTERNATES = (
    ("user_id", "username"),
    ("user_domain_id", "user_domain_name"),
    ("project_id", "project_name"),
    ("project_domain_id", "project_domain_name"),
    ("application_credential_id", "application_credential_name"),
)
_GROUPS = {key: group for group in _ALTERNATES for key in group}
#: The ways that send a secret to the identity service.
_AT_IAM = frozenset({Method.PASSWORD, Method.APPLICATION_CREDENTIAL})
_METHOD_PIECES = {key: method for method, keys in PIECES.items() for key in keys}


@dataclass(frozen=True, slots=True)
class Login:
    """
    One login, as all sources together say it.

    Attributes:
        method: the way.
        given: its pieces; those of other ways are gone.
        place_of: what a missing piece would be called where the way was chosen.
        sources: those that gave a piece of the credentials, strongest first.
    """

    method: Method
    given: Mapping[str, Given]
    place_of: Callable[[str], str]
    sources: tuple[Source, ...]


def login_of(sources: Sequence[Source], remarks: Remarks, *, is_iam_made: bool = False) -> Login | None:
    """
    The login that these sources make.

    Args:
        sources: strongest first.
        remarks: gets contradictions; also when nothing says how to log in.
        is_iam_made: the identity service's URL can be made from the region.

    Returns:
        None when it cannot be told which way to log in; remarks say why.
    """
    chosen = _chosen(sources, remarks)
    if chosen is None:
        return None
    method, decider = chosen
    given = merged(sources, method)
    if is_iam_made and _has_stray_iam(sources, decider, given):
        del given["iam_url"]
    return Login(method, given, decider.place_of, tuple(_used(sources, given, method, decider)))


def merged(sources: Sequence[Source], method: Method | None) -> dict[str, Given]:
    """
    The pieces that win, without those of another way to log in than `method`.
    """
    won: dict[str, Given] = {}
    for source in sources:
        stronger = set(won)
        for key, piece in source.given.items():
            is_settled = any(other in stronger for other in _GROUPS.get(key, (key,)))
            if not is_settled and _METHOD_PIECES.get(key, method) is method:
                won[key] = piece
    return won


def _has_stray_iam(sources: Sequence[Source], decider: Source, given: Mapping[str, Given]) -> bool:
    """
    Whether the identity service is named only behind the one who gives the secret together with the region.

    That one has said where the secret goes; an OS_AUTH_URL that was left over in the shell must not get it.
    """
    if "iam_url" not in given or "region" not in decider.given:
        return False
    until_decider = sources[: sources.index(decider) + 1]
    return not any("iam_url" in source.given for source in until_decider)


def names_a_way(sources: Sequence[Source]) -> bool:
    """
    Whether any piece says how to log in.
    """
    return any(_named(source) for source in sources)


def _chosen(sources: Sequence[Source], remarks: Remarks) -> tuple[Method, Source] | None:
    allowed = frozenset(Method)
    for source in sources:
        # 1. What a stronger source allows, a weaker one can only narrow.
        if source.methods is not None and source.methods & allowed:
            allowed &= source.methods
        # 2. A piece that belongs to one way chooses it.
        named = _named(source)
        if source.is_strict:
            _refuse_strays(source, named, allowed, remarks)
        fitting = [method for method in named if method in allowed]
        if len(fitting) > 1:
            places = " and ".join(named[method].place for method in fitting)
            remarks.fault(places, "are two ways to log in; give one, or say which one is meant")
            return None
        if fitting:
            return fitting[0], source
        # 3. Else the source may have said it outright.
        if source.methods is not None and len(allowed) == 1:
            return next(iter(allowed)), source
    # 4. A user without anything else can only mean a password that was forgotten.
    for source in sources:
        if Method.PASSWORD in allowed and ("username" in source.given or "user_id" in source.given):
            return Method.PASSWORD, source
    _tell_nothing_given(sources[0], allowed, remarks)
    return None


def _named(source: Source) -> dict[Method, Given]:
    named: dict[Method, Given] = {}
    for method, keys in PIECES.items():
        piece = next((source.given[key] for key in keys if key in source.given), None)
        if piece is not None:
            named[method] = piece
    return named


def _refuse_strays(source: Source, named: Mapping[Method, Given], allowed: frozenset[Method], remarks: Remarks) -> None:
    for method, piece in named.items():
        if source.methods is not None and method not in allowed:
            remarks.fault(piece.place, f"does not go with {source.method_place}; leave one of them out")


def _tell_nothing_given(source: Source, allowed: frozenset[Method], remarks: Remarks) -> None:
    token, key = source.place_of("auth_token"), source.place_of("access_key")
    user, secret = source.place_of("username"), source.place_of("application_credential_secret")
    if Method.TOKEN in allowed:
        remarks.fault(
            token,
            f"is needed (or the file in {_file(token)}), or another way to log in: {user} with a password, "
            f"{secret} with its id, {key} with its secret key, or an entry of clouds.yaml in {source.place_of('cloud')}",
        )
        return
    remarks.fault(key, f"is needed (or the file in {_file(key)}), since the login is by AK/SK")


def _file(place: str) -> str:
    return f"{place}_FILE" if place.isupper() else f"{place}_file"


def _used(sources: Sequence[Source], given: Mapping[str, Given], method: Method, decider: Source) -> list[Source]:
    keys = (*PIECES[method], "username", "user_id", *(("iam_url",) if method in _AT_IAM else ()))
    return [
        source
        for source in sources
        if source is decider or any(key in given and given[key] is source.given.get(key) for key in keys)
    ]
