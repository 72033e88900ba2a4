-- +goose Up

-- What attempts leave for pages of their task type: kind is the type, body a JSON value. The row is written with the end of the
-- attempt, failed ones included. Older programs do not know the table: their masters keep nothing, and what they delete of old
-- runs leaves rows behind, which no list shows.
CREATE TABLE task_result (
    task_instance_id BIGINT NOT NULL PRIMARY KEY,
    kind             TEXT NOT NULL,
    body             TEXT NOT NULL,
    created_at       TIMESTAMPTZ NOT NULL
);
CREATE INDEX ix_task_result_kind ON task_result (kind, created_at);

-- +goose Down
DROP TABLE task_result;
