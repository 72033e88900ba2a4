// Package taskgroup keeps task groups: how many tasks of a kind may run at once, whatever workflow they are in.
//
// A group belongs to a project, or, without one, to all. Its size is the number of slots. A closed group (Closed) limits
// nothing. Who holds a slot and who waits is not kept here: it follows from the attempts themselves, which masters place.
// Waiting ones go by priority, larger first, then by age. Making a group smaller than its use ends nothing: the next
// attempt starts once enough of those that run are over. A forced start goes beyond the size and is not counted.
//
// Masters are told of every change over the channel "dorado_config". What an operator wishes for a waiting attempt is
// carried out by modules above; boot hands in a Controller.
package taskgroup
