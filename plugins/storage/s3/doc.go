// Package s3 keeps files in a bucket of Amazon S3 or of a server that speaks its protocol.
//
// Credentials are those of the configuration; without them the usual variables of the environment, then what the
// machine, container or service account was given. Nothing larger than one part of a multipart upload is held in memory.
package s3
