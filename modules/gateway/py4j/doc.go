// Package py4j is the server side of the part of the Py4J protocol that clients in Python need to call the methods of one
// object.
//
// Py4J is lines of text over TCP. A client sends a command (its name, its lines, and "e"), the server answers with one
// line, strictly in turn:
//
//	c           call a method              A        show the token
//	o0          of this object             secret
//	get         with this name
//	scode       and this argument          !yv      welcome
//	e
//
//	!yL42       it returned the long 42
//
// A letter before a value says what it is (Value). What cannot be written in a line, such as a map, stays here: the client
// gets an id ("o7") and calls methods of it, until it says that it has forgotten it ("m"), or is gone for an hour. All
// connections share one list of objects, because a client opens one for each thread and forgets on any of them.
//
// A Java server lets whoever knows the token load classes and run programs. This one has no classes: a client can call the
// methods of the Entry and of what they return, and make empty lists, sets and maps to hand in. All that it can make grow
// is bounded (Limits).
package py4j
