// Package snowflake speaks Snowflake's SQL API (POST /api/v2/statements), which is documented, in place of the protocol of its
// drivers, which is not: the driver for Go would make the program a third larger.
//
// The API takes no passwords. Whoever connects shows a programmatic access token, a token of OAuth, or a text signed with a
// private key. Statements are independent of each other: USE and ALTER SESSION do not reach the next one, and there are no
// transactions across statements.
package snowflake
