-- +goose Up

-- A named set of workers. addresses lists the workers by name, comma separated; empty = whoever says it serves the group.
CREATE TABLE worker_group (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL,
    addresses   TEXT NOT NULL DEFAULT '',
    description TEXT NOT NULL DEFAULT '',
    created_at  TIMESTAMP NOT NULL,
    updated_at  TIMESTAMP NOT NULL,
    CONSTRAINT uq_worker_group_name UNIQUE (name)
);

-- Which groups a project may use; none = all.
CREATE TABLE project_worker_group (
    project_code BIGINT NOT NULL REFERENCES project (code) ON DELETE CASCADE,
    worker_group TEXT NOT NULL,
    PRIMARY KEY (project_code, worker_group)
);

-- config is shell source that stands before a task's script.
CREATE TABLE environment (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    code        BIGINT NOT NULL,
    name        TEXT NOT NULL,
    config      TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    operator_id BIGINT NOT NULL,
    created_at  TIMESTAMP NOT NULL,
    updated_at  TIMESTAMP NOT NULL,
    CONSTRAINT uq_environment_code UNIQUE (code),
    CONSTRAINT uq_environment_name UNIQUE (name)
);

CREATE TABLE environment_worker_group (
    environment_code BIGINT NOT NULL REFERENCES environment (code) ON DELETE CASCADE,
    worker_group     TEXT NOT NULL,
    PRIMARY KEY (environment_code, worker_group)
);
CREATE INDEX ix_environment_worker_group_name ON environment_worker_group (worker_group);

CREATE TABLE project_parameter (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    code         BIGINT NOT NULL,
    project_code BIGINT NOT NULL REFERENCES project (code) ON DELETE CASCADE,
    name         TEXT NOT NULL,
    value        TEXT NOT NULL,
    data_type    TEXT NOT NULL,
    creator_id   BIGINT NOT NULL,
    modifier_id  BIGINT NOT NULL,
    created_at   TIMESTAMP NOT NULL,
    updated_at   TIMESTAMP NOT NULL,
    CONSTRAINT uq_project_parameter_code UNIQUE (code),
    CONSTRAINT uq_project_parameter_project_code_name UNIQUE (project_code, name)
);

-- What a project suggests for new tasks, runs and schedules; body is a JSON object.
CREATE TABLE project_preference (
    project_code BIGINT PRIMARY KEY REFERENCES project (code) ON DELETE CASCADE,
    code         BIGINT NOT NULL,
    enabled      BOOLEAN NOT NULL,
    body         TEXT NOT NULL,
    operator_id  BIGINT NOT NULL,
    created_at   TIMESTAMP NOT NULL,
    updated_at   TIMESTAMP NOT NULL
);

-- Who uses a slot is not written here: it follows from the attempts (task_instance.task_group_id). project_code 0 = all.
CREATE TABLE task_group (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    name         TEXT NOT NULL,
    description  TEXT NOT NULL DEFAULT '',
    group_size   INTEGER NOT NULL,
    project_code BIGINT NOT NULL DEFAULT 0,
    status       INTEGER NOT NULL DEFAULT 1, -- 1 counts, 0 is closed: no limit
    user_id      BIGINT NOT NULL,
    created_at   TIMESTAMP NOT NULL,
    updated_at   TIMESTAMP NOT NULL,
    CONSTRAINT uq_task_group_name UNIQUE (name)
);

-- Who hears of what happened. Group 1 is the administrators'.
CREATE TABLE alert_group (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    user_id     BIGINT NOT NULL DEFAULT 0,
    created_at  TIMESTAMP NOT NULL,
    updated_at  TIMESTAMP NOT NULL,
    CONSTRAINT uq_alert_group_name UNIQUE (name)
);
INSERT INTO alert_group (name, description, created_at, updated_at)
VALUES ('default admin warning group', 'default admin warning group', '2026-01-01 00:00:00Z', '2026-01-01 00:00:00Z');

-- The outbox: written in the transaction of the change it tells of. task_instance_id 0 = the workflow instance itself.
CREATE TABLE alert (
    id                   INTEGER PRIMARY KEY AUTOINCREMENT,
    event_key            TEXT NOT NULL, -- "<workflow instance>:<run times>:<alert type>:<task instance>"
    alert_type           TEXT NOT NULL,
    workflow_instance_id BIGINT NOT NULL,
    run_times            INTEGER NOT NULL,
    task_instance_id     BIGINT NOT NULL DEFAULT 0,
    title                TEXT NOT NULL,
    content              TEXT NOT NULL,
    warning_type         TEXT NOT NULL,
    alert_group_id       BIGINT NOT NULL,
    project_code         BIGINT NOT NULL,
    workflow_code        BIGINT NOT NULL,
    status               TEXT NOT NULL DEFAULT 'WAIT_EXECUTION',
    log                  TEXT NOT NULL DEFAULT '',
    created_at           TIMESTAMP NOT NULL,
    updated_at           TIMESTAMP NOT NULL,
    CONSTRAINT uq_alert_event_key UNIQUE (event_key)
);
CREATE INDEX ix_alert_status ON alert (status, id);
CREATE INDEX ix_alert_project ON alert (project_code, id);

-- Days on which a business works or not, beside its weekend ("SAT,SUN").
CREATE TABLE calendar (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    weekend     TEXT NOT NULL DEFAULT 'SAT,SUN',
    operator_id BIGINT NOT NULL,
    created_at  TIMESTAMP NOT NULL,
    updated_at  TIMESTAMP NOT NULL,
    CONSTRAINT uq_calendar_name UNIQUE (name)
);

-- day is YYYY-MM-DD; kind: HOLIDAY, or WORKDAY for a make-up day.
CREATE TABLE calendar_day (
    calendar_id BIGINT NOT NULL REFERENCES calendar (id) ON DELETE CASCADE,
    day         TEXT NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('HOLIDAY', 'WORKDAY')),
    note        TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (calendar_id, day)
);

CREATE TABLE schedule (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    project_code      BIGINT NOT NULL,
    workflow_code     BIGINT NOT NULL REFERENCES workflow_definition (code) ON DELETE CASCADE,
    name              TEXT NOT NULL DEFAULT '',
    start_time        TIMESTAMP NOT NULL,
    end_time          TIMESTAMP NOT NULL,
    time_zone         TEXT NOT NULL,
    crontab           TEXT NOT NULL,
    misfire_policy    TEXT NOT NULL DEFAULT 'FIRE_ALL_MISSED',
    calendar_id       BIGINT REFERENCES calendar (id),
    calendar_policy   TEXT NOT NULL DEFAULT 'SKIP',
    done_by           TEXT NOT NULL DEFAULT '', -- "08:00", "1d 08:00": the alert when a run is not over by then; '' = none
    failure_strategy  TEXT NOT NULL DEFAULT 'CONTINUE',
    warning_type      TEXT NOT NULL DEFAULT 'NONE',
    warning_group_id  BIGINT NOT NULL DEFAULT 0,
    priority          TEXT NOT NULL DEFAULT 'MEDIUM',
    worker_group      TEXT NOT NULL DEFAULT 'default',
    tenant_code       TEXT NOT NULL DEFAULT 'default',
    environment_code  BIGINT NOT NULL DEFAULT -1,
    start_params      TEXT NOT NULL DEFAULT '[]',
    release_state     TEXT NOT NULL DEFAULT 'OFFLINE' CHECK (release_state IN ('ONLINE', 'OFFLINE')),
    wish_online       BOOLEAN NOT NULL DEFAULT FALSE, -- was online when its workflow was taken offline
    online_at         TIMESTAMP, -- fires before are never caught up
    revision          INTEGER NOT NULL DEFAULT 1,
    user_id           BIGINT NOT NULL REFERENCES users (id),
    created_at        TIMESTAMP NOT NULL,
    updated_at        TIMESTAMP NOT NULL
);
CREATE INDEX ix_schedule_workflow ON schedule (workflow_code);
CREATE INDEX ix_schedule_project ON schedule (project_code, id);
CREATE INDEX ix_schedule_online ON schedule (id) WHERE release_state = 'ONLINE';

-- A fire that happened. The key makes a second one impossible, whoever tries.
CREATE TABLE schedule_fire (
    schedule_id          BIGINT NOT NULL,
    fire_time            TIMESTAMP NOT NULL,
    workflow_instance_id BIGINT NOT NULL DEFAULT 0, -- 0: skipped
    PRIMARY KEY (schedule_id, fire_time)
);

-- Every fire due until then was made or skipped; what lies between it and now was missed.
CREATE TABLE schedule_mark (
    name        TEXT PRIMARY KEY,
    fired_until TIMESTAMP NOT NULL
);

-- A range of dates to be run again, as a plan that is visible before, while and after it is carried out.
CREATE TABLE backfill (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    project_code   BIGINT NOT NULL,
    workflow_code  BIGINT NOT NULL,
    workflow_version INTEGER NOT NULL,
    parent_id      BIGINT, -- the backfill this one depends on
    state          TEXT NOT NULL,
    width          INTEGER NOT NULL, -- how many dates run at once
    run_order      TEXT NOT NULL,
    failure_policy TEXT NOT NULL,
    request        TEXT NOT NULL, -- the start request that every date shares, JSON
    user_id        BIGINT NOT NULL,
    user_name      TEXT NOT NULL,
    created_at     TIMESTAMP NOT NULL,
    updated_at     TIMESTAMP NOT NULL,
    ended_at       TIMESTAMP
);
CREATE INDEX ix_backfill_project ON backfill (project_code, id);
CREATE INDEX ix_backfill_workflow ON backfill (workflow_code, id);
CREATE INDEX ix_backfill_active ON backfill (state) WHERE ended_at IS NULL;

-- One date of a backfill. Dates of one chain run one after the other, in the order of position.
CREATE TABLE backfill_date (
    backfill_id          BIGINT NOT NULL REFERENCES backfill (id) ON DELETE CASCADE,
    position             INTEGER NOT NULL,
    chain                INTEGER NOT NULL,
    schedule_time        TIMESTAMP NOT NULL,
    state                TEXT NOT NULL,
    workflow_instance_id BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (backfill_id, position)
);
CREATE INDEX ix_backfill_date_instance ON backfill_date (workflow_instance_id);

-- Instances of a workflow that must not overlap, in the order in which they were triggered. The row goes when the
-- instance ends. state: WAITING or LAUNCHED.
CREATE TABLE serial_queue (
    id                   INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_code        BIGINT NOT NULL,
    workflow_instance_id BIGINT NOT NULL,
    execution_type       TEXT NOT NULL,
    command_type         TEXT NOT NULL,
    state                TEXT NOT NULL,
    created_at           TIMESTAMP NOT NULL,
    CONSTRAINT uq_serial_queue_workflow_instance_id UNIQUE (workflow_instance_id)
);
CREATE INDEX ix_serial_queue_workflow ON serial_queue (workflow_code, id);
-- The database itself keeps two from running at once.
CREATE UNIQUE INDEX ux_serial_queue_launched ON serial_queue (workflow_code) WHERE state = 'LAUNCHED';

-- The instances that a task of another instance started.
CREATE TABLE instance_link (
    parent_instance_id      BIGINT NOT NULL,
    parent_task_instance_id BIGINT NOT NULL,
    parent_task_code        BIGINT NOT NULL,
    child_instance_id       BIGINT NOT NULL,
    position                INTEGER NOT NULL DEFAULT 0, -- of the element, for a task over a list
    element                 TEXT NOT NULL DEFAULT '', -- JSON
    PRIMARY KEY (parent_instance_id, parent_task_code, child_instance_id)
);
CREATE INDEX ix_instance_link_child ON instance_link (child_instance_id);
CREATE INDEX ix_instance_link_task ON instance_link (parent_task_instance_id, position);

-- What the current version of a workflow refers to. dependent_task_code: 0 the workflow as a whole, -1 all its tasks.
CREATE TABLE workflow_lineage (
    workflow_code           BIGINT NOT NULL REFERENCES workflow_definition (code) ON DELETE CASCADE,
    task_code               BIGINT NOT NULL,
    position                INTEGER NOT NULL,
    kind                    TEXT NOT NULL CHECK (kind IN ('DEPENDENT', 'SUB_WORKFLOW')),
    dependent_project_code  BIGINT NOT NULL,
    dependent_workflow_code BIGINT NOT NULL,
    dependent_task_code     BIGINT NOT NULL,
    PRIMARY KEY (workflow_code, task_code, position)
);
CREATE INDEX ix_workflow_lineage_on ON workflow_lineage (dependent_workflow_code);

-- A decision that a run waits for. state: WAITING, APPROVED, REJECTED, EXPIRED, CANCELLED.
CREATE TABLE approval (
    task_instance_id     INTEGER PRIMARY KEY,
    workflow_instance_id BIGINT NOT NULL,
    project_code         BIGINT NOT NULL,
    question             TEXT NOT NULL DEFAULT '',
    role                 TEXT NOT NULL,
    state                TEXT NOT NULL,
    expires_at           TIMESTAMP,
    comment              TEXT NOT NULL DEFAULT '',
    decided_by           BIGINT NOT NULL DEFAULT 0,
    decided_name         TEXT NOT NULL DEFAULT '',
    decided_at           TIMESTAMP,
    created_at           TIMESTAMP NOT NULL
);
CREATE INDEX ix_approval_project ON approval (project_code, state);
CREATE INDEX ix_approval_instance ON approval (workflow_instance_id);

-- What tasks that the engine carries out itself say of their work, some lines a row.
CREATE TABLE task_log (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    task_instance_id BIGINT NOT NULL,
    lines            TEXT NOT NULL
);
CREATE INDEX ix_task_log_task ON task_log (task_instance_id, id);

-- Named sets of start parameters.
CREATE TABLE run_preset (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_code BIGINT NOT NULL REFERENCES workflow_definition (code) ON DELETE CASCADE,
    name          TEXT NOT NULL,
    body          TEXT NOT NULL,
    user_id       BIGINT NOT NULL,
    created_at    TIMESTAMP NOT NULL,
    updated_at    TIMESTAMP NOT NULL,
    CONSTRAINT uq_run_preset_workflow_code_name UNIQUE (workflow_code, name)
);

ALTER TABLE workflow_instance ADD COLUMN deadline TIMESTAMP;

ALTER TABLE task_instance ADD COLUMN context TEXT NOT NULL DEFAULT ''; -- what a logic task must remember, JSON
ALTER TABLE task_instance ADD COLUMN cache_key TEXT NOT NULL DEFAULT '';
ALTER TABLE task_instance ADD COLUMN task_group_id BIGINT NOT NULL DEFAULT 0;
ALTER TABLE task_instance ADD COLUMN task_group_priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE task_instance ADD COLUMN force_start BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE task_instance ADD COLUMN environment_code BIGINT NOT NULL DEFAULT -1;
CREATE INDEX ix_task_instance_cache ON task_instance (cache_key) WHERE cache_key <> '';
CREATE INDEX ix_task_instance_group ON task_instance (task_group_id) WHERE task_group_id <> 0 AND end_time IS NULL;

-- What keeps an environment and a task group from being deleted.
ALTER TABLE task_definition ADD COLUMN environment_code BIGINT NOT NULL DEFAULT -1;
ALTER TABLE task_definition ADD COLUMN task_group_id BIGINT NOT NULL DEFAULT 0;
CREATE INDEX ix_task_definition_group ON task_definition (worker_group);

ALTER TABLE workflow_version ADD COLUMN source TEXT NOT NULL DEFAULT ''; -- the YAML its author typed, comments and all; empty = drawn

-- +goose Down
ALTER TABLE workflow_version DROP COLUMN source;
DROP INDEX ix_task_definition_group;
ALTER TABLE task_definition DROP COLUMN task_group_id;
ALTER TABLE task_definition DROP COLUMN environment_code;
DROP INDEX ix_task_instance_group;
DROP INDEX ix_task_instance_cache;
ALTER TABLE task_instance DROP COLUMN environment_code;
ALTER TABLE task_instance DROP COLUMN force_start;
ALTER TABLE task_instance DROP COLUMN task_group_priority;
ALTER TABLE task_instance DROP COLUMN task_group_id;
ALTER TABLE task_instance DROP COLUMN cache_key;
ALTER TABLE task_instance DROP COLUMN context;
ALTER TABLE workflow_instance DROP COLUMN deadline;
DROP TABLE run_preset;
DROP TABLE task_log;
DROP TABLE approval;
DROP TABLE workflow_lineage;
DROP TABLE instance_link;
DROP TABLE serial_queue;
DROP TABLE backfill_date;
DROP TABLE backfill;
DROP TABLE schedule_mark;
DROP TABLE schedule_fire;
DROP TABLE schedule;
DROP TABLE calendar_day;
DROP TABLE calendar;
DROP TABLE alert;
DROP TABLE alert_group;
DROP TABLE task_group;
DROP TABLE project_preference;
DROP TABLE project_parameter;
DROP TABLE environment_worker_group;
DROP TABLE environment;
DROP TABLE project_worker_group;
DROP TABLE worker_group;
