"""Sourcing is a guest in the user's shell: it bends nothing, prints nothing, leaves nothing."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from .shells import SCRIPT, SHELLS, Shell

BASH_OPTIONS = [
    "set -eu",
    "set -euo pipefail",
    "set -f",
    "set -C",
    "set -a",
    "shopt -s nullglob failglob nocasematch extglob expand_aliases",
    "IFS=:",
    "IFS=_/",
    "CDPATH=/tmp:/",
    "umask 777",
    "cd() { echo moved >&2; builtin cd /; }",
    "shopt -s expand_aliases; alias cd='echo moved' pwd='echo there'",
    "trap 'echo failed' ERR; set -E",
]
ZSH_OPTIONS = [
    "set -eu",
    "setopt err_return no_unset pipe_fail",
    "setopt ksh_arrays",
    "setopt sh_word_split glob_subst",
    "setopt null_glob extended_glob no_nomatch csh_null_glob",
    "setopt no_clobber no_glob no_case_match",
    "setopt warn_create_global warn_nested_var",
    "setopt chase_links auto_pushd pushd_silent auto_cd cdable_vars",
    "setopt no_function_argzero posix_builtins posix_identifiers",
    "setopt rc_quotes rc_expand_param bang_hist",
    "setopt all_export",
    "emulate sh",
    "emulate ksh",
    "IFS=:",
    "cdpath=(/tmp /)",
    "umask 777",
    "chpwd() { echo moved >&2; }",
    "typeset -ga chpwd_functions=(shout); shout() { echo moved >&2; }",
    "cd() { echo moved >&2; builtin cd /; }",
    "alias cd='echo moved' pwd='echo there'; alias -g in='| cat'",
]


OPTIONS = [
    pytest.param(command, options, id=f"{name}: {options}")
    for name, command in SHELLS.items()
    for options in (ZSH_OPTIONS if name == "zsh" else BASH_OPTIONS)
]


@pytest.mark.parametrize(("shell", "options"), OPTIONS, indirect=["shell"])
def test_sourcing_succeeds_silently_whatever_the_shell_s_options(
    shell: Shell, clone: Path, options: str
) -> None:
    result = shell.run(f'{options}\n. ./{SCRIPT}\nprintf "%s" "$? $AIRFLOW_HOME"', clone)
    assert (result.stdout, result.stderr) == (f"0 {clone}/airflow_home", "")


@pytest.mark.parametrize(
    "show",
    [
        "set +o; echo $-",
        "trap",
        "umask",
        "pwd",
        "printf '%s' \"$IFS\" | cksum",
        'echo "$# $* ${CDPATH-}"',
        "alias",
    ],
)
def test_sourcing_leaves_the_shell_s_state_as_it_was(shell: Shell, clone: Path, show: str) -> None:
    prepare = "set -- one two; set +e; trap 'echo bye' EXIT; umask 027; IFS=:; CDPATH=/tmp"
    result = shell.run(f"{prepare}\n{show}\necho; echo ---\n. ./{SCRIPT}\n{show}\necho", clone)
    before, after = result.stdout.removesuffix("bye\n").split("---\n")
    assert before == after


def test_sourcing_leaves_no_function_and_no_variable_of_ours_behind(
    shell: Shell, clone: Path
) -> None:
    names = "typeset -p | sed 's/=.*//'" if shell.is_zsh else "compgen -v"
    functions = "print -l ${(k)functions}" if shell.is_zsh else "compgen -A function"
    result = shell.run(f". ./{SCRIPT}\nexported=$(env)\n{names}\n{functions}\nset", clone)
    ours = [line for line in result.stdout.splitlines() if "_ml_pipeline" in line]
    assert "AIRFLOW_HOME" in result.stdout
    assert not ours


def test_a_function_or_variable_of_the_user_is_never_touched(shell: Shell, clone: Path) -> None:
    given = "name=mine; home=mine; file=mine; line=mine; rest=mine; host=mine; say() { :; }"
    show = 'echo "$name $home $file $line $rest $host"; typeset -f say >/dev/null && echo kept'
    result = shell.run(f"{given}; . ./{SCRIPT}; {show}", clone)
    assert result.stdout == "mine mine mine mine mine mine\nkept\n"


def test_a_failing_command_after_sourcing_does_not_end_the_shell(shell: Shell, clone: Path) -> None:
    assert shell.run(f". ./{SCRIPT}; false; echo still here", clone).stdout == "still here\n"


def test_an_interactive_shell_hears_once_what_to_run_when_nothing_is_set_up(
    shell: Shell, clone: Path
) -> None:
    hint = f"Not set up yet: run {clone}/start_airflow.sh"
    result = shell.run(f". ./{SCRIPT}", clone, "-i")
    assert (result.stdout, result.stderr.count(hint)) == ("", 1)
    program = clone / ".venv" / "bin" / "ml-pipeline"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    assert hint not in shell.run(f". ./{SCRIPT}", clone, "-i").stderr


def test_a_copy_outside_a_clone_says_so_and_leaves_nothing(shell: Shell, clone: Path) -> None:
    (clone / SCRIPT).rename(clone / "copy.sh")
    result = shell.run('set -u; . ./copy.sh; echo "$? ${AIRFLOW_HOME-none}"; set', clone)
    assert result.stderr == f"{SCRIPT}: source it where it lies, in its clone.\n"
    assert result.stdout.startswith("1 none\n")
    assert not re.search("^_ml_pipeline", result.stdout, re.MULTILINE)


@pytest.mark.skipif(not shutil.which("dash"), reason="dash is not installed")
def test_another_kind_of_shell_gets_one_clear_line(clone: Path) -> None:
    result = subprocess.run(
        ["dash", "-c", f". ./{SCRIPT}; echo goes on"], cwd=clone, capture_output=True, text=True
    )
    assert result.stderr == "airflow_postgresql_env.sh: source it from bash or zsh.\n"
    assert result.stdout == "goes on\n"
