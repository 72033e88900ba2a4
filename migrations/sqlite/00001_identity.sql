-- +goose Up
CREATE TABLE queue (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL,
    value       TEXT NOT NULL,
    created_at  TIMESTAMP NOT NULL,
    updated_at  TIMESTAMP NOT NULL,
    CONSTRAINT uq_queue_name UNIQUE (name),
    CONSTRAINT uq_queue_value UNIQUE (value)
);

CREATE TABLE tenant (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    code        TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    queue_id    BIGINT NOT NULL REFERENCES queue (id),
    created_at  TIMESTAMP NOT NULL,
    updated_at  TIMESTAMP NOT NULL,
    CONSTRAINT uq_tenant_code UNIQUE (code)
);

-- user_type: ADMIN_USER | GENERAL_USER; state: 1 enabled, 0 disabled (the DS codes).
CREATE TABLE users (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    name          TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    user_type     TEXT NOT NULL CHECK (user_type IN ('ADMIN_USER', 'GENERAL_USER')),
    email         TEXT NOT NULL DEFAULT '',
    phone         TEXT NOT NULL DEFAULT '',
    tenant_id     BIGINT REFERENCES tenant (id),
    queue         TEXT NOT NULL DEFAULT '',
    state         INTEGER NOT NULL DEFAULT 1,
    time_zone     TEXT NOT NULL DEFAULT '',
    locale        TEXT NOT NULL DEFAULT '',
    theme         TEXT NOT NULL DEFAULT '',
    page_size     INTEGER NOT NULL DEFAULT 10,
    must_change_password BOOLEAN NOT NULL DEFAULT FALSE,
    created_at    TIMESTAMP NOT NULL,
    updated_at    TIMESTAMP NOT NULL,
    CONSTRAINT uq_users_name UNIQUE (name)
);
CREATE INDEX ix_users_tenant ON users (tenant_id);

-- A session is found by the SHA-256 of its secret: the database never holds a usable one.
CREATE TABLE session (
    id           TEXT NOT NULL PRIMARY KEY,
    user_id      BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client       TEXT NOT NULL DEFAULT '',
    user_agent   TEXT NOT NULL DEFAULT '',
    created_at   TIMESTAMP NOT NULL,
    last_seen_at TIMESTAMP NOT NULL,
    expires_at   TIMESTAMP NOT NULL
) WITHOUT ROWID;
CREATE INDEX ix_session_user ON session (user_id);
CREATE INDEX ix_session_expires ON session (expires_at);

CREATE TABLE sign_in_link (
    token_hash TEXT NOT NULL PRIMARY KEY,
    user_id    BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires_at TIMESTAMP NOT NULL
) WITHOUT ROWID;

-- subject: "user:<name>" or "client:<address>".
CREATE TABLE login_throttle (
    subject      TEXT NOT NULL PRIMARY KEY,
    failures     INTEGER NOT NULL,
    blocked_until TIMESTAMP,
    updated_at   TIMESTAMP NOT NULL
) WITHOUT ROWID;

CREATE TABLE access_token (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id      BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         TEXT NOT NULL DEFAULT '',
    token_hash   TEXT NOT NULL,
    hint         TEXT NOT NULL,
    expires_at   TIMESTAMP NOT NULL,
    last_used_at TIMESTAMP,
    created_at   TIMESTAMP NOT NULL,
    updated_at   TIMESTAMP NOT NULL,
    CONSTRAINT uq_access_token_token_hash UNIQUE (token_hash)
);
CREATE INDEX ix_access_token_user ON access_token (user_id);

-- Which role a user holds in a domain: '*' or 'project:<code>'.
CREATE TABLE role_grant (
    user_id    BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    domain     TEXT NOT NULL,
    role       TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (user_id, domain)
) WITHOUT ROWID;
CREATE INDEX ix_role_grant_domain ON role_grant (domain);

CREATE TABLE audit_log (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    at          TIMESTAMP NOT NULL,
    user_id     BIGINT NOT NULL,
    user_name   TEXT NOT NULL,
    client      TEXT NOT NULL DEFAULT '',
    action      TEXT NOT NULL,
    object_type TEXT NOT NULL,
    object_id   TEXT NOT NULL,
    object_name TEXT NOT NULL DEFAULT '',
    project_code BIGINT NOT NULL DEFAULT 0,
    detail      TEXT NOT NULL DEFAULT ''
);
CREATE INDEX ix_audit_log_at ON audit_log (at);
CREATE INDEX ix_audit_log_object ON audit_log (object_type, object_id);

-- +goose Down
DROP TABLE audit_log;
DROP TABLE role_grant;
DROP TABLE access_token;
DROP TABLE login_throttle;
DROP TABLE sign_in_link;
DROP TABLE session;
DROP TABLE users;
DROP TABLE tenant;
DROP TABLE queue;
