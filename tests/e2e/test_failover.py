"""Another replica takes over: nothing is forgotten, nothing is shrunk, nobody writes beside it."""

from typing import Any

import pytest

from podtide.kube import resources
from tests.e2e.conftest import controlling
from tests.e2e.manifests import autoscaler, workload
from tests.e2e.site import Site

pytestmark = pytest.mark.e2e

QUICK: dict[str, Any] = {"lease_duration": 3.0, "renew_deadline": 2.0, "retry_period": 0.2, "keep_every": 0.5}


def panic(autoscaler: Any) -> bool:
    """Whether the last decision was made in panic, as KPA begins when it finds several pods and knows nothing."""
    return any(metric.get("panic") for metric in autoscaler["status"].get("lastDecision", {}).get("metrics", ()))


async def calm(site: Site, **windows: Any) -> None:
    """Four pods at their target, for longer than the windows."""
    await site.load(web=10)
    await site.apply(resources.DEPLOYMENTS, workload("web", replicas=4))
    await site.ready(resources.DEPLOYMENTS, "web", 4)
    await site.apply(resources.AUTOSCALERS, autoscaler("web", "web", minReplicas=2, maxReplicas=6, **windows))
    await site.until(resources.AUTOSCALERS, "web", panic)
    await site.until(resources.AUTOSCALERS, "web", lambda found: found["status"] and not panic(found))


async def saved(site: Site) -> None:
    """Wait until the present state has been kept."""
    name = "podtide-state-0-0"
    before = (await site.until(resources.CONFIG_MAPS, name, lambda found: found.get("binaryData")))["metadata"]
    await site.until(
        resources.CONFIG_MAPS, name, lambda found: found["metadata"]["resourceVersion"] != before["resourceVersion"]
    )


async def taken_over(site: Site, by: str) -> list[bool]:
    """The `moods` after a takeover."""
    await site.until(resources.LEASES, "podtide", lambda found: found["spec"].get("holderIdentity") == by)
    return await moods(site)


async def moods(site: Site) -> list[bool]:
    """Whether each status was of a panic, until a new load has been answered."""
    await site.load(web=14)
    seen: list[bool] = []

    def grown(found: Any) -> bool:
        seen.append(panic(found))
        return bool(found["status"]["actualScale"] > 4)

    await site.until(resources.AUTOSCALERS, "web", grown)
    return seen


@pytest.mark.parametrize("keeps", [True, False], ids=["kept", "not kept"])
async def test_the_next_one_remembers(site: Site, keeps: bool) -> None:
    async with controlling(site, identity="first", keep_state=keeps, **QUICK):
        await calm(site)
    async with controlling(site, identity="second", keep_state=keeps, **QUICK):
        panicked = await taken_over(site, "second")
    assert any(panicked) is not keeps


async def test_one_that_is_cut_off_is_replaced_by_one_that_remembers(site: Site) -> None:
    if site.api is None:
        pytest.skip("a real API server cannot be cut off from one client")
    async with controlling(site, identity="first", **QUICK):
        # Longer than it takes until the Lease has run out: what is older than the windows is no use to anybody.
        await calm(site, observeWindowSeconds=10, panicWindowSeconds=8)
        await saved(site)
        with site.api.faults.partition(agent="(first)"):
            async with controlling(site, identity="second", **QUICK):
                panicked = await taken_over(site, "second")
                assert not any(panicked)


async def test_shards_are_handed_over_with_what_is_remembered(site: Site) -> None:
    async with controlling(site, identity="first", shards=2, **QUICK):
        await calm(site)
        async with controlling(site, identity="second", shards=2, **QUICK):
            for number in range(2):
                await site.until(
                    resources.LEASES, f"podtide-{number}", lambda found: found["spec"].get("holderIdentity")
                )
            await site.until(resources.LEASES, "podtide-1", lambda found: found["spec"]["holderIdentity"] == "second")
        # The second has gone again; whoever had the autoscaler, its windows went with it.
        for number in range(2):
            await site.until(
                resources.LEASES, f"podtide-{number}", lambda found: found["spec"]["holderIdentity"] == "first"
            )
        assert not any(await moods(site))
