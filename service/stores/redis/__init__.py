"""Sessions in Redis or a Redis Cluster: any number of replicas of the service share them.

Commands go over plain connections of redis-py. Its clients send a command a second time when the
connection fails, its cluster pipeline even with retries switched off; a change must never be sent
twice by itself, since the first one may have been made.
"""
