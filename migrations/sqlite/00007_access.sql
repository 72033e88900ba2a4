-- +goose Up

-- Where a user comes from (LOCAL, LDAP, OIDC), what it is called there, and whether it is a program and not a person.
ALTER TABLE users ADD COLUMN source TEXT NOT NULL DEFAULT 'LOCAL';
ALTER TABLE users ADD COLUMN external_id TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN is_service BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE users ADD COLUMN password_changed_at TIMESTAMP;
ALTER TABLE users ADD COLUMN last_sign_in_at TIMESTAMP;
CREATE INDEX ix_users_external ON users (source, external_id);

-- Passwords a user had, so that none is taken up again too soon.
CREATE TABLE password_history (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id       BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    password_hash TEXT NOT NULL,
    created_at    TIMESTAMP NOT NULL
);
CREATE INDEX ix_password_history_user ON password_history (user_id, id);

-- scope: words separated by blanks, empty = everything its user may.
ALTER TABLE access_token ADD COLUMN scope TEXT NOT NULL DEFAULT '';
ALTER TABLE access_token ADD COLUMN created_by BIGINT NOT NULL DEFAULT 0;

-- How somebody signed in: PASSWORD, LDAP, OIDC, LINK.
ALTER TABLE session ADD COLUMN method TEXT NOT NULL DEFAULT 'PASSWORD';

-- Sign-ins that wait for the answer of an OpenID provider.
CREATE TABLE oidc_attempt (
    state_hash TEXT NOT NULL PRIMARY KEY,
    nonce      TEXT NOT NULL,
    verifier   TEXT NOT NULL,
    next       TEXT NOT NULL DEFAULT '',
    expires_at TIMESTAMP NOT NULL
);

-- Who may use an object that is not a project. kind: DATASOURCE, NAMESPACE, RESOURCE, UDF, WORKER_GROUP; object_key is the
-- object's id, a path or a name; perm as in DolphinScheduler, 2 = read, 7 = all.
CREATE TABLE object_grant (
    user_id    BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind       TEXT NOT NULL,
    object_key TEXT NOT NULL,
    perm       INTEGER NOT NULL DEFAULT 7,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (user_id, kind, object_key)
);
CREATE INDEX ix_object_grant_object ON object_grant (kind, object_key);

-- Rules administrators add to those of the roles. subject: "user:<id>", "role:<role>" or "*"; permission: a name or a
-- pattern such as "instance.*"; project_code and workflow_code 0 = all. A denial wins over every permission.
CREATE TABLE policy_rule (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    subject       TEXT NOT NULL,
    permission    TEXT NOT NULL,
    project_code  BIGINT NOT NULL DEFAULT 0,
    workflow_code BIGINT NOT NULL DEFAULT 0,
    effect        TEXT NOT NULL CHECK (effect IN ('ALLOW', 'DENY')),
    note          TEXT NOT NULL DEFAULT '',
    created_by    BIGINT NOT NULL DEFAULT 0,
    created_at    TIMESTAMP NOT NULL,
    updated_at    TIMESTAMP NOT NULL
);

-- The value of a secret parameter is sealed.
ALTER TABLE project_parameter ADD COLUMN is_secret BOOLEAN NOT NULL DEFAULT FALSE;

-- What an object was before and after a deed (JSON, empty = not known), and of which request the deed was part.
ALTER TABLE audit_log ADD COLUMN before_state TEXT NOT NULL DEFAULT '';
ALTER TABLE audit_log ADD COLUMN after_state TEXT NOT NULL DEFAULT '';
ALTER TABLE audit_log ADD COLUMN latency_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE audit_log ADD COLUMN request_id TEXT NOT NULL DEFAULT '';
CREATE INDEX ix_audit_log_user ON audit_log (user_id, at);

-- config holds a kubeconfig and is sealed.
CREATE TABLE k8s_cluster (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    code        BIGINT NOT NULL,
    name        TEXT NOT NULL,
    config      TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    operator_id BIGINT NOT NULL,
    created_at  TIMESTAMP NOT NULL,
    updated_at  TIMESTAMP NOT NULL,
    CONSTRAINT uq_k8s_cluster_code UNIQUE (code),
    CONSTRAINT uq_k8s_cluster_name UNIQUE (name)
);

CREATE TABLE k8s_namespace (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    code         BIGINT NOT NULL,
    namespace    TEXT NOT NULL,
    cluster_code BIGINT NOT NULL REFERENCES k8s_cluster (code),
    user_id      BIGINT NOT NULL,
    created_at   TIMESTAMP NOT NULL,
    updated_at   TIMESTAMP NOT NULL,
    CONSTRAINT uq_k8s_namespace_code UNIQUE (code),
    CONSTRAINT uq_k8s_namespace_cluster_code_namespace UNIQUE (cluster_code, namespace)
);

-- One way to send alerts. params is a JSON object of what the plugin's form holds; secrets is a sealed JSON object of those
-- fields that nobody may read back.
CREATE TABLE alert_plugin_instance (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    plugin        TEXT NOT NULL,
    name          TEXT NOT NULL,
    params        TEXT NOT NULL,
    secrets       TEXT NOT NULL DEFAULT '',
    instance_type TEXT NOT NULL DEFAULT 'NORMAL',
    warning_type  TEXT NOT NULL DEFAULT 'ALL',
    user_id       BIGINT NOT NULL DEFAULT 0,
    created_at    TIMESTAMP NOT NULL,
    updated_at    TIMESTAMP NOT NULL,
    CONSTRAINT uq_alert_plugin_instance_name UNIQUE (name)
);

CREATE TABLE alert_group_instance (
    alert_group_id BIGINT NOT NULL REFERENCES alert_group (id) ON DELETE CASCADE,
    instance_id    BIGINT NOT NULL REFERENCES alert_plugin_instance (id),
    position       INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (alert_group_id, instance_id)
);
CREATE INDEX ix_alert_group_instance_instance ON alert_group_instance (instance_id);

-- How far one alert got on each of its ways: WAIT_EXECUTION until it arrived (EXECUTION_SUCCESS) or was given up
-- (EXECUTION_FAILURE). next_at is when it may be tried; while somebody tries, when others may believe he is gone.
CREATE TABLE alert_delivery (
    alert_id    BIGINT NOT NULL REFERENCES alert (id) ON DELETE CASCADE,
    instance_id BIGINT NOT NULL,
    status      TEXT NOT NULL DEFAULT 'WAIT_EXECUTION',
    attempts    INTEGER NOT NULL DEFAULT 0,
    next_at     TIMESTAMP NOT NULL,
    log         TEXT NOT NULL DEFAULT '',
    created_at  TIMESTAMP NOT NULL,
    updated_at  TIMESTAMP NOT NULL,
    PRIMARY KEY (alert_id, instance_id)
);
CREATE INDEX ix_alert_delivery_due ON alert_delivery (status, next_at);
CREATE INDEX ix_alert_delivery_instance ON alert_delivery (instance_id, alert_id);

-- Functions of Hive and Spark that DolphinScheduler 3.2 keeps a list of. resource is the full name of the file they are in.
CREATE TABLE udf_func (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id     BIGINT NOT NULL,
    name        TEXT NOT NULL,
    class_name  TEXT NOT NULL,
    type        TEXT NOT NULL,
    arg_types   TEXT NOT NULL DEFAULT '',
    db          TEXT NOT NULL DEFAULT '',
    description TEXT NOT NULL DEFAULT '',
    resource    TEXT NOT NULL DEFAULT '',
    created_at  TIMESTAMP NOT NULL,
    updated_at  TIMESTAMP NOT NULL,
    CONSTRAINT uq_udf_func_name UNIQUE (name)
);

-- params is a JSON object without what is secret; secrets is a sealed JSON object of the rest.
CREATE TABLE datasource (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL,
    note       TEXT NOT NULL DEFAULT '',
    type       TEXT NOT NULL,
    params     TEXT NOT NULL,
    secrets    TEXT NOT NULL DEFAULT '',
    user_id    BIGINT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    CONSTRAINT uq_datasource_name UNIQUE (name)
);
CREATE INDEX ix_datasource_user ON datasource (user_id);

CREATE TABLE favourite_task (
    user_id    BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    task_type  TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (user_id, task_type)
);

-- Files and folders of tenants. path has no slash at either end ("" is never a row); parent is what stands before its last
-- slash. The content lies in the storage under blob, a key that no other revision has; folders have none. sha256 is
-- hexadecimal; size is in bytes.
CREATE TABLE resource (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant     TEXT NOT NULL,
    path       TEXT NOT NULL,
    parent     TEXT NOT NULL,
    name       TEXT NOT NULL,
    is_dir     BOOLEAN NOT NULL,
    size       BIGINT NOT NULL DEFAULT 0,
    sha256     TEXT NOT NULL DEFAULT '',
    blob       TEXT NOT NULL DEFAULT '',
    revision   INTEGER NOT NULL DEFAULT 0,
    user_id    BIGINT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    CONSTRAINT uq_resource_tenant_path UNIQUE (tenant, path)
);
CREATE INDEX ix_resource_parent ON resource (tenant, parent);

-- What a file held. The newest revision is also in resource.
CREATE TABLE resource_revision (
    resource_id BIGINT NOT NULL REFERENCES resource (id) ON DELETE CASCADE,
    revision    INTEGER NOT NULL,
    blob        TEXT NOT NULL,
    size        BIGINT NOT NULL,
    sha256      TEXT NOT NULL,
    message     TEXT NOT NULL DEFAULT '',
    user_id     BIGINT NOT NULL,
    created_at  TIMESTAMP NOT NULL,
    PRIMARY KEY (resource_id, revision)
);

-- Blobs that are being written or are not needed any more; whoever finds an old one removes it from the storage.
CREATE TABLE resource_garbage (
    blob       TEXT NOT NULL PRIMARY KEY,
    created_at TIMESTAMP NOT NULL
);

-- Which tasks of the current versions name which files; name is "<tenant>/<path>".
CREATE TABLE task_resource (
    workflow_code BIGINT NOT NULL REFERENCES workflow_definition (code) ON DELETE CASCADE,
    task_code     BIGINT NOT NULL,
    name          TEXT NOT NULL,
    PRIMARY KEY (workflow_code, task_code, name)
);
CREATE INDEX ix_task_resource_name ON task_resource (name);

-- The keys by which secrets are sealed, wrapped with the secret of the cluster, for masters that have no key file yet.
CREATE TABLE shared_key (
    name    TEXT NOT NULL PRIMARY KEY,
    wrapped TEXT NOT NULL
) WITHOUT ROWID;

-- +goose Down
DROP TABLE shared_key;
DROP TABLE task_resource;
DROP TABLE resource_garbage;
DROP TABLE resource_revision;
DROP TABLE resource;
DROP TABLE favourite_task;
DROP TABLE datasource;
DROP TABLE udf_func;
DROP TABLE alert_delivery;
DROP TABLE alert_group_instance;
DROP TABLE alert_plugin_instance;
DROP TABLE k8s_namespace;
DROP TABLE k8s_cluster;
DROP INDEX ix_audit_log_user;
ALTER TABLE audit_log DROP COLUMN request_id;
ALTER TABLE audit_log DROP COLUMN latency_ms;
ALTER TABLE audit_log DROP COLUMN after_state;
ALTER TABLE audit_log DROP COLUMN before_state;
ALTER TABLE project_parameter DROP COLUMN is_secret;
DROP TABLE policy_rule;
DROP TABLE object_grant;
DROP TABLE oidc_attempt;
ALTER TABLE session DROP COLUMN method;
ALTER TABLE access_token DROP COLUMN created_by;
ALTER TABLE access_token DROP COLUMN scope;
DROP TABLE password_history;
DROP INDEX ix_users_external;
ALTER TABLE users DROP COLUMN last_sign_in_at;
ALTER TABLE users DROP COLUMN password_changed_at;
ALTER TABLE users DROP COLUMN is_service;
ALTER TABLE users DROP COLUMN external_id;
ALTER TABLE users DROP COLUMN source;
