"""
The alert rules: right for Prometheus, tested, about metrics that there are, and each explained.
"""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest
import yaml

from tests.deploy.queries import ROOT, RULES_FILE, faults_of, rules
from worker.sandbox.prometheus import Prometheus
from worker.settings import Settings

FOLDER = RULES_FILE.parent
PAGE = ROOT / "docs/how-to/alerts.md"
ALERTS = [rule for rule in rules() if "alert" in rule]
NAMES = sorted({rule["alert"] for rule in ALERTS})


@pytest.mark.parametrize(
    "words",
    [("check", "config", "prometheus.yml"), ("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")],
    ids=" ".join,
)
def test_promtool_finds_nothing_wrong(prometheus: Prometheus, words: tuple[str, ...]) -> None:
    said = subprocess.run([prometheus.promtool, *words], cwd=FOLDER, capture_output=True, text=True, check=False)

    assert 0 == said.returncode, said.stdout + said.stderr
    assert "SUCCESS" in said.stdout


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_names_only_what_there_is(rule: dict[str, Any]) -> None:
    assert [] == faults_of(rule["expr"])


@pytest.mark.parametrize("expr", ["vpn_worker_readi", 'vpn_worker_outcomes_total{outcome="lost"}', "sum by (x) (up)"])
def test_a_misspelt_query_would_be_noticed(expr: str) -> None:
    assert faults_of(expr)


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    told = rule["annotations"]

    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert {"summary", "description", "runbook"} == told.keys()
    assert f"docs/how-to/alerts.md#{rule['alert'].lower()}" == told["runbook"]
    settings = set(re.findall(r"VPN_WORKER_([A-Z_]+[A-Z])", told["description"]))
    assert set() == settings - {name.upper() for name in Settings.model_fields}


def test_every_alert_has_its_section_and_every_section_its_alert() -> None:
    sections = re.findall(r"^### (VpnWorker\w+)$", PAGE.read_text("utf-8"), re.MULTILINE)

    assert NAMES == sorted(sections)


def test_the_sections_tell_the_severity_of_the_rules() -> None:
    told = dict(re.findall(r"^### (VpnWorker\w+)\n\n\*([a-z, ]+?)[.,;*]", PAGE.read_text("utf-8"), re.MULTILINE))
    severities: dict[str, set[str]] = {}
    for rule in ALERTS:
        severities.setdefault(rule["alert"], set()).add(rule["labels"]["severity"])

    assert severities == {name: set(words.split(" and ")) for name, words in told.items()}


def test_every_alert_is_tested_to_fire_and_to_be_silent() -> None:
    fires: set[str] = set()
    silent: set[str] = set()
    for scenario in yaml.safe_load((FOLDER / "alerts_test.yml").read_text("utf-8"))["tests"]:
        for test in scenario.get("alert_rule_test", []):
            (fires if test.get("exp_alerts") else silent).add(test["alertname"])
        for test in scenario.get("promql_expr_test", []):
            (name,) = re.findall(r'alertname="(\w+)",alertstate="firing"', test["expr"])
            (fires if test["exp_samples"] else silent).add(name)

    assert NAMES == sorted(fires)
    assert NAMES == sorted(silent)


def test_the_workers_that_are_scraped_are_those_of_the_compose_file() -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    (scrape,) = [scrape for scrape in config["scrape_configs"] if scrape["job_name"] == "vpn-worker"]
    (names,) = [found["names"] for found in scrape["dns_sd_configs"]]

    assert set(names) <= compose["services"].keys()
    assert ["alerts.yml"] == config["rule_files"]


def test_the_pod_monitor_gives_the_workers_the_job_that_alerts_ask_for() -> None:
    monitor = yaml.safe_load((ROOT / "deploy/kubernetes/components/podmonitor/podmonitor.yaml").read_text("utf-8"))[
        "spec"
    ]

    assert "vpn-worker" == monitor["selector"]["matchLabels"][monitor["jobLabel"]]
