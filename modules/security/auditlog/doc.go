// Package auditlog shows the audit log: who did what. The log itself is
// modules/audit.
package auditlog
