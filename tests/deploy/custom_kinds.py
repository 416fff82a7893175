"""
The documented fields of the kinds that Kubernetes itself does not have, as far as a worker may need them.

No package brings their schemas; whatever is not listed here is taken for a mistake. Sources: keda.sh/docs/2.15,
ScaledObject specification, Authentication, RabbitMQ Queue; the Prometheus operator's API reference, PodMonitor;
kubectl.docs.kubernetes.io, Kustomization.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string", "minLength": 1}
COUNT: Schema = {"type": "integer", "minimum": 0}
SOME: Schema = {"type": "integer", "minimum": 1}
DURATION: Schema = {"type": "string", "pattern": "^([0-9]+(ms|s|m|h))+$"}
TEXTS: Schema = {"type": "object", "additionalProperties": TEXT}
#: In KEDA every value of a trigger's metadata is a text; a bare number or boolean is refused.
YES_NO: Schema = {"enum": ["true", "false"]}
NUMBER: Schema = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"}


def fields(required: str, **optional: Schema) -> Schema:
    """
    An object with these fields and no others.
    """
    return {"type": "object", "properties": optional, "required": required.split(), "additionalProperties": False}


def many(each: Schema) -> Schema:
    """
    A list of at least one.
    """
    return {"type": "array", "items": each, "minItems": 1}


METADATA = fields("name", name=TEXT, namespace=TEXT, labels=TEXTS, annotations=TEXTS)


def kind(version: str, name: str, spec: Schema) -> Schema:
    """
    A whole document.
    """
    return fields(
        "apiVersion kind metadata spec",
        apiVersion={"const": version},
        kind={"const": name},
        metadata=METADATA,
        spec=spec,
    )


_POLICIES = many(fields("type value periodSeconds", type={"enum": ["Pods", "Percent"]}, value=SOME, periodSeconds=SOME))
_RULES = fields(
    "",
    stabilizationWindowSeconds={"type": "integer", "minimum": 0, "maximum": 3600},
    selectPolicy={"enum": ["Max", "Min", "Disabled"]},
    policies=_POLICIES,
)
_RABBITMQ = fields(
    "queueName mode value",
    protocol={"enum": ["auto", "http", "amqp"]},
    mode={"enum": ["QueueLength", "MessageRate"]},
    value=NUMBER,
    activationValue=NUMBER,
    queueName=TEXT,
    vhostName=TEXT,
    useRegex=YES_NO,
    pageSize=NUMBER,
    operation={"enum": ["sum", "max", "avg"]},
    timeout=NUMBER,
    excludeUnacknowledged=YES_NO,
    unsafeSsl=YES_NO,
)
_TRIGGER = fields(
    "type metadata authenticationRef",
    type={"const": "rabbitmq"},
    name=TEXT,
    metricType={"enum": ["AverageValue", "Value"]},
    useCachedMetrics={"type": "boolean"},
    metadata=_RABBITMQ,
    authenticationRef=fields(
        "name", name=TEXT, kind={"enum": ["TriggerAuthentication", "ClusterTriggerAuthentication"]}
    ),
)
_SCALED_OBJECT = fields(
    "scaleTargetRef triggers",
    scaleTargetRef=fields("name", apiVersion=TEXT, kind=TEXT, name=TEXT, envSourceContainerName=TEXT),
    pollingInterval=SOME,
    cooldownPeriod=COUNT,
    initialCooldownPeriod=COUNT,
    idleReplicaCount=COUNT,
    minReplicaCount=COUNT,
    maxReplicaCount=SOME,
    fallback=fields("failureThreshold replicas", failureThreshold=SOME, replicas=COUNT),
    advanced=fields(
        "",
        restoreToOriginalReplicaCount={"type": "boolean"},
        horizontalPodAutoscalerConfig=fields("", name=TEXT, behavior=fields("", scaleUp=_RULES, scaleDown=_RULES)),
    ),
    triggers=many(_TRIGGER),
)
_PARAMETERS = {"enum": ["host", "tls", "ca", "cert", "key", "username", "password"]}
_TRIGGER_AUTHENTICATION = fields(
    "secretTargetRef", secretTargetRef=many(fields("parameter name key", parameter=_PARAMETERS, name=TEXT, key=TEXT))
)
_POD_MONITOR = fields(
    "selector podMetricsEndpoints",
    jobLabel=TEXT,
    podTargetLabels=many(TEXT),
    namespaceSelector=fields("", any={"type": "boolean"}, matchNames=many(TEXT)),
    selector=fields("matchLabels", matchLabels=TEXTS),
    podMetricsEndpoints=many(
        fields(
            "port path",
            port=TEXT,
            path=TEXT,
            scheme={"enum": ["http", "https"]},
            interval=DURATION,
            scrapeTimeout=DURATION,
        )
    ),
)
_LISTED: dict[str, Schema] = {
    "resources": many(TEXT),
    "images": many(fields("name", name=TEXT, newName=TEXT, newTag=TEXT, digest=TEXT)),
    "patches": many(fields("target patch", target=fields("kind name", kind=TEXT, name=TEXT), patch=TEXT)),
}

CUSTOM_KINDS: dict[tuple[str, str], Schema] = {
    ("keda.sh/v1alpha1", "ScaledObject"): kind("keda.sh/v1alpha1", "ScaledObject", _SCALED_OBJECT),
    ("keda.sh/v1alpha1", "TriggerAuthentication"): kind(
        "keda.sh/v1alpha1", "TriggerAuthentication", _TRIGGER_AUTHENTICATION
    ),
    ("monitoring.coreos.com/v1", "PodMonitor"): kind("monitoring.coreos.com/v1", "PodMonitor", _POD_MONITOR),
    ("kustomize.config.k8s.io/v1beta1", "Kustomization"): fields(
        "apiVersion kind resources images", apiVersion=TEXT, kind=TEXT, **_LISTED
    ),
    ("kustomize.config.k8s.io/v1alpha1", "Component"): fields(
        "apiVersion kind resources", apiVersion=TEXT, kind=TEXT, **_LISTED
    ),
}
