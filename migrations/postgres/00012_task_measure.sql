-- +goose Up

-- What attempts measured, in numbers: the history that expected values and trends are made of. series is the same for attempts
-- that measured the same. Rows outlive the runs they come from; they go with their workflow.
CREATE TABLE task_measure (
    task_instance_id BIGINT NOT NULL PRIMARY KEY,
    workflow_code    BIGINT NOT NULL,
    task_code        BIGINT NOT NULL,
    series           TEXT NOT NULL,
    value            TEXT NOT NULL,
    measured_at      TIMESTAMPTZ NOT NULL
);
CREATE INDEX ix_task_measure_series ON task_measure (workflow_code, task_code, series, measured_at);

-- What one opens of a result, a JSON value: too much for lists. Older programs leave it empty.
ALTER TABLE task_result ADD COLUMN detail TEXT;

-- +goose Down
ALTER TABLE task_result DROP COLUMN detail;
DROP TABLE task_measure;
