-- +goose Up

-- Blocks of identifiers handed to masters, so that an attempt has its id before it is written.
CREATE TABLE id_block (
    name TEXT NOT NULL PRIMARY KEY,
    next BIGINT NOT NULL
) WITHOUT ROWID;
INSERT INTO id_block (name, next) VALUES ('task_instance', 1);

-- A live or former master process. epoch rises when a successor takes over: what a fenced master still writes is refused.
CREATE TABLE master (
    name       TEXT NOT NULL PRIMARY KEY,
    epoch      BIGINT NOT NULL,
    started_at TIMESTAMP NOT NULL
) WITHOUT ROWID;

CREATE TABLE workflow_instance (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    name             TEXT NOT NULL,
    workflow_code    BIGINT NOT NULL,
    workflow_version INTEGER NOT NULL,
    workflow_name    TEXT NOT NULL,
    project_code     BIGINT NOT NULL,
    state            TEXT NOT NULL,
    state_history    TEXT NOT NULL DEFAULT '[]',
    command_type     TEXT NOT NULL,
    command_param    TEXT NOT NULL DEFAULT '{}',
    history_cmd      TEXT NOT NULL DEFAULT '',
    task_depend_type TEXT NOT NULL DEFAULT 'TASK_POST',
    failure_strategy TEXT NOT NULL DEFAULT 'CONTINUE',
    warning_type     TEXT NOT NULL DEFAULT 'NONE',
    warning_group_id BIGINT NOT NULL DEFAULT 0,
    priority         TEXT NOT NULL DEFAULT 'MEDIUM',
    worker_group     TEXT NOT NULL DEFAULT 'default',
    tenant_code      TEXT NOT NULL DEFAULT 'default',
    environment_code BIGINT NOT NULL DEFAULT -1,
    executor_id      BIGINT NOT NULL,
    executor_name    TEXT NOT NULL,
    dry_run          BOOLEAN NOT NULL DEFAULT FALSE,
    test_flag        INTEGER NOT NULL DEFAULT 0,
    is_sub_workflow  BOOLEAN NOT NULL DEFAULT FALSE,
    recovery         BOOLEAN NOT NULL DEFAULT FALSE,
    run_times        INTEGER NOT NULL DEFAULT 1,
    timeout_minutes  INTEGER NOT NULL DEFAULT 0,
    time_zone        TEXT NOT NULL DEFAULT 'UTC',
    global_params    TEXT NOT NULL DEFAULT '[]',
    var_pool         TEXT NOT NULL DEFAULT '[]',
    message          TEXT NOT NULL DEFAULT '',
    host             TEXT NOT NULL DEFAULT '',
    owner            TEXT NOT NULL DEFAULT '',
    owner_epoch      BIGINT NOT NULL DEFAULT 0,
    schedule_time    TIMESTAMP,
    start_time       TIMESTAMP NOT NULL,
    restart_time     TIMESTAMP,
    end_time         TIMESTAMP,
    idempotency_key  TEXT,
    created_at       TIMESTAMP NOT NULL,
    updated_at       TIMESTAMP NOT NULL,
    CONSTRAINT uq_workflow_instance_idempotency_key UNIQUE (idempotency_key)
);
CREATE INDEX ix_workflow_instance_project ON workflow_instance (project_code, start_time);
CREATE INDEX ix_workflow_instance_definition ON workflow_instance (workflow_code, schedule_time);
CREATE INDEX ix_workflow_instance_active ON workflow_instance (owner)
    WHERE state NOT IN ('SUCCESS', 'FAILURE', 'STOP', 'PAUSE');

-- No foreign key here or in command: a check per row is paid on the hot path; instance deletion removes both.
-- One row per attempt. valid is the DS flag: at most one valid row per (workflow instance, task).
CREATE TABLE task_instance (
    id                   INTEGER PRIMARY KEY,
    workflow_instance_id BIGINT NOT NULL,
    project_code         BIGINT NOT NULL,
    task_code            BIGINT NOT NULL,
    task_version         INTEGER NOT NULL,
    name                 TEXT NOT NULL,
    task_type            TEXT NOT NULL,
    state                TEXT NOT NULL,
    valid                BOOLEAN NOT NULL DEFAULT TRUE,
    attempt              INTEGER NOT NULL DEFAULT 0,
    max_retry_times      INTEGER NOT NULL DEFAULT 0,
    worker_group         TEXT NOT NULL DEFAULT 'default',
    priority             TEXT NOT NULL DEFAULT 'MEDIUM',
    host                 TEXT NOT NULL DEFAULT '',
    pid                  INTEGER NOT NULL DEFAULT 0,
    exit_code            INTEGER,
    log_path             TEXT NOT NULL DEFAULT '',
    execute_path         TEXT NOT NULL DEFAULT '',
    app_link             TEXT NOT NULL DEFAULT '',
    var_pool             TEXT NOT NULL DEFAULT '[]',
    message              TEXT NOT NULL DEFAULT '',
    first_submit_time    TIMESTAMP NOT NULL,
    submit_time          TIMESTAMP NOT NULL,
    due_time             TIMESTAMP,
    start_time           TIMESTAMP,
    end_time             TIMESTAMP
);
CREATE INDEX ix_task_instance_workflow ON task_instance (workflow_instance_id);
CREATE INDEX ix_task_instance_project ON task_instance (project_code, submit_time);

-- A request to a master. workflow_instance_id is always set: the instance is inserted with its command.
CREATE TABLE command (
    id                   INTEGER PRIMARY KEY AUTOINCREMENT,
    command_type         TEXT NOT NULL,
    workflow_instance_id BIGINT NOT NULL,
    priority             INTEGER NOT NULL DEFAULT 2,
    param                TEXT NOT NULL DEFAULT '{}',
    executor_id          BIGINT NOT NULL,
    created_at           TIMESTAMP NOT NULL
);
CREATE INDEX ix_command_priority ON command (priority, id);
CREATE INDEX ix_command_instance ON command (workflow_instance_id);

CREATE TABLE error_command (
    id                   INTEGER PRIMARY KEY,
    command_type         TEXT NOT NULL,
    workflow_instance_id BIGINT NOT NULL,
    param                TEXT NOT NULL,
    executor_id          BIGINT NOT NULL,
    message              TEXT NOT NULL,
    created_at           TIMESTAMP NOT NULL,
    failed_at            TIMESTAMP NOT NULL
);

-- +goose Down
DROP TABLE error_command;
DROP TABLE command;
DROP TABLE task_instance;
DROP TABLE workflow_instance;
DROP TABLE master;
DROP TABLE id_block;
