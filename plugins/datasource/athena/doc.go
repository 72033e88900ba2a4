// Package athena runs statements in Amazon Athena: StartQueryExecution, GetQueryExecution until it has ended, GetQueryResults.
// Three calls of JSON, signed by hand (signature version 4), need no SDK.
package athena
