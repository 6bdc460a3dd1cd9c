"""What Redis refuses, and what to do about it."""

from redis.exceptions import RedisError, ResponseError

from service.errors import StoreError, StoreFull

_ADVICE = {
    "MISCONF": "Redis cannot write its own files; look at its log and its disk",
    "READONLY": "this Redis is a replica now; point the service at the master",
    "MASTERDOWN": "this Redis is a replica without a master; look at its replication",
    "NOREPLICAS": "Redis waits for replicas (min-replicas-to-write); look at its replication",
    "LOADING": "Redis is loading its data; it will be there when that is done",
    "BUSY": "Redis is busy with a script; look for another application's",
    "CLUSTERDOWN": "some of the cluster's slots have no node; look at CLUSTER INFO, "
    "and set cluster-require-full-coverage no so that the others go on",
    "TRYAGAIN": "the cluster is moving this slot to another node; try again",
    "MOVED": "this Redis is part of a cluster; use redis-cluster://",
    "CROSSSLOT": "this Redis is part of a cluster; use redis-cluster://",
    "ERR This instance has cluster support disabled": "use redis://",
    "WRONGTYPE": "another application keeps a key named gatewise:… here; use another database",
    "NOAUTH": "Redis asks for a password; put it into the URL",
    "WRONGPASS": "Redis does not take this user and password; check the URL",
    "NOPERM": "let this Redis user run INFO, PING, TIME, EVAL, EVALSHA and all commands on keys "
    "gatewise:*, in a cluster also CLUSTER SLOTS and ASKING",
    "SCHEMA": "a newer release has changed what is kept here; run that release",
}


def answer_of(error: RedisError) -> str:
    """What Redis answered, such as `OOM command not allowed …`; nothing when it did not answer."""
    if error.status_code is not None:
        return f"{error.status_code} {error}"
    return str(error) if isinstance(error, ResponseError) else ""


def refusal(answer: str, where: str) -> StoreError:
    """The error for what Redis answered; nothing was changed."""
    code = answer.split(" ", 1)[0]
    if code == "OOM":
        return StoreFull(
            f"{where} is full (maxmemory is reached); give it more memory, delete sessions "
            "or let them expire"
        )
    advice = _ADVICE.get(code) or _ADVICE.get(answer)
    return StoreError(f"{where}: {answer}" + (f" – {advice}" if advice else ""))
