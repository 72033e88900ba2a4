// Package window turns the dateValue of a DEPENDENT item, such as "last7Days" or "lastMonday", into the stretches of time
// in which the other workflow must have run: one a day or an hour, each of which needs a run of its own.
//
// Everything is reckoned by the calendar of the base time's own zone. A day begins at its first instant, which need not be
// midnight, and ends where the next one begins, so no instant is missed or counted twice when clocks change. An hour that
// clocks skip is no window; one that they show twice is one window of two hours. Weeks start on Monday.
package window
