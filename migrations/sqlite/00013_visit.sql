-- +goose Up

-- What each user opened lately in the browser, so that a search offers it first. object is its code, number or path. Rows of what
-- is gone are not shown; newer ones push them out.
CREATE TABLE visit (
    user_id    BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind       TEXT NOT NULL,
    object     TEXT NOT NULL,
    visited_at TIMESTAMP NOT NULL,
    PRIMARY KEY (user_id, kind, object)
);

-- +goose Down
DROP TABLE visit;
