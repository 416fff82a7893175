"""
The list call: filters, chosen fields and pages.
"""

from collections.abc import Iterator
from itertools import islice

from aiohttp import web

from worker.simulator.dialect import RefusalError
from worker.simulator.services import CloudState
from worker.simulator.shelf import Service

Query = dict[str, list[str]]


PAGING = frozenset({"fields", "limit", "marker", "page_reverse", "sort_dir", "sort_key"})


def page(state: CloudState, request: web.Request, project_id: str | None = None) -> dict[str, object]:
    """
    The body of a list answer; only the services of this project, unless it is None.

    A full page has a `next` link even when nothing follows, as in Neutron; a reader must bear an empty last page.

    Raises:
        RefusalError: `invalid` for a bad limit or an unsupported filter, `not_found` for an unknown marker.
    """
    query = {name: request.query.getall(name) for name in request.query}
    _check_supported(state, query)
    limit = _limit(query, state.config.page_limit)
    services = list(islice(_matching(state, query, project_id), limit or None))
    fields = set(query.get("fields", ()))
    body: dict[str, object] = {state.dialect.collection: [_chosen(service, fields) for service in services]}
    if limit and len(services) == limit:
        following = request.url.update_query(limit=limit, marker=services[-1].id)
        body[f"{state.dialect.collection}_links"] = [{"rel": "next", "href": str(following)}]
    return body


def _check_supported(state: CloudState, query: Query) -> None:
    filters = state.dialect.filters
    if filters is not None:
        if unknown := sorted(set(query) - filters - PAGING):
            raise RefusalError("invalid", reason=f"{unknown} is invalid attribute for filtering")
        return
    for name in query:
        if name in state.dialect.unsupported:
            raise RefusalError("invalid", reason=f"Parameter {name} is not supported.")


def _limit(query: Query, page_limit: int) -> int:
    text = query.get("limit", ["0"])[-1]
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise RefusalError("invalid", reason="Invalid input for limit. Reason: it must be an integer of 0 or more.")
    wanted = int(text)
    return min(wanted, page_limit) if wanted and page_limit else wanted or page_limit


def _matching(state: CloudState, query: Query, project_id: str | None) -> Iterator[Service]:
    after_seq = state.find(query["marker"][-1], project_id).seq if "marker" in query else -1
    filters = {name: set(texts) for name, texts in query.items() if name in state.dialect.answer_fields}
    services = state.visible(query.get("router_id", []), after_seq, project_id)
    return (each for each in services if _is_match(each, filters))


def _is_match(service: Service, filters: dict[str, set[str]]) -> bool:
    return all(_text(service.attributes[name]) in wanted for name, wanted in filters.items())


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _chosen(service: Service, fields: set[str]) -> dict[str, object]:
    if not fields:
        return service.attributes
    return {name: value for name, value in service.attributes.items() if name in fields}
