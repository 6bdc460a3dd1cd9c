#!/bin/sh
# Replaces the replicas by ones of the current image, one after the other: a new one is started,
# and when it is healthy an old one is told to stop, which drains first. Sessions are in Redis.
set -eu

compose() { docker compose --profile replicas "$@"; }

unhealthy() {
    compose ps --quiet replica \
        | xargs docker inspect --format '{{.State.Health.Status}}' | grep -cv '^healthy$'
}

old=$(compose ps --quiet replica)
count=$(echo "$old" | wc -l)
for container in $old; do
    compose up --detach --no-deps --no-build --no-recreate --scale replica=$((count + 1)) replica
    waited=0
    while [ "$(unhealthy)" != 0 ]; do
        waited=$((waited + 1))
        if [ "$waited" -gt 120 ]; then
            echo "upgrade: the new replica does not become healthy; the old ones go on" >&2
            exit 1
        fi
        sleep 1
    done
    docker stop --time 40 "$container" >/dev/null
    docker rm "$container" >/dev/null
    echo "replaced $container"
done
