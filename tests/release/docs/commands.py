"""What a block of shell asks for: its commands, as far as they are ours, and its servers."""

import re
import shlex
from pathlib import Path
from typing import Any, NamedTuple

import typer

from houseprice.cli import cli

_HEREDOC = re.compile(r"(?<!<)<<(?!<)-?\s*(['\"]?)(?P<end>\w+)\1")
_ASSIGNMENT = re.compile(r"\w+=.*", re.DOTALL)
_BEFORE_A_COMMAND = {"!", "do", "else", "env", "exec", "if", "nohup", "sudo", "then", "time"}
_OPERATOR = re.compile(r"[;&|()]+")


class Server(NamedTuple):
    """A command that answers until it is stopped.

    Attributes
    ----------
    port : int
        Where, if nothing else is said.
    path : str
        What it answers as soon as it is ready for anything.
    variable : str
        What tells it another port.
    """

    port: int
    path: str
    variable: str = "PORT"


_SERVERS = {
    ("houseprice", "serve"): Server(8000, "/ready"),
    ("houseprice", "app"): Server(8501, "/_stcore/health"),
    ("make", "run"): Server(8501, "/_stcore/health"),
    ("streamlit", "run"): Server(8501, "/_stcore/health", "STREAMLIT_SERVER_PORT"),
}


def logical_lines(text):
    """Yield what the shell reads as one: with what a quote, a backslash or a ``<<`` joins to it."""
    lines = iter(text.splitlines())
    for line in lines:
        whole = line
        while not _is_whole(whole):
            following = next(lines, None)
            if following is None:
                break
            whole = f"{whole}\n{following}"
        yield whole


def commands(text):
    """Yield the words of each command, without what stands before it."""
    for line in logical_lines(text):
        shell = shlex.shlex(
            line.split("<<", 1)[0].replace("\\\n", " "), posix=True, punctuation_chars=";&|()"
        )
        shell.whitespace_split = True
        words: list[str] = []
        for token in [*shell, ";"]:
            if not _OPERATOR.fullmatch(token):
                words.append(token)
            elif words:
                yield _bare(words)
                words = []


def server_of(line):
    """Return what a logical line starts, if that is a server of ours."""
    found = list(commands(line))
    if len(found) != 1 or len(found[0]) < 2 or "--new-key" in line or "--help" in line:
        return None
    name, first = _as_ours(found[0])[:2]
    return _SERVERS.get((Path(name).name, first))


class Offered(NamedTuple):
    """What there is to ask for besides ``houseprice``: targets of make, environments of tox."""

    targets: set[str]
    environments: set[str]

    @classmethod
    def by(cls, root):
        """Read the Makefile and ``tox.ini``."""
        makefile = (root / "Makefile").read_text(encoding="utf-8")
        tox = (root / "tox.ini").read_text(encoding="utf-8")
        listed = re.search(r"^env_list\s*=(.*(?:\n\s+.*)*)", tox, flags=re.MULTILINE)
        names = re.findall(r"^\[testenv:([\w.-]+)\]", tox, flags=re.MULTILINE)
        return cls(
            set(re.findall(r"^([a-z][\w-]*):", makefile, flags=re.MULTILINE)),
            {*names, *re.split(r"[\s,]+", listed[1] if listed else "")},
        )


def wrong_with(words, offered):
    """Say what is wrong with a command, as far as it is ours."""
    words = _as_ours(words)
    name = Path(words[0]).name if words else ""
    if name == "make":
        goals = [word for word in words[1:] if not re.match(r"-|\w+=", word)]
        unknown = [goal for goal in goals if goal not in offered.targets]
        return f"the Makefile has no target {unknown[0]}" if unknown else None
    if name == "tox" and "-e" in words[:-1]:
        asked = words[words.index("-e") + 1].split(",")
        unknown = [each for each in asked if each not in offered.environments]
        return f"tox has no environment {unknown[0]}" if unknown else None
    if name == "houseprice":
        return _wrong_with_ours(words[1:])
    return None


def _wrong_with_ours(words):
    command: Any = typer.main.get_command(cli)
    path = "houseprice"
    for word in words:
        name = word.split("=")[0]
        known = {each for option in command.params for each in option.opts + option.secondary_opts}
        if name.startswith("-") and name not in known | {"-", "-h", "--help"}:
            return f"{path} has no option {name}"
        below = getattr(command, "commands", None)
        if below is not None and not name.startswith("-"):
            if word not in below:
                return f"{path} has no command {word}"
            command, path = below[word], f"{path} {word}"
    return None


def _as_ours(words):
    """Read ``python -m houseprice`` as ``houseprice``."""
    if len(words) > 2 and words[1] == "-m" and Path(words[0]).name.startswith("python"):
        return list(words[2:])
    return list(words)


def _bare(words):
    first = 0
    while first < len(words) - 1 and (
        words[first] in _BEFORE_A_COMMAND or _ASSIGNMENT.fullmatch(words[first])
    ):
        first += 1
    return words[first:]


def _is_whole(line):
    heredoc = _HEREDOC.search(line)
    if heredoc is not None:
        return line.splitlines()[-1].strip() == heredoc["end"]
    if line.endswith("\\"):
        return False
    try:
        shlex.split(line, comments=True)
    except ValueError:
        return False
    return True
