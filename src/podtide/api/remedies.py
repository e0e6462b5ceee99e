"""What to do about a value that is missing, by the reason that is named. `explain` prints these."""

from podtide.core.model.reading import Reason

REMEDIES = {
    Reason.TIMEOUT: "see whether the pod is overloaded and whether a NetworkPolicy lets the controller in; "
    "raise timeoutSeconds if the page is slow",
    Reason.CONNECT: "check port and path of the source against the pod's, and any NetworkPolicy",
    Reason.RESET: "see whether the pod restarts, and whether protocolType fits: a TLS port hangs up on plain HTTP",
    Reason.TLS_UNTRUSTED: "name the certificate's authority in tls.caSecretRef, tls.caConfigMapRef or tls.caBundle, "
    "or in the controller's --tls-ca-file; where anything goes, set tls.insecureSkipVerify: true",
    Reason.TLS_NAME: "set tls.serverName to a name the certificate has",
    Reason.TLS_EXPIRED: "renew the pod's certificate",
    Reason.TLS_CLIENT: "give a certificate that the server accepts in tls.clientCertSecretRef",
    Reason.TLS: "check protocolType, and the certificates named in tls",
    Reason.UNAUTHORIZED: "name credentials in auth; for a server that asks Kubernetes, let the controller's service "
    "account `get` the non-resource URL, or have the server serve the path to everybody",
    Reason.NOT_FOUND: "check path; behind a mesh, set hostHeader to a host the sidecar knows",
    Reason.REDIRECT: "write the address it redirects to; redirects are not followed",
    Reason.STATUS: "see the pod's log for why it does not serve its page",
    Reason.PROTOCOL: "check protocolType, and http2 if the server speaks nothing else",
    Reason.TOO_LARGE: "serve fewer series, or a page of its own for the wanted metric",
    Reason.CONTENT: "check path: what it serves is no metrics page",
    Reason.PARSE: "see `podtide probe` for the line, and report it to whoever makes the page",
    Reason.NO_METRIC: "check targetMetric; `podtide probe` lists the names on the page",
    Reason.NO_SERIES: "check matchLabels and matchExpressions against the page",
    Reason.NOT_A_NUMBER: "nothing, if the pod has only just started; else see why it reports no number",
    Reason.NO_PORT: "set port, declare it on the container, or annotate the pod with prometheus.io/port",
    Reason.NO_ADDRESS: "nothing; the pod is being placed",
    Reason.NO_HISTORY: "nothing; a rate needs two readings",
    Reason.BACKED_OFF: "see the reason it failed for before; it is asked again within a minute",
    Reason.CREDENTIALS: "create the Secret or ConfigMap in the PodAutoscaler's namespace, with the key that is named",
    Reason.FORBIDDEN_ADDRESS: "have the controller's operator allow the address with --allow-endpoint",
    Reason.API: "check that the API is there (`kubectl get apiservices`) and that the controller may read it",
    Reason.NO_PODS: "nothing while pods start; else see `kubectl describe pod` for why none becomes ready",
    Reason.NO_DATA: "check the query or selector; it matches nothing",
}


def remedy(reason: str) -> str:
    """What to do, or an empty text for a reason from another version."""
    try:
        return REMEDIES[Reason(reason)]
    except (ValueError, KeyError):
        return ""
