# A Slurm cluster of three nodes on this host, for tests; `load slurm` brings it in. Everything is in one folder, and nothing of
# a cluster that the host may belong to is touched.
# shellcheck shell=bash

# why_no_cluster: prints why a cluster cannot be started here; fails if it can.
why_no_cluster() {
    local program missing=
    for program in munged slurmctld slurmd sbatch scontrol; do
        PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null || missing+=" $program"
    done
    if [[ -n $missing ]]; then
        echo "not installed:$missing (make slurm-deps)"
    elif ((EUID != 0)); then
        echo "Slurm's daemons start jobs as root only"
    else
        return 1
    fi
}

# configure FOLDER: a cluster with ports that are free at the moment.
configure() {
    local cluster=$1 host ports
    host=$(uname -n)
    mapfile -t ports < <(/usr/bin/python3 -c '
import socket
sockets = [socket.socket() for _ in range(4)]
for s in sockets:
    s.bind(("127.0.0.1", 0))
for s in sockets:
    print(s.getsockname()[1])')
    mkdir -m 755 "$cluster" "$cluster"/{state,spool-n1,spool-n2,spool-n3}
    head -c 64 /dev/urandom >"$cluster/munge.key"
    chmod 600 "$cluster/munge.key"
    # Nothing here uses cgroups; if slurmd has to find out their kind and there are none, it does not start.
    echo CgroupPlugin=cgroup/v1 >"$cluster/cgroup.conf"
    cat >"$cluster/slurm.conf" <<END
ClusterName=pipestill
SlurmctldHost=${host%%.*}(127.0.0.1)
SlurmctldPort=${ports[0]}
SlurmUser=root
AuthType=auth/munge
# A job that is requeued waits for as long as its old credential is good.
AuthInfo=socket=$cluster/munge.socket,cred_expire=5
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/spool-%n
SlurmctldPidFile=$cluster/slurmctld.pid
SlurmdPidFile=$cluster/slurmd-%n.pid
SlurmctldLogFile=$cluster/slurmctld.log
SlurmdLogFile=$cluster/slurmd-%n.log
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SlurmdTimeout=10
KillWait=2
ReturnToService=2
SlurmdParameters=config_overrides
PropagateResourceLimits=NONE
NodeName=n1 NodeHostname=${host%%.*} NodeAddr=127.0.0.1 Port=${ports[1]} CPUs=2
NodeName=n2 NodeHostname=${host%%.*} NodeAddr=127.0.0.1 Port=${ports[2]} CPUs=2
NodeName=n3 NodeHostname=${host%%.*} NodeAddr=127.0.0.1 Port=${ports[3]} CPUs=2
PartitionName=all Nodes=n1,n2,n3 Default=YES LLN=YES
END
}

# in_cluster FOLDER COMMAND…: runs a command of Slurm's for this cluster, for a minute at most.
in_cluster() {
    SLURM_CONF=$1/slurm.conf PATH=$PATH:/usr/sbin:/sbin timeout --foreground 60 "${@:2}"
}

# daemon FOLDER NAME COMMAND…: in the background, with its output in a file; it and all that it starts are recognised by
# SLURM_CONF in their environment.
daemon() {
    SLURM_CONF=$1/slurm.conf PST_NODE=$2 PATH=$PATH:/usr/sbin:/sbin "${@:3}" >"$1/$2.out" 2>&1 3>&- &
}

start_cluster() {
    local cluster=$1 node tries
    configure "$cluster"
    daemon "$cluster" munged munged --foreground --force --socket="$cluster/munge.socket" --key-file="$cluster/munge.key" \
        --pid-file="$cluster/munged.pid" --log-file="$cluster/munged.log" --seed-file="$cluster/munged.seed"
    for ((tries = 0; tries < 100; tries++)); do
        [[ ! -S $cluster/munge.socket ]] || break
        sleep 0.1
    done
    daemon "$cluster" slurmctld slurmctld -D -i
    for node in n1 n2 n3; do
        daemon "$cluster" "$node" slurmd -D -N "$node"
    done
    for ((tries = 0; tries < 60; tries++)); do
        [[ $(in_cluster "$cluster" sinfo --noheader --format=%T,%D 2>/dev/null) != idle,3 ]] || return 0
        sleep 0.5
    done
    echo "the cluster does not come up:"
    tail -n 5 "$cluster"/*.{out,log}
    return 1
}

# has_environment PROCESS WORD: the process has this NAME=VALUE in its environment.
has_environment() {
    grep -qzxF -- "$2" "/proc/$1/environ" 2>/dev/null
}

# processes FOLDER [NODE]: all processes of the cluster, or of one of its nodes. Daemons and jobs are recognised by
# their environment, but slurmstepd writes its title over that; it has its node's log open.
processes() {
    local cluster=$1 node=${2-} folder process
    for folder in /proc/[0-9]*; do
        process=${folder#/proc/}
        if [[ $(cat "$folder/comm" 2>/dev/null) == slurmstepd ]]; then
            [[ -z $(find "$folder/fd" -lname "$cluster/slurmd-${node:-n*}.log" 2>/dev/null) ]] || echo "$process"
        elif has_environment "$process" "SLURM_CONF=$cluster/slurm.conf"; then
            [[ -n $node ]] && ! has_environment "$process" "PST_NODE=$node" &&
                ! has_environment "$process" "SLURMD_NODENAME=$node" || echo "$process"
        fi
    done
}

# kill_node FOLDER NODE: as if its power were cut: kills the daemon and everything that runs there, so that none can report
# another's end.
kill_node() {
    local found
    mapfile -t found < <(processes "$1" "$2")
    kill -STOP "${found[@]}"
    kill -KILL "${found[@]}"
}

# stop_cluster FOLDER: ends all of it, and all jobs.
stop_cluster() {
    local tries found
    for ((tries = 0; tries < 20; tries++)); do
        mapfile -t found < <(processes "$1")
        ((${#found[@]} > 0)) || return 0
        kill -KILL "${found[@]}" 2>/dev/null || true
        sleep 0.1
    done
    echo "still there: ${found[*]}"
    return 1
}
