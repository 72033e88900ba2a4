// Package statement is what tasks that talk to databases share: a lexer that knows the dialects, a splitter, a binder that
// puts parameters into statements without ever pasting them, and a session on one dedicated connection.
//
// A text goes through these steps. Time expressions $[…] are evaluated and raw parameters !{name} are put in, both outside
// of comments (Prepare). The text is split at its semicolons (Split). In each statement ${name} becomes a bind, typed as
// the parameter is declared (Binder). Where neither the statement nor the driver takes binds, the value becomes a literal,
// escaped by the rules of the dialect; the same holds within longer literals ('a ${x} b').
//
// A session ends soon after its context: the server is told to stop the statement, over a second connection where the
// driver does not do so, and a driver that hangs all the same is left behind. What it does later reaches nobody: its log is
// shut and its result is dropped.
package statement
