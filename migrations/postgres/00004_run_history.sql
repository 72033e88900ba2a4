-- +goose Up

-- The last runs of a workflow, for lists and charts. Neither column changes, so that a change of state stays cheap.
CREATE INDEX ix_workflow_instance_runs ON workflow_instance (workflow_code, id);

-- +goose Down
DROP INDEX ix_workflow_instance_runs;
