// Package instance draws what ran: the list of workflow instances, the page of one
// with its tabs, the dialog that starts one, task instances and their logs.
//
// Parts that change while one looks are fragments with the id of their element;
// the page's event stream sends them again, wrapped in <hx-partial>. A row of a
// list is one such part, so an update never moves the others.
package instance
