"""The fields of one entry of `spec.metricsSources`, declared once. `schema` puts them into the whole."""

from podtide.api.shapes import Field, Flag, Items, Labels, Number, Record, Rule, Text, Whole

MOST_CONDITIONS = 32
"""Conditions on labels: each is looked at once per series of a page, and a page may have thousands."""
SOURCE_TYPES = ("pod", "resource", "custom", "external", "domain", "prometheus")
_NAME = Text(shortest=1, longest=253)


def _secret(default: str | None, what: str) -> Record:
    name = Field("name", _NAME, f"Name of the {what}, in the PodAutoscaler's own namespace.", required=True)
    key = Field("key", Text(shortest=1, longest=253), f"Key within it. Default: `{default}`.")
    return Record((name, key) if default else (name,))


MATCH_EXPRESSIONS = Items(
    Record(
        (
            Field("key", Text(shortest=1), "The label's name.", required=True),
            Field(
                "operator",
                Text(("In", "NotIn", "Exists", "DoesNotExist")),
                "How the label is compared.",
                required=True,
            ),
            Field("values", Items(Text(), longest=64), "The values of In and NotIn; nothing for the others."),
        )
    ),
    longest=MOST_CONDITIONS,
)

LABEL_SELECTOR = Record(
    (
        Field("matchLabels", Labels(MOST_CONDITIONS), "Labels with exactly these values."),
        Field("matchExpressions", MATCH_EXPRESSIONS, "Further conditions, all of which must hold."),
    )
)

TLS = Record(
    (
        Field(
            "insecureSkipVerify",
            Flag(),
            "Accept any certificate. Default: the controller's `--insecure-skip-verify`, which is off.",
        ),
        Field("caBundle", Text(is_long=True), "Certificates of the authorities to trust, as PEM or base64 of PEM."),
        Field("caSecretRef", _secret("ca.crt", "Secret"), "A Secret that holds such certificates."),
        Field("caConfigMapRef", _secret("ca.crt", "ConfigMap"), "A ConfigMap that holds such certificates."),
        Field(
            "serverName",
            Text(shortest=1, longest=253),
            "The name to send (SNI) and to find in the certificate, as certificates rarely name the pod's IP. "
            "Default: the address.",
        ),
        Field(
            "subjectAltNames",
            Items(Text(shortest=1), longest=16),
            "Accept a certificate with one of these names instead, `spiffe://` URIs among them.",
        ),
        Field(
            "clientCertSecretRef",
            _secret(None, "kubernetes.io/tls Secret"),
            "The certificate and key to show to servers that ask for one (`tls.crt`, `tls.key`).",
        ),
    )
)

AUTH = Record(
    (
        Field(
            "serviceAccountToken",
            Flag(),
            "Send the controller's own token. Only to pods, and to endpoints the controller's settings allow.",
        ),
        Field("bearerTokenSecretRef", _secret("token", "Secret"), "A Secret that holds a bearer token."),
        Field(
            "basicAuthSecretRef",
            _secret(None, "kubernetes.io/basic-auth Secret"),
            "User name and password (`username`, `password`).",
        ),
        Field(
            "headerSecretRef",
            Record(
                (
                    Field("header", Text(shortest=1, longest=128), "The header's name.", required=True),
                    Field("name", _NAME, "Name of the Secret, in the PodAutoscaler's own namespace.", required=True),
                    Field("key", Text(shortest=1, longest=253), "Key within it. Default: `value`."),
                )
            ),
            "A header whose value is in a Secret.",
        ),
    )
)

DESCRIBED_OBJECT = Record(
    (
        Field("apiVersion", Text(), "Group and version, such as `networking.k8s.io/v1`."),
        Field("kind", Text(shortest=1), "Kind, such as `Ingress`.", required=True),
        Field("name", _NAME, "Name, in the PodAutoscaler's own namespace.", required=True),
    )
)

METRICS_SOURCE = Record(
    (
        Field(
            "name",
            Text(
                pattern="^[A-Za-z_][A-Za-z0-9_]*$",
                hint='is not a name; write letters, digits and underscores, for example "waiting"',
                longest=63,
            ),
            "What `spec.formula` calls this source. A source that a formula names only feeds it, and needs no "
            "`targetValue`.",
        ),
        Field(
            "metricSourceType",
            Text(SOURCE_TYPES),
            "Where the metric is read: `pod`, a page every pod serves; `resource`, cpu and memory of metrics.k8s.io; "
            "`custom`, custom.metrics.k8s.io; `external` (`domain` is its older name), a page of one `endpoint`, or "
            "external.metrics.k8s.io without `endpoint`; `prometheus`, a query.",
            required=True,
            example='"pod"',
        ),
        Field(
            "protocolType",
            Text(("http", "https")),
            "Protocol of pods' pages and of an endpoint. Default: the pod's `prometheus.io/scheme`, then http.",
        ),
        Field(
            "endpoint",
            Text(),
            "Host and port of a server outside the pods, or its URL: `optimizer.aibrix-system.svc:8080`.",
        ),
        Field(
            "path",
            Text(),
            "Path of the page, with or without a leading slash. Default for pods: the pod's `prometheus.io/path`, then "
            "the engine's path, then /metrics.",
        ),
        Field(
            "port",
            Number('is not a port; write a number from 1 to 65535 or the name of a container port, for example "8000"'),
            "Port of the pod's page, or the name of a container port. Default: the pod's `prometheus.io/port`, then "
            "its single container port.",
        ),
        Field(
            "targetMetric",
            Text(),
            "The metric: a name as the page has it, or one of AIBrix's engine-independent names.",
            required=True,
            example='"vllm:num_requests_waiting"',
        ),
        Field(
            "targetValue",
            Number(),
            "What the metric is held at: a number or a Kubernetes quantity, greater than 0. Required, except of a "
            "source that a formula names.",
        ),
        Field(
            "targetType",
            Text(("AverageValue", "Value", "Utilization")),
            "What `targetValue` is compared with: the value per pod, the value of the whole, or per cent of the pods' "
            "requests (resource only). Default: AverageValue, for a quantile Value; for resource without it, the unit "
            "is AIBrix's: with HPA per cent for cpu and MiB per pod for memory, with KPA and APA millicores and bytes "
            "per pod.",
        ),
        Field("matchLabels", Labels(MOST_CONDITIONS), "Only series with these labels count."),
        Field("matchExpressions", MATCH_EXPRESSIONS, "Only series whose labels satisfy all of these count."),
        Field(
            "podAggregation",
            Text(("sum", "avg", "max", "min")),
            "How several series of one pod become one number. Default: sum; avg for AIBrix's names that are ratios.",
        ),
        Field(
            "valueType",
            Text(("gauge", "rate", "increase", "quantile")),
            "How the series is read: as it stands; a counter's growth per second, or in all, over the observe window; "
            "or a `quantile` of a histogram's growth over that window. Default: gauge.",
        ),
        Field(
            "quantile",
            Number('is not a number; write for example "0.95"', "0.95"),
            "Which quantile, between 0 and 1, with `valueType: quantile`.",
        ),
        Field("intervalSeconds", Whole(1, 3600), "Seconds between two readings. Default: 2 for KPA, 15 for others."),
        Field("timeoutSeconds", Whole(1, 300), "Seconds one exchange may take. Default: the controller's."),
        Field(
            "activationValue",
            Number('is not a number; write for example "1"', "1"),
            "At zero replicas, a value above this wakes the workload. Default: 0.",
        ),
        Field("tls", TLS, "How the server's certificate is checked, and how we show ours."),
        Field("auth", AUTH, "Credentials to send."),
        Field("hostHeader", Text(shortest=1, longest=253), "The Host header to send, as a mesh sidecar may want."),
        Field("http2", Flag(), "Speak HTTP/2. Default: false, HTTP/1.1 and no upgrade."),
        Field(
            "jsonPath",
            Text(shortest=1, longest=1000),
            "Where the number is in a JSON page of an `endpoint`: `$.queue.length`.",
        ),
        Field("query", Text(shortest=1), "The PromQL of `metricSourceType: prometheus`; `endpoint` is the server."),
        Field(
            "ignoreNullValues",
            Flag(),
            "With `prometheus`, whether an empty result counts as zero. Default: false, it is missing.",
        ),
        Field("selector", LABEL_SELECTOR, "Which values of an external metric count; those that match are added up."),
        Field("container", Text(shortest=1), "With `resource`, only this container counts. Default: the whole pod."),
        Field("describedObject", DESCRIBED_OBJECT, "With `custom`, the object the metric describes. Default: pods."),
    ),
    rules=(
        Rule(
            "has(self.targetValue) || has(self.name)",
            "targetValue is required, except of a named source that a formula uses",
        ),
        Rule(
            "!has(self.targetType) || self.targetType != 'Utilization' || self.metricSourceType == 'resource'",
            "targetType Utilization needs metricSourceType resource",
        ),
        Rule(
            "self.metricSourceType != 'prometheus' || (has(self.endpoint) && has(self.query))",
            "metricSourceType prometheus needs endpoint and query",
        ),
        Rule(
            "!has(self.valueType) || self.valueType != 'quantile' || has(self.quantile)",
            'valueType quantile needs quantile, for example "0.95"',
        ),
    ),
)
