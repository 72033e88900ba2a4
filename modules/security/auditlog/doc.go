// Package auditlog shows the audit log to administrators: who did what, what
// an object was before and after, and what was refused. Lists can be narrowed
// and saved as CSV or JSON; DolphinScheduler's clients read it by REST, in the
// words of DolphinScheduler. The log itself is modules/audit.
package auditlog
