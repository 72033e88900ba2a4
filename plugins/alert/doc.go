// Package alert is what an alert plugin is: a value that describes one way to tell people, and does it.
//
// A plugin has the name and the field names that it has in DolphinScheduler, because exported and migrated instances contain
// them, letter for letter. Its schema draws the form, checks what is saved, and says which fields are secret: those are
// sealed where they rest and masked wherever they are shown.
//
// Send is called with settings that passed the schema. It ends soon after its context does, starts nothing that outlives the
// call, and may be called from everywhere at once. An alert may be sent twice (the program can die between sending and
// noting it), so a plugin whose receiver can tell repetitions apart uses Message.Key.
//
// Deliver is how others call a plugin: it checks the settings and strikes every secret out of what comes back.
package alert
