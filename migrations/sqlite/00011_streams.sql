-- +goose Up

-- A streaming task that was started by itself has a row here like any run, because the rows of an attempt hang on it; no list of
-- runs shows it: is_sub_workflow is set as well. A master that does not know the column passes the task through without starting
-- it.
ALTER TABLE workflow_instance ADD COLUMN stream BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX ix_workflow_instance_stream ON workflow_instance (project_code, id) WHERE stream;

-- What was asked of a streaming task that goes on: to write down its state. path is where it lies; message why there is none.
-- Both are empty while it is written, and for ever when the program that asked ended meanwhile.
CREATE TABLE savepoint (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    task_instance_id BIGINT NOT NULL,
    user_name        TEXT NOT NULL,
    path             TEXT NOT NULL DEFAULT '',
    message          TEXT NOT NULL DEFAULT '',
    created_at       TIMESTAMP NOT NULL,
    ended_at         TIMESTAMP
);
CREATE INDEX ix_savepoint_task_instance ON savepoint (task_instance_id);

-- +goose Down
DROP TABLE savepoint;
DROP INDEX ix_workflow_instance_stream;
ALTER TABLE workflow_instance DROP COLUMN stream;
