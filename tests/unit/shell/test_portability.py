"""The shell scripts need no newer bash than 3.2 and no GNU tool: what macOS brings must do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .shells import REPOSITORY

SCRIPTS = sorted([*REPOSITORY.glob("*.sh"), *REPOSITORY.glob("scripts/*.sh")])
WHERE_A_COMMAND_STANDS = r"(?:^|[|&;({!`]|\b(?:then|do|else|exec|command|if|elif|while|until))\s*"


def command(words: str) -> str:
    """Return a pattern of a command, which `realpath` in a file's name is not."""
    return rf"{WHERE_A_COMMAND_STANDS}{words}(?![\w./=-])"


# What may not be there, each with a line in which it is found.
MISSING_ON_MACOS = {
    command("readlink -[a-zA-Z]*[fme]"): 'root=$(readlink -f "$0")',
    command("realpath"): 'root="$(realpath .)"',
    command("g?timeout"): "timeout 5 sleep 9",
    command("setsid"): "exec setsid sleep 9",
    command("flock"): "if flock -n 9; then",
    command("tac"): "cat x | tac",
    command("nproc"): "n=$(nproc)",
    command("free"): "free -h",
    command("pidof"): "pidof postgres",
    command("ss"): "ss -ltn",
    command("sha256sum"): "sha256sum x",
    command("md5sum"): "md5sum x",
    command("seq"): "for i in $(seq 3)",
    r"\bsed\s+(?:-\w+\s+)*(?:-\w*i|--)": "sed -n -i s/a/b/ x",
    r"\bsed\s+(?!-\w*E)[^|]*\\[|+?]": "sed -n 's/^\\(a\\|b\\)//p'",
    r"\bgrep\s+(?:-\w+\s+)*-\w*P": "grep -q -oP x",
    r"\bfind\b.*\s-(?:printf|readable|executable)\b": "find . -printf x",
    r"\bdate\s+(?:-d|--date|-I|\+\S*%N)": "date -d yesterday",
    r"\bstat\s+(?:-c|--)": "stat -c %a x",
    r"\bmktemp\s+(?:--|-p)": "mktemp --directory",
    r"\bcp\s+(?:-\w+\s+)*(?:--|-\w*[t])": "cp --archive a b",
    r"\bln\s+-\w*[rT]": "ln -sr a b",
    r"\bxargs\s+(?:-\w+\s+)*(?:-\w*[rd]|--)": "xargs -0 -r rm",
    r"\bps\b.*--": "ps --ppid 1",
    r"\bhead\s+(?:-n\s*|-c\s*)-\d": "head -n -1",
    r"\bsort\s+-\w*V": "sort -V",
    r"\benv\s+-0": "env -0",
    r"\btouch\s+-d": "touch -d now x",
    r"\bdu\s+(?:-\w*b|--)": "du -sb x",
    r"\bwc\s+--": "wc --lines",
}
NEWER_THAN_BASH_3 = {
    r"\b(?:declare|local|typeset)\s+-\w*[Agnlu]": "local -A map",
    command("(?:mapfile|readarray)"): "mapfile -t lines",
    command("coproc"): "coproc cat",
    r"\$\{\w+(?:\[[@*]\])?(?:,|\^)": 'x="${name,,}"',
    r"\$\{\w+(?:\[[@*]\])?@[A-Za-z]\}": 'x="${name@Q}"',
    r"\$\{\w+: -\d|\$\{\w+:[^}-]*:\s*-": 'x="${name:0:-1}"',
    r"&>>|\|&(?!\|)": "make &>>log",
    r";;?&": "a) ;;&",
    r"\[\[?\s+-v\s": "[[ -v name ]]",
    r"%\([^)]*\)T": "printf '%(%s)T'",
    r"\bshopt\b.*\b(?:globstar|lastpipe|inherit_errexit)": "shopt -s globstar",
    r"\{\w+\}[<>]": "exec {fd}<file",
    r"\bwait\s+-[nfp]": "wait -n",
    r"\bread\s+(?:-\w+\s+)*-\w*(?:N|i|t\s*0?\.)": "read -r -t 0.5 line",
    r"\$\{?(?:BASHPID|EPOCH\w+|SRANDOM|BASH_ARGV0)\b": 'echo "$BASHPID"',
    r"\{\w+\.\.\w+\.\.": "echo {1..9..2}",
    r"\[-\d+\]\}": 'x="${list[-1]}"',
    r"\\u[0-9A-Fa-f]{4}": "printf '\\u2026'",
}
FORBIDDEN = MISSING_ON_MACOS | NEWER_THAN_BASH_3


def forbidden_in(line: str) -> list[str]:
    code = "" if line.lstrip().startswith("#") else line
    return [pattern for pattern in FORBIDDEN if re.search(pattern, code)]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_uses_nothing_that_macos_lacks(script: Path) -> None:
    lines = script.read_text().splitlines()
    found = {number: bad for number, line in enumerate(lines, 1) if (bad := forbidden_in(line))}
    assert not found


@pytest.mark.parametrize(("pattern", "line"), FORBIDDEN.items(), ids=FORBIDDEN.values())
def test_what_macos_lacks_is_found(pattern: str, line: str) -> None:
    assert pattern in forbidden_in(line)
    assert pattern not in forbidden_in(f"  # {line}")


@pytest.mark.parametrize(
    "line",
    [
        'link=$(readlink "$file")',
        'cat >"$VENV/bin/realpath" <<E',
        "print(os.path.realpath(sys.argv[-1]))",
        "sed -En 's/^(a|b)//p'",
        "local IFS name",
        'x="${name:-none}" y="${list[0]}"',
        "run >log 2>&1 &",
        "ps -o lstart= -p 1",
    ],
)
def test_what_every_system_has_is_let_through(line: str) -> None:
    assert not forbidden_in(line)
