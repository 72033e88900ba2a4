// Package databend speaks the HTTP protocol of Databend: POST /v1/query, then what next_uri says until there is none. What a
// statement changes in the session comes back with its answer and is sent with the next.
package databend
