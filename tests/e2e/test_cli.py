"""The `pointsman` command as people run it: a process, its output and its exit code."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from real_models import smollm2_path

NO_PROVIDERS = (
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "GROQ_API_KEY",
    "MISTRAL_API_KEY",
    "POINTSMAN_CONFIG",
    "POINTSMAN_SERVER",
)
OFFLINE = {
    "HTTPS_PROXY": "http://127.0.0.1:1",
    "HTTP_PROXY": "http://127.0.0.1:1",
    "PIP_NO_INDEX": "1",
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_FIND_LINKS": "",
}


def environment(**changes: str) -> dict[str, str]:
    """This process's environment without what would change a command's mind."""
    kept = {k: v for k, v in os.environ.items() if k not in NO_PROVIDERS}
    return kept | changes


def run(
    *arguments: str, cwd: Path, stdin: str = "", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pointsman_server", *arguments],
        cwd=cwd,
        input=stdin,
        env=env or environment(),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


@pytest.fixture(scope="module", autouse=True)
def _weights() -> None:
    """Have SmolLM2 in the cache, so that commands find a local model."""
    asyncio.run(smollm2_path())


@contextmanager
def served(cwd: Path, *arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`pointsman serve` as a process of its own; yields its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pointsman_server", "serve", *arguments],
        cwd=cwd,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            entry = json.loads(line)
            if entry["event"] == "serving":
                break
        else:
            raise AssertionError("the server ended without serving")
        yield entry["address"], process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(timeout=60)
        if process.stderr is not None:
            process.stderr.close()


def config(folder: Path, base_url: str = "http://127.0.0.1:9/v1") -> Path:
    """A file that reaches no provider."""
    path = folder / "pointsman.yaml"
    path.write_text(
        f"""
version: 1
providers: {{nowhere: {{kind: openai, base_url: "{base_url}"}}}}
models:
  nowhere/small: {{tier: cheap, price: {{input: $0.1, output: $0.2}}}}
  nowhere/coder: {{tier: middle, strengths: code, price: {{input: $1, output: $2}}}}
  nowhere/large: {{tier: strong, price: {{input: $5, output: $9}}}}
"""
    )
    return path


def test_classify_reads_one_prompt(tmp_path: Path) -> None:
    """JSON for machines, a table for people, from arguments and from standard input."""
    prompt = "Fix this Python function: def f(x): retrun x + 1"
    done = run("classify", "--json", prompt, cwd=tmp_path)
    record = json.loads(done.stdout)
    assert record["domain"]["value"] == "code"
    assert 0 < record["confidence"] <= 1
    assert set(record) == {
        "task_type", "complexity", "urgency", "domain", "tone", "confidence", "sure",
        "complexity_score", "multi_step", "output_tokens",
    }  # fmt: skip
    people = run("classify", cwd=tmp_path, stdin=prompt)
    assert people.returncode == 0
    assert "code" in people.stdout
    assert "domain" in record["sure"]
    (domain,) = (line for line in people.stdout.splitlines() if line.startswith("domain "))
    assert re.search(r" sure +", domain)
    assert f"answer of about {record['output_tokens']} tokens" in people.stdout
    assert f"several steps {record['multi_step']:.0%}" in people.stdout
    assert f"complexity {record['complexity_score']:.2f} of 1" in people.stdout
    assert "\x1b[" not in people.stdout


def test_classify_reads_files(tmp_path: Path) -> None:
    """Each line in gives one line out, in order, with its own id."""
    lines = [
        {"id": "a", "text": "What is 2+2?"},
        {"id": 7, "text": ""},
        {"id": "c", "text": "ü" * 9},
    ]
    (tmp_path / "in.jsonl").write_text("\n\n".join(map(json.dumps, lines)))
    done = run("classify", "--input", "in.jsonl", "--output", "out.jsonl", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    records = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [r["id"] for r in records] == ["a", 7, "c"]
    assert all({"value", "confidence"} == set(r["task_type"]) for r in records)
    assert all(r["output_tokens"] >= 1 for r in records)
    assert all(0 <= r[scale] <= 1 for r in records for scale in ("complexity_score", "multi_step"))


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("nonsense", "is not JSON"),
        ("[1]", "is not an object"),
        ('{"text": "x"}', 'needs an "id"'),
        ('{"id": 1, "text": 5}', 'needs a "text"'),
    ],
)
def test_classify_says_which_line_is_wrong(tmp_path: Path, line: str, complaint: str) -> None:
    """A bad line ends the command with its place, and no half-written output stays behind."""
    (tmp_path / "in.jsonl").write_text('{"id": "a", "text": "x"}\n' + line)
    done = run("classify", "-i", "in.jsonl", "-o", "out.jsonl", cwd=tmp_path)
    assert done.returncode == 2
    assert f"in.jsonl:2: {complaint}" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["in.jsonl"]


def test_explain_shows_every_candidate(tmp_path: Path) -> None:
    """The choice, the rules that led there, and for each model a score or a reason."""
    config(tmp_path)
    prompt = "Write a Python function that reverses a string."
    done = run("explain", "--json", prompt, cwd=tmp_path)
    decision = json.loads(done.stdout)
    assert decision["model"] == "nowhere/coder"
    read = decision["classification"]
    people = run("explain", prompt, cwd=tmp_path).stdout.splitlines()
    assert f"answer of about {read['expected_output_tokens']} tokens · sure of " in people[1]
    assert ("task type" in people[1]) is read["task_type"].get("sure", False)
    assert {c["model"] for c in decision["candidates"]} == {
        "nowhere/small", "nowhere/coder", "nowhere/large",
    }  # fmt: skip
    pinned = run("explain", "-m", "nowhere/large", prompt, cwd=tmp_path)
    assert "nowhere/large" in pinned.stdout.splitlines()[0]
    assert "not among the models that the caller allows" in pinned.stdout


def test_models_lists_what_is_configured(tmp_path: Path) -> None:
    """Names, prices and tiers of the file's models."""
    config(tmp_path)
    models = json.loads(run("models", "--json", cwd=tmp_path).stdout)
    assert [m["name"] for m in models] == ["nowhere/small", "nowhere/coder", "nowhere/large"]
    assert models[1]["pricing"]["output_usd_nanos_per_million_tokens"] == "2000000000"


def test_a_wrong_file_says_where_and_exits_2(tmp_path: Path) -> None:
    """file:line:column, the cause, the mend; the same from every command that reads it."""
    path = config(tmp_path)
    path.write_text(path.read_text().replace("tier: cheap", "teir: cheap"))
    for command in (["serve"], ["check"], ["models"], ["explain", "x"]):
        done = run(*command, cwd=tmp_path)
        assert done.returncode == 2
        assert "pointsman.yaml:5:19: models.nowhere/small.teir: is not a setting" in done.stderr
        assert "did you mean 'tier'?" in done.stderr
        assert "Traceback" not in done.stderr


def test_check_tells_good_from_bad(tmp_path: Path) -> None:
    """A provider that cannot be reached is said, and makes the exit code 1."""
    config(tmp_path)
    done = run("check", "--json", cwd=tmp_path)
    findings = {f["what"]: f["ok"] for f in json.loads(done.stdout)}
    assert findings == {"configuration": True, "classifier": True, "provider nowhere": False}
    assert done.returncode == 1
    assert run("check", "--offline", cwd=tmp_path).returncode == 0


def test_no_server_is_one_clear_line(tmp_path: Path) -> None:
    """Commands that need a server say which address was tried and how to start one."""
    for command in ("complete", "chat"):
        done = run(command, "--server", "127.0.0.1:9", cwd=tmp_path, stdin="hello\n")
        assert done.returncode == 1
        assert "127.0.0.1:9" in done.stderr
        assert "pointsman serve" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    """The second server on an address says so and ends."""
    config(tmp_path)
    quiet = ("--address", "127.0.0.1:0", "--metrics", "off")
    with served(tmp_path, *quiet) as (address, _):
        for command in (["serve", "--metrics", "off"], ["demo", "--mini"]):
            done = run(*command, "--address", address, cwd=tmp_path)
            assert done.returncode == 1
            assert address in done.stderr
            assert "Traceback" not in done.stderr


def test_serving_a_local_model_without_any_key(tmp_path: Path) -> None:
    """With nothing configured, cached local models are served; SIGTERM drains and exits 0."""
    quiet = ("--address", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
    with served(tmp_path, *quiet) as (address, process):
        at = ("--server", address)
        answer = run(
            "complete", *at, "--max-tokens", "8", "-m", "local/smollm2-135m", "Hi!", cwd=tmp_path
        )
        assert answer.returncode == 0, answer.stderr
        assert "local/smollm2-135m" in answer.stdout
        events = run("complete", *at, "--json", "--max-tokens", "4", "Hi!", cwd=tmp_path)
        first, *_, last = map(json.loads, events.stdout.splitlines())
        assert "decision" in first
        assert "completed" in last
        talk = run("chat", *at, "--max-tokens", "6", cwd=tmp_path, stdin="Hello.\nAnd again.\n")
        assert talk.returncode == 0, talk.stderr
        assert talk.stdout.count("→") == 2
        listed = json.loads(run("models", *at, "--json", cwd=tmp_path).stdout)
        assert "local/smollm2-135m" in [m["name"] for m in listed]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


def test_the_demo_answers_for_real(tmp_path: Path) -> None:
    """The smaller demo, start to end: six prompts, six whole answers, a bill."""
    done = run("demo", "--mini", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    summary = lines[-1]
    assert len(summary["answers"]) == 6
    assert all(a["model"] == "local/smollm2-135m" for a in summary["answers"])
    assert 0 < summary["cost_usd_nanos"] < summary["hosted_cost_usd_nanos"]
    text = "".join(line["delta"]["text"] for line in lines[:-1] if "delta" in line)
    assert "Paris" in text


def test_the_demo_offline_and_without_weights(tmp_path: Path) -> None:
    """With nothing cached and no network: one clear line, exit code 3, no traceback."""
    env = environment(POINTSMAN_CACHE=str(tmp_path / "cache"), **OFFLINE)
    done = run("demo", "--mini", cwd=tmp_path, env=env)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert "cannot fetch SmolLM2" in last
    assert "sha256" in last


def test_serving_with_nothing_at_all(tmp_path: Path) -> None:
    """No file, no key, no weights: one line that says what to do, exit code 3."""
    done = run("serve", cwd=tmp_path, env=environment(POINTSMAN_CACHE=str(tmp_path / "cache")))
    assert done.returncode == 3
    assert "pointsman demo" in done.stderr


def read_until(terminal: int, *wanted: str, limit_s: float = 60.0) -> str:
    """What the terminal shows until all of ``wanted`` has been shown, in that order."""
    seen, deadline = "", time.monotonic() + limit_s
    pattern = re.compile(".*".join(map(re.escape, wanted)), re.DOTALL)
    while not pattern.search(seen):
        readable, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
        assert readable, f"{wanted} not shown in time: {seen!r}"
        seen += os.read(terminal, 65536).decode(errors="replace")
    return seen


def test_ctrl_c_stops_a_turn_and_not_the_chat(tmp_path: Path) -> None:
    """On a real terminal: Ctrl-C ends the answer under way, the next turn works, Ctrl-D leaves."""
    quiet = ("--address", "127.0.0.1:0", "--metrics", "off")
    with served(tmp_path, *quiet) as (address, _):
        parent, child = pty.openpty()
        command = ("chat", "--server", address, "--model", "local/smollm2-135m")
        process = subprocess.Popen(
            [sys.executable, "-m", "pointsman_server", *command],
            cwd=tmp_path,
            env=environment(TERM="xterm", COLUMNS="120"),
            stdin=child,
            stdout=child,
            stderr=child,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(child)
        try:
            read_until(parent, "you")
            os.write(parent, b"Tell me a very long story about a red fox.\n")
            read_until(parent, "local/smollm2-135m", "as asked", "\n", " ")
            time.sleep(0.5)  # some text of the story
            os.write(parent, b"\x03")
            read_until(parent, "stopped", "you")
            os.write(parent, b"Say hello.\n")
            read_until(parent, "local/smollm2-135m", "tokens", "you")
            os.write(parent, b"\x04")
            assert process.wait(timeout=30) == 0
        finally:
            process.kill()
            process.wait()
            os.close(parent)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["classify", "--nonsense"], "No such option: --nonsense"),
        (["classify"], "give a prompt"),
        (["classify", "-o", "x"], "--output goes with --input"),
        (["serve", "--address", "nowhere"], "is not an address"),
        (["complete", "--max-cost", "nan", "hi"], "--max-cost must be 0 or more"),
        (["complete", "--max-tokens", "99999999999", "hi"], "Invalid value"),
        (["explain", "bad \udcff"], "not valid UTF-8"),
    ],
)
def test_bad_usage_is_said_plainly(tmp_path: Path, arguments: list[str], said: str) -> None:
    """Exit code 2 and a sentence, never a traceback."""
    parent, child = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "pointsman_server", *arguments],
        cwd=tmp_path,
        stdin=child,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(parent)
    os.close(child)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_help_names_every_command(tmp_path: Path) -> None:
    """`--help` lists the commands with a line for each; `--version` says the version."""
    shown = run("--help", cwd=tmp_path).stdout
    for command in ("serve", "demo", "check", "classify", "explain", "complete", "chat", "models"):
        assert re.search(rf"^  {command} +[A-Z]", shown, flags=re.MULTILINE)
    assert run("--version", cwd=tmp_path).stdout.startswith("pointsman 0.")


def test_a_reader_that_has_seen_enough(tmp_path: Path) -> None:
    """Output into a pipe that closes early ends without a traceback."""
    config(tmp_path)
    command = f"'{sys.executable}' -m pointsman_server models --json | head -c 5"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
