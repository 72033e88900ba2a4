// Package policy keeps the rules that administrators add to what the roles give: "everybody: deny workflow.* for nightly",
// "ann: allow instance.operate in etl". Package access says what they mean and decides by them; this package writes them,
// shows them, and explains decisions.
//
// A rule names its user by id, its project and workflow by code; forms take names. Rules about a user or a project go with
// them. Projects and workflows lie in modules above, so boot hands in how they are found (Places).
package policy
