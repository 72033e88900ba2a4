// Package alertinstance keeps the ways in which alerts are sent: each an alert plugin with its settings.
//
// Settings are checked by the plugin's schema whoever sends them. Fields that the schema calls secret are sealed in a column
// of their own and leave this package only towards the plugin; wherever settings are shown a mask stands for them, and a mask
// that comes back keeps what there is. The plugin of an instance never changes. An instance that a group holds is not
// deleted.
//
// Everybody signed in may list instances, because groups name them; administrators change and try them.
package alertinstance
