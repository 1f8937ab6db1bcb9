"""The shell text that a session sends: how it opens, how it wraps a command, how a group is killed.

A command runs in a child of the session's shell, in a process group of its own. The child says its process id
(``begin`` marker) before the command starts, the session's shell says the exit status (``end`` marker) when the child
has ended. Nothing is written into the target's file system.
"""

import re
import shlex
from collections.abc import Mapping

from drillbook.errors import UsageError

__all__ = ["HANG_UP", "STATE_NOTE", "find_shell", "for_bash", "for_sh", "kill_group", "open_shell", "ping"]

# Programs' argument strings end at 128 KiB on Linux; longer commands go in as several.
_CHUNK = 30_000


def find_shell(nonce: str) -> str:
    """Return the line that greets and turns the shell into bash where there is a working one."""
    return f"printf '%s\\n' '{nonce}'; bash -c : </dev/null >/dev/null 2>&1 && exec bash --norc --noprofile\n"


# A process that outlives its command and holds the session's pipes would spill its later output into the next command's
# frame, so it must be known: one of the command's group or session ($3 leads it) that is no zombie, or one that has the
# pipes (-ef: the same file). It has a higher number than the leader's; the kernel tells the highest in loadavg.
_END = r"""
__drillbook_pipes() {
  [ /proc/$1/fd/1 -ef /proc/$$/fd/63 ] || [ /proc/$1/fd/2 -ef /proc/$$/fd/62 ] ||
    [ /proc/$1/fd/2 -ef /proc/$$/fd/63 ] || [ /proc/$1/fd/1 -ef /proc/$$/fd/62 ]
}
__drillbook_holds() {
  [ "$1" -gt "${2:-0}" ] && [ "$1" != $$ ] && read -r __drillbook_s </proc/$1/stat || return 1
  __drillbook_p=$1 __drillbook_g=${2:--}
  set -- ${__drillbook_s##*) }
  [ "$1" = Z ] && return 1
  [ "$3" = "$__drillbook_g" ] || [ "$4" = "$__drillbook_g" ] || __drillbook_pipes $__drillbook_p
}
__drillbook_left() {
  read -r __drillbook_s </proc/loadavg || { [ -n "$1" ] && kill -0 -- "-$1"; return; }
  __drillbook_n=$1 __drillbook_m=${__drillbook_s##* }
  if [ -n "$1" ] && [ $__drillbook_m -ge $1 ] && [ $((__drillbook_m - $1)) -lt 200 ]; then
    while [ $__drillbook_n -lt $__drillbook_m ]; do
      __drillbook_n=$((__drillbook_n + 1))
      __drillbook_holds $__drillbook_n $1 && return 0
    done
    return 1
  fi
  for __drillbook_n in /proc/[0-9]*; do
    __drillbook_holds ${__drillbook_n#/proc/} $1 && return 0
  done
  return 1
}
__drillbook_end() {
  __drillbook_left $3 && __drillbook_t=1 || __drillbook_t=0
  printf '%s %s %s\n' "$1" "$2" $__drillbook_t >&63
  printf '%s\n' "$1" >&62
}
__drillbook_hang_up() {
  for __drillbook_n in /proc/[0-9]*; do
    __drillbook_n=${__drillbook_n#/proc/}
    [ $__drillbook_n = $$ ] || ! __drillbook_pipes $__drillbook_n || kill -HUP $__drillbook_n
  done
  exit
}
"""

# 63 and 62 are the session's stdout and stderr.
_OPEN_BASH = "exec 63>&1 62>&2 >/dev/null 2>&1\n" + _END

# dash and busybox know one-digit descriptors only, and have job control only on a terminal: another program must put
# the command into a group (a session) of its own. Without one only its descendants can be killed.
_OPEN_SH = (
    "exec 9>&1 8>&2 >/dev/null 2>&1\n"
    "for __drillbook_l in setsid 'perl -MPOSIX=setsid -e setsid();exec@ARGV --' ''; do\n"
    "$__drillbook_l true </dev/null && break; done\n" + _END.replace("63", "9").replace("62", "8")
)


def open_shell(nonce: str, *, stateful: bool) -> str:
    """Return the lines that prepare the shell; it answers with its process id, its kind and when it started (ticks).

    Args:
        nonce: Makes the markers of the answer.
        stateful: Also define what notes the state after each command (bash only).
    """
    answer = (
        "read -r __drillbook_s </proc/$$/stat; set -- ${__drillbook_s##*) }\n"
        f"printf '%s\\n%s %s %s %s\\n' B{nonce} E{nonce} $$ KIND \"${{20-}}\" >&OUT; set --"
    )
    bash = _OPEN_BASH + (_STATE if stateful else "") + answer.replace("KIND", "bash").replace("OUT", "63")
    plain = _OPEN_SH + answer.replace("KIND", "sh").replace("OUT", "9")
    # Each is one text for eval: the other shell must not even parse it.
    return f'if [ -n "$BASH_VERSION" ]; then eval {_quote(bash)}\nelse eval {_quote(plain)}; fi\n'


def _quote(text: str) -> str:
    return shlex.quote(text)


def _exports(variables: Mapping[str, str]) -> str:
    for name in variables:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise UsageError("variables", f"expected a name of letters, digits and _, got {name!r}")
    return "".join(f"export {name}={_quote(value)}; " for name, value in variables.items())


def ping(nonce: str, *, bash: bool) -> str:
    """Return a line that does nothing but answer as a command with that nonce would."""
    out, err = (63, 62) if bash else (9, 8)
    return f"printf '%s 0\\n%s 0 0\\n' B{nonce} E{nonce} >&{out}; printf '%s\\n%s\\n' B{nonce} E{nonce} >&{err}\n"


def for_bash(nonce: str, command: str, variables: Mapping[str, str], state: str | None = None, status: int = 0) -> str:
    """Return the lines that run a command in a session whose shell is bash.

    Args:
        nonce: Random; makes the markers of this command.
        command: Shell text, taken as it is.
        variables: Environment for this command only.
        state: What the shell must be like before it, as a former command noted it; None for a session without state.
        status: What ``$?`` is before it, where there is state.
    """
    begin = f"printf '%s %s\\n' B{nonce} \"$BASHPID\"; printf '%s\\n' B{nonce} >&2; "
    # Job control gives the child a process group. It is off while waiting, or a child that was only stopped would count
    # as ended; `wait -f`, made for that, can spin for ever over a child that was killed (it reads what it has freed:
    # bash 5.2, wait_for_single_pid in jobs.c).
    end = f"set +m; wait $!; __drillbook_end E{nonce} $? $!\n"
    if state is None:
        body = f"{_exports(variables)}eval {_quote(command)}"
        return f"set -m; ( {begin}{body} ) </dev/null >&63 2>&62 63>&- 62>&- & {end}"
    # The names keep the marker in two halves: `set` and `declare -p` may print them, and must not print the marker.
    half = len(nonce) // 2
    setup = (
        f"eval {state or ':'} 2>/dev/null; __drillbook_n1=N{nonce[:half]} __drillbook_n2={nonce[half:]}; "
        f"__drillbook_keep {' '.join(variables)}; {_exports(variables)}trap __drillbook_note EXIT; "
    )
    lost = 'echo "the working directory $__drillbook_lost is gone; now in /" >&2; exit 1'
    guard = f"[[ ${{__drillbook_lost-}} ]] && {{ {lost}; }}; "
    body = f"{setup}{begin}{guard}__drillbook_status {status}; eval {_quote(command)}\n__drillbook_note"
    return f"set -m; ( {body} ) </dev/null >&63 2>&62 & {end}"


HANG_UP = "__drillbook_hang_up\n"
"""Sends what still holds the session's pipes the signal that a closed terminal sends, and ends the shell."""

STATE_NOTE = "N"
"""First letter of the marker of notes about the state."""

# Sent once to bash where the session keeps state. Runs in the command's own child, after the command or where it exits:
# notes everything that a terminal would still know at the next prompt, as one shell text, in lines short enough for a
# pipe to keep them whole.
_STATE = r"""
shopt -s expand_aliases
__drillbook_base=$(compgen -e)
__drillbook_options=$(set -m; shopt -p; set +o)
__drillbook_status() { return "$1"; }
__drillbook_keep() {
  __drillbook_only="$*" __drillbook_old=
  local __drillbook_v
  for __drillbook_v; do
    __drillbook_old+="unset -v $__drillbook_v;"$(declare -p "$__drillbook_v" 2>/dev/null)$'\n'
  done
}
__drillbook_state() {
  local __drillbook_v __drillbook_all=()
  for __drillbook_v in $__drillbook_base; do [[ -v $__drillbook_v ]] || printf 'unset -v %s\n' "$__drillbook_v"; done
  for __drillbook_v in $(compgen -v); do
    case " $__drillbook_only " in *" $__drillbook_v "*) continue ;; esac
    case $__drillbook_v in
      __drillbook* | BASH | BASH_* | BASHOPTS | BASHPID | SHELLOPTS | COMP_* | DIRSTACK | EPOCH* | EUID | FUNCNAME) ;;
      GROUPS | HISTCMD | IFS | LINENO | OLDPWD | PIPESTATUS | PPID | PWD | RANDOM | SECONDS | SHLVL | SRANDOM) ;;
      UID | _) ;;
      *) __drillbook_all+=("$__drillbook_v") ;;
    esac
  done
  ((${#__drillbook_all[@]})) && declare -p "${__drillbook_all[@]}"
  printf '%s\n' "$__drillbook_old"
  __drillbook_all=()
  for __drillbook_v in $(compgen -A function); do
    [[ $__drillbook_v == __drillbook* ]] || __drillbook_all+=("$__drillbook_v")
  done
  if ((${#__drillbook_all[@]})); then declare -f "${__drillbook_all[@]}"; declare -Fx; fi
  printf 'umask %s\n' "$(umask)"
  alias -p
  printf 'builtin cd -- %q || { builtin cd /; __drillbook_lost=%q; }\n' "$PWD" "$PWD"
  printf 'OLDPWD=%q IFS=%q\n' "${OLDPWD-}" "$__drillbook_ifs"
  [[ $__drillbook_set == "$__drillbook_options" ]] || printf '%s\n' "${__drillbook_set//set -o monitor/}"
}
__drillbook_note() {
  local __drillbook_s=$? __drillbook_set __drillbook_text __drillbook_i
  [[ ${__drillbook_done-} ]] && return
  __drillbook_done=1
  local __drillbook_ifs=${IFS-$' \t\n'}
  { __drillbook_set=$(shopt -p; set +o); set +exvu; } 2>/dev/null
  __drillbook_text=$(IFS=$' \t\n'; exec 2>/dev/null; __drillbook_state)
  local LC_ALL=C
  printf -v __drillbook_text %q "$__drillbook_text"
  for ((__drillbook_i = 0; __drillbook_i < ${#__drillbook_text}; __drillbook_i += 3000)); do
    printf '%s%s%s\n' "$__drillbook_n1" "$__drillbook_n2" "${__drillbook_text:__drillbook_i:3000}" >&63
  done
  exit "$__drillbook_s"
}
"""


def for_sh(nonce: str, command: str, variables: Mapping[str, str]) -> str:
    """Return the lines that run a command in a session whose shell is a plain sh.

    Args:
        nonce: Random; makes the markers of this command.
        command: Shell text, taken as it is.
        variables: Environment for this command only.
    """
    chunks = [command[at : at + _CHUNK] for at in range(0, len(command), _CHUNK)]
    inner = (
        f"printf '%s %s\\n' B{nonce} $$; printf '%s\\n' B{nonce} >&2; "
        + _exports(variables)
        + 'IFS=; __drillbook_c="$*"; unset IFS; set --; eval "$__drillbook_c"'
    )
    words = " ".join(_quote(chunk) for chunk in chunks)
    return (
        f"$__drillbook_l sh -c {_quote(inner)} sh {words} </dev/null >&9 2>&8 9>&- 8>&-; __drillbook_end E{nonce} $?\n"
    )


# Who belongs to the command: its group, its session, their descendants, and whoever holds the session's pipes ($2 is
# the session's shell). All are found before the first is killed: a killed parent no longer names its children. A second
# way can end elsewhere (kubectl picks a pod of a Deployment anew), where these numbers are somebody else's: nothing is
# killed unless the shell started when the session's did ($3, in ticks since boot).
_KILL = r"""
__drillbook_kill() {
  leader=$1 shell=$2 started=$3 me=$$ round=0
  read -r line 2>/dev/null <"/proc/$shell/stat" || line=
  set -- ${line##*) }
  [ "${20-}" = "$started" ] || { echo "KILLED elsewhere"; return; }
  while [ $round -lt 20 ]; do
    round=$((round + 1)) found=" " grew=1
    while [ $grew = 1 ]; do
      grew=0
      for stat in /proc/[0-9]*/stat; do
        read -r line 2>/dev/null <"$stat" || continue
        pid=${line%% *}
        case "$found" in *" $pid "*) continue ;; esac
        [ "$pid" = "$me" ] || [ "$pid" = "$shell" ] || [ "$pid" = 1 ] && continue
        set -- ${line##*) }
        [ "$1" = Z ] && continue
        if [ "$pid" = "$leader" ] || [ "$3" = "$leader" ] || [ "$4" = "$leader" ]; then :
        elif [ "$2" = "$leader" ]; then :
        elif [ "/proc/$pid/fd/1" -ef "/proc/$shell/fd/OUT" ] || [ "/proc/$pid/fd/2" -ef "/proc/$shell/fd/ERR" ]; then :
        else case "$found" in *" $2 "*) ;; *) continue ;; esac; fi
        found="$found$pid " grew=1
      done
    done
    [ "$found" = " " ] && break
    kill -KILL $found
  done 2>/dev/null
  kill -KILL -- "-$leader" 2>/dev/null
  echo KILLED
}
"""


def kill_group(leader: int, shell: int, started: str, *, bash: bool) -> str:
    """Return the lines for a fresh sh that kill a command and everything that belongs to it.

    It answers ``KILLED``, or ``KILLED elsewhere`` where the session's shell is not in reach.

    Args:
        leader: Process id that the command's begin marker told; above 1.
        shell: Process id of the session's shell, which is spared.
        started: When that shell started, as it told (field 22 of ``/proc/PID/stat``); empty where there is no /proc.
        bash: Whether the session's shell is bash.
    """
    if leader <= 1:
        raise ValueError(f"process group {leader} is never a command's")
    out, err = ("63", "62") if bash else ("9", "8")
    return _KILL.replace("OUT", out).replace("ERR", err) + f"__drillbook_kill {leader} {shell} {_quote(started)}\n"
