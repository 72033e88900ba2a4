// Package fault is the one kind of error that users see.
//
// A fault says what kind of failure it is (Kind, which the web layer maps to a
// status), names a message (Key, both the translation key and the stable code
// of the JSON interface) and may carry arguments of that message, messages for
// single form fields, and a hidden cause. The cause is for the log only.
//
// Packages declare their faults once and derive from them:
//
//	var ErrInUse = fault.New(fault.Conflict, "tenant.in_use")
//
//	return ErrInUse.With("name", t.Code, "count", n).Because(err)
//
// errors.Is compares Kind and Key, so a derived fault is still its base error.
// Errors are never modified: each method returns a copy.
package fault
