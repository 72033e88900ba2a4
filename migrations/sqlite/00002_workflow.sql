-- +goose Up
CREATE TABLE project (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    code        BIGINT NOT NULL,
    name        TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    owner_id    BIGINT NOT NULL REFERENCES users (id),
    created_at  TIMESTAMP NOT NULL,
    updated_at  TIMESTAMP NOT NULL,
    CONSTRAINT uq_project_code UNIQUE (code),
    CONSTRAINT uq_project_name UNIQUE (name)
);
CREATE INDEX ix_project_owner ON project (owner_id);

-- The head row of a workflow definition; what it says is in workflow_version.
CREATE TABLE workflow_definition (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    code           BIGINT NOT NULL,
    project_code   BIGINT NOT NULL REFERENCES project (code),
    name           TEXT NOT NULL,
    description    TEXT NOT NULL DEFAULT '',
    version        INTEGER NOT NULL,
    release_state  TEXT NOT NULL CHECK (release_state IN ('ONLINE', 'OFFLINE')),
    execution_type TEXT NOT NULL,
    task_count     INTEGER NOT NULL DEFAULT 0,
    owner_id       BIGINT NOT NULL REFERENCES users (id),
    modified_by    BIGINT NOT NULL REFERENCES users (id),
    created_at     TIMESTAMP NOT NULL,
    updated_at     TIMESTAMP NOT NULL,
    CONSTRAINT uq_workflow_definition_code UNIQUE (code),
    CONSTRAINT uq_workflow_definition_project_code_name UNIQUE (project_code, name)
);
CREATE INDEX ix_workflow_definition_updated ON workflow_definition (project_code, updated_at);

-- Immutable: one row per saved version; body is the JSON document of flow.Definition.
CREATE TABLE workflow_version (
    workflow_code BIGINT NOT NULL REFERENCES workflow_definition (code) ON DELETE CASCADE,
    version       INTEGER NOT NULL,
    body          TEXT NOT NULL,
    message       TEXT NOT NULL DEFAULT '',
    task_count    INTEGER NOT NULL DEFAULT 0,
    tasks_added   INTEGER NOT NULL DEFAULT 0, -- against the version before it
    tasks_changed INTEGER NOT NULL DEFAULT 0,
    tasks_removed INTEGER NOT NULL DEFAULT 0,
    operator_id   BIGINT NOT NULL,
    created_at    TIMESTAMP NOT NULL,
    PRIMARY KEY (workflow_code, version)
);

-- The tasks of each workflow's current version, for look-ups by task.
CREATE TABLE task_definition (
    code          INTEGER PRIMARY KEY,
    version       INTEGER NOT NULL,
    workflow_code BIGINT NOT NULL REFERENCES workflow_definition (code) ON DELETE CASCADE,
    project_code  BIGINT NOT NULL,
    name          TEXT NOT NULL,
    task_type     TEXT NOT NULL,
    worker_group  TEXT NOT NULL
);
CREATE INDEX ix_task_definition_workflow ON task_definition (workflow_code);
CREATE INDEX ix_task_definition_project ON task_definition (project_code, name);

-- One unsaved edit per user and workflow (workflow_code is fresh for one never saved).
CREATE TABLE workflow_draft (
    user_id       BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    workflow_code BIGINT NOT NULL,
    project_code  BIGINT NOT NULL REFERENCES project (code) ON DELETE CASCADE,
    base_version  INTEGER NOT NULL,
    revision      INTEGER NOT NULL,
    name          TEXT NOT NULL DEFAULT '',
    body          TEXT NOT NULL,
    updated_at    TIMESTAMP NOT NULL,
    PRIMARY KEY (user_id, workflow_code)
);
CREATE INDEX ix_workflow_draft_project ON workflow_draft (project_code);

-- +goose Down
DROP TABLE workflow_draft;
DROP TABLE task_definition;
DROP TABLE workflow_version;
DROP TABLE workflow_definition;
DROP TABLE project;
