import re
import subprocess
import sys

import pytest


def podtide(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "podtide", *arguments], capture_output=True, text=True, timeout=120)


def test_a_short_demo_scales_both_workloads_and_says_how_fast() -> None:
    ended = podtide("demo", "--plain", "--duration", "14")
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    assert "llm/vllm: load (bars, " in ended.stdout
    assert re.search(
        r"llm/vllm +SuccessfulRescale: New size: \d+; reason: num_requests_running above target", ended.stdout
    )
    assert re.search(r"kube-system/metrics-server +SuccessfulRescale: New size", ended.stdout)
    lines = ended.stdout.splitlines()
    at = [float(found[1]) for line in lines if (found := re.match(r" *(\d+\.\d)s  ", line))]
    assert at == sorted(at)
    assert re.search(r"value +\?/\?  stable  desired \?", lines[2]), "nothing is decided yet"
    reactions = [float(found) for found in re.findall(r"load step to scale patch: ([\d.]+) s", ended.stdout)]
    assert len(reactions) == 2
    assert f"\n  {sys.executable} -m podtide validate config/samples/*.yaml\n" in ended.stdout, "what can be typed here"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            ["--scenario", "storm"], '--scenario "storm" is none of burst, outage, wave', id="no such scenario"
        ),
        pytest.param(["--duration", "1"], "--duration 1 is too short to see anything; give 10 or more", id="too short"),
        pytest.param(["--duration", "nan"], "--duration nan is too short", id="not a duration"),
    ],
)
def test_bad_options_say_what_to_give(arguments: list[str], message: str) -> None:
    ended = podtide("demo", *arguments)
    assert ended.returncode == 2
    assert message in ended.stderr


@pytest.mark.parametrize("missing", ["trustme", "rich", "aiohttp"])
def test_an_installation_without_the_demo_says_what_to_install(missing: str) -> None:
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from podtide.cli import main\n"
        "sys.exit(main.main(['demo', '--plain']))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    told = f"podtide: the demo needs {missing}; install it by: pip install 'podtide[demo]'\n"
    assert (ended.returncode, ended.stderr) == (1, told)
