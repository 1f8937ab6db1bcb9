# What the first processes of replicas' hosts share (a Docker host, a Kubernetes node); sourced, never run.
set -euo pipefail
state=/var/lib/drillbook
run=${DRILLBOOK_RUN:-none}
project=/srv/${DRILLBOOK_PROJECT:-project}

say() { echo "drillbook: $*"; }

# cgroup v1: the tree is the machine's own, so what is made in it stays behind unless it is removed here.
thaw() { # a frozen task cannot be killed there
  local state_file
  for state_file in $(find /sys/fs/cgroup/freezer/drillbook/"$1" -name freezer.state 2>/dev/null || true); do
    echo THAWED >"$state_file" || true
  done
}

remove_groups() { # RUN kill|keep: end what still runs in them, or wait for it
  local folder left
  for _ in $(seq 150); do
    left=$(find /sys/fs/cgroup/*/drillbook/"$1" -depth -type d 2>/dev/null || true)
    [ -n "$left" ] || break
    while read -r folder; do
      [ "$2" = keep ] || xargs -rn1 kill -9 <"$folder/cgroup.procs" 2>/dev/null || true
      rmdir "$folder" 2>/dev/null || true
    done <<<"$left"
    [ -z "$(find /sys/fs/cgroup/*/drillbook/"$1" -maxdepth 0 2>/dev/null || true)" ] || sleep 0.02
  done
  rmdir /sys/fs/cgroup/*/drillbook 2>/dev/null || true
  [ -z "$left" ]
}

finish() {
  trap '' TERM INT
  thaw "$run"
  kill -9 -1 2>/dev/null || true
  remove_groups "$run" keep
  exit
}

# sweep keep|kill RUN…: for another host that could not do it itself.
sweep() {
  local how=$1 one
  shift
  for one; do
    [ "$how" = keep ] || thaw "$one"
    remove_groups "$one" "$how" || { say "cgroup folders of $one cannot be removed"; exit 45; }
  done
}

# What the engine outside covers or mounts read-only in /proc and /sys. Docker's own command can ask it not to, a client
# of its API cannot.
unmask() {
  local place
  awk '$5 ~ "^/(proc|sys/firmware)" && $5 != "/proc" { print $5 }' /proc/self/mountinfo | while read -r place; do
    umount "$place" 2>/dev/null || true
  done
}

# A signal is heeded while bash waits, and only after a command in the foreground.
attended() { "$@" </dev/null & wait $!; }

# hand_on GROUP: lets the groups below a cgroup v2 group use all controllers.
hand_on() { sed -e 's/ / +/g' -e 's/^/+/' <"$1/cgroup.controllers" >"$1/cgroup.subtree_control"; }

# cgroup v2 in a namespace of its own: a group that hands controllers on must not hold processes itself.
delegate_groups() {
  [ -f /sys/fs/cgroup/cgroup.controllers ] || return 0
  mkdir -p /sys/fs/cgroup/init
  for _ in $(seq 20); do
    xargs -rn1 </sys/fs/cgroup/cgroup.procs >/sys/fs/cgroup/init/cgroup.procs 2>/dev/null || true
    if hand_on /sys/fs/cgroup 2>/dev/null; then return 0; fi
  done
  say "the cgroup controllers cannot be handed on"
  exit 43
}

# start_services: runs what the replica's author said, in the project's folder.
start_services() {
  mkdir -p "$project" && cd "$project"
  if attended bash -c "${DRILLBOOK_START:-true}" >/var/log/replica-start.log 2>&1; then say "services started"; else
    say "the start command failed with exit status $?"
    tail -n 20 /var/log/replica-start.log
  fi
}

# run_prepare: puts the fixture's project into its place and runs the fixture's own preparation there.
run_prepare() {
  mkdir -p "$project"
  [ ! -d /fixture/project ] || cp -a /fixture/project/. "$project/"
  cd "$project"
  if [ -f /fixture/prepare ]; then
    say "running prepare"
    attended timeout 300 bash -euo pipefail /fixture/prepare
  fi
}

# declare_complete: the cache counts as prepared with this file only.
declare_complete() {
  remove_groups "$run" keep
  sync
  touch "$state/complete"
  sync
  say "prepared"
}
