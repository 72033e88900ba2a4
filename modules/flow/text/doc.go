// Package text is a workflow as people write it: YAML with tasks by name, scripts as blocks of lines, and references by
// name instead of code. It is pure.
//
// Format writes the one canonical text of a definition, Parse reads any text of that form, and Update brings a text
// that a person wrote in step with a definition that changed elsewhere: what did not change keeps its comments, order
// and spelling byte for byte. Three things always hold:
//
//   - Parse(Format(d)) says the same as d, with d as the base that gives codes to names;
//   - Parse(Update(old, prev, next)) says the same as next;
//   - a text that Parse refuses has at least one Problem, each with the line it is about.
//
// The fields are listed once, in fields.go; the JSON schema of the form is made from that list.
package text
