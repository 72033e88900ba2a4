// Package workflow draws workflow definitions: the list, the page of the editor, the
// versions, and a definition for readers without scripts.
package workflow
