// Package webhook holds the alert plugins that make an HTTP request: chats, pagers, and any other receiver.
//
// Each request is the one that DolphinScheduler makes, byte for byte where that is right; what it gets wrong (units of
// timeouts, unescaped markup, titles left out) is done right here. None of the services can be reached from a build, so
// tests compare requests with what the services document, against servers that answer as those do.
package webhook
