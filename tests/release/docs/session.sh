# What stands around the blocks of a page: a server is started in the background, waited for, and
# stopped when another one wants its port, or at the end.
set -Eeuo pipefail
trap 'for port in "$servers"/*.pid; do stop "$(basename "$port" .pid)"; done' EXIT
trap 'echo "FAILED ($?) in the block at $block: $BASH_COMMAND" >&2' ERR

start() { # port, path, command
    local port=$1 path=$2 log
    stop "$port"
    log="$servers/$port.log"
    set -m # a process group of its own
    eval "$3" >"$log" 2>&1 </dev/null &
    set +m
    echo $! >"$servers/$port.pid"
    until curl --silent --fail --max-time 5 --output /dev/null "http://127.0.0.1:$port$path"; do
        if ! kill -0 "$(cat "$servers/$port.pid")" 2>/dev/null; then
            echo "FAILED in the block at $block: the server ended: $3" >&2
            tail -n 40 "$log" >&2
            exit 1
        fi
        sleep 0.1
    done
}

stop() { # port
    local pid
    [ -e "$servers/$1.pid" ] || return 0
    pid=$(cat "$servers/$1.pid")
    kill -TERM -- "-$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    while (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do sleep 0.1; done # the old one's end
    rm "$servers/$1.pid"
}
