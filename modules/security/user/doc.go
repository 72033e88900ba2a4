// Package user is the administrator's view of users: pages and REST endpoints over
// modules/identity, which has the rules.
//
// It joins what identity cannot know: the codes of tenants and the names of
// queues. In turn it tells tenants which users hold them (TenantUses), so that a
// tenant in use is not deleted. Modules above that hold users implement Referrer
// to be named on the page that says why a user cannot be deleted; that he then
// cannot be is identity.Referrer's matter.
package user
