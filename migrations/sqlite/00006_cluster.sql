-- +goose Up

-- Slots of task groups, and who waits for one. Any master grants, under a lock on the row of task_group.
CREATE TABLE task_group_slot (
    task_instance_id     BIGINT PRIMARY KEY,
    workflow_instance_id BIGINT NOT NULL,
    task_group_id        BIGINT NOT NULL,
    priority             INTEGER NOT NULL DEFAULT 0,
    granted              BOOLEAN NOT NULL DEFAULT FALSE,
    queued_at            TIMESTAMP NOT NULL
);
CREATE INDEX ix_task_group_slot_task_group_id ON task_group_slot (task_group_id);

-- What administrators want of a worker, whatever process it is at the moment.
CREATE TABLE worker_setting (
    name       TEXT PRIMARY KEY,
    drained    BOOLEAN NOT NULL DEFAULT FALSE,
    updated_by BIGINT NOT NULL DEFAULT 0,
    updated_at TIMESTAMP NOT NULL
);

-- What happened to masters and workers, for the Monitor page.
CREATE TABLE cluster_event (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    at         TIMESTAMP NOT NULL,
    kind       TEXT NOT NULL,
    node_kind  TEXT NOT NULL,
    node       TEXT NOT NULL,
    by_node    TEXT NOT NULL DEFAULT '',
    workflows  INTEGER NOT NULL DEFAULT 0,
    tasks      INTEGER NOT NULL DEFAULT 0,
    took_ms    BIGINT NOT NULL DEFAULT 0,
    detail     TEXT NOT NULL DEFAULT ''
);
CREATE INDEX ix_cluster_event_at ON cluster_event (at);

-- One figure of each node a minute, for a day.
CREATE TABLE node_sample (
    node_kind TEXT NOT NULL,
    node      TEXT NOT NULL,
    at        TIMESTAMP NOT NULL,
    cpu       REAL NOT NULL,
    memory    REAL NOT NULL,
    disk      REAL NOT NULL,
    load      REAL NOT NULL,
    running   INTEGER NOT NULL,
    slots     INTEGER NOT NULL,
    PRIMARY KEY (node_kind, node, at)
);

-- The registry for those who want no ZooKeeper (modules/cluster/pg).
CREATE TABLE registry_session (
    id         TEXT PRIMARY KEY,
    timeout_ms BIGINT NOT NULL,
    expires_at TIMESTAMP NOT NULL
);
CREATE TABLE registry_node (
    path       TEXT PRIMARY KEY,
    session_id TEXT NOT NULL DEFAULT '',
    value      TEXT NOT NULL DEFAULT '',
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
CREATE INDEX ix_registry_node_session_id ON registry_node (session_id);

-- What belongs to the installation, by name: cluster_id tells two clusters in one registry apart, schema_minimum is the
-- oldest schema that a program must know to work on this database (CONTRIBUTING.md, "Migrations").
CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
INSERT INTO setting (name, value) VALUES ('schema_minimum', '6');

-- Without end_time in its condition: a row whose indexed columns stay the same is updated in its page alone, and the end of
-- a task is the most frequent update of all.
DROP INDEX ix_task_instance_group;
CREATE INDEX ix_task_instance_group ON task_instance (task_group_id) WHERE task_group_id <> 0;

-- +goose Down
DROP INDEX ix_task_instance_group;
CREATE INDEX ix_task_instance_group ON task_instance (task_group_id) WHERE task_group_id <> 0 AND end_time IS NULL;
DROP TABLE setting;
DROP TABLE registry_node;
DROP TABLE registry_session;
DROP TABLE node_sample;
DROP TABLE cluster_event;
DROP TABLE worker_setting;
DROP TABLE task_group_slot;
