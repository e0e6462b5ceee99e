"""What a person can do about a refusal of the API server, in one clause. The watches' log and the commands say it."""

from podtide.kube import errors, resources
from podtide.kube.resources import Resource


def advised(error: errors.KubeError, resource: Resource) -> str:
    """The error's own words, and after them what to do, where they do not tell."""
    remedy = _remedy(error, resource)
    return f"{error}; {remedy}" if remedy else str(error)


def is_unserved(error: errors.KubeError) -> bool:
    """Whether the API server knows no such kind at all, rather than no such object."""
    # Of a kind it serves it answers with a Status that names the object; of another with its plain page.
    return isinstance(error, errors.NotFound) and error.message.startswith("404 page not found")


def _remedy(error: errors.KubeError, resource: Resource) -> str:
    if is_unserved(error):
        if resource == resources.AUTOSCALERS:
            return "the CRD is not installed: podtide crd | kubectl apply --server-side -f -"
        return f"this API server does not serve {resource.api_version}"
    if isinstance(error, errors.NotFound) and resource == resources.AUTOSCALERS:
        return "`kubectl get pas -A` lists those there are"
    if isinstance(error, errors.Unauthorized):
        return "renew the token or certificate of the kubeconfig or service account"
    if isinstance(error, errors.Forbidden):
        return "the rules that are needed are in config/rbac and in the chart"
    return ""
