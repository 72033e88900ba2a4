// Package email sends alerts by mail: as a table in the message, as a workbook beside it, or both.
//
// The message is built by go-mail/mail, which only send knows. The conversation with the server is held here, because that
// package waits for the greeting of a server without a limit: one that accepts connections and says nothing would keep a
// sender for ever. Here everything together has a minute.
package email
