// Package account draws the pages about oneself: profile, password, settings,
// sessions, and what this program is.
package account
