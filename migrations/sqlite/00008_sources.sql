-- +goose Up

-- Which tasks of the current versions name which data sources. Whoever saved the task was allowed to use them.
CREATE TABLE task_source (
    workflow_code BIGINT NOT NULL REFERENCES workflow_definition (code) ON DELETE CASCADE,
    task_code     BIGINT NOT NULL,
    source_id     BIGINT NOT NULL,
    PRIMARY KEY (workflow_code, task_code, source_id)
);
CREATE INDEX ix_task_source_source ON task_source (source_id);

-- +goose Down
DROP TABLE task_source;
