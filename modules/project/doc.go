// Package project keeps projects: the folders that workflows live in, and the
// circle of people who may see, run or change them.
//
// A project has a code, a unique name and an owner. Who creates it becomes its owner;
// others get a role in it (Read, Operate, All) from the owner or an administrator.
// Handing the ownership on makes the old owner an All member. The roles themselves
// are rows of package access; the owner is kept here as well, because a project has
// exactly one.
//
// Modules above ask Service.Require before they do anything in a project: it tells a
// project that does not exist from one that the caller may not see (ErrNoAccess) and
// from one that he may see but not change (ErrNoGrant), and names the owner, who can
// help. What is in a project is known above: boot hands a Contents to the service.
//
// The lists here read users for the names of owners and members.
package project
