// Package dial opens connections to places that users name: databases, mail servers, webhooks.
//
// Whoever may name such a place may let this program talk to it, so some addresses are refused wherever a name leads to:
// those on which clouds hand out credentials to whoever asks from inside, and those that are no single machine. Private
// networks are allowed: that is where most databases and mail servers are. The address is checked after the name was looked
// up, at the moment of connecting, so a name that changes its address in between does not get past.
package dial
