"""
One entry of clouds.yaml as a source of a login, with secure.yaml laid over it and its profile below it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from worker.accounts.clouds_files import CloudsError, CloudsFiles, find_clouds_files
from worker.accounts.openstack import NAMES, Found, is_known, openstack_source
from worker.accounts.remarks import Remark
from worker.accounts.source import SECRETS, Source

#: Ships with openstacksdk (config/vendors/otc.json), so that entries which name it need no clouds-public.yaml.
_SHIPPED = {"otc": {"auth": {"auth_url": "https://iam.{region_name}.otc.t-systems.com/v3"}}}
_REGION_MARKS = ("{region_name}", "%(region_name)s")
_NOT_READ = frozenset({"profile", "cloud", "regions", "auth"})

Flat = dict[str, Found]


def clouds_yaml_source(cloud: str, environ: Mapping[str, str], region: str | None) -> Source:
    """
    What the entry says.

    Args:
        cloud: its name.
        environ: says where to look for the files.
        region: the one that is wanted; None takes the entry's first.

    Raises:
        CloudsError: there is no such file, entry, profile or region.
    """
    files = find_clouds_files(environ)
    place = f"{files.clouds.name}, cloud {cloud}"
    flat = _entry(cloud, files, region)
    _fill_region(flat)

    def find(name: str) -> Found | None:
        # openstacksdk takes a piece beside `auth:` before the same one in it (story 2010784).
        found = flat.get(name) or flat.get(f"auth.{name}")
        return None if found is None or found.value is None else found

    source = openstack_source(place, find, lambda name: f"{place}, {_where(name)}")
    strange = tuple(
        Remark(found.place, "is not known here and has no effect")
        for name, found in flat.items()
        if name.startswith("auth.") and not is_known(name.removeprefix("auth."))
    )
    return replace(source, warnings=strange)


def _entry(cloud: str, files: CloudsFiles, wanted: str | None) -> Flat:
    entry, secure = _own(cloud, files), _mapping(files.secure.clouds.get(cloud), f"{files.secure.name}, cloud {cloud}")
    place = f"{files.clouds.name}, cloud {cloud}"
    profile, profile_place = _profile(entry, files, place)
    region, values = _region(entry, profile, wanted, place)
    flat = _flat(profile, profile_place) | _flat(entry, place) | _flat(values, f"{place}, region {region}")
    flat |= _flat(secure, f"{files.secure.name}, cloud {cloud}")
    if region is not None:
        flat["region_name"] = Found(region, f"{place}, region_name")
    return flat


def _own(cloud: str, files: CloudsFiles) -> Mapping[str, Any]:
    if cloud in files.clouds.clouds or cloud in files.secure.clouds:
        return _mapping(files.clouds.clouds.get(cloud), f"{files.clouds.name}, cloud {cloud}")
    if files.clouds.path is None:
        looked = ", ".join(str(path) for path in files.looked)
        raise CloudsError(f"cloud {cloud}: there is no clouds.yaml; looked for {looked}")
    names = ", ".join(files.clouds.clouds) or "none"
    raise CloudsError(f"{files.clouds.path}: has no cloud {cloud}; the clouds there are {names}")


def _profile(entry: Mapping[str, Any], files: CloudsFiles, place: str) -> tuple[Mapping[str, Any], str]:
    # `cloud` is the old name of `profile`.
    name = entry.get("profile", entry.get("cloud"))
    if not name:
        return {}, ""
    if isinstance(name, str) and name in files.public.clouds:
        where = f"{files.public.name}, profile {name}"
        return _mapping(files.public.clouds[name], where), where
    if isinstance(name, str) and name in _SHIPPED:
        return _SHIPPED[name], f"profile {name}"
    known = ", ".join({**files.public.clouds, **_SHIPPED})
    raise CloudsError(
        f"{place}, profile: is not known here; the profiles there are {known}. Add it to clouds-public.yaml, "
        "or write its auth_url and region_name into the entry"
    )


def _region(
    entry: Mapping[str, Any], profile: Mapping[str, Any], wanted: str | None, place: str
) -> tuple[str | None, Mapping[str, Any]]:
    listed = entry.get("regions") or entry.get("region_name") or profile.get("regions") or profile.get("region_name")
    items = listed.split(",") if isinstance(listed, str) else listed or []
    regions: dict[str, Mapping[str, Any]] = {}
    for item in items if isinstance(items, list) else [None]:
        one = item if isinstance(item, dict) else {"name": item}
        name = one.get("name")
        if not isinstance(name, str):
            raise CloudsError(f"{place}, regions: must be a list of names, or of `name:` with `values:`")
        regions[name.strip()] = _mapping(one.get("values"), f"{place}, region {name}")
    if wanted is None or not regions:
        chosen = wanted or next(iter(regions), None)
        return chosen, regions.get(chosen or "", {})
    if wanted not in regions:
        raise CloudsError(f"{place}: has no region {wanted}; the regions there are {', '.join(regions)}")
    return wanted, regions[wanted]


def _mapping(entry: object, place: str) -> Mapping[str, Any]:
    if entry is None:
        return {}
    if not isinstance(entry, dict) or not isinstance(entry.get("auth") or {}, dict):
        raise CloudsError(f"{place}: must hold settings by name, and below `auth:` as well")
    return {str(key).replace("-", "_"): value for key, value in entry.items()}


def _flat(entry: Mapping[str, Any], place: str) -> Flat:
    flat = {name: Found(value, f"{place}, {name}") for name, value in entry.items() if name not in _NOT_READ}
    for key, value in (entry.get("auth") or {}).items():
        name = f"auth.{str(key).replace('-', '_')}"
        flat[name] = Found(value, f"{place}, {name}")
    return flat


def _fill_region(flat: Flat) -> None:
    region = flat.get("region_name")
    for name in ("auth.auth_url", "auth_url"):
        found = flat.get(name)
        if found is None or not isinstance(found.value, str):
            continue
        if not any(mark in found.value for mark in _REGION_MARKS):
            continue
        if region is None:
            raise CloudsError(f"{found.place}: holds the region's name; give region_name as well")
        url = found.value
        for mark in _REGION_MARKS:
            url = url.replace(mark, str(region.value))
        flat[name] = Found(url, found.place)


def _where(name: str) -> str:
    key = next((key for key, names in NAMES.items() if name in names), name)
    is_beside = key in {"region", "interface", "api_url", "api_ca_file", "api_cert_file", "api_key_file"}
    return name if is_beside and key not in SECRETS else f"auth.{name}"
