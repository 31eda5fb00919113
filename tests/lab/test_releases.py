"""Releases and the tools to fetch them: what is refused in one sentence, and that a release is whole or absent."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from controller.errors import LabError
from controller.lab.processes import start_ticks
from controller.lab.releases import Release, ReleaseCache, last_maven_line
from controller.lab.toolchain import Ended, Stopped, find_java, find_maven, run_bounded
from tests.lab.labs import NEW, OLD, FakeTools, fake_tools, wait_until

MAVEN_SAYS = """\
\x1b[0m[ERROR] Failed to execute goal on project kafka: Could not find artifact org.apache.kafka:kafka_2.13:jar:9.9.9 \
in central (https://ana:s3cret@mirror.example/maven2) -> [Help 1]
[ERROR]
[ERROR] To see the full stack trace of the errors, re-run Maven with the -e switch.
[ERROR] Re-run Maven using the -X switch to enable full debug logging.
[ERROR] For more information about the errors and possible solutions, please read the following articles:
[ERROR] [Help 1] http://cwiki.apache.org/confluence/display/MAVEN/DependencyResolutionException
\x1b[0m\x1b[0m
"""


def test_releases_are_compared_as_numbers() -> None:
    """
    4.10.0 is newer than 4.9.2, and prints as it was written.
    """
    assert Release.parse("4.9.2") < Release.parse("4.10.0")
    assert "4.10.0" == str(Release.parse("4.10.0"))


@pytest.mark.parametrize(
    "text", ["", "4.3", "4.3.1-rc1", "v4.3.1", "4.3.1 ", "4.3.1/..", "\N{FULLWIDTH DIGIT FOUR}.3.1"]
)
def test_what_is_no_release_is_refused_as_found(text: str) -> None:
    """
    The sentence shows what was found; a release becomes a folder's name, so nothing else may pass.
    """
    with pytest.raises(LabError) as error:
        Release.parse(text)

    assert f"release: found {text!r}, expected an Apache Kafka release such as 4.3.1" == str(error.value)


def test_a_release_older_than_kraft_is_refused() -> None:
    """
    The lab knows no ZooKeeper.
    """
    with pytest.raises(LabError, match=r"found 3\.2\.3, expected 3\.3\.0 or newer"):
        Release.parse("3.2.3")


def test_a_machine_without_java_is_told_what_to_install(tmp_path: Path) -> None:
    """
    One sentence: what needs it, what was found, what to install.
    """
    for environ in ({}, {"PATH": ""}, {"PATH": str(tmp_path), "JAVA_HOME": str(tmp_path)}):
        with pytest.raises(LabError) as error:
            find_java(environ, oldest=17, purpose="Apache Kafka 4.3.1")
        assert (
            "Apache Kafka 4.3.1 needs Java 17 or newer: found no java in JAVA_HOME or PATH;"
            " install a JDK (on Debian: apt-get install openjdk-17-jre-headless)"
        ) == str(error.value)


def test_a_java_that_is_too_old_is_told_with_its_version(tmp_path: Path) -> None:
    """
    Java 11 runs 3.9 and not 4.x.
    """
    tools = fake_tools(tmp_path / "tools", java=11)
    java = tmp_path / "tools" / "bin" / "java"

    assert java == find_java(tools.environ, oldest=8, purpose="Apache Kafka 3.9.2")
    with pytest.raises(LabError, match=f"needs Java 17 or newer: found Java 11 at {java}; install a JDK 17"):
        find_java(tools.environ, oldest=17, purpose="Apache Kafka 4.3.1")


@pytest.mark.parametrize("says", ["exit 1", "echo hello", 'echo openjdk version "x"'])
def test_a_java_that_does_not_tell_its_version_is_told(tmp_path: Path, says: str) -> None:
    """
    A broken Java is not taken for a new one.
    """
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text(f"#!/bin/sh\n{says}\n")
    java.chmod(0o755)

    with pytest.raises(LabError, match="expected a version; install a working JDK 17"):
        find_java({"JAVA_HOME": str(tmp_path)}, oldest=17, purpose="Apache Kafka 4.3.1")


def test_a_machine_without_maven_is_told_what_to_install() -> None:
    """
    One sentence, as for Java.
    """
    with pytest.raises(LabError) as error:
        find_maven({"PATH": ""})

    assert (
        "Apache Kafka is fetched by Maven: found no mvn in MAVEN_HOME or PATH;"
        " install Maven 3.6.3 or newer (on Debian: apt-get install maven)"
    ) == str(error.value)


def test_a_release_in_the_cache_needs_no_maven(tmp_path: Path) -> None:
    """
    A lab whose releases were fetched works without a network.
    """
    tools = fake_tools(tmp_path / "tools", maven=None)
    (tmp_path / "cache" / NEW / "libs").mkdir(parents=True)

    installation = ReleaseCache(tmp_path / "cache", tools.environ).provide(Release.parse(NEW), progress=_silent)

    assert tmp_path / "cache" / NEW / "libs" == installation.libs
    assert (str(tools.folder / "bin" / "java"), "-Xmx1m", "-cp", f"{installation.libs}/*", "kafka.Kafka") == (
        installation.command("-Xmx1m", main="kafka.Kafka")
    )


def test_two_who_want_the_same_release_fetch_it_once(tmp_path: Path) -> None:
    """
    Two labs that come up at the same time share one fetch, and both find it whole.
    """
    tools = fake_tools(tmp_path / "tools")
    said: list[str] = []

    def provide(_: int) -> list[str]:
        cache = ReleaseCache(tmp_path / "cache", tools.environ)
        libs = cache.provide(Release.parse(NEW), progress=said.append).libs
        return [path.name for path in libs.iterdir()]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(provide, range(4)))

    assert [[f"kafka_2.13-{NEW}.jar"]] * 4 == found
    assert 1 == tools.maven_runs
    assert [f"fetching Apache Kafka {NEW} by Maven"] == said
    assert [NEW, "fetch.lock"] == sorted(path.name for path in (tmp_path / "cache").iterdir())


def test_a_fetch_that_fails_leaves_nothing_and_tells_mavens_reason(tmp_path: Path) -> None:
    """
    An unknown release is one clear sentence, and no half of it stays in the cache.
    """
    tools = fake_tools(tmp_path / "tools", maven="echo '[ERROR] Could not find artifact x'; echo '[ERROR] '; exit 1")
    cache = ReleaseCache(tmp_path / "cache", tools.environ)

    with pytest.raises(LabError, match=r"^Apache Kafka 9\.9\.9: Maven cannot fetch it: Could not find artifact x$"):
        cache.provide(Release.parse("9.9.9"), progress=_silent)

    assert ["fetch.lock"] == [path.name for path in (tmp_path / "cache").iterdir()]


def test_a_fetch_without_the_brokers_jar_is_no_release(tmp_path: Path) -> None:
    """
    A Maven that says it is well and brought nothing is not believed.
    """
    tools = fake_tools(tmp_path / "tools", maven="mkdir -p complete/libs")
    cache = ReleaseCache(tmp_path / "cache", tools.environ)

    with pytest.raises(LabError, match=rf"Maven fetched no kafka_2\.13-{NEW}\.jar"):
        cache.provide(Release.parse(NEW), progress=_silent)


def test_what_an_interrupted_fetch_left_is_removed(tmp_path: Path) -> None:
    """
    A fetch that was killed leaves a temporary folder; the next one clears it away.
    """
    tools = fake_tools(tmp_path / "tools")
    (tmp_path / "cache" / ".fetch-abc" / "complete").mkdir(parents=True)

    ReleaseCache(tmp_path / "cache", tools.environ).provide(Release.parse(OLD), progress=_silent)

    assert [OLD, "fetch.lock"] == sorted(path.name for path in (tmp_path / "cache").iterdir())


def test_a_fetch_in_hand_ends_with_the_operator(tmp_path: Path) -> None:
    """
    An operator that is to leave does not wait for Maven, ends it, and takes it for no refusal.
    """
    tools = fake_tools(tmp_path / "tools", maven="sleep 60")
    cache = ReleaseCache(tmp_path / "cache", tools.environ)

    with pytest.raises(Stopped):
        cache.provide(Release.parse(NEW), progress=_silent, stop=_always)


def test_a_cache_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """
    Where the cache cannot be, the sentence names the folder and the setting.
    """
    (tmp_path / "file").write_text("")
    tools = fake_tools(tmp_path / "tools")

    with pytest.raises(LabError, match="cannot be made: Not a directory; set XDG_CACHE_HOME elsewhere"):
        ReleaseCache(tmp_path / "file" / "cache", tools.environ).provide(Release.parse(NEW), progress=_silent)
    with pytest.raises(LabError, match="which Java cannot read"):
        ReleaseCache(tmp_path / "a:b", tools.environ).provide(Release.parse(NEW), progress=_silent)


def test_the_cache_lies_where_the_xdg_specification_says(tmp_path: Path) -> None:
    """
    XDG_CACHE_HOME counts when it is absolute; else it is ``~/.cache``.
    """
    assert tmp_path / "wavefleet" / "kafka" == ReleaseCache.of_user({"XDG_CACHE_HOME": str(tmp_path)}).folder
    for environ in ({}, {"XDG_CACHE_HOME": ""}, {"XDG_CACHE_HOME": "relative"}):
        assert Path.home() / ".cache" / "wavefleet" / "kafka" == ReleaseCache.of_user(environ).folder


def test_mavens_last_telling_line_is_found() -> None:
    """
    Colours, boilerplate and passwords are left out; without an error line the last line counts.
    """
    assert (
        "Failed to execute goal on project kafka: Could not find artifact org.apache.kafka:kafka_2.13:jar:9.9.9 in"
        " central (https://mirror.example/maven2)"
    ) == last_maven_line(MAVEN_SAYS)
    assert "mvn: not today" == last_maven_line("mvn: hello\nmvn: not today\n\n")
    assert "it said nothing" == last_maven_line("")
    assert 401 == len(last_maven_line("[ERROR] " + "x" * 1000))


def test_a_program_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    """
    ``mvn`` is a script; its Java must not live on after the time is over.
    """
    script = f"(sleep 60; echo late) & echo $! > {tmp_path / 'child'}; wait"

    with pytest.raises(LabError, match="sh: found no end of it in time"):
        _run(tmp_path, script, seconds_max=0.3)

    child = int((tmp_path / "child").read_text())
    wait_until(lambda: start_ticks(child) is None, "the child was dead")


def test_only_the_end_of_a_long_output_is_kept(tmp_path: Path) -> None:
    """
    A program that writes megabytes does not fill the memory.
    """
    ended = _run(tmp_path, "head -c 200000 /dev/zero; echo; echo end; exit 3", seconds_max=20)

    assert 3 == ended.code
    assert ended.output.endswith("\nend\n")
    assert 64 * 1024 == len(ended.output)


def test_lab_up_on_a_machine_without_java_is_one_sentence(tmp_path: Path) -> None:
    """
    A person without a JDK reads what is missing, and the folder stays free for the next try.
    """
    script = (
        "import sys; from pathlib import Path\n"
        "from controller.errors import LabError; from controller.lab.up import lab_up\n"
        "try: lab_up(Path(sys.argv[1]), clusters=1, brokers=1, release='4.3.1', progress=print)\n"
        "except LabError as error: print(error)"
    )
    tools = FakeTools(tmp_path / "nothing")
    environ = {**tools.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}

    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "lab")],
        env=environ, capture_output=True, text=True, check=False, timeout=60, cwd=Path(__file__).parents[2],
    )  # fmt: skip

    assert "" == ended.stderr
    assert ended.stdout.startswith("Apache Kafka 4.3.1 needs Java 17 or newer: found no java in JAVA_HOME or PATH;")
    assert ["lab.lock"] == [path.name for path in (tmp_path / "lab").iterdir()]


def _run(folder: Path, script: str, *, seconds_max: float) -> Ended:
    return run_bounded(("/bin/sh", "-c", script), environ=dict(os.environ), folder=folder, seconds_max=seconds_max)


def _always() -> bool:
    return True


_silent: Callable[[str], None] = str
