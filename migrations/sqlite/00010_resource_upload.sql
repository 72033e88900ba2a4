-- +goose Up

-- Uploads that are not complete. Whoever sends the same file again (the same name, size and time of change) goes on where it
-- stopped. received is the size of all parts; modified is the time of change as the sender tells it, in milliseconds. Rows that
-- nothing was added to for long are removed with their parts.
CREATE TABLE resource_upload (
    id         TEXT NOT NULL PRIMARY KEY,
    tenant     TEXT NOT NULL,
    path       TEXT NOT NULL,
    user_id    BIGINT NOT NULL,
    size       BIGINT NOT NULL,
    modified   BIGINT NOT NULL,
    received   BIGINT NOT NULL DEFAULT 0,
    parts      INTEGER NOT NULL DEFAULT 0,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    CONSTRAINT uq_resource_upload_user_id_tenant_path_size_modified UNIQUE (user_id, tenant, path, size, modified)
);
CREATE INDEX ix_resource_upload_tenant ON resource_upload (tenant);
CREATE INDEX ix_resource_upload_updated ON resource_upload (updated_at);

CREATE TABLE resource_upload_part (
    upload_id TEXT NOT NULL REFERENCES resource_upload (id) ON DELETE CASCADE,
    number    INTEGER NOT NULL,
    blob      TEXT NOT NULL,
    size      BIGINT NOT NULL,
    PRIMARY KEY (upload_id, number)
);

-- +goose Down
DROP TABLE resource_upload_part;
DROP TABLE resource_upload;
