# What the scripts of the cluster share. One cluster is one state directory; all that belongs to it is found by that.
repo="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
here="$repo/tools/cluster"
bin="$repo/tools/bin"
images="${ORLOP_IMAGES:-$repo/target/images}"
state="${ORLOP_CLUSTER:-$repo/target/cluster}"
pki="$state/pki"
nodes=(n1 n2)

# The first address of services is the API server's own, so that what runs in a pod finds it without kube-proxy.
service=10.96.0.1
services=10.96.0.0/16
# The control plane is .1 on the bridge that joins the nodes; node N is .1N, and its pods are in 10.244.N.0/24.
address=172.31.0.1
address_of() { echo "172.31.0.1${1#n}"; }
pods_of() { echo "10.244.${1#n}.0/24"; }
# A kubelet ends all pods below its cgroup that it does not know: each has one of its own.
cgroup_of() { echo "orlop-$(cksum <<<"$state" | cut -d' ' -f1)-$1"; }

export PATH="$bin:$PATH:/usr/sbin:/sbin"
export KUBECONFIG="$pki/admin.kubeconfig"

# Starts a program in the background and starts it again whenever it ends, as systemd does on a real node.
keep() {
  local name="$1"
  shift
  (
    while :; do
      "$@" >>"$logs/$name" 2>&1 &
      echo $! >"$logs/$name.pid"
      wait $! || true
      echo "ended: $name; it is started again" >>"$logs/$name"
      # One that cannot start must not use up the machine.
      sleep 0.2
    done
  ) &
}

# Waits until the command succeeds: until_true WHAT SECONDS COMMAND…
until_true() {
  local what="$1" end=$((SECONDS + $2))
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || { echo "not in time: $what" >&2; return 1; }
    sleep 0.1
  done
}

# Prints the process 1 of the control plane, or of a node, as it is seen from out here.
pid_of() {
  local pid
  for pid in $(pgrep -f -x "bash $here/$(script_of "$1") $state $1"); do
    # Its own children have the same command line until they start a program.
    [ "$(awk '/^NSpid/ {print $NF}' "/proc/$pid/status" 2>/dev/null)" = 1 ] && echo "$pid" && return
  done
  return 1
}
script_of() { [ "$1" = control-plane ] && echo control-plane || echo node; }

# Starts process 1 of the control plane or of a node, in namespaces of its own.
start() {
  local what="$1" within=()
  [ "$what" = control-plane ] || within=(nsenter -t "$(pid_of control-plane)" -m -n -p --wd="$PWD" --)
  mkdir -p "$state/$what/log"
  # What runs in there for long must not hold what this script was given.
  "${within[@]}" setsid unshare --mount --net --pid --uts --fork --mount-proc \
    bash "$here/$(script_of "$what")" "$state" "$what" >>"$state/$what/log/init" 2>&1 </dev/null 9>&- &
  until_true "$what begins" 10 pid_of "$what"
}

gone() { ! kill -0 "$1"; }

no_cgroup() {
  find /sys/fs/cgroup/*/"$1" -depth -type d -exec rmdir {} + 2>/dev/null
  ! compgen -G "/sys/fs/cgroup/*/$1"
}
